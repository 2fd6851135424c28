//! Whole streams of servers that are not at hand: bytes by the descriptions of the formats.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

use ferrite_rdb::{Dialect, ErrorKind, Event, Format, Reader, Step, crc64};
use support::{Feed, WHOLE, list};

const BYTE_BY_BYTE: Feed = Feed { first: 1, more: 1 };

/// A stream with its end and checksum.
fn stream(magic: &[u8; 9], body: &[u8]) -> Vec<u8> {
    let mut out = [magic.as_slice(), body, b"\xff"].concat();
    if magic > b"REDIS0004" {
        out.extend(crc64(&out).to_le_bytes());
    }
    out
}

/// The keys and other events, read at once and byte by byte.
fn check(bytes: &[u8], keys: &str, other: &[&str]) {
    for feed in [WHOLE, BYTE_BY_BYTE] {
        let listing = list(bytes, 1 << 20, feed).unwrap_or_else(|error| panic!("{error}"));
        let named: Vec<&str> = listing.other.iter().map(String::as_str).skip(1).collect();
        assert_eq!(named, other);
        assert_eq!(listing.render(), keys);
    }
    for len in 0..bytes.len() {
        assert!(list(&bytes[..len], 1 << 20, WHOLE).is_err(), "cut at {len}");
    }
}

#[test]
fn redis_2_has_neither_checksum_nor_milliseconds() {
    let bytes = stream(b"REDIS0003", b"\xfe\x00\xfd\x00\x65\xcd\x1d\x00\x01k\x01v");
    check(&bytes, "key 0 k string 500000000000 - -\nvalue v\n", &["SelectDb(0)"]);
    let never = stream(b"REDIS0003", b"\xfd\xff\xff\xff\xff\x00\x01k\x01v");
    check(&never, "key 0 k string - - -\nvalue v\n", &[]);
}

#[test]
fn attributes_belong_to_one_key() {
    let body = b"\xfe\x02\xfc\x01\0\0\0\0\0\0\0\xf8\x40\x64\xf9\x07\x00\x01a\x01x\x00\x01b\x01y";
    let keys = "key 2 a string 1 100 7\nvalue x\nkey 2 b string - - -\nvalue y\n";
    check(&stream(b"REDIS0009", body), keys, &["SelectDb(2)"]);
}

#[test]
fn redis_enterprise_keeps_books_in_front_of_a_key() {
    let body = b"\x6b\x40\x43\x79\x40\xff\x00\x01a\x01b\x6b\x07\x00\x01e\x01f";
    let keys = "key 0 a string - - -\nvalue b\nkey 0 e string - - -\nvalue f\n";
    check(&stream(b"REDIS0012", body), keys, &[]);
}

#[test]
fn keydb_puts_expiring_members_behind_the_key() {
    let body = b"\xfc\x01\0\0\0\0\0\0\0\xfa\x0bmvcc-tstamp\x0512345\x02\x01k\x01\x01m\
        \xfa\x13keydb-subexpire-key\x01m\xfa\x14keydb-subexpire-when\x0d4102444800123";
    let bytes = stream(b"REDIS0009", body);
    check(
        &bytes,
        "key 0 k set 1 - -\nmember m\n",
        &[
            &format!("{:?}", Event::Aux { key: b"mvcc-tstamp".into(), value: b"12345".into() }),
            &format!(
                "{:?}",
                Event::SubkeyExpiry { subkey: b"m".into(), expires_at_ms: 4_102_444_800_123 }
            ),
        ],
    );
    assert_eq!(format_at_end(&bytes), Format { dialect: Dialect::KeyDb, version: 9 });
    let lonely = stream(b"REDIS0009", b"\xfa\x13keydb-subexpire-key\x01m\x00\x01k\x01v");
    assert!(list(&lonely, 1 << 20, WHOLE).is_err());
}

#[test]
fn dragonfly_says_who_it_is_and_flags_keys() {
    let body =
        b"\xfa\x06df-ver\x021.\xdc\x01\0\0\0\x00\x01k\x01v\xdc\x03\0\0\0\x07\0\0\0\x00\x01l\x01w";
    let bytes = stream(b"REDIS0009", body);
    assert_eq!(format_at_end(&bytes).dialect, Dialect::Dragonfly);
    let flags = |raw: &'static [u8]| {
        format!("{:?}", Event::Skipped { what: "Dragonfly's flags of a key", raw })
    };
    check(
        &bytes,
        "key 0 k string - - -\nvalue v\nkey 0 l string - - -\nvalue w\n",
        &[
            &format!("{:?}", Event::Aux { key: b"df-ver".into(), value: b"1.".into() }),
            &flags(b"\xdc\x01\0\0\0"),
            &flags(b"\xdc\x03\0\0\0\x07\0\0\0"),
        ],
    );
    for opcode in [b"\xc9", b"\xca", b"\xd2", b"\xe0"] {
        let own = [b"\xfa\x06df-ver\x021.", &opcode[..], b"\x01k"].concat();
        let error = list(&stream(b"REDIS0009", &own), 1 << 20, WHOLE).err().unwrap();
        assert!(matches!(error.kind, ErrorKind::Unsupported(_)), "{error}");
    }
}

