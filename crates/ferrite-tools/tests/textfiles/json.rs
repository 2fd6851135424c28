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
