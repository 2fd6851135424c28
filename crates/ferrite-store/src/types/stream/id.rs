//! Ids of entries: read from words, and their neighbours.

use super::StreamId;

/// The smallest id.
pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
/// The largest id.
pub const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

/// Reads `ms` or `ms-seq`; the sequence where there is none is the one given.
#[must_use]
pub fn parse(text: &[u8], missing_seq: u64) -> Option<StreamId> {
    match text.iter().position(|&byte| byte == b'-') {
        None => Some(StreamId { ms: number(text)?, seq: missing_seq }),
        Some(at) => {
            let (ms, seq) = text.split_at(at);
            Some(StreamId { ms: number(ms)?, seq: number(seq.get(1..)?)? })
        }
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The next larger id.
#[must_use]
pub fn successor(id: StreamId) -> Option<StreamId> {
    match id.seq.checked_add(1) {
        Some(seq) => Some(StreamId { seq, ..id }),
        None => Some(StreamId { ms: id.ms.checked_add(1)?, seq: 0 }),
    }
}

/// The next smaller id.
#[must_use]
pub fn predecessor(id: StreamId) -> Option<StreamId> {
    match id.seq.checked_sub(1) {
        Some(seq) => Some(StreamId { seq, ..id }),
        None => Some(StreamId { ms: id.ms.checked_sub(1)?, seq: u64::MAX }),
    }
}
