//! RDB files as such: what they hold, others made of them, in what two differ. Those of the fixtures
//! were written by real servers, and real servers load what we write.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use ferrite_testkit::dataset::big;
use ferrite_testkit::{Peer, Server};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::command::{Ended, Running, program, run, until};
use crate::{assert_same, empty, listing, with_everything, with_keys};

/// The servers whose files are kept, with their version of the format.
const WRITERS: [(&str, u64); 5] = [
    ("redis-6.2", 9),
    ("redis-7.0", 10),
    ("redis-8.0", 12),
    ("valkey-8.1", 11),
    ("valkey-9.1", 80),
];

/// The file a server wrote, and a line for each of its keys.
fn fixture(server: &str) -> (PathBuf, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ferrite-rdb/tests/fixtures");
    let expected = fs::read_to_string(folder.join(server).join("expected.txt")).unwrap();
    (folder.join(server).join("snapshot.bin"), expected)
}

fn analyze(file: &Path, options: &[&str]) -> Ended {
    run(&[&["analyze-rdb", file.to_str().unwrap()], options].concat())
}

/// The last object on stdout but an error.
fn report(ended: &Ended) -> Value {
    let objects = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    objects.rev().find(|object| object["event"] == "report").unwrap()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn the_files_of_all_servers_are_analyzed() {
    let dir = tempfile::tempdir().unwrap();
    let (table, page) = (dir.path().join("keys.csv"), dir.path().join("report.html"));
    for (server, version) in WRITERS {
        let (file, _) = fixture(server);
        let options =
            ["--json", "--csv", table.to_str().unwrap(), "--html", page.to_str().unwrap()];
        let found = report(&analyze(&file, &options).exits(0));
        assert_eq!(found["rdb_version"], version, "{server}");
        let writer = found["writer"].as_str().unwrap();
        assert!(writer.replace(' ', "-").starts_with(server), "{writer}");
        let keys = found["keys"].as_u64().unwrap();
        assert!(keys > 70, "{keys}");
        for part in ["types", "databases", "expiries"] {
            let sum: u64 = found[part]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["keys"].as_u64().unwrap())
                .sum();
            assert_eq!(sum, keys, "{server}: {part}");
        }
        assert_eq!(found["biggest"][0]["key"], "string:lzf");
        assert_eq!(found["biggest"][0]["bytes"], 100_010);
        let lines = fs::read_to_string(&table).unwrap();
        assert_eq!(lines.lines().count() as u64, keys + 1, "{server}");
        assert!(lines.starts_with("database,type,key,size_in_bytes,encoding,num_elements,"));
        assert!(lines.contains("\n0,string,string:lzf,100010,string,100000,100000,\n"), "{lines}");
        let page = fs::read_to_string(&page).unwrap();
        assert!(page.contains("<rect") && !page.contains("://") && !page.contains("<script"));
    }
}

#[test]
fn an_analysis_is_the_same_plain_packed_and_through_a_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let (file, _) = fixture("redis-7.0");
    let plain = analyze(&file, &["--top", "3"]).exits(0).reports(&[
        "RDB Version: 10\n",
        "Written by: redis 7.0.15, ",
        "Types: string (",
        "KEY PATTERNS (Top 3)",
        "string:int:*   ",
        "BIGGEST KEYS (Top 3)",
        "FUNCTIONS (1)",
    ]);
    assert!(plain.stdout.lines().all(|line| line.chars().count() <= 80), "{}", plain.stdout);
    let gz = dir.path().join("dump.rdb.gz");
    fs::write(&gz, packed(&fs::read(&file).unwrap())).unwrap();
    let piped = program()
        .args(["analyze-rdb", "-", "--top", "3"])
        .stdin(Stdio::from(fs::File::open(&gz).unwrap()))
        .output()
        .unwrap();
    let without_size = |text: &str| {
        text.lines().filter(|line| !line.starts_with("Size: ")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        without_size(&String::from_utf8(piped.stdout).unwrap()),
        without_size(&plain.stdout)
    );
}

