//! Writing streams: entries packed into listpacks, then the stream's state and its groups.
//!
//! ```text
//! listpacks | { master id as a string of 16 B big endian | listpack as a string } ...
//! entries | last id | first id, largest deleted id, entries added        (types 19 and 21)
//! groups  | { name | last id | entries read                              (types 19 and 21)
//!             pending   | { id 16 B | delivered, ms, 8 B LE | deliveries } ...
//!             consumers | { name | seen, ms, 8 B LE | active, ms, 8 B LE (type 21)
//!                           pending | { id 16 B } ... } ... } ...
//! ```
//!
//! Numbers without a width are lengths; an id is two of them. Inside a listpack, all numbers being
//! listpack integers:
//!
//! ```text
//! master entry:  entries | deleted | fields n | n field names | 0
//! entry:         flags | ms - master ms | sequence - master sequence
//!                same fields (flag 2):  values
//!                otherwise:             fields n | n names and values
//!                elements of this entry, so that it can be walked backwards
//! ```

use super::value::{Layout, StreamLayout};
use super::{LengthSlot, Listpack, length, listpack, string};
use crate::{StreamConsumer, StreamFields, StreamGroup, StreamId, StreamMeta};

/// Entries in one listpack, as in Redis' default; also what the one-byte count can hold.
const NODE_ENTRIES: u8 = 100;
/// Bytes after which a listpack takes no further entry, as in Redis' default.
const NODE_BYTES: usize = 4096;
/// The entry has the fields of the master entry and lists values alone.
const SAME_FIELDS: i64 = 2;

/// Appends a stream to a buffer; calls come in the order of [`crate::Sink`].
#[derive(Debug)]
pub(super) struct StreamWriter {
    layout: StreamLayout,
    nodes: Nodes,
    groups: Option<Counted>,
    pending: Option<Counted>,
    consumers: Option<Counted>,
    owned: Option<Counted>,
    /// A count or a listpack that its field cannot hold.
    pub(super) overflow: bool,
}

/// A collection being written: its count goes into the slot when it is over.
#[derive(Debug)]
struct Counted {
    slot: LengthSlot,
    count: u64,
}

impl Counted {
    fn begin(out: &mut Vec<u8>) -> Self {
        Self { slot: LengthSlot::reserve(out), count: 0 }
    }
}

impl StreamWriter {
    /// Begins a stream whose entries will be given.
    pub(super) fn begin(layout: &Layout, out: &mut Vec<u8>) -> Self {
        Self::new(layout, Nodes::Packing(Box::new(Packer::begin(layout, out))))
    }

    /// Begins a stream whose listpacks are copied: their count and all of them, as in the body of
    /// another stream.
    pub(super) fn begin_copied(layout: &Layout, out: &mut Vec<u8>, listpacks: &[u8]) -> Self {
        out.extend_from_slice(listpacks);
        Self::new(layout, Nodes::Copied)
    }

    fn new(layout: &Layout, nodes: Nodes) -> Self {
        let (groups, pending, consumers, owned) = (None, None, None, None);
        let layout = layout.stream;
        Self { layout, nodes, groups, pending, consumers, owned, overflow: false }
    }

    pub(super) fn entry(&mut self, out: &mut Vec<u8>, id: StreamId, fields: &StreamFields) {
        if let Nodes::Packing(packer) = &mut self.nodes {
            self.overflow |= !packer.entry(out, id, fields);
        }
    }

    pub(super) fn meta(&mut self, out: &mut Vec<u8>, meta: &StreamMeta) {
        let (entries, first_id) = match &mut self.nodes {
            Nodes::Copied => (meta.length, meta.first_id.unwrap_or_default()),
            Nodes::Packing(packer) => {
                self.overflow |= !packer.finish(out);
                (packer.entries, packer.first.unwrap_or_default())
            }
        };
        length(out, entries);
        id_lengths(out, meta.last_id);
        if self.layout >= StreamLayout::Two {
            id_lengths(out, first_id);
            id_lengths(out, meta.max_deleted_id.unwrap_or_default());
            length(out, meta.entries_added.unwrap_or(entries));
        }
        self.groups = Some(Counted::begin(out));
    }

    pub(super) fn group(&mut self, out: &mut Vec<u8>, group: &StreamGroup<'_>) {
        self.close_group(out);
        string(out, group.name);
        id_lengths(out, group.last_id);
        if self.layout >= StreamLayout::Two {
            length(out, group.entries_read.unwrap_or(-1) as u64);
        }
        count_one(&mut self.groups);
        self.pending = Some(Counted::begin(out));
    }

    pub(super) fn pending(&mut self, out: &mut Vec<u8>, id: StreamId, at_ms: i64, count: u64) {
        id_bytes(out, id);
        out.extend_from_slice(&at_ms.to_le_bytes());
        length(out, count);
        count_one(&mut self.pending);
    }

