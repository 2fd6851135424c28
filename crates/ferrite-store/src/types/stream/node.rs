//! A node of a stream: entries in one listpack, relative to the master entry in front.
//!
//! ```text
//! master entry   entries | deleted ones | names n | n names | 0
//! entry          flags | ms - node's ms | seq - node's seq
//!                flags & 2: a value for each of the master's names
//!                else:      n | n times name and value
//!                elements of this entry from its flags on
//! flags & 1      the entry is deleted
//! ```

use ferrite_rdb::{ErrorKind, StreamId};

use crate::types::packed::listpack::{At, Element, Listpack};

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;
const MALFORMED: ErrorKind = ErrorKind::Malformed("stream node");

/// Entries in order, under the id of the first.
#[derive(Clone, Debug)]
pub(super) struct Node {
    listpack: Listpack,
}

/// An entry where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'n> {
    /// Its id.
    pub id: StreamId,
    list: &'n Listpack,
    /// Where its flags are.
    flags_at: At,
    flags: i64,
    pairs: usize,
    /// Where its own names and values begin, or its values alone.
    first: Option<At>,
}

fn integer(element: Element<'_>) -> i64 {
    element.as_int().unwrap_or_default()
}

impl Node {
    /// A node that begins with an entry.
    pub(super) fn new(fields: &[&[u8]]) -> Self {
        let mut list = Listpack::new();
        list.push_int(0);
        list.push_int(0);
        list.push_int((fields.len() / 2) as i64);
        for [name, _] in fields.as_chunks::<2>().0 {
            list.push(name);
        }
        list.push_int(0);
        Self { listpack: list }
    }

    /// Takes a node out of a file or payload, with everything in it checked.
    pub(super) fn from_listpack(
        listpack: Listpack,
        id: StreamId,
    ) -> Result<(Self, Option<StreamId>), ErrorKind> {
        let mut elements = listpack.iter().peekable();
        let mut next = || elements.next().and_then(|element| element.as_int()).ok_or(MALFORMED);
        let (entries, deleted, names) = (next()?, next()?, next()?);
        let names = usize::try_from(names).map_err(|_| MALFORMED)?;
        if names > listpack.len() || entries < 1 || deleted < 0 {
            return Err(MALFORMED);
        }
        let mut elements = listpack.iter().skip(3 + names);
        let mut int = || elements.next().and_then(|element| element.as_int());
        if int() != Some(0) {
            return Err(MALFORMED);
        }
        let (mut left, mut last) = ([entries, deleted], None);
        let mut rest = listpack.iter().skip(4 + names);
        while let Some(flags) = rest.next() {
            let flags = flags.as_int().filter(|flags| (0..4).contains(flags)).ok_or(MALFORMED)?;
            let mut int = || rest.next().and_then(|element| element.as_int()).ok_or(MALFORMED);
            let here = relative(id, int()?, int()?);
            let (head, values) = match flags & SAME_FIELDS {
                0 => {
                    let pairs = usize::try_from(int()?).map_err(|_| MALFORMED)?;
                    (4, pairs.checked_mul(2).ok_or(MALFORMED)?)
                }
                _ => (3, names),
            };
            if values > 0 && rest.nth(values - 1).is_none() {
                return Err(MALFORMED);
            }
            let elements = rest.next().and_then(|element| element.as_int());
            let follows = last.is_none_or(|last| last < here);
            if elements != Some((head + values) as i64) || !follows {
                return Err(MALFORMED);
            }
            last = Some(here);
            left[(flags & DELETED) as usize] -= 1;
        }
        if left != [0, 0] {
            return Err(MALFORMED);
        }
        Ok((Self { listpack }, last))
    }

    pub(super) fn listpack(&self) -> &Listpack {
        &self.listpack
    }

    pub(super) fn byte_len(&self) -> usize {
        self.listpack.byte_len()
    }

    fn header(&self) -> (At, At) {
        let first = self.listpack.first();
        // A node always has a master entry.
        let first = first.unwrap_or_else(|| unreachable!("a stream node without a master entry"));
        (first, self.listpack.next(first).unwrap_or(first))
    }

    /// How many entries are there, and how many were deleted.
    pub(super) fn counts(&self) -> (i64, i64) {
        let (entries, deleted) = self.header();
        (integer(self.listpack.get(entries)), integer(self.listpack.get(deleted)))
    }

