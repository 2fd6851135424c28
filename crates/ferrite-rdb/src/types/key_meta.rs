//! Data that modules attach to keys of any type (Redis 8.6), in front of the value.
//!
//! ```text
//! RDB file       243, metadata, [attributes] type byte, key, value
//! DUMP payload   243, metadata, type byte, value
//! metadata       n, (class 4 B, fields of a module value up to their end mark) ...
//! ```
//!
//! Such data means something only to the module that wrote it. It is left behind, by name: with
//! it, a server without that module refuses the value, which is none of the module's.

use super::{Layout, layout, module};
use crate::cursor::{Cursor, Scan, Stop};
use crate::{Error, ErrorKind, Format};

/// The byte in front: an opcode in files, in the place of the type byte in payloads.
pub(crate) const KEY_META: u8 = 243;
/// What is left behind, for reports.
pub(crate) const LEFT_BEHIND: &str = "metadata of a module on a key";

/// Metadata behind metadata, which nobody writes.
const MALFORMED: Stop = Stop::Bad(ErrorKind::Malformed(LEFT_BEHIND));

/// Any Redis format: type bytes mean the same in all versions.
const REDIS: Format = Format::redis(13);

/// Skips the metadata; the byte in front of it was read.
pub(crate) fn skip(cursor: &mut Cursor<'_>) -> Scan<()> {
    for _ in 0..cursor.length()? {
        cursor.array::<4>()?;
        module::skip_fields(cursor)?;
    }
    Ok(())
}

/// Reads metadata and the type byte behind it, in a payload; what follows is the value.
pub(crate) fn inner(cursor: &mut Cursor<'_>) -> Scan<Layout> {
    skip(cursor)?;
    match layout(REDIS, cursor.byte()?)? {
        Layout::BehindMetadata => Err(MALFORMED),
        Layout::HashTemplateListpackRef | Layout::HashTemplateArrayRef => {
            Err(Stop::Bad(super::TEMPLATE_ELSEWHERE))
        }
        layout => Ok(layout),
    }
}

/// The metadata, and the type byte and the value behind it.
pub(crate) fn peel(body: &[u8]) -> Result<(&[u8], u8, &[u8]), Error> {
    let mut cursor = Cursor::new(body);
    let scan = skip(&mut cursor).and_then(|()| {
        let metadata = cursor.since(0);
        match cursor.byte()? {
            KEY_META => Err(MALFORMED),
            type_byte => Ok((metadata, type_byte, cursor.rest())),
        }
    });
    scan.map_err(|stop| {
        let (at, truncated) = (cursor.pos() as u64, ErrorKind::Truncated(LEFT_BEHIND));
        stop.into_error(at, None).unwrap_or(Error::new(truncated, at))
    })
}
