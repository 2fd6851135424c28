//! Looks at replies without copying them.

use crate::ProtocolError;
use crate::scan::{AggregateKind, BlobKind, Head, head, length};

/// One element borrowed from the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ReplyRef<'a> {
    /// `+OK`
    Simple(&'a [u8]),
    /// `-ERR …`, without the dash; also RESP3's bulk error.
    Error(&'a [u8]),
    /// `:42`
    Integer(i64),
    /// `$5 hello`
    Bulk(&'a [u8]),
    /// `$-1`, `*-1` or `_`
    Null,
    /// `#t`
    Boolean(bool),
    /// `,1.5`
    Double(f64),
    /// `(123…`, as its digits
    BigNumber(&'a [u8]),
    /// `=7 txt:abc`
    Verbatim {
        /// `txt`, `mkd`, …
        format: &'a [u8],
        /// The text.
        text: &'a [u8],
    },
    /// Only the header of an aggregate: its elements follow in the input. The number is what
    /// the header says; [`AggregateKind::elements`] tells how many elements that means.
    Aggregate(AggregateKind, usize),
}

/// Looks at the element at the start of `input` and says how many bytes it takes.
///
/// `None` when it is incomplete. Of an aggregate only the header is taken.
///
/// # Errors
/// When the input is not RESP.
#[inline]
pub fn peek(input: &[u8]) -> Result<Option<(ReplyRef<'_>, usize)>, ProtocolError> {
    let Some((head, used)) = head(input)? else { return Ok(None) };
    let reply = match head {
        Head::Blob(kind, length) => return peek_blob(input, kind, used, length),
        Head::Simple(text) => ReplyRef::Simple(text),
        Head::Error(text) => ReplyRef::Error(text),
        Head::Integer(value) => ReplyRef::Integer(value),
        Head::Null => ReplyRef::Null,
        Head::Boolean(value) => ReplyRef::Boolean(value),
        Head::Double(value) => ReplyRef::Double(value),
        Head::BigNumber(digits) => ReplyRef::BigNumber(digits),
        Head::Aggregate(kind, count) => ReplyRef::Aggregate(kind, count),
    };
    Ok(Some((reply, used)))
}

#[inline]
fn peek_blob(
    input: &[u8],
    kind: BlobKind,
    start: usize,
    length: usize,
) -> Result<Option<(ReplyRef<'_>, usize)>, ProtocolError> {
    let Some(end) = start.checked_add(length) else {
        return Err(ProtocolError::BadLength(i64::MAX));
    };
    let (Some(text), Some(tail)) = (input.get(start..end), input.get(end..)) else {
        return Ok(None);
    };
    match tail {
        [b'\r', b'\n', ..] => {}
        [] | [b'\r'] => return Ok(None),
        _ => return Err(ProtocolError::MissingTerminator),
    }
    let reply = match kind {
        BlobKind::Bulk => ReplyRef::Bulk(text),
        BlobKind::Error => ReplyRef::Error(text),
        BlobKind::Verbatim => verbatim(text)?,
    };
    Ok(Some((reply, end + 2)))
}

fn verbatim(text: &[u8]) -> Result<ReplyRef<'_>, ProtocolError> {
    let (format, rest) = text.split_at_checked(3).ok_or(ProtocolError::BadVerbatim)?;
    let text = rest.strip_prefix(b":").ok_or(ProtocolError::BadVerbatim)?;
    Ok(ReplyRef::Verbatim { format, text })
}

/// How many bytes the whole reply at the start of `input` takes, aggregates and their elements
/// included; `None` when it is incomplete. Takes no memory, whatever the nesting.
///
/// # Errors
/// When the input is not RESP.
pub fn skip(input: &[u8]) -> Result<Option<usize>, ProtocolError> {
    let mut missing: usize = 1;
    let mut at = 0;
    while missing > 0 {
        let Some((reply, used)) = peek(input.get(at..).unwrap_or_default())? else {
            return Ok(None);
        };
        at += used;
        missing -= 1;
        if let ReplyRef::Aggregate(kind, count) = reply {
            let own = usize::from(kind == AggregateKind::Attribute);
            let more = kind.elements(count).and_then(|more| more.checked_add(own));
            let sum = more.and_then(|more| missing.checked_add(more));
            missing = sum.ok_or(ProtocolError::TooManyElements { count, limit: usize::MAX })?;
        }
    }
    Ok(Some(at))
}

/// Reads only the header of a bulk string: its length in bytes (`None` for null) and the bytes
/// the header takes. The caller then streams the body, `length` bytes and CRLF.
///
/// `Ok(None)` when the header is incomplete.
///
/// # Errors
/// When the input does not start with a bulk string; an error reply is one too, so look at the
/// first byte before, or [`peek`].
pub fn peek_bulk_header(input: &[u8]) -> Result<Option<(Option<usize>, usize)>, ProtocolError> {
    match input.split_first() {
        None => Ok(None),
        Some((b'$', rest)) => Ok(length(rest)?.map(|(length, used)| (length, used + 1))),
        Some((other, _)) => Err(ProtocolError::UnknownType(*other)),
    }
}
