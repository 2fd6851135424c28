//! The length of a stream, found without looking at its entries.

use super::{id, meta};
use crate::cursor::{Cursor, Scan};

/// Bytes of an id in a list of pending entries.
const RAW_ID: u64 = 16;

/// Skips a stream of a version.
pub(crate) fn skip(version: u8, cursor: &mut Cursor<'_>) -> Scan<()> {
    for _ in 0..cursor.length()? {
        cursor.skip_string()?;
        cursor.skip_string()?;
    }
    meta(version, cursor)?;
    for _ in 0..cursor.length()? {
        group(version, cursor)?;
    }
    if version >= 4 { producers(cursor) } else { Ok(()) }
}

fn group(version: u8, cursor: &mut Cursor<'_>) -> Scan<()> {
    cursor.skip_string()?;
    id(cursor)?;
    if version >= 2 {
        cursor.length()?;
    }
    for _ in 0..cursor.length()? {
        cursor.take(RAW_ID + 8)?;
        cursor.length()?;
    }
    for _ in 0..cursor.length()? {
        consumer(version, cursor)?;
    }
    if version >= 5 { raw_ids(cursor) } else { Ok(()) }
}

fn consumer(version: u8, cursor: &mut Cursor<'_>) -> Scan<()> {
    cursor.skip_string()?;
    cursor.take(if version >= 3 { 16 } else { 8 })?;
    raw_ids(cursor)
}

/// A count and that many ids; element by element, because the total may exceed any buffer.
fn raw_ids(cursor: &mut Cursor<'_>) -> Scan<()> {
    for _ in 0..cursor.length()? {
        cursor.take(RAW_ID)?;
    }
    Ok(())
}

fn producers(cursor: &mut Cursor<'_>) -> Scan<()> {
    cursor.length()?;
    cursor.length()?;
    for _ in 0..cursor.length()? {
        cursor.skip_string()?;
        for _ in 0..cursor.length()? {
            cursor.skip_string()?;
            id(cursor)?;
        }
    }
    cursor.length()?;
    cursor.length().map(drop)
}
