//! RDB files as such: what they hold. Those of the fixtures were written by real servers.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::command::{Ended, Running, program, run};

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
    analyze(&other, &[]).exits(2).reports(&["Damaged: sound up to byte ", "KEY DISTRIBUTION"]);
    analyze(dir.path(), &[]).exits(1).without_result().explains(&["it is a directory"]);
    analyze(Path::new("no/such/file"), &[]).exits(1).without_result().explains(&["no/such/file"]);
}

#[test]
fn memory_does_not_grow_with_a_value() {
    const VALUE: u64 = 512 << 20;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large.rdb");
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(b"REDIS0010\x00\x05large\x81").unwrap();
    file.write_all(&VALUE.to_be_bytes()).unwrap();
    // A hole in the file reads as zeros.
    file.seek(SeekFrom::Current(i64::try_from(VALUE).unwrap())).unwrap();
    file.write_all(b"\xff\0\0\0\0\0\0\0\0").unwrap();
    let running = Running::start(&["analyze-rdb", path.to_str().unwrap(), "--json"]);
    let (ended, peak) = running.end_and_measure();
    let found = report(&ended.exits(0));
    assert_eq!(found["biggest"][0]["bytes"], VALUE + 5);
    assert!(peak < 64 << 20, "{peak}");
}
