//! The size of a value: its elements, and their bytes without any encoding.

use ferrite_rdb::{Sink, StreamConsumer, StreamFields, StreamGroup, StreamId, StreamMeta};

/// Bytes of a score.
const SCORE_LEN: u64 = 8;
/// Bytes of a stream's id.
const ID_LEN: u64 = 16;
/// Bytes of a pending entry: id, time of delivery, count.
const PENDING_LEN: u64 = ID_LEN + 16;

/// The size of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes of its elements, unpacked; what a server needs besides is not in it.
    pub bytes: u64,
    /// Items, members, fields or entries; 1 for a string.
    pub elements: u64,
    /// Bytes of the largest element.
    pub largest: u64,
}

/// A sink that keeps sizes alone.
#[derive(Debug, Default)]
pub struct Measure {
    size: Size,
    module: Option<String>,
}

impl Measure {
    /// The size of what was given since the last call.
    pub fn take(&mut self) -> Size {
        std::mem::take(&mut self.size)
    }

    /// The module type of the value, if it is one.
    pub fn take_module(&mut self) -> Option<String> {
        self.module.take()
    }

    fn element(&mut self, bytes: usize, more: u64) {
        let bytes = bytes as u64;
        self.size.elements += 1;
        self.size.bytes += bytes + more;
        self.size.largest = self.size.largest.max(bytes);
    }
}

impl Sink for Measure {
    fn string_part(&mut self, total: u64, piece: &[u8]) {
        self.size.elements = 1;
        self.size.largest = total;
        self.size.bytes += piece.len() as u64;
    }

    fn list_item(&mut self, item: &[u8]) {
        self.element(item.len(), 0);
    }

    fn set_member(&mut self, member: &[u8]) {
        self.element(member.len(), 0);
    }

    fn zset_member(&mut self, member: &[u8], _: f64) {
        self.element(member.len(), SCORE_LEN);
    }

    fn hash_field(&mut self, field: &[u8], value: &[u8], _: Option<u64>) {
        self.element(field.len().max(value.len()), field.len().min(value.len()) as u64);
    }

    fn stream_entry(&mut self, _: StreamId, fields: &StreamFields) {
        let bytes = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.element(bytes, ID_LEN);
    }

    fn stream_meta(&mut self, _: &StreamMeta) {
        self.size.bytes += ID_LEN;
    }

    fn stream_group(&mut self, group: &StreamGroup<'_>) {
        self.size.bytes += group.name.len() as u64 + ID_LEN;
    }

    fn stream_pending(&mut self, _: StreamId, _: i64, _: u64) {
        self.size.bytes += PENDING_LEN;
    }

    fn stream_consumer(&mut self, consumer: &StreamConsumer<'_>) {
        self.size.bytes += consumer.name.len() as u64;
    }

    fn module(&mut self, name: &str, raw: &[u8]) {
        self.module = Some(name.to_owned());
        self.element(raw.len(), 0);
    }
}
