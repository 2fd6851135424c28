//! Snapshots: what real servers make of ours, what ours makes of theirs, and that one shows one
//! moment.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use common::start;
use ferrite_server::Server;
use ferrite_testkit::client::Client;
use ferrite_testkit::{Peer, Server as Real, wait_until};

/// Stops writers at the end of a test, also one that fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_real_server_loads_what_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, mut client) = start(folder.path());
    client.ok(&["SET", "text", "a value"]);
    client.ok(&["SET", "number", "42"]);
    client.ok(&["SET", "later", "v", "PXAT", "4102444800000"]);
    client.ok(&["SELECT", "3"]);
    client.ok(&["SET", "elsewhere", &"x".repeat(100_000)]);
    client.ok(&["SAVE"]);
    let bytes = std::fs::read(folder.path().join("dump.rdb")).unwrap();
    for server in [Real::Redis80, Real::Valkey81, Real::Valkey91] {
        let real = Peer::builder(server).rdb(&bytes).start().unwrap_or_else(|e| panic!("{e}"));
        let mut real = real.client();
        assert_eq!(real.ok(&["GET", "text"]), "a value");
        assert_eq!(real.ok(&["INCR", "number"]), 43);
        assert_eq!(real.ok(&["PEXPIRETIME", "later"]), 4_102_444_800_000);
        real.ok(&["SELECT", "3"]);
        assert_eq!(real.ok(&["STRLEN", "elsewhere"]), 100_000);
    }
}

#[test]
fn what_was_saved_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, mut client) = start(folder.path());
    for number in 0..10_000 {
        client.ok(&["SET", &format!("key:{number}"), &number.to_string()]);
    }
    client.ok(&["SAVE"]);
    drop(client);
    server.stop().unwrap();
    let (_server, mut client) = start(folder.path());
    for number in [0, 1, 4_999, 9_999] {
        assert_eq!(client.ok(&["GET", &format!("key:{number}")]), number.to_string().as_str());
    }
}

#[test]
fn a_damaged_file_ends_the_start_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, mut client) = start(folder.path());
    client.ok(&["SET", "k", "v"]);
    client.ok(&["SAVE"]);
    drop(client);
    server.stop().unwrap();
    let path = folder.path().join("dump.rdb");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let builder = Server::builder().snapshot(folder.path().to_owned(), "dump.rdb");
    let error = builder.start().expect_err("a checksum that is wrong").to_string();
    assert!(error.contains("dump.rdb") && error.contains("checksum"), "{error}");
}

/// Old servers could leave keys without an element; they are passed over, and the rest is loaded.
#[test]
fn keys_without_an_element_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = b"REDIS0009\xfe\x00".to_vec();
    for (kind, name) in [(1, "list"), (2, "set"), (4, "hash"), (5, "sorted")] {
        bytes.extend([kind, name.len() as u8]);
        bytes.extend(name.as_bytes());
        bytes.push(0);
    }
    // A checksum of zeros is none.
    bytes.extend(b"\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0");
    std::fs::write(folder.path().join("dump.rdb"), bytes).unwrap();
    let (_server, mut client) = start(folder.path());
    assert_eq!(client.ok(&["KEYS", "*"]).items().len(), 1);
    assert_eq!(client.ok(&["GET", "k"]), "v");
}

/// Two counters that are raised in one transaction are equal in every snapshot.
#[test]
fn a_snapshot_shows_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut client) = start(folder.path());
    for number in 0..20_000 {
        client.ok(&["SET", &format!("filler:{number}"), "x"]);
    }
    let (address, stop) = (server.addresses()[0], AtomicBool::new(false));
    std::thread::scope(|scope| {
        let _guard = StopAtEnd(&stop);
        scope.spawn(|| {
            let mut writer = Client::connect(address).unwrap();
            while !stop.load(Ordering::Relaxed) {
                writer.queue(&["MULTI"]);
                (0..64).for_each(|key| writer.queue(&["INCR", &format!("counter:{key}")]));
                writer.queue(&["EXEC"]);
                writer.flush().unwrap();
                (0..66).for_each(|_| drop(writer.read().unwrap()));
            }
        });
        for _ in 0..10 {
            client.ok(&["SAVE"]);
            let copy = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("dump.rdb"), copy.path().join("dump.rdb"));
            std::fs::copy(from, to).unwrap();
            let (_copy, mut reader) = start(copy.path());
            let keys: Vec<String> = (0..64).map(|key| format!("counter:{key}")).collect();
            let mget: Vec<&str> =
                std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
            let values = reader.ok(&mget);
            let first = values.items()[0].clone();
            assert!(values.items().iter().all(|value| *value == first), "{values}");
        }
    });
}

#[test]
fn fields_of_a_hash_that_was_loaded_expire_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, mut client) = start(folder.path());
    client.ok(&["HSET", "hash", "field", "value"]);
    client.ok(&["HPEXPIRE", "hash", "1500", "FIELDS", "1", "field"]);
    client.ok(&["SAVE"]);
    drop(client);
    server.stop().unwrap();
    let (_server, mut client) = start(folder.path());
    assert_eq!(client.ok(&["DBSIZE"]), 1);
    // It counts what is kept, and looks at no key.
    wait_until("the hash is gone", || client.ok(&["DBSIZE"]).int() == Some(0));
}
