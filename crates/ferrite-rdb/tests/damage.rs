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

/// What became of a stream: whether it was read to its end, and how much was handed out.
struct Outcome {
    complete: bool,
    volume: u64,
}

/// Reads a stream, shown `window` bytes of it at a time or more if need be. Of whole values only
/// the one at `changed` is decoded; the others are as they were.
fn run(bytes: &[u8], window: usize, changed: Option<usize>) -> Outcome {
    let mut reader = Reader::new(window.min(1 << 20));
    let mut volume = Volume::default();
    let (mut start, mut size, mut calls) = (0, window, 0);
    let complete = loop {
        calls += 1;
        assert!(calls <= 8 * bytes.len() + 8, "the reader does not get on");
        let end = bytes.len().min(start + size);
        match reader.next(&bytes[start..end]) {
            Err(_) => break false,
            Ok(Step::NeedMore) if end == bytes.len() => break false,
            Ok(Step::NeedMore) => size *= 2,
            Ok(Step::Event { consumed, event }) => {
                let range = start..start + consumed;
                (start, size) = (range.end, window);
                match event {
                    Event::End { .. } => break true,
                    Event::Entry(entry) if changed.is_none_or(|at| range.contains(&at)) => {
                        let (format, type_byte) = (reader.format(), entry.type_byte);
                        assert_eq!(
                            value_len(format, type_byte, entry.value),
                            Ok(Some(entry.value.len()))
                        );
                        let _ = decode(format, type_byte, entry.value, &mut volume);
                    }
                    Event::Large(_) => {
                        match parts(&mut reader, &bytes[start..], window, &mut volume) {
                            Some(consumed) => start += consumed,
                            None => break false,
                        }
                    }
                    _ => {}
                }
            }
        }
    };
    Outcome { complete, volume: volume.0 }
}

fn parts(reader: &mut Reader, bytes: &[u8], window: usize, volume: &mut Volume) -> Option<usize> {
    let (mut start, mut size) = (0, window);
    loop {
        let end = bytes.len().min(start + size);
        let part = reader.next_part(&bytes[start..end], volume).ok()?;
        start += part.consumed;
        match part {
            _ if part.done => return Some(start),
            _ if part.consumed > 0 => size = window,
            _ if end == bytes.len() => return None,
            _ => size *= 2,
        }
    }
}

/// The fixtures that have, between them, every type.
const DAMAGED: [&str; 4] = ["redis-6.2", "redis-7.0", "redis-8.0", "valkey-9.1"];

/// One byte in so many is changed, in each fixture another one: the fixtures hold about the same
/// values, and each change costs a reading of the whole stream.
const STRIDE: usize = 3;

/// Which bits are flipped, by position; and whether larger values come whole or in parts.
const FLIPS: [u8; 5] = [0x01, 0xff, 0x80, 0x10, 0x42];
const WINDOWS: [usize; 2] = [1 << 20, 48];

/// Magic and version, which decide whether there is a checksum.
const HEADER: usize = 9;

/// Compressed data makes 88 bytes of one at most, and nothing else makes more.
fn assert_bounded(outcome: &Outcome, bytes: &[u8], what: &str) {
    let most = bytes.len() as u64 * 88 * 12;
    assert!(outcome.volume <= most, "{what}: {} bytes out of {}", outcome.volume, bytes.len());
}

#[test]
fn cut_anywhere() {
    for name in DAMAGED {
        let (bytes, _) = fixture(name);
        assert!(WINDOWS.iter().all(|&window| run(&bytes, window, None).complete), "{name}");
        for len in 0..bytes.len() {
            let outcome = run(&bytes[..len], WINDOWS[len % 2], Some(len));
            assert!(!outcome.complete, "{name} cut at {len}");
        }
    }
}

#[test]
fn any_byte_changed() {
    for (first, name) in DAMAGED.into_iter().enumerate() {
        let (mut bytes, _) = fixture(name);
        each_change(&mut bytes, first, |at, bytes| {
            let outcome = run(bytes, WINDOWS[at % 2], Some(at));
            assert!(!outcome.complete || at < HEADER, "{name}: byte {at} is not noticed");
            assert_bounded(&outcome, bytes, name);
        });
    }
}

/// Without a checksum nothing but the layouts themselves stands between damage and the sink.
#[test]
fn any_byte_changed_without_a_checksum() {
    for (first, name) in DAMAGED.into_iter().enumerate() {
        let (mut bytes, _) = fixture(name);
        let end = bytes.len() - 8;
        bytes[end..].fill(0);
        each_change(&mut bytes, first, |at, bytes| {
            assert_bounded(&run(bytes, WINDOWS[at / 2 % 2], Some(at)), bytes, name);
        });
    }
}

fn each_change(bytes: &mut [u8], first: usize, mut check: impl FnMut(usize, &[u8])) {
    for at in (first % STRIDE..bytes.len()).step_by(STRIDE) {
        let flip = FLIPS[at % FLIPS.len()];
        bytes[at] ^= flip;
        check(at, bytes);
        bytes[at] ^= flip;
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
                    for type_byte in (0..=40).chain([64, 243]) {
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
