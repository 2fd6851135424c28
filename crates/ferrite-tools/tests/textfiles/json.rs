//! What is exported comes back.

use std::fs;
use std::process::Stdio;

use ferrite_testkit::{Peer, Server};

use crate::{Ended, listing, load_everything, run, start};

fn export(source: &Peer, file: &str, options: &[&str]) -> Ended {
    run(&[&["export-json", "-s", &source.url(), "-o", file], options].concat(), Stdio::null())
}

fn import(file: &str, target: &Peer, options: &[&str]) -> Ended {
    run(&[&["import-json", file, "-t", &target.url()], options].concat(), Stdio::null())
}

/// Everything, there and back; `json` on standard output gives the same.
fn comes_back(from: Server, to: Server) {
    let source = start(from);
    load_everything(&source);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.jsonl");
    let file = path.to_str().unwrap();
    export(&source, file, &[]).exits(0).says(&["keys to", "DONE (exit 0"]);
    let target = start(to);
    import(file, &target, &[]).exits(0);
    let differences = listing(&source).diff(&listing(&target));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn everything_of_redis_6_2_comes_back() {
    comes_back(Server::Redis62, Server::Redis62);
}

#[test]
fn everything_of_redis_8_0_comes_back() {
    comes_back(Server::Redis80, Server::Redis80);
}

#[test]
fn everything_of_valkey_9_1_comes_back() {
    comes_back(Server::Valkey91, Server::Valkey91);
}

#[test]
fn what_redis_7_0_has_gets_to_valkey_9_1() {
    comes_back(Server::Redis70, Server::Valkey91);
}

#[test]
fn a_value_above_the_limit_is_written_in_parts() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let mut client = source.client();
    for (key, times) in [("large", 700_000), ("larger", 1_400_001)] {
        client.ok(&["SETRANGE", key, &(times * 3).to_string(), "\u{7f}end"]);
    }
    for _ in 0..40 {
        let words: Vec<String> = (0..1000).map(|n| format!("{n}{}", "x".repeat(100))).collect();
        let mut command = vec!["RPUSH", "list"];
        command.extend(words.iter().map(String::as_str));
        client.ok(&command);
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.jsonl");
    let file = path.to_str().unwrap();
    export(&source, file, &["--memory-limit", "32MiB"]).exits(0);
    // What was written in parts is a record of more than the limit allows to read.
    import(file, &target, &["--memory-limit", "32MiB"]).exits(2).says(&["--memory-limit", "line"]);
    import(file, &target, &["--on-conflict", "replace"]).exits(0);
    let differences = listing(&source).diff(&listing(&target));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn people_write_arrays_and_make_mistakes() {
    let target = start(Server::Redis70);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.json");
    let file = path.to_str().unwrap();
    let text = r#"[
      {"key": "user:1", "type": "hash", "value": {"name": "Ada", "age": 36}},
      {"key": "user:2", "type": "zset", "value": {"a": 1.5, "b": "inf"}, "db": 2},
      {"type": "set", "key": "gone", "value": ["m"], "expires_at_ms": 1}
    ]"#;
    fs::write(&path, text).unwrap();
    import(file, &target, &["--dry-run"]).exits(0);
    assert_eq!(listing(&target).len(), 0);
    import(file, &target, &[]).exits(0).says(&["Copied:           2", "Expired:          1"]);
    assert_eq!(target.client().ok(&["HGET", "user:1", "age"]).text(), "36");
    import(file, &target, &[]).exits(3).says(&["--on-conflict replace"]);
    // `import` knows it by its first bytes.
    let by_itself = ["import", file, "-t", &target.url(), "--on-conflict", "replace"];
    run(&by_itself, Stdio::null()).exits(0).says(&["Copied:           2"]);
    run(&[&by_itself[..], &["--verify"]].concat(), Stdio::null()).exits(3).says(&["is JSON"]);
    import(file, &target, &["--on-conflict", "skip"]).exits(5).says(&["2 keys: "]);

    for (line, why) in [
        (r#"{"key":"b","type":"list","value":{}}"#, "line 2 (byte 40)"),
        (r#"{"key":"b","type":"list","ttl":5}"#, "unknown field `ttl`"),
        (r#"{"key":"b","type":"string","value":"x""#, "ends in the middle of a record"),
        ("key,value", "'k' stands where a record should begin"),
    ] {
        fs::write(&path, format!("{}\n{line}", r#"{"key":"a","type":"string","value":"x"}"#))
            .unwrap();
        import(file, &target, &["--on-conflict", "replace"]).exits(2).says(&[why]);
    }
    fs::write(&path, "key,value\n").unwrap();
    import(file, &target, &["--on-conflict", "replace"]).exits(3).says(&["is no JSON"]);
    let out = export(&target, "-", &["-f", "user:1"]).exits(0);
    let line = r#"{"db":0,"key":"user:1","type":"hash","value":{"name":"Ada","age":"36"}}"#;
    assert_eq!(out.stdout, format!("{line}\n"));
    export(&target, "-", &["--json"]).exits(1).says(&["both go to stdout"]);
}

/// Objects that nobody wrote for us, by a mapping.
#[test]
fn objects_of_any_shape_become_keys() {
    let target = start(Server::Redis70);
    let mut client = target.client();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("people.jsonl");
    let file = path.to_str().unwrap();
    let map = |text: &str, options: &[&str]| {
        fs::write(&path, text).unwrap();
        import(file, &target, &[&["--on-conflict", "replace"], options].concat())
    };
    let people = concat!(
        r#"{"id":7,"name":"Ada \u00e9","at":{"city":"London"},"tags":["a","b",3],"until":32503680000}"#,
        "\n",
        r#"{"id":8,"name":null,"at":{},"tags":[],"age":36.50,"is_new":true,"until":null}"#,
        "\n"
    );
    map(people, &["--key", "user:{id}", "--expires-at", "until", "--dry-run"]).exits(0);
    assert_eq!(listing(&target).len(), 0);
    map(people, &["--key", "user:{id}", "--expires-at", "until"])
        .exits(0)
        .says(&["Copied:           2"]);
    assert_eq!(client.ok(&["HGET", "user:7", "name"]).text(), "Ada é");
    assert_eq!(client.ok(&["HGET", "user:7", "at"]).text(), r#"{"city":"London"}"#);
    assert_eq!(client.ok(&["HLEN", "user:7"]).int(), Some(4));
    assert_eq!(client.ok(&["EXPIRETIME", "user:7"]).int(), Some(32_503_680_000));
    assert_eq!(client.ok(&["HGET", "user:8", "age"]).text(), "36.50");
    assert_eq!(client.ok(&["HGET", "user:8", "is_new"]).text(), "true");
    assert_eq!(client.ok(&["HEXISTS", "user:8", "name"]).int(), Some(0));
    assert_eq!(client.ok(&["TTL", "user:8"]).int(), Some(-1));

    client.ok(&["FLUSHALL"]);
    let file_of_it = dir.path().join("people.yaml");
    let mapping = ["--mapping", file_of_it.to_str().unwrap()];
    let text = "key: user:{id}\nfields:\n  city: at.city\n  id: id\nexpires_at: until\n";
    fs::write(&file_of_it, text).unwrap();
    map(people, &mapping).exits(0).says(&["Copied:           2"]);
    assert_eq!(client.ok(&["HGET", "user:7", "city"]).text(), "London");
    assert_eq!(client.ok(&["HLEN", "user:8"]).int(), Some(1));

    client.ok(&["FLUSHALL"]);
    let set = ["--key", "tags:{id}", "--type", "set", "--member", "tags"];
    map(people, &set).exits(0).says(&["Copied:           1"]);
    assert_eq!(client.ok(&["SISMEMBER", "tags:7", "3"]).int(), Some(1));
    let board =
        "[{\"g\":\"a\",\"who\":\"x\",\"points\":1.5},\n{\"g\":\"a\",\"who\":\"y\",\"points\":-2}]";
    let zset = ["--key", "{g}", "--type", "zset", "--member", "who", "--score", "points"];
    map(board, &zset).exits(0).says(&["Copied:           1"]);
    assert_eq!(client.ok(&["ZSCORE", "a", "y"]).text(), "-2");
    let string = ["--key", "{g}:{who}", "--type", "string", "--value", "points", "--ttl", "points"];
    map(&board.replace("-2", "100").replace("1.5", "200"), &string).exits(0);
    assert_eq!(client.ok(&["GET", "a:x"]).text(), "200");
    assert!(client.ok(&["TTL", "a:y"]).int().unwrap() > 90);
}

#[test]
fn what_is_wrong_with_an_object_is_told_by_line_and_field() {
    let target = start(Server::Redis70);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("people.jsonl");
    let file = path.to_str().unwrap();
    let yaml = dir.path().join("people.yaml");
    let good = r#"{"id":1,"n":"x"}"#;
    let key = ["--key", "k:{id}"];
    let zset = &["--key", "z:{n}", "--type", "zset", "--member", "n", "--score", "id"][..];
    for (line, options, why) in [
        (r#"{"n":"y"}"#, &key[..], "it has no \"id\""),
        (r#"{"id":null}"#, &key, "it has no \"id\""),
        (
            r#"{"id":2,"n":"soon"}"#,
            &["--key", "k:{id}", "--ttl", "n"],
            "\"n\": \"x\" is not a number",
        ),
        (r#"{"id":"b","n":"y"}"#, zset, "\"id\": \"b\" is not a score"),
        (r#"{"id":2,"n":["y"]}"#, zset, "it is an array"),
        (r#"{"id":2,"n":}"#, &key, "expected value"),
        (
            r#"{"id":2,"n":[1,null]}"#,
            &["--key", "l:{id}", "--type", "list", "--member", "n"],
            "null",
        ),
    ] {
        fs::write(&path, format!("{good}\n{line}\n")).unwrap();
        let said = import(file, &target, &[&["--on-conflict", "replace"], options].concat());
        let line = if why.contains("number") { "line 1 (byte 0)" } else { "line 2 (byte 17)" };
        said.exits(2).says(&[line, why]);
    }
    let fields: String = (0..70_000).map(|n| format!("\"f{n}\":1,")).collect();
    fs::write(&path, format!("{good}\n{{{fields}\"id\":2}}")).unwrap();
    let said = import(file, &target, &[&["--on-conflict", "replace"], &key[..]].concat());
    said.exits(2).says(&["line 2", "more than 65536 fields"]);

    fs::write(&path, good).unwrap();
    import(file, &target, &["--on-conflict", "replace"])
        .exits(2)
        .says(&["unknown field", "--mapping"]);
    let mapping = ["--mapping", yaml.to_str().unwrap()];
    for (text, why) in [
        ("key: '{id}'\ndelimiter: ;\n", "line 2, column 12, `delimiter`: it is for CSV"),
        ("key: '{id}'\nheader: true\n", "line 2, column 9, `header`: it is for CSV"),
    ] {
        fs::write(&yaml, text).unwrap();
        import(file, &target, &mapping).exits(1).says(&[why]);
    }
    for (options, why) in [
        (&["--fields", "n"][..], "--key"),
        (&["--key", "{id}", "--type", "stream"], "hash, string, list, set, zset"),
        (&["--key", "{id}", "--type", "set", "--type", "list"], "there is one"),
        (&["--key", "{id}", "--db", "1"], "cannot be used with"),
        (&["--key", "{id}", "--type", "string"], "needs --value"),
    ] {
        import(file, &target, options).exits(1).says(&[why]);
    }
}
