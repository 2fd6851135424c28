//! Layouts no server at hand writes any more, or yet: bytes by the descriptions of the formats.
//!
//! Each value is decoded whole, and byte by byte, and its length is asked of every prefix.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

use ferrite_rdb::{Dialect, ErrorKind, Format, ValueKind, decode};
use support::{Lines, check};

const REDIS: Format = Format::redis(15);
const VALKEY: Format = Format::valkey(80);
const KEYDB: Format = Format { dialect: Dialect::KeyDb, version: 9 };
const DRAGONFLY: Format = Format { dialect: Dialect::Dragonfly, version: 9 };

/// A listpack of short strings; digits stay strings, which is legal.
fn listpack(elements: &[&[u8]]) -> Vec<u8> {
    let mut entries = Vec::new();
    for element in elements {
        entries.push(0x80 | u8::try_from(element.len()).unwrap());
        entries.extend_from_slice(element);
        entries.push(u8::try_from(element.len() + 1).unwrap());
    }
    framed_listpack(elements.len(), &entries)
}

/// A listpack of integers from 0 to 127.
fn small_integers(values: &[u8]) -> Vec<u8> {
    values.iter().flat_map(|value| [*value, 1]).collect()
}

fn framed_listpack(count: usize, entries: &[u8]) -> Vec<u8> {
    let mut out = (u32::try_from(entries.len()).unwrap() + 7).to_le_bytes().to_vec();
    out.extend(u16::try_from(count).unwrap().to_le_bytes());
    out.extend_from_slice(entries);
    out.push(0xff);
    out
}

/// A stored string of less than 64 bytes.
fn string(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![u8::try_from(bytes.len()).unwrap()];
    assert!(bytes.len() < 64);
    out.extend_from_slice(bytes);
    out
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn ziplist(entries: &[u8], count: u8) -> Vec<u8> {
    let total = u8::try_from(entries.len() + 11).unwrap();
    joined(&[&[total, 0, 0, 0, 10, 0, 0, 0, count, 0], entries, &[0xff]])
}

#[test]
fn strings_of_every_encoding() {
    check(REDIS, 0, b"\x00", &["value "]);
    check(REDIS, 0, b"\x03abc", &["value abc"]);
    check(REDIS, 0, b"\x40\x03abc", &["value abc"]);
    check(REDIS, 0, b"\x80\x00\x00\x00\x03abc", &["value abc"]);
    check(REDIS, 0, b"\x81\x00\x00\x00\x00\x00\x00\x00\x03abc", &["value abc"]);
    check(REDIS, 0, b"\xc0\x80", &["value -128"]);
    check(REDIS, 0, b"\xc1\x00\x80", &["value -32768"]);
    check(REDIS, 0, b"\xc2\x00\x00\x00\x80", &["value -2147483648"]);
    check(REDIS, 0, b"\xc3\x06\x07\x02abc\x40\x02", &["value abcabca"]);
}

#[test]
fn plain_lists_and_one_ziplist() {
    check(REDIS, 1, b"\x02\x01a\xc0\x07", &["item a", "item 7"]);
    let packed = string(&ziplist(b"\x00\x01a\x03\xfe\x80\x03\xf8", 3));
    check(REDIS, 10, &packed, &["item a", "item -128", "item 7"]);
}

#[test]
fn sorted_sets_with_scores_as_text() {
    let body = b"\x04\x01a\x031.5\x01b\xfe\x01c\xff\x01d\xfd";
    check(
        REDIS,
        3,
        body,
        &[
            "member a 3ff8000000000000",
            "member b 7ff0000000000000",
            "member c fff0000000000000",
            "member d 7ff8000000000000",
        ],
    );
}

#[test]
fn zipmaps_and_ziplists_as_hashes_and_sorted_sets() {
    let zipmap = b"\x02\x01a\x02\x01xy.\x01b\x00\x00\xff";
    check(REDIS, 9, &string(zipmap), &["field a xy -", "field b  -"]);
    let pairs = string(&ziplist(b"\x00\x01a\x03\xf2\x03\x01b\x03\x022.", 4));
    check(REDIS, 13, &pairs, &["field a 1 -", "field b 2. -"]);
    let pairs = string(&ziplist(b"\x00\x01a\x03\xf2\x03\x01b\x03\x0212", 4));
    check(REDIS, 12, &pairs, &["member a 3ff0000000000000", "member b 4028000000000000"]);
    let odd = string(&ziplist(b"\x00\x01a", 1));
    for type_byte in [12, 13] {
        assert!(decode(REDIS, type_byte, &odd, &mut Lines::default()).is_err());
    }
}

#[test]
fn quicklists_of_either_generation() {
    let node = string(&ziplist(b"\x00\x01a\x03\xf8", 2));
    let body = joined(&[b"\x02", &node, &node]);
    check(REDIS, 14, &body, &["item a", "item 7", "item a", "item 7"]);
    let node = string(&listpack(&[b"a", b"b"]));
    let body = joined(&[b"\x02\x02", &node, b"\x01\x05plain"]);
    check(REDIS, 18, &body, &["item a", "item b", "item plain"]);
    assert!(decode(REDIS, 18, b"\x01\x03\x01x", &mut Lines::default()).is_err());
}

#[test]
fn one_type_byte_is_two_hashes_with_field_expiry() {
    let body = b"\x02\x05\x01a\x01b\x00\x01c\x01d";
    check(REDIS, 22, body, &["field a b 5", "field c d -"]);
    let none = [0xff; 8];
    let body = joined(&[b"\x02\x01a\x01b\x05\0\0\0\0\0\0\0\x01c\x01d", &none]);
    check(VALKEY, 22, &body, &["field a b 5", "field c d -"]);
    let packed = string(&listpack(&[b"a", b"b", b"5", b"c", b"d", b"0"]));
    check(REDIS, 23, &packed, &["field a b 5", "field c d -"]);
    let with_minimum = joined(&[b"\x05\0\0\0\0\0\0\0", &packed]);
    check(REDIS, 25, &with_minimum, &["field a b 5", "field c d -"]);
    let body = b"\xe8\x03\0\0\0\0\0\0\x03\x01\x01a\x01b\x00\x01c\x01d\x06\x01e\x01f";
    check(REDIS, 24, body, &["field a b 1000", "field c d -", "field e f 1005"]);
}

#[test]
fn hashes_by_template_with_their_names() {
    let names = listpack(&[b"field1", b"field2"]);
    let values = framed_listpack(3, &small_integers(&[0, 1, 2]));
    let body = joined(&[b"\x00", &string(&names), &string(&values)]);
    check(REDIS, 29, &body, &["field field1 1 -", "field field2 2 -"]);
    let body = b"\x01\x02\x06field1\x06field2\xc0\x01\xc0\x02";
    check(REDIS, 31, body, &["field field1 1 -", "field field2 2 -"]);
    let early = b"\x02\x06field1\xc0\x01\x06field2\xc0\x02";
    let error = decode(REDIS, 31, early, &mut Lines::default()).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Unsupported(_)), "{error}");
    let unordered = b"\x01\x02\x06field2\x06field1\xc0\x01\xc0\x02";
    assert!(decode(REDIS, 31, unordered, &mut Lines::default()).is_err());
}

