//! Types only one family of servers has: bytes by the descriptions of the formats.
//!
//! Such values are passed on whole, or left out by name; the keys around them are read.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

use ferrite_rdb::digest::{DigestOptions, Digester, digest};
use ferrite_rdb::transcode::{Reencoded, Restorable, Target, Transcoder, reencode};
use ferrite_rdb::{Dialect, ErrorKind, Format, Sink, ValueKind, decode, dump, type_name};
use support::{Feed, Lines, WHOLE, check, list, text};

const REDIS: Format = Format::redis(15);
const VALKEY: Format = Format::valkey(81);
const KEYDB: Format = Format { dialect: Dialect::KeyDb, version: 9 };
const DRAGONFLY: Format = Format { dialect: Dialect::Dragonfly, version: 9 };

const EIGHT: &[u8] = b"\x01\x02\x03\x04\x05\x06\x07\x08";

/// Values that are handed over whole.
fn samples() -> Vec<(Format, u8, Vec<u8>)> {
    let of = |format, type_byte, parts: &[&[u8]]| (format, type_byte, parts.concat());
    let bloom: &[u8] = b"\x00AAAAAAAABBBBBBBB\x01\x02\x40\x80";
    vec![
        // Redis 8.8, t_array: count, insert index or not; index, tag, value: each of the tags.
        of(REDIS, 28, &[b"\x02\x00\x00\x03\x02hi\x07\x00\xc0\x05"]),
        of(REDIS, 28, &[b"\x02\x01\x40\x64\x00\x01", EIGHT, b"\x81", EIGHT, b"\x02", EIGHT]),
        // Redis, rdb.c: one time in microseconds, as a length.
        of(REDIS, 33, &[b"\x81", EIGHT]),
        // Valkey 9.2, rdb.c: two paths, one with two fields.
        of(VALKEY, 23, &[b"\x02\x02/a\x02\x01f\x01g\x01h\xc0\x07\x00\x01\x01f\x00"]),
        // KeyDB, rdb.cpp: script, start, interval, keys, arguments.
        of(KEYDB, 64, &[b"\x04code", EIGHT, EIGHT, b"\x01\x01k\x02\x01a\x01b"]),
        // Dragonfly, rdb_save.cc: JSON, also under its old number.
        of(DRAGONFLY, 30, &[b"\x07{\"a\":1}"]),
        of(DRAGONFLY, 20, &[b"\x02{}"]),
        // Bloom filters of one and of two layers, and of one in two chunks.
        of(DRAGONFLY, 33, &[bloom, b"\x02\x05\x04abcd\x06\x02ef"]),
        of(DRAGONFLY, 34, &[bloom, b"\x01\x05\x08\x05abcde\x03fgh"]),
        // Count-min: two by three counters.
        of(DRAGONFLY, 35, &[b"\x02\x03\x40\x64", &EIGHT.repeat(6)]),
        // Top-k: one item with its count, counters as a string.
        of(DRAGONFLY, 36, &[b"\x00\x03\x08\x07", EIGHT, b"\x01\x02hi\x40\x64\x04wxyz"]),
        // Cuckoo: two filters.
        of(DRAGONFLY, 37, &[b"\x02\x14\x01\x08\x03\x00\x02\x04\x04abcd\x02\x01e\x01f"]),
    ]
}

#[test]
fn they_are_handed_over_whole() {
    for (format, type_byte, body) in samples() {
        let name = type_name(format, type_byte);
        check(format, type_byte, &body, &[&format!("module {name} {}", text(&body))]);
        assert_eq!(ValueKind::of(format, type_byte), Some(ValueKind::Module));
        let options = DigestOptions::default();
        let mut of_bytes = Digester::new(&options);
        of_bytes.module(name, &body);
        assert_eq!(digest(format, type_byte, &body, &options), Ok(of_bytes.finish()), "{name}");
    }
}

#[test]
fn they_go_to_their_own_family_only() {
    for (format, type_byte, body) in samples() {
        let name = type_name(format, type_byte);
        let mut payload = Vec::new();
        dump::write(&mut payload, type_byte, &body, u16::try_from(format.version).unwrap());
        let to = |target| {
            let transcoder = Transcoder::new(format, &Target::new(target));
            transcoder.payload(&payload, &mut Vec::new()).unwrap()
        };
        assert_eq!(to(format), Restorable::AsIs(&payload), "{name}");
        for target in [Format::redis(12), Format::valkey(80), KEYDB, DRAGONFLY] {
            if target.dialect != format.dialect || format == REDIS || format == VALKEY {
                assert!(matches!(to(target), Restorable::Impossible(_)), "{name} to {target}");
            }
        }
    }
}

#[test]
fn the_keys_around_them_are_read() {
    for (format, type_byte, body) in samples() {
        let (magic, aux): (&[u8], &[u8]) = match format.dialect {
            Dialect::Redis => (b"REDIS0015", b""),
            Dialect::Valkey => (b"VALKEY081", b""),
            Dialect::KeyDb => (b"REDIS0009", b"\xfa\x0bmvcc-tstamp\x011"),
            Dialect::Dragonfly => (b"REDIS0009", b"\xfa\x06df-ver\x021."),
        };
        let key = [&[type_byte], &b"\x01k"[..], &body].concat();
        let bytes = [magic, aux, &key, b"\x00\x01l\x01v\xff\0\0\0\0\0\0\0\0"].concat();
        let name = type_name(format, type_byte);
        let value = format!("key 0 k module - - -\nmodule {name} {}\n", text(&body));
        let expected = format!("{value}key 0 l string - - -\nvalue v\n");
        for (limit, feed) in [(1 << 20, WHOLE), (1, Feed { first: 1, more: 1 })] {
            let listing = list(&bytes, limit, feed).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(listing.render(), expected);
        }
    }
}

