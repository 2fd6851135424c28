//! Any bytes as an RDB stream: read at once and in small windows, both must agree on where it
//! ends or that it does not, and the reader must always get on.
//!
//! The checksum is set to none where the stream would end, so that damage goes further than it.

#![no_main]

use ferrite_rdb::{Event, Part, Reader, Sink, Step, decode};
use libfuzzer_sys::fuzz_target;

struct Ignore;

impl Sink for Ignore {}

/// Where a stream was left: its end, or the offset of an error.
#[derive(Debug, PartialEq)]
enum Left {
    Ended(u64),
    Failed,
    Starved,
}

fuzz_target!(|data: &[u8]| {
    let Some((&window, stream)) = data.split_first() else { return };
    let whole = read(stream, stream.len().max(1), usize::MAX);
    let parts = read(stream, usize::from(window).max(1), usize::from(window));
    if let Left::Ended(_) = whole {
        // A value may turn out damaged only when it is decoded, which parts do at once.
        assert!(parts == whole || parts == Left::Failed, "{whole:?} at once, {parts:?} in parts");
    } else {
        assert!(!matches!(parts, Left::Ended(_)), "{whole:?} at once, {parts:?} in parts");
    }
});

fn read(stream: &[u8], window: usize, value_limit: usize) -> Left {
    let mut reader = Reader::new(value_limit);
    let (mut start, mut size) = (0, window);
    loop {
        let end = stream.len().min(start + size);
        match reader.next(&stream[start..end]) {
            Err(_) => return Left::Failed,
            Ok(Step::NeedMore) if end == stream.len() => return Left::Starved,
            Ok(Step::NeedMore) => size *= 2,
            Ok(Step::Event { consumed, event }) => {
                start += consumed;
                size = window;
                match event {
                    Event::End { .. } => return Left::Ended(reader.offset()),
                    Event::Entry(entry) => {
                        let _ = decode(reader.format(), entry.type_byte, entry.value, &mut Ignore);
                    }
                    Event::Large(_) => match parts(&mut reader, &stream[start..], window) {
                        Ok(consumed) => start += consumed,
                        Err(left) => return left,
                    },
                    _ => assert!(consumed > 0, "an event of no bytes"),
                }
            }
        }
        assert_eq!(reader.offset(), start as u64);
    }
}

fn parts(reader: &mut Reader, stream: &[u8], window: usize) -> Result<usize, Left> {
    let (mut start, mut size) = (0, window);
    loop {
        let end = stream.len().min(start + size);
        match reader.next_part(&stream[start..end], &mut Ignore) {
            Err(_) => return Err(Left::Failed),
            Ok(Part { consumed, done: true }) => return Ok(start + consumed),
            Ok(Part { consumed: 0, .. }) if end == stream.len() => return Err(Left::Starved),
            Ok(Part { consumed: 0, .. }) => size *= 2,
            Ok(Part { consumed, .. }) => (start, size) = (start + consumed, window),
        }
    }
}
