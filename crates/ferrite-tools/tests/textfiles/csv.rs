//! Rows become keys, and keys rows.

use std::fs;
use std::process::Stdio;

use ferrite_testkit::{Peer, Server};

use crate::{Ended, listing, load_everything, run, start};

/// Imports this text.
fn import(text: &[u8], target: &Peer, options: &[&str]) -> Ended {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.csv");
    fs::write(&path, text).unwrap();
    let url = target.url();
    let args = ["import-csv", path.to_str().unwrap(), "-t", &url];
    run(&[&args, options].concat(), Stdio::null())
}

#[test]
fn rows_become_keys_of_every_type() {
    let target = start(Server::Redis70);
    let mut client = target.client();
    let users =
        b"\xef\xbb\xbfid,name,until\r\n7,\"Lovelace, \"\"Ada\"\"\",\r\n8,\xff,32503680000\n";
    let options = ["--key", "user:{id}", "--expires-at", "until"];
    import(users, &target, &[&options[..], &["--dry-run"]].concat()).exits(0);
    assert_eq!(listing(&target).len(), 0);
    import(users, &target, &options).exits(0).says(&["Copied:           2"]);
    assert_eq!(client.ok(&["HGET", "user:7", "name"]).text(), "Lovelace, \"Ada\"");
    assert_eq!(client.ok(&["HGET", "user:8", "name"]).bytes(), Some(&b"\xff"[..]));
    assert_eq!(client.ok(&["HLEN", "user:8"]).int(), Some(2));
    assert_eq!(client.ok(&["EXPIRETIME", "user:8"]).int(), Some(32_503_680_000));

    client.ok(&["FLUSHALL"]);
    let board = b"game;who;points\na;x;1.5\na;y;-inf\nb;x;2\n";
    let zset = ["--key", "{game}", "--type", "zset", "--member", "who", "--score", "points"];
    let options = [&zset[..], &["--delimiter", ";"]].concat();
    import(board, &target, &options).exits(0);
    assert_eq!(client.ok(&["ZSCORE", "a", "y"]).text(), "-inf");
    assert_eq!(client.ok(&["ZCARD", "a"]).int(), Some(2));
    for (shape, command, expected) in
        [("list", ["LRANGE", "a", "0", "-1"], "x x"), ("set", ["SORT", "a", "ALPHA", "ASC"], "x")]
    {
        let options = ["--key", "{1}", "--type", shape, "--member", "2", "--no-header"];
        let options = [&options[..], &["--on-conflict", "replace"]].concat();
        import(b"a,x\na,x\nb,y\n", &target, &options).exits(0);
        let items = client.ok(&command);
        let items: Vec<String> = items.items().iter().map(ferrite_testkit::Reply::text).collect();
        assert_eq!(items.join(" "), expected);
    }
    let options = ["--key", "{1}", "--type", "string", "--value", "2", "--ttl", "3", "--no-header"];
    let options = [&options[..], &["--on-conflict", "replace"]].concat();
    import(b"s,one,100\nt,two,\n", &target, &options).exits(0);
    assert_eq!(client.ok(&["GET", "t"]).text(), "two");
    assert_eq!(client.ok(&["TTL", "t"]).int(), Some(-1));
    assert!(client.ok(&["TTL", "s"]).int().unwrap() > 0);
}