#[test]
fn damage_is_named_with_its_place_after_what_is_sound() {
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other.rdb");
    let (file, _) = fixture("redis-7.0");
    let bytes = fs::read(&file).unwrap();
    let changed = |at: usize, with: u8| {
        let mut bytes = bytes.clone();
        bytes[at] ^= with;
        bytes
    };
    let future = [b"REDIS0099", &bytes[9..]].concat();
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("cut", bytes[..bytes.len() / 2].to_vec(), "it ends early, after "),
        ("packed and cut", packed(&bytes)[..2000].to_vec(), "in the middle of its gzip data"),
        ("checksum", changed(bytes.len() - 1, 1), "checksum mismatch"),
        ("type", changed(bytes.len() / 2, 0x80), " at byte "),
        ("version", future, "RDB version 99 is not known"),
        ("log", b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n".to_vec(), "as an append-only file does"),
        ("empty", Vec::new(), "it is empty"),
        ("short", b"REDI".to_vec(), "it ends early, after 4 bytes"),
    ];
    for (name, content, why) in cases {
        fs::write(&other, content).unwrap();
        let ended = analyze(&other, &["--json"]).exits(2).explains(&[why, "hint: "]);
        let last: Value = serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap();
        assert_eq!((&last["event"], &last["exit_code"]), (&"error".into(), &2.into()), "{name}");
        if matches!(*name, "cut" | "checksum") {
            let found = report(&ended);
            assert_eq!((&found["complete"], &found["exit_code"]), (&false.into(), &2.into()));
            assert!(found["keys"].as_u64().unwrap() > 5 && found["damage"]["offset"].is_u64());
        }
    }
    fs::write(&other, &bytes[..bytes.len() / 2]).unwrap();
    let new = dir.path().join("new.rdb");
    convert(&other, &new, "redis-7.0").exits(2).explains(&["ends early", "hint: "]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing new is left");
    analyze(&other, &[]).exits(2).reports(&["Damaged: sound up to byte ", "KEY DISTRIBUTION"]);
    analyze(dir.path(), &[]).exits(1).without_result().explains(&["it is a directory"]);
    analyze(Path::new("no/such/file"), &[]).exits(1).without_result().explains(&["no/such/file"]);
}

/// A file with one key, which begins with these bytes and ends with so many zeros.
fn large(path: &Path, key: &[u8], value: u64) {
    let mut file = fs::File::create(path).unwrap();
    file.write_all(&[b"REDIS0010", key, b"\x81", &value.to_be_bytes()].concat()).unwrap();
    // A hole in the file reads as zeros.
    file.seek(SeekFrom::Current(i64::try_from(value).unwrap())).unwrap();
    file.write_all(b"\xff\0\0\0\0\0\0\0\0").unwrap();
}

#[test]
fn memory_does_not_grow_with_a_value() {
    const STRING: u64 = 512 << 20;
    const ELEMENT: u64 = 80 << 20;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large.rdb");
    large(&path, b"\x00\x05large", STRING);
    let running = Running::start(&["analyze-rdb", path.to_str().unwrap(), "--json"]);
    let (ended, peak) = running.end_and_measure();
    let found = report(&ended.exits(0));
    assert_eq!(found["biggest"][0]["bytes"], STRING + 5);
    assert!(peak < 64 << 20, "{peak}");
    // A hash with one field, which has to be there as a whole.
    large(&path, b"\x04\x04hash\x01\x01f", ELEMENT);
    let refused = analyze(&path, &["--json"]).exits(2);
    assert_eq!(report(&refused)["keys"], 0);
    refused.explains(&["above 64 MiB, half of the memory limit", "--memory-limit"]);
    let found = report(&analyze(&path, &["--json", "--memory-limit", "256MiB"]).exits(0));
    assert_eq!(found["biggest"][0]["largest"], ELEMENT);
}

/// A server that has loaded this file.
fn loaded(server: Server, file: &Path) -> Peer {
    let bytes = fs::read(file).unwrap();
    Peer::builder(server).rdb(&bytes).start().unwrap_or_else(|error| panic!("{error}"))
}

fn export(peer: &Peer, file: &Path, options: &[&str]) -> Ended {
    let file = file.to_str().unwrap();
    run(&[&["export-rdb", "-s", &peer.url(), "-o", file, "--json"], options].concat())
}

fn convert(from: &Path, to: &Path, server: &str) -> Ended {
    run(&["convert", from.to_str().unwrap(), to.to_str().unwrap(), "--to", server, "--json"])
}

fn diff(left: &Path, right: &Path) -> Ended {
    run(&["diff-rdb", left.to_str().unwrap(), right.to_str().unwrap(), "--json"])
}

#[test]
fn every_server_loads_what_was_converted_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let new = dir.path().join("new.rdb");
    for (writer, reader) in [
        (Server::Redis62, Server::Valkey91),
        (Server::Redis70, Server::Redis62),
        (Server::Redis80, Server::Redis70),
        (Server::Redis80, Server::Valkey91),
        (Server::Valkey81, Server::Redis80),
        (Server::Valkey91, Server::Redis80),
        (Server::Valkey91, Server::Redis62),
    ] {
        let (old, _) = fixture(writer.name());
        let ended = convert(&old, &new, reader.name());
        let report = report(&ended);
        let (source, target) = (loaded(writer, &old), loaded(reader, &new));
        let keys = report["keys"].as_u64().unwrap();
        assert_eq!(listing(&target).len() as u64, keys, "{writer:?} to {reader:?}");
        if ended.code == Some(0) {
            assert_same(&source, &target);
            assert_eq!(report["skipped"], Value::Array(Vec::new()));
            diff(&old, &new).exits(0);
        } else {
            // Expiries of hash fields, and functions, which only newer servers have.
            let ended = ended.exits(5).reports(&["\"skipped\":[{\"reason\":"]);
            assert!(reader.version() < writer.version(), "{}", ended.stdout);
            let all = listing(&source);
            let missing = all.diff_all(&listing(&target));
            assert!(missing.iter().all(|line| line.contains("only the first has")), "{missing:?}");
            assert_eq!(missing.len() as u64, all.len() as u64 - keys, "{writer:?} to {reader:?}");
            assert!(missing.len() < 5, "{missing:?}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
    }
}

#[test]
fn an_export_has_everything_and_is_loaded_again() {
    let dir = tempfile::tempdir().unwrap();
    let (file, by_scan) = (dir.path().join("dump.rdb"), dir.path().join("scan.rdb"));
    for server in [Server::Redis70, Server::Valkey91] {
        let source = with_everything(server);
        let mut client = source.client();
        big::string(&mut client, b"big:string", 3 << 20).unwrap();
        for kind in big::Collection::ALL {
            big::collection(&mut client, kind, format!("big:{kind:?}").as_bytes(), 2 << 20)
                .unwrap();
        }
        let keys = listing(&source).len() as u64;
        let exported = report(&export(&source, &file, &[]).exits(0));
        assert_eq!((&exported["how"], &exported["keys"]), (&"psync".into(), &keys.into()));
        assert_same(&source, &loaded(server, &file));
        // A user who may not replicate.
        let rights = ["ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@all", "-psync", "-sync"];
        source.client().ok(&rights);
        let url = source.url_with("reader", "pw");
        let args = ["export-rdb", "-s", &url, "-o", by_scan.to_str().unwrap(), "--json"];
        let exported = report(&run(&args).exits(0));
        assert_eq!((&exported["how"], &exported["keys"]), (&"scan".into(), &keys.into()));
        assert_same(&source, &loaded(server, &by_scan));
        diff(&file, &by_scan).exits(0);
    }
    let missing = dir.path().join("no/folder/dump.rdb");
    let source = empty();
    export(&source, &missing, &[]).exits(1).explains(&["no/folder", "hint: "]);
    export(&source, &file, &["--to", "oracle-9"]).exits(1).explains(&["redis-6.2"]);
    // The one that was there is still there.
    assert_same(&loaded(Server::Valkey91, &by_scan), &loaded(Server::Valkey91, &file));
}

#[test]
fn the_difference_of_two_files_is_named_key_by_key() {
    let dir = tempfile::tempdir().unwrap();
    let (before, after) = (dir.path().join("before.rdb"), dir.path().join("after.rdb"));
    let source = with_keys(30_000);
    export(&source, &before, &[]).exits(0);
    let mut client = source.client();
    let gone = client.ok(&["RANDOMKEY"]).text();
    for command in
        [&["DEL", &gone][..], &["SET", "diff:new", "1"], &["RPUSH", "diff:list", "a", "b"]]
    {
        client.ok(command);
    }
    export(&source, &after, &[]).exits(0);
    let found = report(&diff(&before, &after).exits(4));
    let counts = ["missing_target", "missing_source", "mismatched", "compared"];
    assert_eq!(counts.map(|name| found[name].as_u64().unwrap()), [1, 2, 0, 30_000], "{found}");

    client.ok(&["RPUSH", "diff:list", "c"]);
    client.ok(&["PEXPIREAT", "diff:new", "4102444800000"]);
    let last = dir.path().join("last.rdb.gz");
    export(&source, &before, &[]).exits(0);
    fs::write(&last, packed(&fs::read(&before).unwrap())).unwrap();
    diff(&before, &last).exits(0);
    let found = report(&diff(&after, &last).exits(4));
    assert_eq!(counts.map(|name| found[name].as_u64().unwrap()), [0, 0, 2, 30_001], "{found}");
    let text = found["differences"].to_string();
    assert!(text.contains("first 2 elements, second 3 elements"), "{text}");
    assert!(text.contains("first none, second 4102444800000 ms"), "{text}");

    fs::write(&after, b"REDIS0010\xff").unwrap();
    diff(&before, &after).exits(2).explains(&["ends early", "after.rdb"]);
    diff(&before, &before).exits(1).explains(&["the same one"]);
}

#[test]
fn keys_get_other_names_on_their_way() {
    let (file, _) = fixture("redis-7.0");
    let source = loaded(Server::Redis70, &file);
    let target = empty();
    let file = file.to_str().unwrap();
    let url = target.url();
    let import = |verb: &str, file: &str, options: &[&str]| {
        run(&[&[verb, file, "-t", &url][..], options].concat())
    };
    let only = ["-f", "string:*", "--transform-keys", "old:{key}"];
    import("import", file, &only).exits(0).reports(&["✅ DONE"]);
    let names = listing(&target);
    let expected = listing(&source);
    let expected = expected.databases[&0].iter().filter(|(key, _)| key.starts_with(b"string:"));
    let expected: Vec<_> =
        expected.map(|(key, entry)| ([b"old:", &key[..]].concat(), entry)).collect();
    assert_eq!(names.len(), expected.len());
    for (key, entry) in expected {
        assert_eq!(names.get(0, &key), Some(entry));
    }
    let refused = import("import-rdb", file, &["--transform-keys", "old"]).exits(1);
    refused.explains(&["{key} once"]);
    let text = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let refused = import("import", text, &["--on-conflict", "replace"]).exits(3);
    let known = "is not an RDB or JSON or an append-only file: it begins with \"[package]";
    refused.explains(&[known]);
}

#[test]
fn an_import_is_compared_with_its_file() {
    for (writer, reader) in [(Server::Redis70, Server::Redis70), (Server::Redis80, Server::Redis62)]
    {
        let (file, _) = fixture(writer.name());
        let target = Peer::start(reader).unwrap_or_else(|error| panic!("{error}"));
        let url = target.url();
        let import = |options: &[&str]| {
            let args = ["import-rdb", file.to_str().unwrap(), "-t", &url, "--verify"];
            run(&[&args[..], options].concat())
        };
        let ended = import(&["--transform-keys", "{key}!"]);
        match writer == reader {
            true => {
                ended.exits(0).reports(&["✅ DONE AND VERIFIED", "Matching:         76 (100%)"])
            }
            // Fields that expire, and functions.
            false => ended.exits(5).reports(&["✅ VERIFIED", "Not compared:     "]),
        };
        // A key that is there with another value, of a policy that leaves it alone.
        target.client().ok(&["SET", "string:lzf!", "other"]);
        let policy = ["--on-conflict", "skip", "--transform-keys", "{key}!"];
        import(&policy).exits(4).reports(&["Mismatched:       1\n", "string:lzf!"]);
    }
    let piped = run(&["import-rdb", "-", "-t", "redis://127.0.0.1:1", "--verify"]).exits(1);
    piped.explains(&["a pipe cannot be"]);
}

#[test]
fn what_is_interrupted_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let new = dir.path().join("new.rdb");
    let files = || fs::read_dir(dir.path()).unwrap().count();
    let mut command = program();
    command.args(["convert", "-", new.to_str().unwrap(), "--to", "redis-7.0"]);
    command.stdin(Stdio::piped());
    let mut running = Running::start_command(command);
    // A pipe from which no more comes, after some keys.
    running.types(&format!("REDIS0010{}", "\0\u{1}k\u{5}hello".repeat(40_000)));
    until("the file under its temporary name", || files() == 1);
    assert!(!new.exists());
    running.interrupt();
    running.end().exits(130).explains(&["interrupted; there is no new file"]);
    assert_eq!(files(), 0);
}
