//! Hashes by template (Redis 8.10): field names first, then values; as in `DUMP` payloads.
//!
//! ```text
//! names   0, string holding a listpack | 1, n, string ...
//! 29      names, string holding a listpack: template id, value ...
//! 31      names, string ...
//! ```
//!
//! Release candidates put a bare count in front of the names; that is recognised and refused.

use super::Layout;
use crate::cursor::{Cursor, Scan, Scratch, Stop};
use crate::packed::listpack;
use crate::{ErrorKind, Sink};

const IN_LISTPACK: u64 = 0;
const ONE_BY_ONE: u64 = 1;

const MALFORMED: ErrorKind = ErrorKind::Malformed("hash by template");
const OTHER_LAYOUT: ErrorKind =
    ErrorKind::Unsupported("hash by template as an early Redis 8.10 wrote it");

/// Field names as stored: a cursor over them that can be read again.
enum Names<'a> {
    Listpack(listpack::Iter<'a>),
    Strings { left: u64, cursor: Cursor<'a> },
}

/// Reads all fields of a hash by template.
pub(crate) fn whole<S: Sink + ?Sized>(
    layout: Layout,
    cursor: &mut Cursor<'_>,
    scratch: &mut [Scratch; 3],
    sink: &mut S,
) -> Scan<()> {
    let [names, name, value] = scratch;
    let mut names = read_names(cursor, names)?;
    if layout == Layout::HashTemplateListpack {
        let mut packed = Scratch::default();
        return listpack_values(names, cursor.text(&mut packed)?, [name, value], sink);
    }
    while let Some(name) = names.next(name)? {
        sink.hash_field(name, cursor.text(value)?, None);
    }
    Ok(())
}

fn listpack_values<S: Sink + ?Sized>(
    mut names: Names<'_>,
    packed: &[u8],
    scratch: [&mut Scratch; 2],
    sink: &mut S,
) -> Scan<()> {
    let [name_scratch, value_scratch] = scratch;
    let mut values = listpack::iter(packed)?;
    values.next().ok_or(MALFORMED)??.as_int().ok_or(MALFORMED)?;
    while let Some(name) = names.next(name_scratch)? {
        let value = values.next().ok_or(MALFORMED)??;
        sink.hash_field(name, value_scratch.element(&value), None);
    }
    if values.next().is_none() { Ok(()) } else { Err(Stop::Bad(MALFORMED)) }
}

fn read_names<'s, 'a: 's>(cursor: &mut Cursor<'a>, scratch: &'s mut Scratch) -> Scan<Names<'s>> {
    match cursor.length()? {
        IN_LISTPACK => Ok(Names::Listpack(listpack::iter(cursor.text(scratch)?)?)),
        ONE_BY_ONE => {
            let left = cursor.length()?;
            let names = Cursor::new(cursor.rest());
            for _ in 0..left {
                cursor.skip_string()?;
            }
            Ok(Names::Strings { left, cursor: names })
        }
        _ => Err(Stop::Bad(OTHER_LAYOUT)),
    }
}

impl Names<'_> {
    fn next<'s>(&'s mut self, scratch: &'s mut Scratch) -> Scan<Option<&'s [u8]>> {
        match self {
            Self::Listpack(names) => match names.next() {
                Some(name) => Ok(Some(scratch.copy(&name?))),
                None => Ok(None),
            },
            Self::Strings { left: 0, .. } => Ok(None),
            Self::Strings { left, cursor } => {
                *left -= 1;
                cursor.text(scratch).map(Some)
            }
        }
    }
}

/// Skips a hash by template.
pub(crate) fn skip(layout: Layout, cursor: &mut Cursor<'_>) -> Scan<()> {
    let mut scratch = Scratch::default();
    let mut names = read_names(cursor, &mut scratch)?;
    if layout == Layout::HashTemplateListpack {
        return cursor.skip_string();
    }
    let mut name = Scratch::default();
    while names.next(&mut name)?.is_some() {
        cursor.skip_string()?;
    }
    Ok(())
}