#[test]
fn modules_are_handed_over_whole() {
    // The id of "ferrite-x" at encoding version 3.
    let body = joined(&[b"\x81\x7d\xea\xeb\x8a\xdb\x5e\xfc\x6f", MODULE_FIELDS]);
    let mut lines = Lines::default();
    decode(REDIS, 7, &body, &mut lines).unwrap();
    let name = lines.lines[0].split(' ').nth(1).unwrap().to_owned();
    assert_eq!(name.len(), 9, "{name}");
    check(REDIS, 7, &body, &[&format!("module {name} {}", support::text(&body))]);
    let unknown_field = b"\x81\x7d\xea\xeb\x8a\xdb\x5e\xfc\x6f\x06\x00";
    assert!(decode(REDIS, 7, unknown_field, &mut Lines::default()).is_err());
}

const MODULE_FIELDS: &[u8] = b"\x01\x05\x02\x40\xff\x03abcd\x04abcdefgh\x05\x03xyz\x05\xc0\x01\x00";

/// Entries 5-1 (a=1, b=2), a deleted one, and 5-3 with names of its own.
fn stream_node() -> Vec<u8> {
    let entries = joined(&[
        &small_integers(&[2, 1, 2]),
        b"\x81a\x02\x81b\x02",
        &small_integers(&[0, 2, 0, 1, 1, 2, 5]),
        &small_integers(&[3, 0, 2, 9, 9, 5]),
        &small_integers(&[0, 0, 3, 1]),
        b"\x81c\x02",
        &small_integers(&[3, 6]),
    ]);
    let id = [0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0];
    joined(&[&string(&id), &string(&framed_listpack(25, &entries))])
}