fn format_at_end(bytes: &[u8]) -> Format {
    let mut reader = Reader::new(1 << 20);
    let mut start = 0;
    loop {
        let Step::Event { consumed, event } = reader.next(&bytes[start..]).unwrap() else {
            panic!("more is asked for")
        };
        start += consumed;
        if matches!(event, Event::End { .. }) {
            return reader.format();
        }
    }
}

#[test]
fn opcode_243_is_two_things() {
    let meta = b"\xf3\x01abcd\x02\x05\x00\x00\x01k\x01v";
    let skipped = |what, raw: &'static [u8]| format!("{:?}", Event::Skipped { what, raw });
    check(
        &stream(b"REDIS0013", meta),
        "key 0 k string - - -\nvalue v\n",
        &[&skipped("metadata of a module on a key", b"\xf3\x01abcd\x02\x05\x00")],
    );
    let import = b"\xf3\x03job\x01\x00\x3f\x00\x01k\x01v";
    check(
        &stream(b"VALKEY080", import),
        "key 0 k string - - -\nvalue v\n",
        &[&skipped("import of slots in progress", b"\xf3\x03job\x01\x00\x3f")],
    );
}

#[test]
fn hashes_by_template_are_read_with_the_templates_of_the_stream() {
    let body = b"\xf2\x07\x02\x01a\x01b\
        \x1e\x01k\x10\x10\0\0\0\x03\0\x07\x01\x83one\x04\x02\x01\xff\
        \xfc\x01\0\0\0\0\0\0\0\x20\x01l\x07\x03two\xc0\x05";
    let bytes = stream(b"REDIS0015", body);
    let template = format!("{:?}", Event::HashTemplate { id: 7, fields: 2 });
    check(
        &bytes,
        "key 0 k hash - - -\nfield a one -\nfield b 2 -\n\
         key 0 l hash 1 - -\nfield a two -\nfield b 5 -\n",
        &[&template],
    );
    let unknown = stream(b"REDIS0015", b"\xf2\x07\x01\x01a\x20\x01l\x08\x03two");
    let error = list(&unknown, 1 << 20, WHOLE).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Malformed("hash template: no such id"));
    assert_eq!(error.key.as_deref(), Some(&b"l"[..]));
    let twice = stream(b"REDIS0015", b"\xf2\x07\x01\x01a\xf2\x07\x01\x01a");
    assert!(list(&twice, 1 << 20, WHOLE).is_err());
}

#[test]
fn slots_functions_and_modules_stand_between_keys() {
    let body = b"\xf4\x40\xff\x05\x01\xf5\x04code\
        \xf7\x81\x7d\xea\xeb\x8a\xdb\x5e\xfc\x6f\x02\x02\x05\x03abc\x00\xfb\x01\x00";
    let bytes = stream(b"REDIS0012", body);
    let listing = list(&bytes, 1 << 20, BYTE_BY_BYTE).unwrap();
    assert_eq!(listing.functions, ["function code"]);
    assert_eq!(listing.other[1], "SlotInfo { slot: 255, keys: 5, expires: 1 }");
    assert!(listing.other[2].starts_with("ModuleAux"), "{}", listing.other[2]);
    assert_eq!(listing.other[3], "ResizeDb { keys: 1, expires: 0 }");
    let early = stream(b"REDIS0010", b"\xf6\x00");
    assert!(matches!(list(&early, 0, WHOLE).err().unwrap().kind, ErrorKind::Unsupported(_)));
}

/// 3 MiB that compress to less than 40 KiB: the pieces are small whatever the total.
#[test]
fn huge_strings_come_in_pieces() {
    let mut packed = b"\x1f0123456789abcdef0123456789abcdef".to_vec();
    let copies = 3 * 1024 * 1024 / 264;
    packed.extend(b"\xe0\xff\x1f".repeat(copies));
    let total = 32 + 264 * copies;
    let lens = [(packed.len() as u32).to_be_bytes(), (total as u32).to_be_bytes()];
    let head = [b"\x00\x01k\xc3\x80", &lens[0][..], b"\x80", &lens[1][..]].concat();
    let bytes = stream(b"REDIS0009", &[&head[..], &packed].concat());
    let whole: Vec<u8> = (0..total).map(|at| b"0123456789abcdef"[at % 16]).collect();
    let expected = format!("key 0 k string - - -\nvalue {}\n", support::text(&whole));
    for (limit, first, more) in [(1 << 20, usize::MAX, 0), (64, 100, 100), (64, 16, 1000)] {
        let listing = list(&bytes, limit, Feed { first, more }).unwrap();
        assert_eq!(listing.large, usize::from(limit == 64));
        assert_eq!(listing.render(), expected);
    }
}
