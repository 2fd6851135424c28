//! One database's part in one shard: keys, their values, expiry, access bits, snapshot.
//!
//! ```text
//! Table ─ index (extendible hashing: directory → segments → buckets of one cache line)
//!           └ block of the slab: meta, key, expiry, short value
//!               ├ arena of long strings, of long keys, of collections
//!               └ seat in the wheel, if it expires
//! ```
//!
//! A key of 16 bytes with a value of 8 takes a block of 32 bytes and 8 bytes of the index. Nothing
//! is ever moved as a whole: the index splits one segment at a time, the slab and the arenas grow
//! by pages.
//!
//! A [`Ref`] names the place of an entry. It stays good while entries are read and changed (also
//! by [`Table::string_mut`], [`Table::set_value`] and [`Table::set_expiry`]) and is void once a
//! key was added or removed.

mod arena;
mod bucket;
mod content;
mod entry;
mod hash;
mod index;
mod item;
mod prefetch;
mod segment;
mod slab;
mod snapshot;
mod wheel;

pub use content::{Content, Entry, Owned, Removed, Sink, Taken, Value};
pub use hash::hash;
pub use index::Ref;
pub use item::ACCESS_MASK;
pub use wheel::EXPIRY_GRANULARITY;

use std::fmt;

use arena::Arena;
use index::{Index, mix};
use item::{Head, Key, Stored};
use slab::Slab;
use snapshot::Snapshots;
use wheel::Wheel;

/// Cursors of [`Table::scan`] stay below this, so that a caller can add the number of the shard
/// and of the database above it.
pub const CURSOR_LIMIT: u64 = 1 << hash::POSITION_BITS;

/// Entries that one call of [`Table::next_expired`] moves closer to their time at most.
const CASCADE_LIMIT: usize = 64;

/// One database's part in one shard.
pub struct Table<O> {
    index: Index,
    slab: Slab,
    keys: Arena<Box<[u8]>>,
    strings: Arena<Vec<u8>>,
    objects: Arena<O>,
    wheel: Wheel,
    snapshots: Snapshots<O>,
    /// Where an item is put together.
    scratch: Vec<u8>,
}

impl<O> fmt::Debug for Table<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("len", &self.len())
            .field("expiring", &self.expiring())
            .field("memory", &self.memory())
            .finish_non_exhaustive()
    }
}

impl<O> Table<O> {
    /// An empty table. `seat` is the number of the shard: tables of different seats grow at
    /// different sizes, so that they do not all grow at once.
    #[must_use]
    pub fn new(seat: u8) -> Self {
        Self {
            index: Index::new(seat),
            slab: Slab::default(),
            keys: Arena::new(),
            strings: Arena::new(),
            objects: Arena::new(),
            wheel: Wheel::default(),
            snapshots: Snapshots::default(),
            scratch: Vec::new(),
        }
    }

    /// How many keys there are, also those that have expired and are not removed yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many keys have an expiry.
    #[must_use]
    pub fn expiring(&self) -> usize {
        self.wheel.len()
    }

