//! A [`Sink`] that writes the value it is given, type byte first, in a chosen layout.

use super::stream::StreamWriter;
use super::{
    BackLengths, LengthSlot, Listpack, TYPE_HASH, TYPE_HASH_2, TYPE_HASH_METADATA, TYPE_LIST,
    TYPE_LIST_QUICKLIST_2, TYPE_SET, TYPE_STREAM, TYPE_STREAM_2, TYPE_STREAM_3, TYPE_STRING,
    TYPE_ZSET, TYPE_ZSET_2, decimal_score, length, string, string_compressed,
};
use crate::{
    Error, ErrorKind, Sink, StreamConsumer, StreamFields, StreamGroup, StreamId, StreamMeta,
};

/// Bytes after which a list's listpack takes no further item: Redis' default.
const LIST_NODE_BYTES: usize = 8192;
/// List node that is one plain item.
const CONTAINER_PLAIN: u64 = 1;
/// List node that is a listpack.
const CONTAINER_PACKED: u64 = 2;

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListLayout {
    /// Type 1: strings.
    Plain,
    /// Type 18: listpacks; for readers that do not know type 1.
    Quicklist2,
}

/// How a sorted set is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZsetLayout {
    /// Type 3: scores in decimal, for RDB below 8.
    Decimal,
    /// Type 5: binary scores.
    Binary,
}

/// How a hash is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashLayout {
    /// Type 4: field and value. Expiries are dropped, and named in [`Encoded::losses`].
    Plain,
    /// Type 22 of Valkey 9: field, value, expiry in Unix ms as 8 bytes LE, -1 for none.
    Hash2,
    /// Type 24 of Redis 7.4: expiry relative to the smallest one, field, value.
    Metadata {
        /// The smallest expiry of the hash's fields, in Unix ms.
        min_expires_at_ms: u64,
    },
}

/// How a stream is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamLayout {
    /// Type 15, Redis 5.0.
    One,
    /// Type 19, Redis 7.0.
    Two,
    /// Type 21, Redis 7.2.
    Three,
}

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Lists.
    pub list: ListLayout,
    /// Sorted sets.
    pub zset: ZsetLayout,
    /// Hashes.
    pub hash: HashLayout,
    /// Streams.
    pub stream: StreamLayout,
    /// Listpacks of lists and streams.
    pub back_lengths: BackLengths,
    /// Whether strings above 20 bytes are LZF compressed. Strings that come in pieces are not.
    pub compress: bool,
}

/// A value that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// State of the value that this layout could not hold, by name.
    pub losses: Vec<&'static str>,
}

/// Appends one value, type byte first, to a buffer.
#[derive(Debug)]
pub struct ValueEncoder<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    layout: Layout,
    state: State,
    losses: Vec<&'static str>,
    fault: Option<ErrorKind>,
}

#[derive(Debug)]
enum State {
    Empty,
    String { left: u64 },
    Counted { type_byte: u8, slot: LengthSlot, count: u64 },
    Packed { slot: LengthSlot, nodes: u64, node: Listpack },
    Stream(StreamWriter),
}

impl<'a> ValueEncoder<'a> {
    /// Begins a value at the end of `out`; the first element decides its type.
    pub fn new(out: &'a mut Vec<u8>, layout: Layout) -> Self {
        let start = out.len();
        Self { out, start, layout, state: State::Empty, losses: Vec::new(), fault: None }
    }

    /// Begins a stream whose listpacks are copied instead of given as entries. `listpacks` is the
    /// beginning of a stream's body: the count and the listpacks, as stored.
    pub fn with_listpacks(out: &'a mut Vec<u8>, layout: Layout, listpacks: &[u8]) -> Self {
        let mut encoder = Self::new(out, layout);
        encoder.out.push(encoder.stream_type());
        let writer = StreamWriter::begin_copied(&layout, encoder.out, listpacks);
        encoder.state = State::Stream(writer);
        encoder
    }

