//! Fingerprints of values.

use ferrite_rdb::digest::{Digest, DigestOptions, Digester, StreamDetail, digest};
use ferrite_rdb::{
    Error, Format, Sink, StreamConsumer, StreamFields, StreamGroup, StreamId, StreamMeta, dump,
};

use crate::engine::now_ms;
use crate::live::release;

/// What counts as equal between these two formats, at this moment.
#[must_use]
pub fn options(source: Format, target: Format) -> DigestOptions {
    /// The RDB version that brought the stream counters (Redis 7.0).
    const COUNTERS_SINCE: u32 = 10;
    let both = source.version.min(target.version) >= COUNTERS_SINCE;
    let stream_detail = if both { StreamDetail::Counters } else { StreamDetail::Entries };
    DigestOptions { now_ms: now_ms(), stream_detail }
}

/// The fingerprint of a stored value, at the least detail.
///
/// # Errors
/// A value that cannot be understood.
pub fn digest_value(format: Format, type_byte: u8, value: &[u8]) -> Result<Digest, Error> {
    let options = DigestOptions { now_ms: now_ms(), stream_detail: StreamDetail::Entries };
    digest(format, type_byte, value, &options)
}

/// The fingerprint of a `DUMP` payload, at the least detail.
///
/// # Errors
/// A value that cannot be understood.
pub fn digest_payload(format: Format, payload: &[u8]) -> Result<Digest, Error> {
    let payload = dump::split(payload)?;
    digest_value(format, payload.type_byte, payload.body)
}

/// A fingerprint and a size, taken together.
pub struct Measured {
    digester: Digester,
    /// Fields of hashes that expire by then do not count.
    now_ms: u64,
    /// Whether expiries of fields are held.
    is_held: bool,
    size: u64,
    groups: u64,
}

impl Measured {
    /// Of nothing yet.
    #[must_use]
    pub fn new(options: &DigestOptions) -> Self {
        Self {
            digester: Digester::new(options),
            now_ms: options.now_ms,
            is_held: false,
            size: 0,
            groups: 0,
        }
    }

    /// The same, of a target that follows: what its held expiries stand for counts.
    #[must_use]
    pub fn held(mut self, is_held: bool) -> Self {
        self.is_held = is_held;
        self
    }

    /// The bytes of a string, the elements of anything else.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The consumer groups of a stream.
    #[must_use]
    pub fn groups(&self) -> u64 {
        self.groups
    }

    /// The fingerprint.
    #[must_use]
    pub fn finish(mut self) -> Digest {
        self.digester.finish()
    }
}

impl Sink for Measured {
    fn string_part(&mut self, total: u64, piece: &[u8]) {
        self.size = total;
        self.digester.string_part(total, piece);
    }
    fn list_item(&mut self, item: &[u8]) {
        self.size += 1;
        self.digester.list_item(item);
    }
    fn set_member(&mut self, member: &[u8]) {
        self.size += 1;
        self.digester.set_member(member);
    }
    fn zset_member(&mut self, member: &[u8], score: f64) {
        self.size += 1;
        self.digester.zset_member(member, score);
    }
    fn hash_field(&mut self, field: &[u8], value: &[u8], expires_at_ms: Option<u64>) {
        let released = |at| if self.is_held { release(at).unwrap_or(at) } else { at };
        let expires_at_ms = expires_at_ms.map(released);
        self.size += u64::from(expires_at_ms.is_none_or(|at| at > self.now_ms));
        self.digester.hash_field(field, value, expires_at_ms);
    }
    fn stream_entry(&mut self, id: StreamId, fields: &StreamFields) {
        self.size += 1;
        self.digester.stream_entry(id, fields);
    }
    fn stream_meta(&mut self, meta: &StreamMeta) {
        self.digester.stream_meta(meta);
    }
    fn stream_group(&mut self, group: &StreamGroup<'_>) {
        self.groups += 1;
        self.digester.stream_group(group);
    }
    fn stream_pending(&mut self, id: StreamId, delivered_ms: i64, count: u64) {
        self.digester.stream_pending(id, delivered_ms, count);
    }
    fn stream_consumer(&mut self, consumer: &StreamConsumer<'_>) {
        self.digester.stream_consumer(consumer);
    }
    fn stream_consumer_pending(&mut self, id: StreamId) {
        self.digester.stream_consumer_pending(id);
    }
    fn unsupported(&mut self, what: &'static str) {
        self.digester.unsupported(what);
    }
    fn module(&mut self, name: &str, raw: &[u8]) {
        self.size = raw.len() as u64;
        self.digester.module(name, raw);
    }
}
