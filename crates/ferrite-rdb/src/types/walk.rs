//! The length of a value, found by lengths alone: what passing a value through costs.

use super::{Layout, key_meta, module, opaque, stream, template, zset};
use crate::cursor::{Cursor, Scan};

/// Skips a value.
#[inline]
pub(crate) fn skip(layout: Layout, cursor: &mut Cursor<'_>) -> Scan<()> {
    match layout {
        Layout::String => cursor.skip_value_string(),
        Layout::ListZiplist
        | Layout::SetIntset
        | Layout::SetListpack
        | Layout::ZsetZiplist
        | Layout::ZsetListpack
        | Layout::HashZipmap
        | Layout::HashZiplist
        | Layout::HashListpack
        | Layout::HashListpackExpiring { minimum: false } => cursor.skip_string(),
        _ => skip_long(layout, cursor),
    }
}

fn skip_long(layout: Layout, cursor: &mut Cursor<'_>) -> Scan<()> {
    match layout {
        Layout::HashListpackExpiring { .. } => {
            cursor.u64_le()?;
            cursor.skip_string()
        }
        Layout::HashMetadata { minimum } => {
            if minimum {
                cursor.u64_le()?;
            }
            units(cursor, skip_metadata_field)
        }
        Layout::HashTemplateListpack | Layout::HashTemplateArray => template::skip(layout, cursor),
        Layout::Stream(version) => stream::skip(version, cursor),
        Layout::Module => {
            cursor.length()?;
            module::skip_fields(cursor)
        }
        Layout::Opaque(opaque) => opaque::skip(opaque, cursor),
        Layout::BehindMetadata => {
            let inner = key_meta::inner(cursor)?;
            skip(inner, cursor)
        }
        _ => skip_counted(layout, cursor),
    }
}

fn skip_counted(layout: Layout, cursor: &mut Cursor<'_>) -> Scan<()> {
    match layout {
        Layout::Quicklist2 => units(cursor, |cursor| {
            cursor.length()?;
            cursor.skip_string()
        }),
        Layout::ZsetText => units(cursor, |cursor| {
            cursor.skip_string()?;
            zset::skip_text_score(cursor)
        }),
        Layout::Zset => units(cursor, |cursor| {
            cursor.skip_string()?;
            cursor.array::<8>().map(drop)
        }),
        Layout::Hash | Layout::SetExpiring => units(cursor, |cursor| {
            cursor.skip_string()?;
            cursor.skip_string()
        }),
        Layout::HashExpiringSeconds => units(cursor, |cursor| {
            cursor.skip_string()?;
            cursor.skip_string()?;
            cursor.skip_string()
        }),
        Layout::HashExpiring => units(cursor, |cursor| {
            cursor.skip_string()?;
            cursor.skip_string()?;
            cursor.array::<8>().map(drop)
        }),
        _ => units(cursor, Cursor::skip_string),
    }
}

fn skip_metadata_field(cursor: &mut Cursor<'_>) -> Scan<()> {
    cursor.length()?;
    cursor.skip_string()?;
    cursor.skip_string()
}

#[inline]
fn units<'a>(
    cursor: &mut Cursor<'a>,
    mut unit: impl FnMut(&mut Cursor<'a>) -> Scan<()>,
) -> Scan<()> {
    for _ in 0..cursor.length()? {
        unit(cursor)?;
    }
    Ok(())
}