const ENTRIES: [&str; 2] = ["entry 5-1 a 1 b 2", "entry 5-3 c 3"];

#[test]
fn streams_of_every_version() {
    let nodes = joined(&[b"\x01", &stream_node()]);
    let (state, newer_state) = (b"\x02\x05\x03", b"\x05\x01\x05\x02\x03");
    let id: &[u8] = b"\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x01";
    let pending = joined(&[b"\x01", id, b"\x64\0\0\0\0\0\0\0\x02"]);
    let seen: &[u8] = b"\x65\0\0\0\0\0\0\0";
    let lines = |meta, group, consumer: &'static str| {
        let tail = [meta, group, "pending 5-1 100 2", consumer, "owns 5-1"];
        ENTRIES.into_iter().chain(tail).collect::<Vec<_>>()
    };
    let group = b"\x01\x01g\x05\x01";
    let body = joined(&[&nodes, state, group, &pending, b"\x01\x01c", seen, b"\x01", id]);
    check(REDIS, 15, &body, &lines("meta 2 5-3 - - -", "group g 5-1 -", "consumer c 101 -"));

    let unknown: &[u8] = b"\x81\xff\xff\xff\xff\xff\xff\xff\xff";
    let head = joined(&[&nodes, state, newer_state, group, unknown, &pending, b"\x01\x01c", seen]);
    let body = joined(&[&head, b"\x01", id]);
    let (meta, group) = ("meta 2 5-3 5-1 5-2 3", "group g 5-1 -1");
    check(REDIS, 19, &body, &lines(meta, group, "consumer c 101 -"));

    let body = joined(&[&head, seen, b"\x01", id]);
    let expected = lines(meta, group, "consumer c 101 101");
    check(REDIS, 21, &body, &expected);

    let no_producers = joined(&[&body, b"\x40\x64\x40\x64\x00\x00\x00"]);
    check(REDIS, 26, &no_producers, &expected);
    let producers = b"\x40\x64\x40\x64\x01\x01p\x02\x01i\x05\x01\x01j\x05\x03\x02\x00";
    let mut with_producers = expected.clone();
    with_producers.push("unsupported idempotent producers of a stream (XADD IDMP)");
    check(REDIS, 26, &joined(&[&body, producers]), &with_producers);

    let body = joined(&[&body, b"\x01", id, producers]);
    let mut with_nack = expected;
    with_nack.push("unsupported entries in the NACK zone of a stream group (XNACK)");
    with_nack.push("unsupported idempotent producers of a stream (XADD IDMP)");
    check(REDIS, 27, &body, &with_nack);
}

#[test]
fn what_cannot_be_decoded_is_refused_by_name() {
    for (format, type_byte) in [(REDIS, 6), (REDIS, 30), (REDIS, 32)] {
        let error = decode(format, type_byte, b"\x00", &mut Lines::default()).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Unsupported(_)), "{format} {type_byte}: {error}");
    }
    for (format, type_byte) in
        [(REDIS, 8), (VALKEY, 24), (KEYDB, 22), (DRAGONFLY, 38), (VALKEY, 243)]
    {
        let error = decode(format, type_byte, b"\x00", &mut Lines::default()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Type(type_byte), "{format}");
        assert_eq!(ValueKind::of(format, type_byte), None);
    }
}

#[test]
fn keydb_leaves_a_stamp_behind_the_value() {
    let body = b"\x03abc\xfa\x0bmvcc-tstamp\x1411684318612180992000";
    decode(KEYDB, 0, body, &mut Lines::default()).unwrap();
    assert!(decode(REDIS, 0, body, &mut Lines::default()).is_err());
    assert!(decode(KEYDB, 0, b"\x03abc\xfa\x0bmvcc-tstamp\x141", &mut Lines::default()).is_err());
}

#[test]
fn lies_about_lengths_cost_nothing() {
    for body in [
        &b"\xc3\x04\x81\x00\x00\x00\xff\x00\x00\x00\x00\x02abc"[..],
        b"\x82abc",
        b"\xc4\x00",
        b"\xff",
    ] {
        assert!(decode(REDIS, 0, body, &mut Lines::default()).is_err(), "{body:?}");
    }
    let huge = b"\x01\x81\x00\x00\x00\x00\x40\x00\x00\x01ab";
    let error = decode(REDIS, 1, huge, &mut Lines::default()).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::TooLarge { .. }), "{error}");
    let many = b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a";
    let error = decode(REDIS, 1, many, &mut Lines::default()).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Truncated(_)), "{error}");
}
