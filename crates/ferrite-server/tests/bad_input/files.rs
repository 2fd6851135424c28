//! Snapshot files with every kind of damage: the start fails and says why, or the server serves.

use std::path::Path;

use ferrite_server::Server;
use ferrite_testkit::Client;

use crate::alone;

/// Bytes at the end of a file that are its checksum; zeros mean that there is none.
const CHECKSUM: usize = 8;

fn start(folder: &Path) -> std::io::Result<Server> {
    let builder = Server::builder().bind("127.0.0.1:0".parse().unwrap()).threads(1);
    builder.snapshot(folder.to_path_buf(), "dump.rdb").start()
}

/// A file with a small value of each type.
fn sound_file(folder: &Path) -> Vec<u8> {
    let server = start(folder).unwrap();
    let mut client = Client::connect(server.addresses()[0]).unwrap();
    client.ok(&["SET", "s", "a value", "PXAT", "4102444800000"]);
    client.ok(&["RPUSH", "l", "a", "1", "b"]);
    client.ok(&["SADD", "i", "1", "2", "300000"]);
    client.ok(&["SADD", "t", "a", "b"]);
    client.ok(&["HSET", "h", "f", "v"]);
    client.ok(&["HSET", "e", "f", "v", "g", "w"]);
    client.ok(&["HPEXPIREAT", "e", "4102444800000", "FIELDS", "1", "f"]);
    client.ok(&["ZADD", "z", "1", "a", "2.5", "b"]);
    client.ok(&["XADD", "x", "1-1", "f", "v"]);
    client.ok(&["XGROUP", "CREATE", "x", "g", "0"]);
    client.ok(&["XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", ">"]);
    client.ok(&[
        "FUNCTION",
        "LOAD",
        "#!lua name=lib\nredis.register_function('f', function() end)",
    ]);
    client.ok(&["SAVE"]);
    drop(client);
    drop(server);
    std::fs::read(folder.join("dump.rdb")).unwrap()
}

#[test]
fn damaged_files_end_the_start_or_are_served() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let file = sound_file(folder.path());
    let try_file = |bytes: &[u8]| {
        std::fs::write(folder.path().join("dump.rdb"), bytes).unwrap();
        match start(folder.path()) {
            Err(error) => {
                assert!(error.to_string().contains("dump.rdb"), "{error}");
                false
            }
            Ok(server) => {
                let mut client = Client::connect(server.addresses()[0]).unwrap();
                for key in client.ok(&["KEYS", "*"]).items() {
                    client.ok(&[b"DUMP", key.bytes().unwrap()]);
                }
                true
            }
        }
    };
    assert!(try_file(&file));
    for place in 0..file.len() {
        let mut damaged = file.clone();
        damaged[place] ^= 0x55;
        assert!(!try_file(&damaged), "byte {place} is wrong");
        assert!(!try_file(&file[..place]), "cut at byte {place}");
        if place < file.len() - CHECKSUM {
            damaged[file.len() - CHECKSUM..].fill(0);
            try_file(&damaged);
        }
    }
}
