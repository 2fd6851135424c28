//! Keys on their way: small ones in batches, a large one as a stream of its elements.
//!
//! A [`Batch`] owns one arena of bytes in which every key and value of it stands, so that moving
//! a million keys allocates thousands of times, not millions.
//!
//! ```text
//! data:    [key][value][footer]  [key][value]  …
//! records:  └── ranges into data, type byte, expiry
//! ```

use std::ops::Range;

use ferrite_rdb::Format;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::Elements;

/// Everything about a key but its name and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// Type byte of the value in the batch's format.
    pub type_byte: u8,
    /// Absolute expiry, Unix time in milliseconds.
    pub expires_at_ms: Option<u64>,
    /// Seconds since the last access, where the source tells (its eviction policy is LRU).
    pub idle_s: Option<u64>,
    /// Access frequency counter, where the source tells (its eviction policy is LFU).
    pub freq: Option<u8>,
}

/// One key of a [`Batch`].
#[derive(Clone, Debug)]
pub struct Record {
    /// Type, expiry and access data.
    pub head: RecordHead,
    key: Range<u32>,
    value: Range<u32>,
    /// Whether the type byte stands before the value and the ten bytes of a `DUMP` footer behind.
    footer: bool,
}

/// Keys of one database, read together, acknowledged together.
#[derive(Debug)]
pub struct Batch {
    /// The database they are in.
    pub db: u32,
    /// What the values are written in.
    pub format: Format,
    /// The keys.
    pub records: Vec<Record>,
    /// Whether the keys have been handed over before, so that they may be on the target already.
    pub again: bool,
    data: Vec<u8>,
    /// Room taken in the engine's memory budget, given back when the batch is dropped.
    _permit: Option<OwnedSemaphorePermit>,
}

#[expect(clippy::cast_possible_truncation, reason = "ten")]
const FOOTER_LEN: u32 = ferrite_rdb::dump::FOOTER_LEN as u32;

impl Batch {
    /// The name of a key.
    #[must_use]
    pub fn key(&self, record: &Record) -> &[u8] {
        self.slice(&record.key)
    }

    /// The value as stored, without type byte and footer.
    #[must_use]
    pub fn value(&self, record: &Record) -> &[u8] {
        self.slice(&record.value)
    }

    /// The whole `DUMP` payload (type byte, value, footer), where the value came in one.
    #[must_use]
    pub fn payload(&self, record: &Record) -> Option<&[u8]> {
        let whole = record.value.start.saturating_sub(1)..record.value.end + FOOTER_LEN;
        record.footer.then(|| self.slice(&whole))
    }

    /// Bytes of keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    fn slice(&self, range: &Range<u32>) -> &[u8] {
        self.data.get(range.start as usize..range.end as usize).unwrap_or_default()
    }
}

/// Collects a [`Batch`].
#[derive(Debug)]
pub struct BatchBuilder {
    db: u32,
    format: Format,
    data: Vec<u8>,
    records: Vec<Record>,
    max_records: usize,
    max_bytes: usize,
}

impl BatchBuilder {
    /// Bytes after which a batch is full; the rest of the arena's 4 GiB is head-room for one
    /// value below the value limit.
    pub const BYTES_MAX: usize = 256 << 10;

    /// An empty batch for at most `max_records` keys.
    #[must_use]
    pub fn new(db: u32, format: Format, max_records: usize) -> Self {
        let data = Vec::with_capacity(Self::BYTES_MAX + (16 << 10));
        let records = Vec::with_capacity(max_records.min(2048));
        Self { db, format, data, records, max_records, max_bytes: Self::BYTES_MAX }
    }

    /// Adds a key with its bare value.
    pub fn push(&mut self, head: RecordHead, key: &[u8], value: &[u8]) {
        let key = self.store(key);
        let value = self.store(value);
        self.records.push(Record { head, key, value, footer: false });
    }

    /// Adds a key whose value comes in a `DUMP` payload, which is at least
    /// [`ferrite_rdb::dump::payload_len`]`(0)` bytes long.
    pub fn push_payload(&mut self, head: RecordHead, key: &[u8], payload: &[u8]) {
        let key = self.store(key);
        let payload = self.store(payload);
        let end = payload.end.saturating_sub(FOOTER_LEN);
        let value = (payload.start + 1).min(end)..end;
        self.records.push(Record { head, key, value, footer: true });
    }

    fn store(&mut self, bytes: &[u8]) -> Range<u32> {
        let start = self.data.len();
        self.data.extend_from_slice(bytes);
        range(start, self.data.len())
    }

    /// The key added last, with its bare value and what that is written in.
    #[must_use]
    pub fn last(&self) -> Option<(Format, RecordHead, &[u8], &[u8])> {
        let record = self.records.last()?;
        let bytes = |range: &Range<u32>| self.data.get(range.start as usize..range.end as usize);
        Some((self.format, record.head, bytes(&record.key)?, bytes(&record.value)?))
    }

    /// Takes the key added last back.
    pub fn drop_last(&mut self) {
        if let Some(record) = self.records.pop() {
            self.data.truncate(record.key.start as usize);
        }
    }

    /// Whether it holds no key yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether the next key belongs into another batch.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.records.len() >= self.max_records || self.data.len() >= self.max_bytes
    }

    /// Bytes collected so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// The batch, holding on to its share of the memory budget until it is dropped.
    #[must_use]
    pub fn finish(self, permit: Option<OwnedSemaphorePermit>) -> Batch {
        Batch {
            db: self.db,
            format: self.format,
            records: self.records,
            again: false,
            data: self.data,
            _permit: permit,
        }
    }
}

/// Both ends of a batch's arena are below 4 GiB: a value above the value limit (64 MiB at most)
/// never enters a batch.
fn range(start: usize, end: usize) -> Range<u32> {
    let to_u32 = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
    to_u32(start)..to_u32(end)
}

/// A key too large to be held whole: its elements come through a channel.
///
/// The channel ends with [`Elements::last`]; a channel that closes without it means that the
/// source failed midway, and nothing of the key may become visible on the target.
#[derive(Debug)]
pub struct LargeRecord {
    /// The database it is in.
    pub db: u32,
    /// What the value is written in.
    pub format: Format,
    /// Whether the key has been handed over before.
    pub again: bool,
    /// Type, expiry and access data.
    pub head: RecordHead,
    /// The name of the key.
    pub key: Vec<u8>,
    /// Its elements, in order.
    pub elements: mpsc::Receiver<Elements>,
}

impl LargeRecord {
    /// A key of a batch, whose elements are all there.
    #[must_use]
    pub fn whole(batch: &Batch, record: &Record, elements: Elements) -> Self {
        // The channel holds all there is: nobody waits for room.
        let (parts, receiver) = mpsc::channel(1);
        let sent = parts.try_send(elements).is_ok();
        debug_assert!(sent, "a new channel has room");
        Self {
            db: batch.db,
            format: batch.format,
            again: batch.again,
            head: record.head,
            key: batch.key(record).to_vec(),
            elements: receiver,
        }
    }
}
