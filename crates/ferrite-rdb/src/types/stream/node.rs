//! A node of a stream: one listpack of entries, relative to a master entry in front.
//!
//! ```text
//! master: count, deleted, n, n field names, 0
//! entry:  flags, ms and seq relative to the node's id, then
//!         flags & 2: a value for each of the master's names
//!         else:      n, n times name and value
//!         and how many elements the entry has, for walking backwards
//! flags & 1: deleted
//! ```

use crate::cursor::{Cursor, Scan, Scratch, Stop};
use crate::packed::{Element, listpack};
use crate::{ErrorKind, Sink, StreamFields, StreamId};

const MALFORMED: ErrorKind = ErrorKind::Malformed("stream node");
const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;
const ID_LEN: usize = 16;

/// Reads one node and hands out the entries that are not deleted.
pub(super) fn entries<S: Sink + ?Sized>(
    cursor: &mut Cursor<'_>,
    scratch: &mut Scratch,
    fields: &mut StreamFields,
    sink: &mut S,
) -> Scan<()> {
    let first = node_id(cursor.text(scratch)?)?;
    let packed = cursor.text(scratch)?;
    let mut node = Node::open(listpack::iter(packed)?, first)?;
    while let Some(flags) = node.elements.next() {
        let flags = flags?.as_int().ok_or(MALFORMED)?;
        let id = node.entry(flags, fields)?;
        if flags & DELETED == 0 {
            sink.stream_entry(id, fields);
        }
    }
    if node.left == [0, 0] { Ok(()) } else { Err(Stop::Bad(MALFORMED)) }
}

fn node_id(bytes: &[u8]) -> Result<StreamId, ErrorKind> {
    let bytes: &[u8; ID_LEN] = bytes.try_into().map_err(|_| MALFORMED)?;
    let id = u128::from_be_bytes(*bytes);
    let low = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
    Ok(StreamId { ms: low(id >> 64), seq: low(id) })
}

struct Node<'a> {
    first: StreamId,
    elements: listpack::Iter<'a>,
    /// The elements from the master's first field name on.
    names: listpack::Iter<'a>,
    name_count: i64,
    /// Entries there should still be: valid, deleted.
    left: [i64; 2],
}

impl<'a> Node<'a> {
    fn open(mut elements: listpack::Iter<'a>, first: StreamId) -> Result<Self, ErrorKind> {
        let left = [int(&mut elements)?, int(&mut elements)?];
        let name_count = int(&mut elements)?;
        let names = elements.clone();
        for _ in 0..name_count {
            next(&mut elements)?;
        }
        if int(&mut elements)? != 0 || name_count < 0 {
            return Err(MALFORMED);
        }
        Ok(Self { first, elements, names, name_count, left })
    }

    /// Reads the rest of an entry; its fields replace what `fields` held.
    fn entry(&mut self, flags: i64, fields: &mut StreamFields) -> Result<StreamId, ErrorKind> {
        let id = StreamId {
            ms: self.first.ms.wrapping_add_signed(int(&mut self.elements)?),
            seq: self.first.seq.wrapping_add_signed(int(&mut self.elements)?),
        };
        fields.clear();
        if flags & SAME_FIELDS == 0 {
            self.own_fields(fields)?;
        } else {
            self.same_fields(fields)?;
        }
        int(&mut self.elements)?;
        let [valid, deleted] = &mut self.left;
        *(if flags & DELETED == 0 { valid } else { deleted }) -= 1;
        Ok(id)
    }

    fn own_fields(&mut self, fields: &mut StreamFields) -> Result<(), ErrorKind> {
        let mut digits = itoa::Buffer::new();
        let pairs = int(&mut self.elements)?;
        for _ in 0..pairs.checked_mul(2).ok_or(MALFORMED)? {
            fields.push(next(&mut self.elements)?.as_bytes(&mut digits));
        }
        Ok(())
    }

    fn same_fields(&mut self, fields: &mut StreamFields) -> Result<(), ErrorKind> {
        let mut digits = itoa::Buffer::new();
        let mut names = self.names.clone();
        for _ in 0..self.name_count {
            fields.push(next(&mut names)?.as_bytes(&mut digits));
            fields.push(next(&mut self.elements)?.as_bytes(&mut digits));
        }
        Ok(())
    }
}

#[inline]
fn next<'a>(elements: &mut listpack::Iter<'a>) -> Result<Element<'a>, ErrorKind> {
    elements.next().ok_or(MALFORMED)?
}

#[inline]
fn int(elements: &mut listpack::Iter<'_>) -> Result<i64, ErrorKind> {
    next(elements)?.as_int().ok_or(MALFORMED)
}
