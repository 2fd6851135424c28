//! Damaged streams: an error or a value, never a panic, and never more memory than the input
//! warrants.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

use ferrite_rdb::{Event, Reader, Sink, Step, StreamFields, StreamId, decode, value_len};
use support::{FIXTURES, fixture};

/// Counts the bytes handed out.
#[derive(Default)]
struct Volume(u64);

impl Sink for Volume {
    fn string_part(&mut self, _total: u64, piece: &[u8]) {
        self.0 += piece.len() as u64;
    }
    fn list_item(&mut self, item: &[u8]) {
        self.0 += item.len() as u64 + 1;
    }
    fn set_member(&mut self, member: &[u8]) {
        self.0 += member.len() as u64 + 1;
    }
    fn zset_member(&mut self, member: &[u8], _score: f64) {
        self.0 += member.len() as u64 + 1;
    }
    fn hash_field(&mut self, field: &[u8], value: &[u8], _expires_at_ms: Option<u64>) {
        self.0 += (field.len() + value.len()) as u64 + 1;
    }
    fn stream_entry(&mut self, _id: StreamId, fields: &StreamFields) {
        self.0 += fields.iter().map(|(name, value)| (name.len() + value.len()) as u64).sum::<u64>();
    }
}

/// What became of a stream: whether it was read to its end, how much was handed out, and how
/// often the reader was called.
struct Outcome {
    complete: bool,
    volume: u64,
}

fn run(bytes: &[u8], value_limit: usize) -> Outcome {
    let mut reader = Reader::new(value_limit);
    let mut volume = Volume::default();
    let mut start = 0;
    let mut calls = 0;
    let complete = loop {
        calls += 1;
        assert!(calls <= 2 * bytes.len() + 8, "the reader does not get on");
        match reader.next(&bytes[start..]) {
            Err(_) | Ok(Step::NeedMore) => break false,
            Ok(Step::Event { consumed, event }) => {
                start += consumed;
                match event {
                    Event::End { .. } => break true,
                    Event::Entry(entry) => {
                        let (format, type_byte) = (reader.format(), entry.type_byte);
                        assert_eq!(
                            value_len(format, type_byte, entry.value),
                            Ok(Some(entry.value.len()))
                        );
                        let _ = decode(format, type_byte, entry.value, &mut volume);
                    }
                    Event::Large(_) => match parts(&mut reader, &bytes[start..], &mut volume) {
                        Some(consumed) => start += consumed,
                        None => break false,
                    },
                    _ => {}
                }
            }
        }
    };
    Outcome { complete, volume: volume.0 }
}

fn parts(reader: &mut Reader, bytes: &[u8], volume: &mut Volume) -> Option<usize> {
    let mut start = 0;
    loop {
        let part = reader.next_part(&bytes[start..], volume).ok()?;
        start += part.consumed;
        match part {
            _ if part.done => return Some(start),
            _ if part.consumed == 0 => return None,
            _ => {}
        }
    }
}

/// Compressed data makes 88 bytes of one at most, and nothing else makes more.
fn assert_bounded(outcome: &Outcome, bytes: &[u8], what: &str) {
    let most = bytes.len() as u64 * 88 * 12;
    assert!(outcome.volume <= most, "{what}: {} bytes out of {}", outcome.volume, bytes.len());
}

#[test]
fn cut_anywhere() {
    for name in FIXTURES {
        let (bytes, _) = fixture(name);
        assert!(run(&bytes, 1 << 20).complete && run(&bytes, 0).complete, "{name}");
        for len in 0..bytes.len() {
            for limit in [1 << 20, 0] {
                let outcome = run(&bytes[..len], limit);
                assert!(!outcome.complete, "{name} cut at {len}");
            }
        }
    }
}

#[test]
fn any_byte_changed() {
    for name in FIXTURES {
        let (mut bytes, _) = fixture(name);
        for at in 0..bytes.len() {
            let before = bytes[at];
            for flip in [0x01, 0x40, 0x80, 0xff] {
                bytes[at] = before ^ flip;
                for limit in [1 << 20, 0] {
                    let outcome = run(&bytes, limit);
                    assert!(!outcome.complete, "{name}: byte {at} ^ {flip:#x} is not noticed");
                    assert_bounded(&outcome, &bytes, name);
                }
            }
            bytes[at] = before;
        }
    }
}

/// Without a checksum nothing but the layouts themselves stands between damage and the sink.
#[test]
fn any_byte_changed_without_a_checksum() {
    for name in FIXTURES {
        let (mut bytes, _) = fixture(name);
        let end = bytes.len() - 8;
        bytes[end..].fill(0);
        for at in 9..end {
            let before = bytes[at];
            for flip in [0x02, 0x10, 0x81, 0xff] {
                bytes[at] = before ^ flip;
                assert_bounded(&run(&bytes, 1 << 20), &bytes, name);
            }
            bytes[at] = before;
        }
    }
}

/// Type bytes exchanged for every other: a value read as what it is not.
#[test]
fn every_value_as_every_type() {
    for name in FIXTURES {
        let (bytes, _) = fixture(name);
        let mut reader = Reader::new(1 << 20);
        let mut start = 0;
        while let Ok(Step::Event { consumed, event }) = reader.next(&bytes[start..]) {
            start += consumed;
            match event {
                Event::End { .. } => break,
                Event::Entry(entry) => {
                    for type_byte in 0..=40 {
                        let mut volume = Volume::default();
                        let _ = decode(reader.format(), type_byte, entry.value, &mut volume);
                        assert!(volume.0 <= entry.value.len() as u64 * 88 * 12 + 64);
                    }
                }
                _ => {}
            }
        }
        assert_eq!(start, bytes.len(), "{name}");
    }
}
