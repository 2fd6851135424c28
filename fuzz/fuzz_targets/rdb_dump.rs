//! Any bytes as the value of a `DUMP` payload, turned into the payload for any target: what comes
//! out is a payload that its target accepts as it is, and the same value.

#![no_main]

use ferrite_rdb::digest::{DigestOptions, digest};
use ferrite_rdb::transcode::{Restorable, Target, Transcoder};
use ferrite_rdb::{Dialect, Format, ValueKind, dump};
use libfuzzer_sys::fuzz_target;

const SOURCES: [Format; 4] = [
    Format::redis(15),
    Format::valkey(80),
    Format { dialect: Dialect::KeyDb, version: 9 },
    Format { dialect: Dialect::Dragonfly, version: 9 },
];

const TARGETS: [(Dialect, u32, u32); 10] = [
    (Dialect::Redis, 2, 8),
    (Dialect::Redis, 4, 0),
    (Dialect::Redis, 6, 2),
    (Dialect::Redis, 7, 0),
    (Dialect::Redis, 8, 0),
    (Dialect::Redis, 8, 10),
    (Dialect::Valkey, 8, 1),
    (Dialect::Valkey, 9, 0),
    (Dialect::Valkey, 9, 1),
    (Dialect::Dragonfly, 1, 40),
];

fuzz_target!(|data: &[u8]| {
    let _ = dump::split(data);
    let [source, target, type_byte, body @ ..] = data else { return };
    let from = SOURCES[usize::from(*source) % SOURCES.len()];
    let (dialect, major, minor) = TARGETS[usize::from(*target) % TARGETS.len()];
    let to = Target::for_server(dialect, major, minor);
    let mut payload = Vec::new();
    // The version of no source is above what a footer can say.
    dump::write(&mut payload, *type_byte, body, from.version as u16);
    let mut out = Vec::new();
    match Transcoder::new(from, &to).payload(&payload, &mut out) {
        Ok(Restorable::Written(_)) => check(from, *type_byte, body, &to, &out),
        Ok(Restorable::AsIs(same)) => assert_eq!(same, payload),
        Ok(Restorable::Impossible(_)) | Err(_) => assert!(out.is_empty()),
    }
});

fn check(from: Format, type_byte: u8, body: &[u8], to: &Target, out: &[u8]) {
    let again = Transcoder::new(to.format, to).payload(out, &mut Vec::new());
    assert_eq!(again, Ok(Restorable::AsIs(out)));
    // Streams may contradict their own length, and scores may be no numbers.
    let Some(ValueKind::String | ValueKind::List | ValueKind::Set) = ValueKind::of(from, type_byte)
    else {
        return;
    };
    let options = DigestOptions::default();
    let Ok(left) = digest(from, type_byte, body, &options) else { return };
    let written = dump::split(out).expect("a payload of ours");
    assert_eq!(digest(to.format, written.type_byte, written.body, &options), Ok(left));
}
