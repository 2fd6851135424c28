//! Hashes: plain, packed, and the five layouts of hashes whose fields expire.
//!
//! ```text
//!  4         n, (name, value) ...
//!  9         string holding a zipmap
//! 13, 16     string holding a ziplist, listpack: name, value ...
//! 22 Valkey  n, (name, value, expiry in ms (8, LE; -1 none)) ...
//! 22 Redis   n, (expiry in ms (length; 0 none), name, value) ...
//! 24         minimum (8, LE), n, (expiry - minimum + 1 (length; 0 none), name, value) ...
//! 31 Dragonfly  n, (name, value, expiry in seconds since 2023-02-01 (string; -1 none)) ...
//! 23, 25     [25: minimum (8, LE)], string holding a listpack: name, value, expiry (0 none) ...
//! ```

use super::{Counted, Layout, odd};
use crate::cursor::{Cursor, Scan, Scratch, Stop};
use crate::packed::{Element, listpack, ziplist, zipmap};
use crate::{ErrorKind, Sink};

const MALFORMED_EXPIRY: Stop = Stop::Bad(ErrorKind::Malformed("field expiry"));
const ODD: Stop = odd("hash: a field without a value");

/// Reads all fields of a packed hash.
pub(crate) fn packed<S: Sink + ?Sized>(
    layout: Layout,
    cursor: &mut Cursor<'_>,
    scratch: &mut [Scratch; 3],
    sink: &mut S,
) -> Scan<()> {
    let [outer, name, value] = scratch;
    if matches!(layout, Layout::HashListpackExpiring { minimum: true }) {
        cursor.u64_le()?;
    }
    let bytes = cursor.text(outer)?;
    match layout {
        Layout::HashZipmap => zipmap_fields(bytes, sink),
        Layout::HashZiplist => fields(ziplist::iter(bytes)?, [name, value], sink),
        Layout::HashListpackExpiring { .. } => expiring_fields(bytes, [name, value], sink),
        _ => fields(listpack::iter(bytes)?, [name, value], sink),
    }
}

fn zipmap_fields<S: Sink + ?Sized>(bytes: &[u8], sink: &mut S) -> Scan<()> {
    for pair in zipmap::iter(bytes)? {
        let (name, value) = pair?;
        sink.hash_field(name, value, None);
    }
    Ok(())
}

fn fields<'p, S: Sink + ?Sized>(
    mut packed: impl Iterator<Item = Result<Element<'p>, ErrorKind>>,
    scratch: [&mut Scratch; 2],
    sink: &mut S,
) -> Scan<()> {
    let [name_scratch, value_scratch] = scratch;
    while let Some(name) = packed.next() {
        let value = packed.next().ok_or(ODD)??;
        sink.hash_field(name_scratch.element(&name?), value_scratch.element(&value), None);
    }
    Ok(())
}

fn expiring_fields<S: Sink + ?Sized>(
    bytes: &[u8],
    scratch: [&mut Scratch; 2],
    sink: &mut S,
) -> Scan<()> {
    let [name_scratch, value_scratch] = scratch;
    let mut packed = listpack::iter(bytes)?;
    while let Some(name) = packed.next() {
        let value = packed.next().ok_or(ODD)??;
        let expiry = packed.next().ok_or(ODD)??.as_int();
        let expiry = expiry.and_then(|ms| u64::try_from(ms).ok()).ok_or(MALFORMED_EXPIRY)?;
        let expires_at_ms = (expiry != 0).then_some(expiry);
        sink.hash_field(name_scratch.element(&name?), value_scratch.element(&value), expires_at_ms);
    }
    Ok(())
}

/// Reads all fields of a plain hash.
pub(crate) fn plain<S: Sink + ?Sized>(
    counted: &mut Counted,
    cursor: &mut Cursor<'_>,
    scratch: &mut [Scratch; 3],
    sink: &mut S,
) -> Scan<()> {
    let [name, value, _] = scratch;
    counted.run(cursor, |cursor| {
        sink.hash_field(cursor.text(name)?, cursor.text(value)?, None);
        Ok(())
    })
}

/// Reads all fields of a hash with an expiry behind each.
pub(crate) fn expiring<S: Sink + ?Sized>(
    counted: &mut Counted,
    cursor: &mut Cursor<'_>,
    scratch: &mut [Scratch; 3],
    sink: &mut S,
) -> Scan<()> {
    let [name, value, _] = scratch;
    counted.run(cursor, |cursor| {
        let (name, value) = (cursor.text(name)?, cursor.text(value)?);
        let expiry = i64::from_le_bytes(cursor.array()?);
        let expires_at_ms = match expiry {
            -1 => None,
            _ => Some(u64::try_from(expiry).map_err(|_| MALFORMED_EXPIRY)?),
        };
        sink.hash_field(name, value, expires_at_ms);
        Ok(())
    })
}

/// Reads all fields of a hash with an expiry in Dragonfly's form behind each.
pub(crate) fn expiring_seconds<S: Sink + ?Sized>(
    counted: &mut Counted,
    cursor: &mut Cursor<'_>,
    scratch: &mut [Scratch; 3],
    sink: &mut S,
) -> Scan<()> {
    let [name, value, expiry] = scratch;
    counted.run(cursor, |cursor| {
        let (name, value) = (cursor.text(name)?, cursor.text(value)?);
        let expires_at_ms = dragonfly_expiry(cursor.text(expiry)?)?;
        sink.hash_field(name, value, expires_at_ms);
        Ok(())
    })
}

/// Where Dragonfly's expiry times of fields and members count from: 2023-02-01 in Unix seconds.
const DRAGONFLY_EPOCH_SECONDS: u64 = 1_675_209_600;

/// The expiry of a field or member of Dragonfly, in Unix milliseconds.
pub(super) fn dragonfly_expiry(digits: &[u8]) -> Scan<Option<u64>> {
    if digits == b"-1" {
        return Ok(None);
    }
    let seconds = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u32>().ok());
    let seconds = seconds.ok_or(MALFORMED_EXPIRY)?;
    Ok(Some((DRAGONFLY_EPOCH_SECONDS + u64::from(seconds)) * 1000))
}

/// Reads all fields of a hash with an expiry in front of each, relative to `minimum`.
pub(crate) fn metadata<S: Sink + ?Sized>(
    counted: &mut Counted,
    minimum: Option<u64>,
    cursor: &mut Cursor<'_>,
    scratch: &mut [Scratch; 3],
    sink: &mut S,
) -> Scan<()> {
    let [name, value, _] = scratch;
    counted.run(cursor, |cursor| {
        let expires_at_ms = match cursor.length()? {
            0 => None,
            ahead => Some(absolute(minimum, ahead)?),
        };
        sink.hash_field(cursor.text(name)?, cursor.text(value)?, expires_at_ms);
        Ok(())
    })
}

/// An expiry from what is stored: ahead of the minimum by one less, or absolute.
fn absolute(minimum: Option<u64>, stored: u64) -> Scan<u64> {
    match minimum {
        Some(minimum) => minimum.checked_add(stored - 1).ok_or(MALFORMED_EXPIRY),
        None => Ok(stored),
    }
}