    pub(super) fn set_counts(&mut self, entries: i64, deleted: i64) {
        self.listpack.replace_int(self.header().0, entries);
        self.listpack.replace_int(self.header().1, deleted);
    }

    /// The names of the master entry, and the first element behind it.
    fn master(&self) -> (usize, Option<At>, Option<At>) {
        let count_at = self.listpack.next(self.header().1);
        let names = count_at.map_or(0, |at| integer(self.listpack.get(at)));
        let names = usize::try_from(names).unwrap_or_default();
        let first_name = count_at.and_then(|at| self.listpack.next(at));
        let end = step(&self.listpack, first_name, names);
        (names, first_name, step(&self.listpack, end, 1))
    }

    /// Appends an entry.
    pub(super) fn push(&mut self, node: StreamId, id: StreamId, fields: &[&[u8]]) {
        let (names, first_name, _) = self.master();
        let pairs = fields.as_chunks::<2>().0;
        let same = names == pairs.len() && {
            let mut at = first_name;
            pairs.iter().all(|[name, _]| {
                let here = at;
                at = step(&self.listpack, at, 1);
                here.is_some_and(|here| self.listpack.is_equal(here, name))
            })
        };
        let (entries, deleted) = self.counts();
        self.set_counts(entries + 1, deleted);
        let list = &mut self.listpack;
        list.push_int(if same { SAME_FIELDS } else { 0 });
        list.push_int(id.ms.wrapping_sub(node.ms).cast_signed());
        list.push_int(id.seq.wrapping_sub(node.seq).cast_signed());
        if !same {
            list.push_int(pairs.len() as i64);
        }
        for [name, value] in pairs {
            if !same {
                list.push(name);
            }
            list.push(value);
        }
        let elements = if same { 3 + pairs.len() } else { 4 + 2 * pairs.len() };
        list.push_int(elements as i64);
    }

    /// All entries, deleted ones too.
    pub(super) fn entries(&self, node: StreamId) -> impl Iterator<Item = Entry<'_>> {
        let (names, _, mut next) = self.master();
        std::iter::from_fn(move || {
            let list = &self.listpack;
            let flags_at = next?;
            let ms_at = list.next(flags_at)?;
            let seq_at = list.next(ms_at)?;
            let flags = integer(list.get(flags_at));
            let id = relative(node, integer(list.get(ms_at)), integer(list.get(seq_at)));
            let mut first = list.next(seq_at);
            let (mut pairs, mut values) = (names, names);
            if flags & SAME_FIELDS == 0 {
                let count = first.map_or(0, |at| integer(list.get(at)));
                pairs = usize::try_from(count).unwrap_or_default();
                values = 2 * pairs;
                first = step(list, first, 1);
            }
            next = step(list, first, values + 1);
            Some(Entry { id, list, flags_at, flags, pairs, first })
        })
    }

    /// Marks an entry as deleted. The counts are the caller's to keep.
    pub(super) fn mark_deleted(&mut self, flags_at: At) {
        let flags = integer(self.listpack.get(flags_at));
        // Flags take one byte whatever they are: no other entry moves.
        self.listpack.replace_int(flags_at, flags | DELETED);
    }
}

fn relative(node: StreamId, ms: i64, seq: i64) -> StreamId {
    StreamId { ms: node.ms.wrapping_add_signed(ms), seq: node.seq.wrapping_add_signed(seq) }
}

/// The element so many behind.
fn step(list: &Listpack, mut at: Option<At>, count: usize) -> Option<At> {
    for _ in 0..count {
        at = list.next(at?);
    }
    at
}

impl Entry<'_> {
    pub(super) fn is_deleted(&self) -> bool {
        self.flags & DELETED != 0
    }

    pub(super) fn flags_at(&self) -> At {
        self.flags_at
    }

    /// How many pairs of a name and a value it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pairs
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs == 0
    }

    /// Its pairs, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (Element<'_>, Element<'_>)> {
        let is_same = self.flags & SAME_FIELDS != 0;
        // Names of the master entry begin at its fourth element.
        let mut name = if is_same { step(self.list, self.list.first(), 3) } else { self.first };
        let mut value = if is_same { self.first } else { step(self.list, self.first, 1) };
        let stride = if is_same { 1 } else { 2 };
        std::iter::repeat_with(move || {
            let pair = (self.list.get(name?), self.list.get(value?));
            name = step(self.list, name, stride);
            value = step(self.list, value, stride);
            Some(pair)
        })
        .take(self.pairs)
        .map_while(|pair| pair)
    }
}
