//! Reading snapshots of real servers: what is read is what the server said it holds.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

use ferrite_rdb::{Dialect, Error, ErrorKind, Event, Format, Reader, Step};
use support::{FIXTURES, Feed, Listing, WHOLE, fixture, list};

/// Larger than any fixture.
const NO_LIMIT: usize = 1 << 20;

fn assert_listing(name: &str, listing: Result<Listing, Error>, expected: &str) {
    let listing = listing.unwrap_or_else(|error| panic!("{name}: {error}")).render();
    for (number, (got, wanted)) in listing.lines().zip(expected.lines()).enumerate() {
        assert_eq!(got, wanted, "{name}: line {}", number + 1);
    }
    assert_eq!(listing.lines().count(), expected.lines().count(), "{name}: number of lines");
}

#[test]
fn every_snapshot_holds_what_its_server_says() {
    for name in FIXTURES {
        let (bytes, expected) = fixture(name);
        assert_listing(name, list(&bytes, NO_LIMIT, WHOLE), &expected);
    }
}

#[test]
fn every_encoding_of_the_servers_is_in_the_snapshots() {
    let types = |name| {
        let mut types = list(&fixture(name).0, NO_LIMIT, WHOLE).unwrap().types;
        types.sort_unstable();
        types.dedup();
        types
    };
    assert_eq!(types("redis-6.2"), [0, 2, 4, 5, 11, 12, 13, 14, 15]);
    assert_eq!(types("redis-7.0"), [0, 2, 4, 5, 11, 16, 17, 18, 19]);
    assert_eq!(types("redis-8.0"), [0, 2, 4, 5, 11, 16, 17, 18, 20, 21, 24, 25]);
    assert_eq!(types("valkey-8.1"), [0, 2, 4, 5, 11, 16, 17, 18, 20, 21]);
    assert_eq!(types("valkey-9.1"), [0, 2, 4, 5, 11, 16, 17, 18, 20, 21, 22]);
}

#[test]
fn the_header_and_the_checksum_are_the_servers() {
    for (name, format) in [
        ("redis-6.2", Format::redis(9)),
        ("redis-7.0", Format::redis(10)),
        ("redis-8.0", Format::redis(12)),
        ("valkey-8.1", Format::redis(11)),
        ("valkey-9.1", Format::valkey(80)),
    ] {
        let (bytes, _) = fixture(name);
        let mut reader = Reader::new(NO_LIMIT);
        let Ok(Step::Event { consumed: 9, event }) = reader.next(&bytes) else { panic!("{name}") };
        assert_eq!(event, Event::Header(format), "{name}");
        let stored = u64::from_le_bytes(*bytes.last_chunk().unwrap());
        assert_eq!(list(&bytes, NO_LIMIT, WHOLE).unwrap().checksum, Some(stored), "{name}");
    }
}

#[test]
fn a_limit_of_64_bytes_hands_out_the_same_in_parts() {
    for name in FIXTURES {
        let (bytes, expected) = fixture(name);
        for feed in [WHOLE, Feed { first: 64, more: 64 }, Feed { first: 1, more: 1 }] {
            assert_listing(name, list(&bytes, 64, feed), &expected);
        }
    }
    let large = list(&fixture("redis-8.0").0, 64, Feed { first: 64, more: 64 }).unwrap().large;
    assert!(large >= 15, "only {large} values came in parts");
}

#[test]
fn a_limit_of_nothing_hands_out_in_parts_whatever_is_cut() {
    let (bytes, expected) = fixture("valkey-9.1");
    assert_listing("valkey-9.1", list(&bytes, 0, Feed { first: 1, more: 1 }), &expected);
}

/// The buffer ends anywhere, once; the events must not depend on where.
#[test]
fn where_the_input_is_cut_makes_no_difference() {
    for name in FIXTURES {
        let (bytes, _) = fixture(name);
        let whole = events(&bytes, bytes.len());
        for cut in 0..bytes.len() {
            assert_eq!(events(&bytes, cut), whole, "{name} cut at {cut}");
        }
    }
}

/// A digest of all events of a stream of which `cut` bytes are there at first.
fn events(bytes: &[u8], cut: usize) -> (usize, u64) {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    let mut reader = Reader::new(NO_LIMIT);
    let (mut start, mut end, mut count) = (0, cut, 0);
    loop {
        match reader.next(&bytes[start..end]).unwrap() {
            Step::NeedMore => {
                assert!(end < bytes.len(), "more is asked for at the end");
                end = bytes.len();
            }
            Step::Event { consumed, event } => {
                start += consumed;
                count += 1;
                match &event {
                    Event::Entry(entry) => {
                        (&*entry.key, entry.value, entry.expires_at_ms).hash(&mut hasher);
                    }
                    Event::End { .. } => return (count, hasher.finish()),
                    other => format!("{other:?}").hash(&mut hasher),
                }
            }
        }
    }
}

#[test]
fn a_wrong_checksum_is_an_error_and_none_is_not() {
    let (mut bytes, expected) = fixture("redis-7.0");
    let at = bytes.len() - 8;
    bytes[at] ^= 1;
    let error = list(&bytes, NO_LIMIT, WHOLE).err().unwrap();
    assert!(matches!(error.kind, ErrorKind::Checksum { .. }), "{error}");
    bytes[at..].fill(0);
    let listing = list(&bytes, NO_LIMIT, WHOLE).unwrap();
    assert_eq!(listing.checksum, None);
    assert_eq!(listing.render(), expected);
}

#[test]
fn after_the_end_it_stays_the_end() {
    let (mut bytes, _) = fixture("redis-7.0-lfu");
    let len = bytes.len();
    bytes.extend(b"*1\r\n$4\r\nPING\r\n");
    let mut reader = Reader::new(NO_LIMIT);
    let mut start = 0;
    loop {
        let Step::Event { consumed, event } = reader.next(&bytes[start..]).unwrap() else {
            panic!("more is asked for")
        };
        start += consumed;
        if matches!(event, Event::End { .. }) {
            break;
        }
    }
    assert_eq!((start, reader.offset()), (len, len as u64));
    let again = reader.next(&bytes[start..]).unwrap();
    assert!(matches!(again, Step::Event { consumed: 0, event: Event::End { .. } }));
}

#[test]
fn errors_name_the_offset_and_the_key() {
    let bytes = b"REDIS0011\xfe\x00\x08\x03key\x01x";
    let error = list(bytes, NO_LIMIT, WHOLE).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Type(8));
    assert_eq!(error.key.as_deref(), Some(&b"key"[..]));
    assert_eq!(error.offset, 12);
    let error = list(b"REDIS0011\x08\x81\xff", NO_LIMIT, WHOLE).err().unwrap();
    assert_eq!((error.kind, error.key, error.offset), (ErrorKind::Type(8), None, 10));
    assert_eq!(Reader::new(0).format().dialect, Dialect::Redis);
}