    pub(super) fn consumer(&mut self, out: &mut Vec<u8>, consumer: &StreamConsumer<'_>) {
        self.close_pending(out);
        self.close_owned(out);
        string(out, consumer.name);
        out.extend_from_slice(&consumer.seen_ms.to_le_bytes());
        if self.layout >= StreamLayout::Three {
            // Formats without it had one time for both; servers read those the same way.
            let active_ms = consumer.active_ms.unwrap_or(consumer.seen_ms);
            out.extend_from_slice(&active_ms.to_le_bytes());
        }
        count_one(&mut self.consumers);
        self.owned = Some(Counted::begin(out));
    }

    pub(super) fn owned(&mut self, out: &mut Vec<u8>, id: StreamId) {
        id_bytes(out, id);
        count_one(&mut self.owned);
    }

    /// Ends the stream. Without [`StreamWriter::meta`] there is nothing to end.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.close_group(out);
        self.overflow |= !fill(self.groups.take(), out);
    }

    fn close_group(&mut self, out: &mut Vec<u8>) {
        self.close_pending(out);
        self.close_owned(out);
        self.overflow |= !fill(self.consumers.take(), out);
    }

    /// The consumers' count follows the last pending entry of the group.
    fn close_pending(&mut self, out: &mut Vec<u8>) {
        if let Some(pending) = self.pending.take() {
            self.overflow |= !fill(Some(pending), out);
            self.consumers = Some(Counted::begin(out));
        }
    }

    fn close_owned(&mut self, out: &mut [u8]) {
        self.overflow |= !fill(self.owned.take(), out);
    }
}

fn count_one(counted: &mut Option<Counted>) {
    if let Some(counted) = counted {
        counted.count += 1;
    }
}

fn fill(counted: Option<Counted>, out: &mut [u8]) -> bool {
    counted.is_none_or(|counted| counted.slot.fill(out, counted.count))
}

fn id_lengths(out: &mut Vec<u8>, id: StreamId) {
    length(out, id.ms);
    length(out, id.seq);
}

fn id_bytes(out: &mut Vec<u8>, id: StreamId) {
    out.extend_from_slice(&id.ms.to_be_bytes());
    out.extend_from_slice(&id.seq.to_be_bytes());
}

/// Where the listpacks come from.
#[derive(Debug)]
enum Nodes {
    Packing(Box<Packer>),
    Copied,
}

/// Packs entries into listpacks.
#[derive(Debug)]
struct Packer {
    count: Counted,
    compress: bool,
    node: Listpack,
    node_entries: u8,
    master: StreamId,
    /// Names of the master entry, each with an empty value.
    names: StreamFields,
    entries: u64,
    first: Option<StreamId>,
}

impl Packer {
    fn begin(layout: &Layout, out: &mut Vec<u8>) -> Self {
        Self {
            count: Counted::begin(out),
            compress: layout.compress,
            node: Listpack::new(layout.back_lengths),
            node_entries: 0,
            master: StreamId::default(),
            names: StreamFields::default(),
            entries: 0,
            first: None,
        }
    }

    /// False when the listpack before this entry could not be written.
    fn entry(&mut self, out: &mut Vec<u8>, id: StreamId, fields: &StreamFields) -> bool {
        let full = self.node_entries == NODE_ENTRIES || self.node.size() >= NODE_BYTES;
        let written = !full || self.flush(out);
        if self.node_entries == 0 {
            self.open(id, fields);
        }
        self.push(id, fields);
        self.node_entries += 1;
        self.entries += 1;
        self.first.get_or_insert(id);
        written
    }

    /// Writes the master entry. Its first element is the count, overwritten when it is known.
    fn open(&mut self, id: StreamId, fields: &StreamFields) {
        self.master = id;
        self.names.clear();
        self.node.push_integer(0);
        self.node.push_integer(0);
        self.node.push_integer(fields.len() as i64);
        for (name, _) in fields.iter() {
            self.node.push(name);
            self.names.push(name);
            self.names.push(b"");
        }
        self.node.push_integer(0);
    }

    fn push(&mut self, id: StreamId, fields: &StreamFields) {
        let same = fields.iter().map(|(name, _)| name).eq(self.names.iter().map(|(name, _)| name));
        let start = self.node.elements();
        self.node.push_integer(if same { SAME_FIELDS } else { 0 });
        self.node.push_integer(id.ms.wrapping_sub(self.master.ms) as i64);
        self.node.push_integer(id.seq.wrapping_sub(self.master.seq) as i64);
        if !same {
            self.node.push_integer(fields.len() as i64);
        }
        for (name, value) in fields.iter() {
            if !same {
                self.node.push(name);
            }
            self.node.push(value);
        }
        self.node.push_integer(i64::from(self.node.elements() - start));
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> bool {
        if self.node_entries == 0 {
            return true;
        }
        self.node.patch_small(listpack::FIRST_ELEMENT, self.node_entries);
        length(out, 16);
        id_bytes(out, self.master);
        let Some(bytes) = self.node.finish() else { return false };
        if self.compress {
            super::string_compressed(out, bytes);
        } else {
            string(out, bytes);
        }
        self.node.clear();
        self.node_entries = 0;
        self.count.count += 1;
        true
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> bool {
        self.flush(out) && self.count.slot.fill(out, self.count.count)
    }
}