#[test]
fn contradictions_are_found() {
    for (format, type_byte, body) in [
        (REDIS, 28, &b"\x01\x02\x00\x00\x01a"[..]),
        (REDIS, 28, b"\x01\x00\x00\x04\x01a"),
        (VALKEY, 23, b"\x01\x01p\x00"),
        (DRAGONFLY, 34, b"\x00AAAAAAAABBBBBBBB\x01\x02\x03\x01\x05\x04\x05abcde"),
        (DRAGONFLY, 37, b"\x02\x14\x01\x08\x03\x00\x01\x04\x00"),
        (DRAGONFLY, 35, b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\x02\x01"),
        (DRAGONFLY, 31, b"\x01\x01f\x01v\xc0\xfe"),
        (DRAGONFLY, 32, b"\x01\x01m\x01x"),
        (REDIS, 243, b"\x01abcd\x07\x00\x01v"),
        (REDIS, 243, b"\x00\xf3\x00\x00\x01v"),
    ] {
        let error = decode(format, type_byte, body, &mut Lines::default()).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Malformed(_)), "{format} {type_byte}: {error}");
    }
}

/// Dragonfly, rdb_save.cc: seconds since 2023-02-01 as a string behind each field and member.
const EXPIRING_HASH: &[u8] = b"\x02\x01f\x01v\xc0\x0a\x01g\x01w\xc0\xff";
const EXPIRING_SET: &[u8] = b"\x03\x01a\xc0\x0a\x01b\xc0\xff\x01c\x0210";

#[test]
fn expiry_in_seconds_of_dragonfly() {
    check(DRAGONFLY, 31, EXPIRING_HASH, &["field f v 1675209610000", "field g w -"]);
    let reported = "unsupported expiry of set members (Dragonfly)";
    let members = ["member a", "member b", "member c"];
    check(DRAGONFLY, 32, EXPIRING_SET, &[&members[..], &[reported]].concat());
    check(DRAGONFLY, 32, b"\x01\x01b\xc0\xff", &["member b"]);
}

/// The lines of a value written anew, and what it lost.
fn rewritten(from: Format, type_byte: u8, body: &[u8], to: Format) -> (Vec<String>, Reencoded) {
    let mut out = Vec::new();
    let written = reencode(from, type_byte, body, &Target::new(to), &mut out).unwrap();
    let mut lines = Lines::default();
    if let Some((&type_byte, body)) = out.split_first() {
        decode(to, type_byte, body, &mut lines).unwrap();
        return (lines.finish(ValueKind::of(to, type_byte).unwrap()), written);
    }
    (Vec::new(), written)
}

#[test]
fn expiring_fields_and_members_leave_dragonfly() {
    for to in [Format::redis(12), Format::valkey(80)] {
        let (lines, written) = rewritten(DRAGONFLY, 31, EXPIRING_HASH, to);
        assert_eq!(lines, ["field f v 1675209610000", "field g w -"], "to {to}");
        assert_eq!(written, Reencoded::Written(Vec::new()));
    }
    let (_, written) = rewritten(DRAGONFLY, 31, EXPIRING_HASH, Format::redis(9));
    assert!(matches!(written, Reencoded::Impossible(_)));
    let (lines, written) = rewritten(DRAGONFLY, 32, EXPIRING_SET, Format::redis(9));
    assert_eq!(lines, ["member a", "member b", "member c"]);
    assert_eq!(written, Reencoded::Written(vec!["expiry of set members (Dragonfly)"]));
}

/// Redis 8.6, keymeta.c: a count, then for each class four bytes and the fields of its data.
const METADATA: &[u8] = b"\x02abcd\x02\x40\xff\x00efgh\x05\x02hi\x04AAAAAAAA\x00";
const LEFT_BEHIND: &str = "metadata of a module on a key";

#[test]
fn metadata_of_modules_in_front_of_a_value() {
    let of = |value: &[u8]| [METADATA, value].concat();
    let reported = format!("unsupported {LEFT_BEHIND}");
    check(REDIS, 243, &of(b"\x00\x05hello"), &[&reported, "value hello"]);
    check(REDIS, 243, &of(b"\x01\x02\x01a\x01b"), &[&reported, "item a", "item b"]);

    // Both what the target reads as it is, and what it does not.
    let with_expiry = b"\x18\xe8\x03\0\0\0\0\0\0\x01\x01\x01a\x01b";
    let (lines, written) = rewritten(REDIS, 243, &of(b"\x00\x05hello"), Format::redis(9));
    assert_eq!(lines, ["value hello"]);
    assert_eq!(written, Reencoded::Written(vec![LEFT_BEHIND]));
    let (lines, _) = rewritten(REDIS, 243, &of(with_expiry), Format::valkey(80));
    assert_eq!(lines, ["field a b 1000"]);
    let (_, written) = rewritten(REDIS, 243, &of(b"\x21\x05"), Format::valkey(80));
    assert!(matches!(written, Reencoded::Impossible(_)));

    let mut payload = Vec::new();
    dump::write(&mut payload, 243, &of(b"\x00\x05hello"), 13);
    let transcoder = Transcoder::new(REDIS, &Target::new(REDIS));
    let mut out = Vec::new();
    let restorable = transcoder.payload(&payload, &mut out).unwrap();
    assert_eq!(restorable, Restorable::Written(vec![LEFT_BEHIND]));
    let value = dump::split(&out).unwrap();
    assert_eq!((value.type_byte, value.body, value.metadata), (0, &b"\x05hello"[..], &b""[..]));
}