    /// Whether nothing was given yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self.state, State::Empty) && self.fault.is_none()
    }

    /// Ends the value.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] when nothing was given (an empty list, set, sorted set or hash
    /// does not exist), when a string did not get all its bytes, or when elements of different
    /// types were mixed; [`ErrorKind::Unsupported`] for a module value; [`ErrorKind::TooLarge`]
    /// above 2^32 - 1 elements or 4 GiB a listpack. The buffer is then as it was.
    pub fn finish(mut self) -> Result<Encoded, Error> {
        self.close();
        match self.fault.take() {
            None => Ok(Encoded { losses: std::mem::take(&mut self.losses) }),
            Some(kind) => {
                self.out.truncate(self.start);
                Err(Error::new(kind, 0))
            }
        }
    }

    fn close(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Empty);
        let held = match state {
            State::Empty => return self.fail(ErrorKind::Malformed("value: it has no elements")),
            State::String { left } if left != 0 => {
                return self.fail(ErrorKind::Malformed("string: fewer bytes than announced"));
            }
            State::String { .. } => true,
            State::Counted { slot, count, .. } => slot.fill(self.out, count),
            State::Packed { slot, nodes, mut node } => {
                let added = flush_list_node(self.out, &mut node, self.layout.compress);
                added.is_some_and(|added| slot.fill(self.out, nodes + added))
            }
            State::Stream(mut writer) => {
                writer.finish(self.out);
                !writer.overflow
            }
        };
        if !held {
            self.fail(ErrorKind::TooLarge {
                what: "value",
                len: (self.out.len() - self.start) as u64,
                limit: u64::from(u32::MAX),
            });
        }
    }

    fn fail(&mut self, kind: ErrorKind) {
        self.fault.get_or_insert(kind);
    }

    fn lose(&mut self, what: &'static str) {
        if !self.losses.contains(&what) {
            self.losses.push(what);
        }
    }

    fn string(&mut self, bytes: &[u8]) {
        if self.layout.compress {
            string_compressed(self.out, bytes);
        } else {
            string(self.out, bytes);
        }
    }

    /// Counts one element of a collection of that type, beginning it if it is the first.
    fn count(&mut self, wanted: u8) {
        match &mut self.state {
            State::Empty => {
                self.out.push(wanted);
                let slot = LengthSlot::reserve(self.out);
                self.state = State::Counted { type_byte: wanted, slot, count: 1 };
            }
            State::Counted { type_byte, count, .. } if *type_byte == wanted => *count += 1,
            _ => self.fail(ErrorKind::Malformed("value: elements of different types")),
        }
    }

    fn pack_item(&mut self, item: &[u8]) {
        if matches!(self.state, State::Empty) {
            self.out.push(TYPE_LIST_QUICKLIST_2);
            let slot = LengthSlot::reserve(self.out);
            let node = Listpack::new(self.layout.back_lengths);
            self.state = State::Packed { slot, nodes: 0, node };
        }
        let State::Packed { nodes, node, .. } = &mut self.state else {
            return self.fail(ErrorKind::Malformed("value: elements of different types"));
        };
        let large = item.len() >= LIST_NODE_BYTES;
        if large || node.size() + item.len() > LIST_NODE_BYTES {
            // Cannot be too large: it is below two nodes' bytes.
            *nodes += flush_list_node(self.out, node, self.layout.compress).unwrap_or(0);
        }
        if !large {
            return node.push(item);
        }
        *nodes += 1;
        length(self.out, CONTAINER_PLAIN);
        self.string(item);
    }

    fn stream_type(&self) -> u8 {
        match self.layout.stream {
            StreamLayout::One => TYPE_STREAM,
            StreamLayout::Two => TYPE_STREAM_2,
            StreamLayout::Three => TYPE_STREAM_3,
        }
    }

    /// Lets the stream writer append, beginning a stream if nothing was written.
    fn with_stream(&mut self, write: impl FnOnce(&mut StreamWriter, &mut Vec<u8>)) {
        if matches!(self.state, State::Empty) {
            self.out.push(self.stream_type());
            self.state = State::Stream(StreamWriter::begin(&self.layout, self.out));
        }
        match &mut self.state {
            State::Stream(writer) => write(writer, self.out),
            _ => self.fail(ErrorKind::Malformed("value: elements of different types")),
        }
    }

    fn note_stream_losses(&mut self, meta: &StreamMeta) {
        let added = meta.entries_added.is_some_and(|added| added != meta.length);
        let deleted = meta.max_deleted_id.is_some_and(|id| id != StreamId::default());
        if self.layout.stream == StreamLayout::One && (added || deleted) {
            self.lose("the stream's counter of added entries and largest deleted id");
        }
    }
}

/// Writes the listpack as a node, unless it is empty: how many nodes that are. `None` above 4 GiB.
fn flush_list_node(out: &mut Vec<u8>, node: &mut Listpack, compress: bool) -> Option<u64> {
    if node.elements() == 0 {
        return Some(0);
    }
    let bytes = node.finish()?;
    length(out, CONTAINER_PACKED);
    if compress {
        string_compressed(out, bytes);
    } else {
        string(out, bytes);
    }
    node.clear();
    Some(1)
}

