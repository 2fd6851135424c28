//! Sorted sets: plain with scores as text or binary, or packed.
//!
//! ```text
//!  3  n, (string, score) ...      score: 253 NaN, 254 +inf, 255 -inf, else length and digits
//!  5  n, (string, 8 bytes) ...    score: IEEE 754 double, LE
//! 12  string holding a ziplist: member, score ...
//! 17  string holding a listpack: member, score ...
//! ```

use super::{Layout, odd};
use crate::cursor::{Cursor, Scan, Scratch, Stop};
use crate::packed::{Element, listpack, ziplist};
use crate::{ErrorKind, Sink};

const MALFORMED_SCORE: ErrorKind = ErrorKind::Malformed("score");

/// Reads one plain member, or all members of a packed sorted set.
#[inline]
pub(crate) fn unit<S: Sink + ?Sized>(
    layout: Layout,
    cursor: &mut Cursor<'_>,
    outer: &mut Scratch,
    inner: &mut Scratch,
    sink: &mut S,
) -> Scan<()> {
    let bytes = cursor.text(outer)?;
    match layout {
        Layout::ZsetZiplist => members(ziplist::iter(bytes)?, inner, sink),
        Layout::ZsetListpack => members(listpack::iter(bytes)?, inner, sink),
        Layout::ZsetText => {
            sink.zset_member(bytes, text_score(cursor)?);
            Ok(())
        }
        _ => {
            sink.zset_member(bytes, f64::from_le_bytes(cursor.array()?));
            Ok(())
        }
    }
}

fn members<'p, S: Sink + ?Sized>(
    mut packed: impl Iterator<Item = Result<Element<'p>, ErrorKind>>,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Scan<()> {
    while let Some(member) = packed.next() {
        let score = packed.next().ok_or(odd("sorted set: a member without a score"))??;
        sink.zset_member(scratch.element(&member?), element_score(&score)?);
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "servers store scores as integers only if exact")]
fn element_score(score: &Element<'_>) -> Result<f64, ErrorKind> {
    match *score {
        Element::Int(value) => Ok(value as f64),
        Element::Bytes(bytes) => parse_score(bytes),
    }
}

/// A score in digits, as `printf` writes it.
fn parse_score(bytes: &[u8]) -> Result<f64, ErrorKind> {
    let digits = std::str::from_utf8(bytes).map_err(|_| MALFORMED_SCORE)?;
    digits.parse().map_err(|_| MALFORMED_SCORE)
}

fn text_score(cursor: &mut Cursor<'_>) -> Scan<f64> {
    match cursor.byte()? {
        253 => Ok(f64::NAN),
        254 => Ok(f64::INFINITY),
        255 => Ok(f64::NEG_INFINITY),
        len => parse_score(cursor.take(u64::from(len))?).map_err(Stop::Bad),
    }
}

/// Skips a score in text.
pub(crate) fn skip_text_score(cursor: &mut Cursor<'_>) -> Scan<()> {
    match cursor.byte()? {
        253..=255 => Ok(()),
        len => cursor.take(u64::from(len)).map(drop),
    }
}
