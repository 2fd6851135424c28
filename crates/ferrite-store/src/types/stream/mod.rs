//! Streams: entries in the order of their ids, kept in nodes of some entries each, and the groups
//! that read them.
//!
//! Nodes are listpacks in the very bytes they have in RDB files; an entry that is deleted is only
//! marked, until its node has no other.

mod group;
pub mod id;
mod node;
mod progress;
mod rdb;
#[cfg(test)]
mod tests;
mod trim;

use std::collections::BTreeMap;

pub use ferrite_rdb::StreamId;

pub use group::{Consumer, ConsumerId, Group, Pending};
pub use node::Entry;
use node::Node;
pub use trim::{Trim, TrimBy};

use super::limits::Limits;
use super::sorted_set::Direction;

/// A node, and what is added at once, stay below this many bytes.
pub const MAX_NODE_BYTES: usize = 1 << 30;

/// A stream.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    nodes: BTreeMap<StreamId, Node>,
    length: u64,
    last_id: StreamId,
    first_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
    groups: BTreeMap<Vec<u8>, Group>,
}

impl Stream {
    /// A stream to which nothing was added.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length as usize
    }

    /// Whether it has no entries. Such a stream stays: it has its last id and its groups.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// How many nodes it has.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The last id that was given out.
    #[must_use]
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The id of the first entry; 0-0 where there is none.
    #[must_use]
    pub fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// The largest id that was deleted.
    #[must_use]
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// How many entries were ever added.
    #[must_use]
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// Sets what XSETID sets.
    pub fn set_ids(&mut self, last: StreamId, added: Option<u64>, max_deleted: Option<StreamId>) {
        self.last_id = last;
        self.entries_added = added.unwrap_or(self.entries_added);
        self.max_deleted_id = max_deleted.unwrap_or(self.max_deleted_id);
    }

    /// The groups, in the order of their names.
    #[must_use]
    pub fn groups(&self) -> &BTreeMap<Vec<u8>, Group> {
        &self.groups
    }

    /// The groups, to be changed.
    pub fn groups_mut(&mut self) -> &mut BTreeMap<Vec<u8>, Group> {
        &mut self.groups
    }

    /// Appends an entry of names and values in turns. Its id must be larger than the last.
    pub fn append(&mut self, id: StreamId, fields: &[&[u8]], limits: &Limits) {
        let bytes: usize = fields.iter().map(|field| field.len()).sum();
        let max_bytes = match limits.stream_node_max_bytes {
            0 => MAX_NODE_BYTES,
            bytes => bytes.min(MAX_NODE_BYTES),
        };
        let last = self.nodes.iter_mut().next_back().filter(|(_, node)| {
            let (entries, deleted) = node.counts();
            let max_entries = limits.stream_node_max_entries as i64;
            node.byte_len() + bytes < max_bytes
                && (max_entries == 0 || entries + deleted < max_entries)
        });
        match last {
            Some((first, node)) => node.push(*first, id, fields),
            None => {
                let mut node = Node::new(fields);
                node.push(id, id, fields);
                self.nodes.insert(id, node);
            }
        }
        self.length += 1;
        self.entries_added += 1;
        self.last_id = id;
        if self.length == 1 {
            self.first_id = id;
        }
    }

    /// Shows the entries from one id to another, both included, until `found` says false.
    pub fn walk(
        &self,
        from: StreamId,
        to: StreamId,
        direction: Direction,
        found: &mut dyn FnMut(Entry<'_>) -> bool,
    ) {
        if from > to {
            return;
        }
        // The node in which `from` may be is the last that begins at or before it.
        let first = self.nodes.range(..=from).next_back().map_or(from, |(first, _)| *first);
        let within = |entry: &Entry<'_>| !entry.is_deleted() && (from..=to).contains(&entry.id);
        let mut nodes = self.nodes.range(first..=to);
        match direction {
            Direction::Ascending => {
                nodes.all(|(first, node)| node.entries(*first).filter(within).all(&mut *found));
            }
            Direction::Descending => {
                while let Some((first, node)) = nodes.next_back() {
                    let entries: Vec<_> = node.entries(*first).filter(within).collect();
                    if !entries.into_iter().rev().all(&mut *found) {
                        return;
                    }
                }
            }
        }
    }

    /// Shows an entry; whether it is there.
    pub fn get(&self, id: StreamId, found: &mut dyn FnMut(Entry<'_>)) -> bool {
        let mut is_there = false;
        self.walk(id, id, Direction::Ascending, &mut |entry| {
            found(entry);
            is_there = true;
            false
        });
        is_there
    }

    /// Whether an entry is there.
    #[must_use]
    pub fn contains(&self, id: StreamId) -> bool {
        self.get(id, &mut |_| {})
    }

    /// Deletes an entry by its id; whether it was there.
    pub fn delete(&mut self, id: StreamId) -> bool {
        let Some((&first, node)) = self.nodes.range_mut(..=id).next_back() else { return false };
        let found = node.entries(first).find(|entry| entry.id == id && !entry.is_deleted());
        let Some(flags_at) = found.map(|entry| entry.flags_at()) else { return false };
        let (entries, deleted) = node.counts();
        if entries == 1 {
            self.nodes.remove(&first);
        } else {
            node.mark_deleted(flags_at);
            node.set_counts(entries - 1, deleted + 1);
        }
        self.length -= 1;
        self.max_deleted_id = self.max_deleted_id.max(id);
        if id == self.first_id {
            self.find_first();
        }
        true
    }

    /// The id of the last entry that is there; 0-0 where there is none.
    #[must_use]
    pub fn last_entry_id(&self) -> StreamId {
        let mut last = StreamId::default();
        self.walk(id::MIN, id::MAX, Direction::Descending, &mut |entry| {
            last = entry.id;
            false
        });
        last
    }

    /// Looks again which entry is the first.
    fn find_first(&mut self) {
        let mut first = StreamId::default();
        self.walk(id::MIN, id::MAX, Direction::Ascending, &mut |entry| {
            first = entry.id;
            false
        });
        self.first_id = first;
    }

    /// Bytes of heap it holds.
    #[must_use]
    pub fn memory(&self) -> usize {
        let nodes: usize = self.nodes.values().map(|node| node.listpack().memory() + 64).sum();
        let groups: usize =
            self.groups.iter().map(|(name, it)| name.len() + 128 + it.memory()).sum();
        nodes + groups
    }
}