    /// The bytes of the table and of its entries, without what values hold on the heap.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.index.memory()
            + self.slab.memory()
            + self.keys.memory()
            + self.strings.memory()
            + self.objects.memory()
            + self.wheel.memory()
    }

    /// The part of [`Table::memory`] that is not the entries' own: how keys are found, and when
    /// they expire.
    #[must_use]
    pub fn overhead(&self) -> usize {
        self.index.memory() + self.wheel.memory()
    }

    /// Finds a key, also one that has expired: the caller compares [`Table::expires_at`].
    #[must_use]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Ref> {
        self.index.find(hash, |block| match item::key(self.slab.block(block)) {
            Key::Short(other) => other == key,
            Key::Long(place) => **self.keys.get(place) == *key,
        })
    }

    /// Brings the line of the index that [`Table::find`] will read closer to the processor.
    pub fn prefetch(&self, hash: u64) {
        if let Some(bucket) = self.index.bucket(hash) {
            prefetch::prefetch(bucket);
        }
    }

    /// Brings the item that [`Table::find`] will read closer, some time after [`Table::prefetch`].
    pub fn prefetch_item(&self, hash: u64) {
        if let Some(bucket) = self.index.bucket(hash) {
            for slot in bucket.matching(hash::print(hash)) {
                let block = self.slab.block(bucket.get(slot));
                prefetch::prefetch(block);
                // An item may lie across the border of two lines.
                if let Some(last) = block.get(..2 * prefetch::LINE).unwrap_or(block).last() {
                    prefetch::prefetch(last);
                }
            }
        }
    }

    /// The key of an entry.
    #[must_use]
    pub fn key(&self, at: Ref) -> &[u8] {
        key_of(&self.slab, &self.keys, self.index.get(at))
    }

    /// The value of an entry.
    #[must_use]
    pub fn value(&self, at: Ref) -> Value<'_, O> {
        value_of(&self.strings, &self.objects, self.item(at))
    }

    /// When an entry expires, in Unix milliseconds.
    #[must_use]
    pub fn expires_at(&self, at: Ref) -> Option<i64> {
        item::expires_at(self.item(at))
    }

    /// The 24 bits of an entry's last access: a clock (LRU) or a clock and a counter (LFU).
    #[must_use]
    pub fn access(&self, at: Ref) -> u32 {
        item::access(self.item(at))
    }

    /// Sets the 24 bits of an entry's last access; higher bits are ignored.
    pub fn set_access(&mut self, at: Ref, access: u32) {
        item::set_access(self.slab.block_mut(self.index.get(at)), access);
    }

    /// The bytes that an entry takes, with its share of the index and with a string's own
    /// allocation, without what a collection holds on the heap.
    #[must_use]
    pub fn item_memory(&self, at: Ref) -> usize {
        let item = self.item(at);
        let key = match item::key(item) {
            Key::Short(_) => 0,
            Key::Long(place) => size_of::<Box<[u8]>>() + self.keys.get(place).len(),
        };
        let value = match item::value(item) {
            Stored::Short(_) | Stored::Int(_) => 0,
            Stored::Long(place) | Stored::Raw(place) => {
                size_of::<Vec<u8>>() + self.strings.get(place).capacity()
            }
            Stored::Object(_) => size_of::<O>(),
        };
        item.len() + size_of::<u64>() + key + value
    }

    /// Visits some entries and returns the cursor of the next call; 0 begins, and 0 is returned at
    /// the end. An entry that is there from the first call to the last is visited at least once,
    /// whatever is added or removed in between; an entry may be visited twice.
    pub fn scan(&self, cursor: u64, visit: &mut dyn FnMut(Ref)) -> u64 {
        let from = cursor.min(CURSOR_LIMIT - 1);
        self.index.visit(from, &self.hash_of(), visit)
    }

    /// An entry at random: `random` is a random number, every entry is about as likely.
    #[must_use]
    pub fn random(&self, random: u64) -> Option<Ref> {
        self.index.random(random)
    }

    /// Visits `count` entries at random, perhaps one twice, as candidates for eviction.
    pub fn sample(&self, random: u64, count: usize, visit: &mut dyn FnMut(Ref)) {
        let mut random = random;
        for _ in 0..count {
            random = mix(random);
            if let Some(at) = self.random(random) {
                visit(at);
            }
        }
    }

    /// As [`Table::sample`], of the entries that have an expiry.
    pub fn sample_expiring(&self, random: u64, count: usize, visit: &mut dyn FnMut(Ref)) {
        let mut random = random;
        for _ in 0..count {
            random = mix(random);
            let len = self.wheel.len().max(1) as u64;
            let item = self.wheel.nth((random % len) as usize);
            if let Some(at) = item.and_then(|block| self.locate(block)) {
                visit(at);
            }
        }
    }

    /// The next entry that has expired at `now`, in Unix milliseconds; it may be returned up to
    /// [`EXPIRY_GRANULARITY`] late. The caller removes it; until it does, the same entry may be
    /// returned again. Costs nothing for entries far from their time, and little at each call for
    /// those that come closer, so that some may be left to later calls.
    pub fn next_expired(&mut self, now: i64) -> Option<Ref> {
        for _ in 0..CASCADE_LIMIT {
            let block = self.wheel.due(now)?;
            let item = self.slab.block(block);
            let (expires_at, seat) = item::head(item).expiry?;
            if expires_at <= now {
                return self.locate(block);
            }
            self.leave_wheel(seat);
            let seat = self.wheel.add(expires_at, block);
            item::set_seat(self.slab.block_mut(block), seat);
        }
        None
    }

    /// Begins a snapshot of the table as it is now. From here on every change hands the entry as it
    /// was to the sink first, and [`Table::save_next`] hands over the others, slice by slice.
    /// A snapshot that was running is given up.
    pub fn begin_snapshot(&mut self, sink: Box<dyn Sink<O>>) {
        if self.snapshots.begin(sink) {
            // Too many snapshots were given up since one was complete: items of all versions are
            // about, and have to be told apart anew.
            let version = self.snapshots.restart();
            for block in self.index.items() {
                item::set_version(self.slab.block_mut(block), version);
            }
        }
    }

    /// Hands about `count` more entries to the sink. Returns whether all are handed over.
    pub fn save_next(&mut self, count: usize) -> bool {
        let mut places = Vec::new();
        let mut seen = 0;
        while seen < count {
            let Some(cursor) = self.snapshots.cursor() else {
                return true;
            };
            places.clear();
            let next = self.scan(cursor, &mut |at| places.push(at));
            for &at in &places {
                self.preserve(at);
            }
            seen += places.len().max(1);
            self.snapshots.advance(next);
        }
        self.snapshots.cursor().is_none()
    }

    /// Whether a snapshot was begun and not ended.
    #[must_use]
    pub fn in_snapshot(&self) -> bool {
        self.snapshots.sink().is_some()
    }

    /// The sink of the running snapshot, to empty its buffer.
    pub fn snapshot_sink(&mut self) -> Option<&mut (dyn Sink<O> + 'static)> {
        self.snapshots.sink_mut()
    }

    /// Ends the snapshot, whether it is complete or not, and hands the sink back.
    pub fn end_snapshot(&mut self) -> Option<Box<dyn Sink<O>>> {
        self.snapshots.end()
    }

    /// Hands an entry to the running snapshot before it is changed, unless it has it already.
    fn preserve(&mut self, at: Ref) {
        let block = self.index.get(at);
        let item = self.slab.block(block);
        let Some(sink) = self.snapshots.wants(item::version(item)) else {
            return;
        };
        sink.save(Entry {
            key: key_of(&self.slab, &self.keys, block),
            value: value_of(&self.strings, &self.objects, item),
            expires_at: item::expires_at(item),
            access: item::access(item),
        });
        let version = self.snapshots.version();
        item::set_version(self.slab.block_mut(block), version);
    }

    fn item(&self, at: Ref) -> &[u8] {
        self.slab.block(self.index.get(at))
    }

    fn hash_of(&self) -> impl Fn(u32) -> u64 {
        |block| hash(key_of(&self.slab, &self.keys, block))
    }

    /// The place of an item.
    fn locate(&self, block: u32) -> Option<Ref> {
        let hash = hash(key_of(&self.slab, &self.keys, block));
        self.index.find(hash, |other| other == block)
    }

    /// Takes an entry out of the wheel; the one that takes over its seat learns so.
    fn leave_wheel(&mut self, seat: wheel::Seat) {
        if let Some(moved) = self.wheel.remove(seat) {
            item::set_seat(self.slab.block_mut(moved), seat);
        }
    }
}

fn key_of<'a>(slab: &'a Slab, keys: &'a Arena<Box<[u8]>>, block: u32) -> &'a [u8] {
    match item::key(slab.block(block)) {
        Key::Short(key) => key,
        Key::Long(place) => keys.get(place),
    }
}

fn value_of<'a, O>(
    strings: &'a Arena<Vec<u8>>,
    objects: &'a Arena<O>,
    item: &'a [u8],
) -> Value<'a, O> {
    match item::value(item) {
        Stored::Short(bytes) => Value::Bytes { bytes, raw: false },
        Stored::Int(number) => Value::Int(number),
        Stored::Long(place) => Value::Bytes { bytes: strings.get(place), raw: false },
        Stored::Raw(place) => Value::Bytes { bytes: strings.get(place), raw: true },
        Stored::Object(place) => Value::Object(objects.get(place)),
    }
}
