//! What a decoded value is made of, and who receives it.
//!
//! [`Sink`] is the one interface between decoding and everything done with elements: digests,
//! re-encoding, commands for a target, printing. Calls borrow from the decoder's input and never
//! fail; a sink that can run out of room records that and lets its owner ask.
//!
//! The order of calls for one value is the order of the bytes:
//! * string: [`Sink::string_part`] one or more times;
//! * list, set, sorted set, hash: one call an element, none for an empty value;
//! * stream: entries in id order, then [`Sink::stream_meta`], then for each group
//!   [`Sink::stream_group`], its pending entries, and for each consumer
//!   [`Sink::stream_consumer`] and the ids it owns.

use std::fmt;

/// A stream entry's id: milliseconds, then a sequence number. Ordered as Redis orders ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Unix time in milliseconds (or whatever the writer chose).
    pub ms: u64,
    /// Sequence within the millisecond.
    pub seq: u64,
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// The fields of one stream entry, in order, duplicates kept.
#[derive(Debug, Default)]
pub struct StreamFields {
    arena: Vec<u8>,
    /// End offset in `arena` of each name and value, alternating.
    ends: Vec<usize>,
}

impl StreamFields {
    /// Forgets all fields, keeping the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.ends.clear();
    }

    /// Appends the next name or value; a caller pushes a name, then its value.
    pub fn push(&mut self, bytes: &[u8]) {
        self.arena.extend_from_slice(bytes);
        self.ends.push(self.arena.len());
    }

    /// How many name-value pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len() / 2
    }

    /// Whether there is no pair.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pairs, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut start = 0;
        self.ends.chunks_exact(2).map(move |pair| {
            let name = self.arena.get(start..pair[0]).unwrap_or_default();
            let value = self.arena.get(pair[0]..pair[1]).unwrap_or_default();
            start = pair[1];
            (name, value)
        })
    }
}

/// What a stream knows besides its entries.
///
/// The three optional fields came with RDB type 19 (Redis 7.0); a type 15 stream has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamMeta {
    /// Number of entries.
    pub length: u64,
    /// The last id ever generated.
    pub last_id: StreamId,
    /// The smallest id that still exists.
    pub first_id: Option<StreamId>,
    /// The largest id that was ever deleted.
    pub max_deleted_id: Option<StreamId>,
    /// How many entries were ever added.
    pub entries_added: Option<u64>,
}

/// A consumer group, without its pending entries and consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamGroup<'a> {
    /// Name.
    pub name: &'a [u8],
    /// The last id delivered to the group.
    pub last_id: StreamId,
    /// Logical read counter; `None` where the format has none, `Some(-1)` when it is unknown.
    pub entries_read: Option<i64>,
}

/// A consumer of a group, without the ids it owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamConsumer<'a> {
    /// Name.
    pub name: &'a [u8],
    /// Unix time in milliseconds when it last asked for anything.
    pub seen_ms: i64,
    /// Unix time in milliseconds when it last got anything (type 21 on); -1 for never.
    pub active_ms: Option<i64>,
}

/// Receives the elements of one value. Every method has an empty default, so that a sink names
/// only what it cares about.
pub trait Sink {
    /// A piece of a string of `total` bytes. An empty string is one empty piece.
    fn string_part(&mut self, total: u64, piece: &[u8]) {
        let _ = (total, piece);
    }
    /// The next item of a list, head first.
    fn list_item(&mut self, item: &[u8]) {
        let _ = item;
    }
    /// A member of a set, in storage order.
    fn set_member(&mut self, member: &[u8]) {
        let _ = member;
    }
    /// A member of a sorted set, in storage order.
    fn zset_member(&mut self, member: &[u8], score: f64) {
        let _ = (member, score);
    }
    /// A field of a hash, in storage order, with its own expiry in Unix milliseconds.
    fn hash_field(&mut self, field: &[u8], value: &[u8], expires_at_ms: Option<u64>) {
        let _ = (field, value, expires_at_ms);
    }
    /// A stream entry.
    fn stream_entry(&mut self, id: StreamId, fields: &StreamFields) {
        let _ = (id, fields);
    }
    /// The stream's own state; comes after all entries.
    fn stream_meta(&mut self, meta: &StreamMeta) {
        let _ = meta;
    }
    /// A consumer group begins.
    fn stream_group(&mut self, group: &StreamGroup<'_>) {
        let _ = group;
    }
    /// A pending entry of the current group, with the Unix time in milliseconds of its last
    /// delivery and how often it was delivered. Its owner follows with the consumers.
    fn stream_pending(&mut self, id: StreamId, delivered_ms: i64, count: u64) {
        let _ = (id, delivered_ms, count);
    }
    /// A consumer of the current group begins.
    fn stream_consumer(&mut self, consumer: &StreamConsumer<'_>) {
        let _ = consumer;
    }
    /// The current consumer owns this pending entry.
    fn stream_consumer_pending(&mut self, id: StreamId) {
        let _ = id;
    }
    /// State that exists only in formats this crate does not carry on, by name: idempotent
    /// producers of a stream (type 26), the NACK zone of a group (type 27), metadata of modules in
    /// front of a value, the expiry of set members (Dragonfly). Reported so that nothing is
    /// dropped silently.
    fn unsupported(&mut self, what: &'static str) {
        let _ = what;
    }
    /// The whole value of a module type, raw as in the RDB (module id first), with the module
    /// type's nine-letter name; or of a type only servers of one family have, raw, with its
    /// [`crate::type_name`].
    fn module(&mut self, name: &str, raw: &[u8]) {
        let _ = (name, raw);
    }
}
