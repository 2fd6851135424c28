//! Keys out of files.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use ferrite_testkit::{Peer, Server};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::command::{program, run};
use crate::{assert_empty, assert_part_of, assert_same, empty, listing, with_everything};

/// The RDB file of a server that has just saved.
fn saved(peer: &Peer) -> PathBuf {
    peer.client().ok(&["SAVE"]);
    let dir = peer.client().ok(&["CONFIG", "GET", "dir"]);
    let dir = dir.items().get(1).map(ferrite_testkit::Reply::text).unwrap();
    PathBuf::from(dir).join("dump.rdb")
}

fn import(file: &str, target: &Peer, options: &[&str]) -> crate::command::Ended {
    run(&[&["import-rdb", file, "-t", &target.url()], options].concat())
}

#[test]
fn an_rdb_file_is_imported_whole_also_compressed_and_through_a_pipe() {
    let (source, target) = (with_everything(Server::Redis70), empty());
    let file = saved(&source);
    let keys = listing(&source).len();
    import(file.to_str().unwrap(), &target, &[])
        .exits(0)
        .reports(&[&format!("Copied:           {keys}\n"), file.to_str().unwrap()]);
    assert_same(&source, &target);

    // A target that has keys must be meant.
    import(file.to_str().unwrap(), &target, &[]).exits(3).explains(&["--on-conflict replace"]);
    import(file.to_str().unwrap(), &target, &["--on-conflict", "replace"]).exits(0);
    assert_same(&source, &target);

    let packed = file.with_extension("rdb.gz");
    let mut encoder = GzEncoder::new(fs::File::create(&packed).unwrap(), Compression::fast());
    std::io::copy(&mut fs::File::open(&file).unwrap(), &mut encoder).unwrap();
    encoder.finish().unwrap();
    let target = empty();
    let piped = program()
        .args(["import-rdb", "-", "-t", &target.url()])
        .stdin(Stdio::from(fs::File::open(&packed).unwrap()))
        .output()
        .unwrap();
    assert_eq!(piped.status.code(), Some(0), "{}", String::from_utf8_lossy(&piped.stderr));
    assert_same(&source, &target);
}

#[test]
fn a_file_that_is_no_rdb_or_ends_early_is_told() {
    let source = with_everything(Server::Redis70);
    let file = saved(&source);
    let bytes = fs::read(&file).unwrap();
    let other = file.with_extension("other");
    for (content, what) in [(&b""[..], "it is empty"), (b"*1\r\n$4\r\nPING\r\n", "as an AOF does")]
    {
        let target = empty();
        fs::write(&other, content).unwrap();
        import(other.to_str().unwrap(), &target, &[]).exits(3).explains(&[what]);
        assert_empty(&target);
    }
    let target = empty();
    fs::write(&other, &bytes[..bytes.len() / 2]).unwrap();
    import(other.to_str().unwrap(), &target, &[]).exits(2).explains(&["ends early"]);
    assert_part_of(&target, &source);
    let target = empty();
    fs::write(&other, [&bytes[..], b"*1\r\n$4\r\nPING\r\n"].concat()).unwrap();
    import(other.to_str().unwrap(), &target, &[]).exits(2).explains(&["import-aof"]);
    import("no/such/file", &target, &[]).exits(1).explains(&["no/such/file"]);
}

#[test]
fn damage_in_an_rdb_ends_an_import_and_what_arrived_is_told() {
    let source = with_everything(Server::Redis70);
    let file = saved(&source);
    let bytes = fs::read(&file).unwrap();
    let all = listing(&source).len();
    let other = file.with_extension("other");
    let changed = |at: usize, bit: u8| {
        let mut bytes = bytes.clone();
        bytes[at] ^= bit;
        bytes
    };
    // What no version knows is refused before anything is written.
    let future = [b"REDIS0099", &bytes[9..]].concat();
    let cases = [
        (future, 3, ["RDB version 99 is not known", "nothing was written"]),
        (b"VALKEY0".to_vec(), 2, ["ends early, after 7 bytes", "hint: "]),
    ];
    for (content, code, said) in cases {
        let target = empty();
        fs::write(&other, content).unwrap();
        let ended = import(other.to_str().unwrap(), &target, &[]);
        ended.exits(code).without_result().explains(&said);
        assert_empty(&target);
    }
    // A bit somewhere, the checksum itself, and a type that nobody knows behind a key that is sound.
    let unknown = b"REDIS0010\x00\x01k\x01v\x7f\x01k\x01v".to_vec();
    let cases = [
        (changed(bytes.len() / 3, 0x01), ["reading the RDB", "hint: "]),
        (
            changed(bytes.len() - 1, 0x01),
            ["checksum mismatch", "by then, and any of them may be wrong\nhint: "],
        ),
        (unknown.clone(), ["unknown value type 127 at byte 15", "analyze-rdb"]),
    ];
    for (content, said) in cases {
        let target = empty();
        fs::write(&other, &content).unwrap();
        let ended = import(other.to_str().unwrap(), &target, &["--json"]).exits(2).explains(&said);
        let error: serde_json::Value =
            serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap();
        let there = listing(&target).len();
        assert_eq!(error["keys_copied"], there, "{said:?}: {error}");
        assert!(there <= all, "{there} of {all}");
        assert!(content != unknown || there == 1, "the key in front of the damage is there");
    }
}
