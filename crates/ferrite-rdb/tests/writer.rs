//! Files we write, loaded by the servers they are for.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod values;

use ferrite_rdb::dump;
use ferrite_rdb::transcode::{Reencoded, Restorable, Transcoder, reencode};
use ferrite_rdb::writer::{KeyAttributes, Writer};
use ferrite_testkit::{Peer, Server};
use values::{Detail, FAR_MS, Origin, format, same, target, view};

const LIBRARY: &[u8] =
    b"#!lua name=lib\nredis.register_function('answer', function() return 42 end)";

/// Where the values go: not the first database.
const DB: &str = "3";

/// Names of the keys in the file, and the file.
fn write_file(origin: &Origin, to: Server, compress: bool) -> (Vec<String>, Vec<u8>) {
    let mut writer = Writer::new(format(to), compress);
    let mut out = Vec::new();
    writer.header(&mut out);
    writer.aux(&mut out, b"redis-bits", b"64");
    writer.aux(&mut out, b"written-by", "long enough to be compressed ".repeat(9).as_bytes());
    assert_eq!(writer.function(&mut out, LIBRARY), to.has_functions());
    writer.select_db(&mut out, 0);
    let attributes = KeyAttributes { expires_at_ms: Some(1), ..KeyAttributes::default() };
    writer.entry(&mut out, &attributes, b"expired", 0, b"\x01x");
    writer.select_db(&mut out, 3);
    writer.resize_db(&mut out, origin.keys.len() as u64, 1);
    let names = write_keys(&mut writer, origin, to, &mut out);
    writer.end(&mut out);
    (names, out)
}

fn write_keys(writer: &mut Writer, origin: &Origin, to: Server, out: &mut Vec<u8>) -> Vec<String> {
    let transcoder = Transcoder::new(format(origin.server), &target(to));
    let mut names = Vec::new();
    for (key, payload) in &origin.keys {
        let mut value = Vec::new();
        let restorable = transcoder.payload(payload, &mut value).unwrap();
        let value = match &restorable {
            Restorable::AsIs(payload) => dump::split(payload).unwrap(),
            Restorable::Written(_) => dump::split(&value).unwrap(),
            Restorable::Impossible(_) => continue,
        };
        let mut attributes = KeyAttributes::default();
        match key.as_str() {
            "string:text" => attributes.expires_at_ms = Some(FAR_MS),
            "string:empty" => attributes.idle_seconds = Some(1000),
            _ => {}
        }
        writer.key(out, &attributes, key.as_bytes(), value.type_byte);
        // In pieces, as a value that is too large for one buffer.
        value.body.chunks(10_000).for_each(|piece| writer.value_part(out, piece));
        names.push(key.clone());
    }
    names
}

#[test]
fn every_server_loads_its_file() {
    let origins = [Server::Redis62, Server::Redis80, Server::Valkey91].map(Origin::start);
    for (origin, to) in origins.iter().flat_map(|origin| Server::ALL.map(|to| (origin, to))) {
        for compress in [false, true] {
            let (keys, file) = write_file(origin, to, compress);
            let peer =
                Peer::builder(to).rdb(&file).start().unwrap_or_else(|error| panic!("{error}"));
            check(origin, to, &peer, &keys);
        }
    }
}

fn check(origin: &Origin, to: Server, peer: &Peer, keys: &[String]) {
    let (mut left, mut arrived) = (origin.peer.client(), peer.client());
    assert_eq!(arrived.ok(&["DBSIZE"]), 0, "the expired key is gone");
    if to.has_functions() {
        assert_eq!(arrived.ok(&["FCALL", "answer", "0"]), 42);
    }
    arrived.ok(&["SELECT", DB]);
    assert_eq!(arrived.ok(&["DBSIZE"]), keys.len() as i64);
    assert!(keys.len() > 30);
    // Before it is looked at.
    assert!(arrived.ok(&["OBJECT", "IDLETIME", "string:empty"]).int().unwrap() >= 1000);
    for key in keys {
        let detail = Detail::of(origin.server, to);
        let place = format!("{key} from {} to {}", origin.server.name(), to.name());
        same(&view(&mut left, key, detail), &view(&mut arrived, key, detail), &place);
    }
    let remaining = arrived.ok(&["PTTL", "string:text"]).int().unwrap();
    let passed_ms = FAR_MS as i64 - remaining;
    assert!(passed_ms > 1_700_000_000_000, "now is {passed_ms}");
}

/// A server refuses another checksum than ours.
#[test]
fn the_checksum_is_the_servers() {
    let origin = Origin::start(Server::Redis70);
    let (_, mut file) = write_file(&origin, Server::Redis70, false);
    *file.last_mut().unwrap() ^= 1;
    let error = Peer::builder(Server::Redis70).rdb(&file).start().unwrap_err().to_string();
    assert!(error.contains("checksum") || error.contains("CRC"), "{error}");
}

/// Nothing is left of a value that could not be written.
#[test]
fn a_buffer_is_as_it_was_after_a_failure() {
    let origin = Origin::start(Server::Redis80);
    let payload = |key: &str| {
        let (_, payload) = origin.keys.iter().find(|(name, _)| name == key).unwrap();
        dump::split(payload).unwrap()
    };
    let from = format(Server::Redis80);
    let mut out = b"before".to_vec();
    let expiring = payload("hash:ttl-small");
    let reencoded =
        reencode(from, expiring.type_byte, expiring.body, &target(Server::Redis62), &mut out);
    assert!(matches!(reencoded, Ok(Reencoded::Impossible(reason)) if reason.contains("expire")));
    let many = payload("list:many");
    let cut = &many.body[..many.body.len() - 1];
    assert!(reencode(from, many.type_byte, cut, &target(Server::Redis62), &mut out).is_err());
    assert_eq!(out, b"before");
}
