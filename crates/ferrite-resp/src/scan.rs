//! Reads the first line of an element: its type byte and what stands before the first CRLF.
//!
//! ```text
//! type byte | line | \r \n [ | body … ]
//! ```

use crate::ProtocolError;

/// Longest line accepted, in bytes, without its CRLF. Scripts may return long status lines;
/// a line longer than this is a peer that does not speak RESP.
pub(crate) const MAX_LINE: usize = 1 << 20;

/// Longest decimal accepted: a sign and twenty digits.
const MAX_DIGITS: usize = 21;

/// Which aggregate a header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateKind {
    /// `*`: elements in order.
    Array,
    /// `%`: pairs of elements.
    Map,
    /// `~`: elements without order.
    Set,
    /// `>`: sent by the server without being asked.
    Push,
    /// `|`: pairs of elements said about the reply that follows.
    Attribute,
}

impl AggregateKind {
    /// How many elements follow a header announcing `count`: two each for maps and attributes.
    /// `None` when that does not fit a `usize`.
    pub fn elements(self, count: usize) -> Option<usize> {
        match self {
            Self::Map | Self::Attribute => count.checked_mul(2),
            Self::Array | Self::Set | Self::Push => Some(count),
        }
    }
}

/// A string whose length is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlobKind {
    Bulk,
    Error,
    Verbatim,
}

/// The first line of an element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Head<'a> {
    Simple(&'a [u8]),
    Error(&'a [u8]),
    Integer(i64),
    Null,
    Boolean(bool),
    Double(f64),
    BigNumber(&'a [u8]),
    /// So many bytes and a CRLF follow.
    Blob(BlobKind, usize),
    /// So many elements (or pairs) follow.
    Aggregate(AggregateKind, usize),
}

/// Reads the first line of an element and says how many bytes it took; `None` when incomplete.
#[inline]
pub(crate) fn head(input: &[u8]) -> Result<Option<(Head<'_>, usize)>, ProtocolError> {
    let Some((&kind, rest)) = input.split_first() else { return Ok(None) };
    let found = match kind {
        b'$' => blob(BlobKind::Bulk, rest)?,
        b'+' => line(rest)?.map(|(text, used)| (Head::Simple(text), used)),
        b':' => number(rest)?.map(|(value, used)| (Head::Integer(value), used)),
        b'-' => line(rest)?.map(|(text, used)| (Head::Error(text), used)),
        b'*' => aggregate(AggregateKind::Array, rest)?,
        _ => return rare_head(kind, rest),
    };
    Ok(found.map(|(head, used)| (head, used + 1)))
}

/// The types only RESP3 has.
fn rare_head(kind: u8, rest: &[u8]) -> Result<Option<(Head<'_>, usize)>, ProtocolError> {
    let found = match kind {
        b'%' => aggregate(AggregateKind::Map, rest)?,
        b'~' => aggregate(AggregateKind::Set, rest)?,
        b'>' => aggregate(AggregateKind::Push, rest)?,
        b'|' => aggregate(AggregateKind::Attribute, rest)?,
        b'!' => blob(BlobKind::Error, rest)?,
        b'=' => blob(BlobKind::Verbatim, rest)?,
        b'_' | b'#' | b',' | b'(' => match line(rest)? {
            Some((text, used)) => Some((line_value(kind, text)?, used)),
            None => None,
        },
        other => return Err(ProtocolError::UnknownType(other)),
    };
    Ok(found.map(|(head, used)| (head, used + 1)))
}

fn line_value(kind: u8, text: &[u8]) -> Result<Head<'_>, ProtocolError> {
    match (kind, text) {
        (b'_', _) => Ok(Head::Null),
        (b'#', b"t") => Ok(Head::Boolean(true)),
        (b'#', b"f") => Ok(Head::Boolean(false)),
        (b'#', _) => Err(ProtocolError::BadBoolean),
        (b',', text) => double(text).map(Head::Double),
        (_, text) => Ok(Head::BigNumber(text)),
    }
}

fn double(text: &[u8]) -> Result<f64, ProtocolError> {
    let text = std::str::from_utf8(text).map_err(|_| ProtocolError::BadDouble)?;
    text.parse().map_err(|_| ProtocolError::BadDouble)
}

#[inline]
fn blob(kind: BlobKind, rest: &[u8]) -> Result<Option<(Head<'static>, usize)>, ProtocolError> {
    Ok(length(rest)?.map(|(length, used)| match length {
        Some(length) => (Head::Blob(kind, length), used),
        None => (Head::Null, used),
    }))
}

fn aggregate(
    kind: AggregateKind,
    rest: &[u8],
) -> Result<Option<(Head<'static>, usize)>, ProtocolError> {
    Ok(length(rest)?.map(|(length, used)| match length {
        Some(length) => (Head::Aggregate(kind, length), used),
        None => (Head::Null, used),
    }))
}

/// A length line; -1 means null and gives `None` inside.
#[inline]
pub(crate) fn length(rest: &[u8]) -> Result<Option<(Option<usize>, usize)>, ProtocolError> {
    match number(rest)? {
        None => Ok(None),
        Some((-1, used)) => Ok(Some((None, used))),
        Some((value, used)) => {
            let length = usize::try_from(value).map_err(|_| ProtocolError::BadLength(value))?;
            Ok(Some((Some(length), used)))
        }
    }
}

/// A decimal line and the bytes it took, CRLF included.
#[inline]
pub(crate) fn number(input: &[u8]) -> Result<Option<(i64, usize)>, ProtocolError> {
    let (negative, start) = match input.first() {
        None => return Ok(None),
        Some(b'-') => (true, 1),
        Some(b'+') => (false, 1),
        Some(_) => (false, 0),
    };
    let digits = input.get(start..).unwrap_or_default();
    // Built downwards, since i64 has one more negative number than positive ones.
    let mut value: i64 = 0;
    for (index, &byte) in digits.iter().take(MAX_DIGITS).enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            let next = value.checked_mul(10).and_then(|v| v.checked_sub(i64::from(digit)));
            value = next.ok_or(ProtocolError::BadNumber)?;
            continue;
        }
        if byte != b'\r' || index == 0 {
            return Err(ProtocolError::BadNumber);
        }
        return match digits.get(index + 1) {
            None => Ok(None),
            Some(b'\n') => {
                let value = if negative { Some(value) } else { value.checked_neg() };
                Ok(Some((value.ok_or(ProtocolError::BadNumber)?, start + index + 2)))
            }
            Some(_) => Err(ProtocolError::BadNumber),
        };
    }
    if digits.len() >= MAX_DIGITS { Err(ProtocolError::BadNumber) } else { Ok(None) }
}

/// The bytes before the first CRLF, and how many bytes that took with it. A lone CR or LF is
/// part of the text: errors made by scripts may contain anything.
#[inline]
fn line(input: &[u8]) -> Result<Option<(&[u8], usize)>, ProtocolError> {
    let mut from = 0;
    while let Some(tail) = input.get(from..) {
        let Some(found) = tail.iter().position(|&byte| byte == b'\n') else { break };
        let end = from + found;
        if let Some(text) = input.get(..end).and_then(|text| text.strip_suffix(b"\r")) {
            return Ok(Some((text, end + 1)));
        }
        from = end + 1;
    }
    if input.len() > MAX_LINE { Err(ProtocolError::LineTooLong) } else { Ok(None) }
}
