//! Values that are carried whole: known well enough to find their end, not taken apart.
//!
//! Only servers of the family that wrote them can hold them, so that nothing is gained by
//! looking inside; a sink gets them as it gets module data, under the name of their type.
//!
//! ```text
//! 28 Redis 8.8    array: n, 0 | (1, insert index), (index, (0 or 3, string) | (1 or 2, 8 B)) ...
//! 33 Redis        rate limiter: time in microseconds (length)
//! 23 Valkey 9.2   path hash: n, (path, n, (name, value) ...) ...
//! 64 KeyDB        cron job: script, start (8 B), interval (8 B), n, key ..., n, argument ...
//! 30 Dragonfly    JSON: text, as one string; 20 before RDB 10
//! 33, 34          Bloom filter: options, growth (8 B), error rate (8 B), 3 sizes, n,
//!                 (hashes, 33: string | 34: chunks) ...
//! 35              count-min sketch: width, depth, total, width * depth counters (8 B each)
//! 36              top-k: options, k, width, depth, decay (8 B), n, (item, count) ..., string
//! 37              cuckoo filter: 6 sizes, n, chunks ...
//! chunks          total, (length, bytes) ... until the total is reached
//! ```
//!
//! What is not marked with bytes is a length or a string. The layouts are those of the loaders
//! of Dragonfly and KeyDB, and of the reviews and readers of the newer Redis and Valkey types.

use crate::cursor::{Cursor, Scan, Stop};
use crate::{ErrorKind, Sink};

/// A type whose values are carried whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opaque {
    Array,
    RateLimiter,
    PathHash,
    Cron,
    Json,
    Bloom,
    /// The same with its filters in chunks.
    BloomChunked,
    CountMin,
    TopK,
    Cuckoo,
}

impl Opaque {
    /// The name of the type in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Array => "array (Redis 8.8)",
            Self::RateLimiter => "rate limiter (GCRA, Redis 8.10)",
            Self::PathHash => "path hash (Valkey 9.2)",
            Self::Cron => "cron job (KeyDB)",
            Self::Json => "JSON (Dragonfly)",
            Self::Bloom | Self::BloomChunked => "scalable Bloom filter (Dragonfly)",
            Self::CountMin => "count-min sketch (Dragonfly)",
            Self::TopK => "top-k (Dragonfly)",
            Self::Cuckoo => "cuckoo filter (Dragonfly)",
        }
    }
}

/// Hands over a value, which has to be in the buffer as a whole.
pub(crate) fn whole<S: Sink + ?Sized>(
    opaque: Opaque,
    cursor: &mut Cursor<'_>,
    sink: &mut S,
) -> Scan<()> {
    let start = cursor.pos();
    skip(opaque, cursor)?;
    sink.module(opaque.name(), cursor.since(start));
    Ok(())
}

/// Skips a value.
pub(crate) fn skip(opaque: Opaque, cursor: &mut Cursor<'_>) -> Scan<()> {
    match opaque {
        Opaque::Array => array(cursor),
        Opaque::RateLimiter => cursor.length().map(drop),
        Opaque::PathHash => each(cursor, path),
        Opaque::Cron => cron(cursor),
        Opaque::Json => cursor.skip_string(),
        Opaque::Bloom => bloom(cursor, Cursor::skip_string),
        Opaque::BloomChunked => bloom(cursor, chunks),
        Opaque::CountMin => count_min(cursor),
        Opaque::TopK => top_k(cursor),
        Opaque::Cuckoo => {
            lengths(6, cursor)?;
            each(cursor, chunks)
        }
    }
}

fn each<'a>(
    cursor: &mut Cursor<'a>,
    mut unit: impl FnMut(&mut Cursor<'a>) -> Scan<()>,
) -> Scan<()> {
    for _ in 0..cursor.length()? {
        unit(cursor)?;
    }
    Ok(())
}

fn lengths(count: usize, cursor: &mut Cursor<'_>) -> Scan<()> {
    for _ in 0..count {
        cursor.length()?;
    }
    Ok(())
}

fn array(cursor: &mut Cursor<'_>) -> Scan<()> {
    let count = cursor.length()?;
    match cursor.length()? {
        0 => {}
        1 => drop(cursor.length()?),
        _ => return Err(malformed("array")),
    }
    for _ in 0..count {
        cursor.length()?;
        match cursor.length()? {
            0 | 3 => cursor.skip_string()?,
            1 | 2 => drop(cursor.array::<8>()?),
            _ => return Err(malformed("array")),
        }
    }
    Ok(())
}

/// A path is never without fields: anything else would show that the layout is another one.
fn path(cursor: &mut Cursor<'_>) -> Scan<()> {
    cursor.skip_string()?;
    let fields = cursor.length()?;
    if fields == 0 {
        return Err(malformed("path hash"));
    }
    for _ in 0..fields {
        cursor.skip_string()?;
        cursor.skip_string()?;
    }
    Ok(())
}

fn cron(cursor: &mut Cursor<'_>) -> Scan<()> {
    cursor.skip_string()?;
    cursor.take(16)?;
    each(cursor, Cursor::skip_string)?;
    each(cursor, Cursor::skip_string)
}

fn bloom<'a>(
    cursor: &mut Cursor<'a>,
    mut filter: impl FnMut(&mut Cursor<'a>) -> Scan<()>,
) -> Scan<()> {
    cursor.length()?;
    cursor.take(16)?;
    lengths(3, cursor)?;
    each(cursor, |cursor| {
        cursor.length()?;
        filter(cursor)
    })
}

/// Chunks of at least one byte each, none beyond the total.
fn chunks(cursor: &mut Cursor<'_>) -> Scan<()> {
    let mut left = cursor.length()?;
    while left > 0 {
        let len = cursor.length()?;
        if len == 0 || len > left {
            return Err(malformed("chunks of a filter"));
        }
        cursor.take(len)?;
        left -= len;
    }
    Ok(())
}

fn count_min(cursor: &mut Cursor<'_>) -> Scan<()> {
    let (width, depth) = (cursor.length()?, cursor.length()?);
    cursor.length()?;
    let len = width.checked_mul(depth).and_then(|counters| counters.checked_mul(8));
    cursor.take(len.ok_or(malformed("count-min sketch"))?).map(drop)
}

fn top_k(cursor: &mut Cursor<'_>) -> Scan<()> {
    lengths(4, cursor)?;
    cursor.array::<8>()?;
    each(cursor, |cursor| {
        cursor.skip_string()?;
        cursor.length().map(drop)
    })?;
    cursor.skip_string()
}

const fn malformed(what: &'static str) -> Stop {
    Stop::Bad(ErrorKind::Malformed(what))
}
