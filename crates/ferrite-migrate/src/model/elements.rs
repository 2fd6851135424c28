//! A piece of a decoded value, in a form no server's encoding shows through.
//!
//! Like a batch, the elements share one arena. Sources fill [`Elements`] through
//! [`ElementsSink`]; targets walk them with [`Elements::iter`].

use std::ops::Range;

use ferrite_rdb::{Sink, StreamConsumer, StreamFields, StreamGroup, StreamId, StreamMeta};

/// One element, borrowed from its [`Elements`].
#[derive(Clone, Debug, PartialEq)]
pub enum Element<'a> {
    /// A piece of a string of `total` bytes.
    StringPart {
        /// Bytes of the whole string.
        total: u64,
        /// The next bytes.
        piece: &'a [u8],
    },
    /// The next item of a list.
    ListItem(&'a [u8]),
    /// A member of a set.
    SetMember(&'a [u8]),
    /// A member of a sorted set.
    ZsetMember(&'a [u8], f64),
    /// A field of a hash: name, value, own expiry in Unix milliseconds.
    HashField(&'a [u8], &'a [u8], Option<u64>),
    /// A stream entry: id, then names and values alternating.
    StreamEntry(StreamId, Vec<&'a [u8]>),
    /// The stream's own state, after its entries.
    StreamMeta(StreamMeta),
    /// A consumer group.
    StreamGroup {
        /// Name.
        name: &'a [u8],
        /// Last delivered id.
        last_id: StreamId,
        /// Logical read counter.
        entries_read: Option<i64>,
    },
    /// A pending entry of the current group: id, time of delivery in Unix ms, count.
    StreamPending(StreamId, i64, u64),
    /// A consumer of the current group.
    StreamConsumer(&'a [u8]),
    /// A pending id of the current consumer.
    StreamConsumerPending(StreamId),
    /// Something the formats we write cannot carry, by name.
    Unsupported(&'static str),
}

#[derive(Clone, Debug)]
enum Stored {
    StringPart(u64, Range<usize>),
    ListItem(Range<usize>),
    SetMember(Range<usize>),
    ZsetMember(Range<usize>, f64),
    HashField(Range<usize>, Range<usize>, Option<u64>),
    StreamEntry(StreamId, Vec<Range<usize>>),
    StreamMeta(StreamMeta),
    StreamGroup(Range<usize>, StreamId, Option<i64>),
    StreamPending(StreamId, i64, u64),
    StreamConsumer(Range<usize>),
    StreamConsumerPending(StreamId),
    Unsupported(&'static str),
}

/// A run of elements of one value.
#[derive(Debug, Default)]
pub struct Elements {
    arena: Vec<u8>,
    items: Vec<Stored>,
    /// Whether the value ends here, complete and checked.
    pub last: bool,
}

impl Elements {
    /// Bytes of the elements themselves.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    /// Roughly the memory it takes, in bytes.
    fn cost(&self) -> usize {
        self.arena.len() + self.items.len() * size_of::<Stored>()
    }

    /// The elements, in order.
    pub fn iter(&self) -> impl Iterator<Item = Element<'_>> {
        self.items.iter().map(|item| self.element(item))
    }

    fn element(&self, item: &Stored) -> Element<'_> {
        let at = |range: &Range<usize>| self.arena.get(range.clone()).unwrap_or_default();
        match item {
            Stored::StringPart(total, piece) => {
                Element::StringPart { total: *total, piece: at(piece) }
            }
            Stored::ListItem(item) => Element::ListItem(at(item)),
            Stored::SetMember(member) => Element::SetMember(at(member)),
            Stored::ZsetMember(member, score) => Element::ZsetMember(at(member), *score),
            Stored::HashField(field, value, expiry) => {
                Element::HashField(at(field), at(value), *expiry)
            }
            Stored::StreamEntry(id, fields) => {
                Element::StreamEntry(*id, fields.iter().map(at).collect())
            }
            Stored::StreamMeta(meta) => Element::StreamMeta(*meta),
            Stored::StreamGroup(name, last_id, entries_read) => Element::StreamGroup {
                name: at(name),
                last_id: *last_id,
                entries_read: *entries_read,
            },
            Stored::StreamPending(id, delivered_ms, count) => {
                Element::StreamPending(*id, *delivered_ms, *count)
            }
            Stored::StreamConsumer(name) => Element::StreamConsumer(at(name)),
            Stored::StreamConsumerPending(id) => Element::StreamConsumerPending(*id),
            Stored::Unsupported(what) => Element::Unsupported(what),
        }
    }

    fn store(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        start..self.arena.len()
    }
}

/// Collects elements from a decoder.
#[derive(Debug, Default)]
pub struct ElementsSink {
    elements: Elements,
}

impl ElementsSink {
    /// Size in bytes from which the collected run should be sent on.
    pub const RUN_BYTES: usize = 256 << 10;
    /// Stored bytes to decode at a time: the smallest elements take two, and cost thirty times
    /// that here, so a run may grow beyond its size by half a megabyte.
    pub const WINDOW: usize = 16 << 10;

    /// Whether the run is long enough to be sent on.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.elements.cost() >= Self::RUN_BYTES
    }

    /// Takes what was collected, leaving it empty.
    #[must_use]
    pub fn take(&mut self) -> Elements {
        std::mem::take(&mut self.elements)
    }
}

impl Sink for ElementsSink {
    fn string_part(&mut self, total: u64, piece: &[u8]) {
        let range = self.elements.store(piece);
        self.elements.items.push(Stored::StringPart(total, range));
    }
    fn list_item(&mut self, item: &[u8]) {
        let range = self.elements.store(item);
        self.elements.items.push(Stored::ListItem(range));
    }
    fn set_member(&mut self, member: &[u8]) {
        let range = self.elements.store(member);
        self.elements.items.push(Stored::SetMember(range));
    }
    fn zset_member(&mut self, member: &[u8], score: f64) {
        let range = self.elements.store(member);
        self.elements.items.push(Stored::ZsetMember(range, score));
    }
    fn hash_field(&mut self, field: &[u8], value: &[u8], expires_at_ms: Option<u64>) {
        let field = self.elements.store(field);
        let value = self.elements.store(value);
        self.elements.items.push(Stored::HashField(field, value, expires_at_ms));
    }
    fn stream_entry(&mut self, id: StreamId, fields: &StreamFields) {
        let mut ranges = Vec::with_capacity(fields.len() * 2);
        for (name, value) in fields.iter() {
            ranges.push(self.elements.store(name));
            ranges.push(self.elements.store(value));
        }
        self.elements.items.push(Stored::StreamEntry(id, ranges));
    }
    fn stream_meta(&mut self, meta: &StreamMeta) {
        self.elements.items.push(Stored::StreamMeta(*meta));
    }
    fn stream_group(&mut self, group: &StreamGroup<'_>) {
        let name = self.elements.store(group.name);
        self.elements.items.push(Stored::StreamGroup(name, group.last_id, group.entries_read));
    }
    fn stream_pending(&mut self, id: StreamId, delivered_ms: i64, count: u64) {
        self.elements.items.push(Stored::StreamPending(id, delivered_ms, count));
    }
    fn stream_consumer(&mut self, consumer: &StreamConsumer<'_>) {
        let name = self.elements.store(consumer.name);
        self.elements.items.push(Stored::StreamConsumer(name));
    }
    fn stream_consumer_pending(&mut self, id: StreamId) {
        self.elements.items.push(Stored::StreamConsumerPending(id));
    }
    fn unsupported(&mut self, what: &'static str) {
        self.elements.items.push(Stored::Unsupported(what));
    }
}