impl Sink for ValueEncoder<'_> {
    fn string_part(&mut self, total: u64, piece: &[u8]) {
        let len = piece.len() as u64;
        match &mut self.state {
            State::Empty => {
                self.out.push(TYPE_STRING);
                self.state = State::String { left: total.saturating_sub(len) };
                if total == len {
                    return self.string(piece);
                }
                length(self.out, total);
                self.out.extend_from_slice(piece);
            }
            State::String { left } if *left >= len => {
                *left -= len;
                self.out.extend_from_slice(piece);
            }
            _ => self.fail(ErrorKind::Malformed("string: more bytes than announced")),
        }
    }

    fn list_item(&mut self, item: &[u8]) {
        match self.layout.list {
            ListLayout::Quicklist2 => self.pack_item(item),
            ListLayout::Plain => {
                self.count(TYPE_LIST);
                self.string(item);
            }
        }
    }

    fn set_member(&mut self, member: &[u8]) {
        self.count(TYPE_SET);
        self.string(member);
    }

    fn zset_member(&mut self, member: &[u8], score: f64) {
        match self.layout.zset {
            ZsetLayout::Decimal => {
                self.count(TYPE_ZSET);
                self.string(member);
                decimal_score(self.out, score);
            }
            ZsetLayout::Binary => {
                self.count(TYPE_ZSET_2);
                self.string(member);
                self.out.extend_from_slice(&score.to_le_bytes());
            }
        }
    }

    fn hash_field(&mut self, field: &[u8], value: &[u8], expires_at_ms: Option<u64>) {
        match self.layout.hash {
            HashLayout::Plain => {
                self.count(TYPE_HASH);
                self.string(field);
                self.string(value);
                if expires_at_ms.is_some() {
                    self.lose("expiry times of hash fields");
                }
            }
            HashLayout::Hash2 => {
                self.count(TYPE_HASH_2);
                self.string(field);
                self.string(value);
                let at = expires_at_ms.map_or(-1, |at| i64::try_from(at).unwrap_or(i64::MAX));
                self.out.extend_from_slice(&at.to_le_bytes());
            }
            HashLayout::Metadata { min_expires_at_ms } => {
                if matches!(self.state, State::Empty) {
                    self.out.push(TYPE_HASH_METADATA);
                    self.out.extend_from_slice(&min_expires_at_ms.to_le_bytes());
                    let slot = LengthSlot::reserve(self.out);
                    let type_byte = TYPE_HASH_METADATA;
                    self.state = State::Counted { type_byte, slot, count: 0 };
                }
                self.count(TYPE_HASH_METADATA);
                // 0 is "none", so the smallest expiry is 1.
                let ttl = expires_at_ms.map_or(0, |at| at.saturating_sub(min_expires_at_ms) + 1);
                length(self.out, ttl);
                self.string(field);
                self.string(value);
            }
        }
    }

    fn stream_entry(&mut self, id: StreamId, fields: &StreamFields) {
        self.with_stream(|stream, out| stream.entry(out, id, fields));
    }

    fn stream_meta(&mut self, meta: &StreamMeta) {
        self.note_stream_losses(meta);
        self.with_stream(|stream, out| stream.meta(out, meta));
    }

    fn stream_group(&mut self, group: &StreamGroup<'_>) {
        self.with_stream(|stream, out| stream.group(out, group));
    }

    fn stream_pending(&mut self, id: StreamId, delivered_ms: i64, count: u64) {
        self.with_stream(|stream, out| stream.pending(out, id, delivered_ms, count));
    }

    fn stream_consumer(&mut self, consumer: &StreamConsumer<'_>) {
        let active = consumer.active_ms.is_some_and(|at| at != consumer.seen_ms);
        if active && self.layout.stream < StreamLayout::Three {
            self.lose("when consumers of the stream last got an entry");
        }
        self.with_stream(|stream, out| stream.consumer(out, consumer));
    }

    fn stream_consumer_pending(&mut self, id: StreamId) {
        self.with_stream(|stream, out| stream.owned(out, id));
    }

    fn unsupported(&mut self, what: &'static str) {
        self.lose(what);
    }

    fn module(&mut self, _name: &str, _raw: &[u8]) {
        self.fail(ErrorKind::Unsupported("module"));
    }
}
