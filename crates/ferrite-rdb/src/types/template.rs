//! Hashes by template (Redis 8.10): field names apart from the values.
//!
//! ```text
//! 29   names, string holding a listpack: template id, value ...
//! 31   names, string ...
//!      names: 0, string holding a listpack | 1, n, string ...
//! 30   string holding a listpack: template id, value ...
//! 32   template id, string ...
//! ```
//!
//! 29 and 31 stand alone, in `DUMP` payloads. 30 and 32 are in RDB files only, behind the
//! templates they refer to. Field names are ordered by length, then bytes.

use std::collections::HashMap;

use super::Layout;
use crate::cursor::{Cursor, Scan, Scratch, Stop};
use crate::packed::listpack;
use crate::{ErrorKind, Sink};

const IN_LISTPACK: u64 = 0;
const ONE_BY_ONE: u64 = 1;

const MALFORMED: ErrorKind = ErrorKind::Malformed("hash by template");
const OTHER_LAYOUT: ErrorKind =
    ErrorKind::Unsupported("hash by template as an early Redis 8.10 wrote it");

/// Templates of one file: so many at most, and so many bytes of names.
const MAX_TEMPLATES: usize = 1 << 20;
const MAX_TEMPLATE_BYTES: u64 = 256 << 20;

type Names = Vec<Box<[u8]>>;

/// The templates of an RDB file.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    names: HashMap<u64, Names>,
    bytes: u64,
}

impl Templates {
    /// Reads and keeps one template: id, count, names. Returns the id and the count.
    pub(crate) fn define(&mut self, cursor: &mut Cursor<'_>) -> Scan<(u64, u64)> {
        let start = cursor.pos();
        let id = cursor.length()?;
        let names = one_by_one(cursor)?;
        let len = self.bytes + (cursor.pos() - start) as u64;
        if len > MAX_TEMPLATE_BYTES || self.names.len() >= MAX_TEMPLATES {
            let (what, limit) = ("hash templates", MAX_TEMPLATE_BYTES);
            return Err(Stop::Bad(ErrorKind::TooLarge { what, len, limit }));
        }
        let count = names.len() as u64;
        if self.names.insert(id, names).is_some() {
            return Err(Stop::Bad(ErrorKind::Malformed("hash template: its id is taken")));
        }
        self.bytes = len;
        Ok((id, count))
    }

    fn get(&self, id: u64) -> Scan<&Names> {
        self.names.get(&id).ok_or(Stop::Bad(ErrorKind::Malformed("hash template: no such id")))
    }

    /// Reads a hash that refers to a template.
    pub(crate) fn hash<S: Sink + ?Sized>(
        &self,
        layout: Layout,
        cursor: &mut Cursor<'_>,
        sink: &mut S,
    ) -> Scan<()> {
        if layout == Layout::HashTemplateListpackRef {
            let mut scratch = Scratch::default();
            let packed = cursor.text(&mut scratch)?;
            let names = self.get(template_id(packed)?)?;
            return listpack_values(names, packed, sink);
        }
        let id = cursor.length()?;
        array_values(self.get(id)?, cursor, sink)
    }
}

/// Reads a hash that has its names with it.
pub(crate) fn whole<S: Sink + ?Sized>(
    layout: Layout,
    cursor: &mut Cursor<'_>,
    sink: &mut S,
) -> Scan<()> {
    let names = names(cursor)?;
    if layout == Layout::HashTemplateListpack {
        let mut scratch = Scratch::default();
        return listpack_values(&names, cursor.text(&mut scratch)?, sink);
    }
    array_values(&names, cursor, sink)
}

/// Skips a hash that has its names with it.
pub(crate) fn skip(layout: Layout, cursor: &mut Cursor<'_>) -> Scan<()> {
    let names = names(cursor)?;
    let values = if layout == Layout::HashTemplateListpack { 1 } else { names.len() };
    skip_strings(values, cursor)
}

fn skip_strings(count: usize, cursor: &mut Cursor<'_>) -> Scan<()> {
    for _ in 0..count {
        cursor.skip_string()?;
    }
    Ok(())
}

fn names(cursor: &mut Cursor<'_>) -> Scan<Names> {
    match cursor.length()? {
        IN_LISTPACK => {
            let mut scratch = Scratch::default();
            let mut digits = itoa::Buffer::new();
            let mut names = Names::new();
            for name in listpack::iter(cursor.text(&mut scratch)?)? {
                add(&mut names, name?.as_bytes(&mut digits))?;
            }
            not_empty(names)
        }
        ONE_BY_ONE => one_by_one(cursor),
        _ => Err(Stop::Bad(OTHER_LAYOUT)),
    }
}

fn one_by_one(cursor: &mut Cursor<'_>) -> Scan<Names> {
    let mut scratch = Scratch::default();
    let mut names = Names::new();
    for _ in 0..cursor.length()? {
        add(&mut names, cursor.text(&mut scratch)?)?;
    }
    not_empty(names)
}

/// Appends a name, which has to be greater than the one before: the order is what would show
/// that the layout is another one.
fn add(names: &mut Names, name: &[u8]) -> Scan<()> {
    let ascending = names.last().is_none_or(|last| (last.len(), &**last) < (name.len(), name));
    names.push(name.into());
    if ascending { Ok(()) } else { Err(Stop::Bad(MALFORMED)) }
}

fn not_empty(names: Names) -> Scan<Names> {
    if names.is_empty() { Err(Stop::Bad(MALFORMED)) } else { Ok(names) }
}

fn template_id(packed: &[u8]) -> Scan<u64> {
    let id = listpack::iter(packed)?.next().ok_or(Stop::Bad(MALFORMED))??.as_int();
    id.and_then(|id| u64::try_from(id).ok()).ok_or(Stop::Bad(MALFORMED))
}

fn listpack_values<S: Sink + ?Sized>(names: &Names, packed: &[u8], sink: &mut S) -> Scan<()> {
    template_id(packed)?;
    let mut digits = itoa::Buffer::new();
    let mut values = listpack::iter(packed)?.skip(1);
    for name in names {
        let value = values.next().ok_or(Stop::Bad(MALFORMED))??;
        sink.hash_field(name, value.as_bytes(&mut digits), None);
    }
    if values.next().is_none() { Ok(()) } else { Err(Stop::Bad(MALFORMED)) }
}

fn array_values<S: Sink + ?Sized>(
    names: &Names,
    cursor: &mut Cursor<'_>,
    sink: &mut S,
) -> Scan<()> {
    skip_strings(names.len(), &mut Cursor::new(cursor.rest()))?;
    let mut scratch = Scratch::default();
    for name in names {
        sink.hash_field(name, cursor.text(&mut scratch)?, None);
    }
    Ok(())
}