#[test]
fn a_mapping_in_a_file_says_it_all_and_its_errors_have_places() {
    let target = start(Server::Redis70);
    let mut client = target.client();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.yaml");
    let map = |rows: &[u8], mapping: &str, more: &[&str]| {
        fs::write(&path, mapping).unwrap();
        let file = ["--mapping", path.to_str().unwrap()];
        import(rows, &target, &[&file, more].concat())
    };
    let users = b"id;full_name;until\n7;Ada;32503680000\n8;Grace;\n";
    let all = "key: user:{id}\nfields:\n  name: full_name\nexpires_at: until\ndelimiter: ;\n";
    map(users, all, &[]).exits(0).says(&["Copied:           2"]);
    assert_eq!(client.ok(&["HGET", "user:7", "name"]).text(), "Ada");
    assert_eq!(client.ok(&["HLEN", "user:7"]).int(), Some(1));
    assert_eq!(client.ok(&["EXPIRETIME", "user:7"]).int(), Some(32_503_680_000));
    let numbered = "key: '{1}'\ntype: zset\nmember: 2\nscore: 3\nheader: false\n";
    map(b"board,Ada,1.5\n", numbered, &["--on-conflict", "replace"]).exits(0);
    assert_eq!(client.ok(&["ZSCORE", "board", "Ada"]).text(), "1.5");

    client.ok(&["FLUSHALL"]);
    let place = |text: &str| format!("{}, {text}", path.display());
    let wrong = [
        ("key: '{id}'\nfields:\n  - name\n", 3, "line 3, column 5, `fields`: there is no column"),
        ("key: user:{nr}\n", 3, "line 1, column 6, `key`: there is no column \"nr\""),
        ("key: '{id}'\ntype: zset\n", 1, "line 2, column 7, `type`: a sorted set needs `member`"),
        ("key: '{id}'\nkeys: 3\n", 1, "line 2, column 1, `keys`: unknown field"),
        ("key: '{id}'\nheader: often\n", 1, "line 2, column 9, `header`: "),
    ];
    for (mapping, code, said) in wrong {
        map(b"id,other\n1,a\n", mapping, &[]).exits(code).says(&[&place(said)]);
    }
    map(b"id\n1\n", all, &["--key", "{id}"]).exits(1).says(&["cannot be used with"]);
    let missing = ["--mapping", "no/such.yaml"];
    import(b"id\n1\n", &target, &missing).exits(1).says(&["no/such.yaml", "No such file"]);
    assert_eq!(listing(&target).len(), 0);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let target = start(Server::Redis70);
    let hash = ["--key", "k:{id}"];
    import(b"nr,name\n1,a\n", &target, &hash).exits(3).says(&["no column \"id\"", "nr, name"]);
    import(b"", &target, &hash).exits(3).says(&["no column \"id\""]);
    import(b"id\n1\n", &target, &["--key", "k"]).exits(1).says(&["names no column"]);
    import(b"id\n1\n", &target, &[&hash[..], &["--type", "zset"]].concat())
        .exits(1)
        .says(&["--member"]);
    let stream = [&hash[..], &["--type", "stream"]].concat();
    import(b"id\n1\n", &target, &stream).exits(1).says(&["hash, string, list, set, zset"]);
    assert_eq!(listing(&target).len(), 0);

    let replaces = [&hash[..], &["--on-conflict", "replace"]].concat();
    let columns = ["line 3 (byte 12)", "1 columns, and there should be 2"];
    import(b"id,name\n1,a\n2\n", &target, &replaces).exits(2).says(&columns);
    assert_eq!(listing(&target).len(), 1, "what came before");
    let expires = [&replaces[..], &["--expires-at", "name"]].concat();
    import(b"id,name\n1,soon\n", &target, &expires).exits(2).says(&["\"soon\" is not a Unix time"]);

    // Quotes that are not closed make a row of all the rest.
    let mut long = b"id,name\n1,\"".to_vec();
    long.resize(6 << 20, b'x');
    let options = [&replaces[..], &["--memory-limit", "32MiB"]].concat();
    import(&long, &target, &options).exits(2).says(&[
        "line 2 (byte 8)",
        "in column 2",
        "close its quotes",
    ]);

    let list = ["--key", "{id}", "--type", "list", "--member", "name"];
    let again = b"id,name\na,1\nb,2\na,3\n";
    let sorted = ["sort the file by its key"];
    import(again, &target, &[&list[..], &["--on-conflict", "replace"]].concat())
        .exits(2)
        .says(&sorted);
    let skips = [&hash[..], &["--on-conflict", "skip"]].concat();
    import(b"id,name\n1,other\n", &target, &skips).exits(5).says(&["1 key: "]);
    assert_eq!(target.client().ok(&["HGET", "k:1", "name"]).text(), "a");
}

#[test]
fn keys_become_rows_and_what_has_none_is_named() {
    let source = start(Server::Redis80);
    let mut client = source.client();
    client.ok(&["SET", "greeting", "hello, \"you\"", "PXAT", "32503680000000"]);
    client.ok(&["RPUSH", "queue", "first", "second\nline"]);
    client.ok(&["ZADD", "board", "1.5", "Ada"]);
    client.ok(&["HSET", "user:7", "name", "Ada"]);
    let url = source.url();
    let export = |file: &str| run(&["export-csv", "-s", &url, "-o", file], Stdio::null());
    let out = export("-").exits(0);
    let mut rows: Vec<&str> = out.stdout.split_inclusive('\n').skip(1).collect();
    rows.sort_unstable();
    let expected = [
        "0,board,zset,,,Ada,1.5\n",
        "0,greeting,string,32503680000000,,\"hello, \"\"you\"\"\",\n",
        "0,queue,list,,0,first,\n",
        "0,queue,list,,1,\"second\n",
        "0,user:7,hash,,name,Ada,\n",
        "line\",\n",
    ];
    assert_eq!(rows, expected);
    assert!(out.stdout.starts_with("db,key,type,expires_at_ms,field,value,score\n"));

    load_everything(&source);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.csv");
    export(path.to_str().unwrap()).exits(5).says(&["streams, modules", "expiries of hash fields"]);
    assert!(path.exists());
}
