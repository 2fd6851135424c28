//! One database's part in one shard: keys, their values, expiry, access bits, snapshot.
//!
//! A [`Ref`] names the place of an entry. It stays good while entries are read and changed (also
//! by [`Table::string_mut`], [`Table::set_value`] and [`Table::set_expiry`]) and is void once a
//! key was added or removed.

mod content;
mod hash;

pub use content::{Content, Entry, Owned, Removed, Sink, Taken, Value};
pub use hash::hash;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;

/// Cursors of [`Table::scan`] stay below this, so that a caller can add the number of the shard
/// and of the database above it.
pub const CURSOR_LIMIT: u64 = 1 << POSITION_BITS;

/// The 24 bits that remember an entry's last access.
pub const ACCESS_MASK: u32 = 0x00ff_ffff;

const POSITION_BITS: u32 = 40;
const SHARD_BITS: u32 = 6;

/// The place of an entry in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ref(u32);

/// One database's part in one shard.
pub struct Table<O> {
    items: Vec<Option<Item<O>>>,
    free: Vec<u32>,
    index: BTreeMap<(u64, u64), u32>,
    expiries: BTreeSet<(i64, u32)>,
    stamp: u64,
    bytes: usize,
    snapshot: Option<Snapshot<O>>,
}

struct Item<O> {
    key: Box<[u8]>,
    position: (u64, u64),
    value: Owned<O>,
    expires_at: Option<i64>,
    access: u32,
    saved: bool,
}

struct Snapshot<O> {
    sink: Box<dyn Sink<O>>,
    cursor: (u64, u64),
}

impl<O> fmt::Debug for Table<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("len", &self.len())
            .field("expiring", &self.expiring())
            .finish_non_exhaustive()
    }
}

/// The place of a hash in the order in which entries are scanned.
fn position(hash: u64) -> u64 {
    (hash << SHARD_BITS) >> (64 - POSITION_BITS)
}

impl<O> Table<O> {
    /// An empty table. `seat` is the number of the shard: tables of different seats grow at
    /// different sizes, so that they do not all grow at once.
    #[must_use]
    pub fn new(_seat: u8) -> Self {
        Self {
            items: Vec::new(),
            free: Vec::new(),
            index: BTreeMap::new(),
            expiries: BTreeSet::new(),
            stamp: 0,
            bytes: 0,
            snapshot: None,
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
        self.index.is_empty()
    }

    /// How many keys have an expiry.
    #[must_use]
    pub fn expiring(&self) -> usize {
        self.expiries.len()
    }

    /// The bytes of the table and of its entries, without what values hold on the heap.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.bytes
    }

    /// The bytes that an entry takes in the table, without what its value holds on the heap.
    #[must_use]
    pub fn item_memory(&self, at: Ref) -> usize {
        size_of::<Item<O>>() + self.item(at).key.len()
    }

    /// Finds a key, also one that has expired: the caller compares [`Table::expires_at`].
    #[must_use]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Ref> {
        self.index
            .range((position(hash), 0)..=(position(hash), u64::MAX))
            .map(|(_, &at)| Ref(at))
            .find(|&at| *self.item(at).key == *key)
    }

    /// The key of an entry.
    #[must_use]
    pub fn key(&self, at: Ref) -> &[u8] {
        &self.item(at).key
    }

    /// The value of an entry.
    #[must_use]
    pub fn value(&self, at: Ref) -> Value<'_, O> {
        value_of(&self.item(at).value)
    }

    /// When an entry expires, in Unix milliseconds.
    #[must_use]
    pub fn expires_at(&self, at: Ref) -> Option<i64> {
        self.item(at).expires_at
    }

    /// The collection of an entry, to be changed in place; nothing if it is a string.
    pub fn object_mut(&mut self, at: Ref) -> Option<&mut O> {
        self.preserve(at);
        match &mut self.item_mut(at).value {
            Owned::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The string of an entry, to be changed in place, which makes it `raw`; nothing if it is a
    /// collection.
    pub fn string_mut(&mut self, at: Ref) -> Option<&mut Vec<u8>> {
        self.preserve(at);
        let value = &mut self.item_mut(at).value;
        match value {
            Owned::Int(number) => *value = Owned::Raw(number.to_string().into_bytes()),
            Owned::Bytes(bytes) => *value = Owned::Raw(std::mem::take(bytes)),
            _ => {}
        }
        match value {
            Owned::Raw(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Replaces the value of an entry; its expiry and access bits stay.
    pub fn set_value(&mut self, at: Ref, content: Content<'_, O>) -> Removed<O> {
        self.preserve(at);
        let old = std::mem::replace(&mut self.item_mut(at).value, owned(content));
        removed(old)
    }

    /// Sets or clears when an entry expires. The reference stays good; it is returned for chains.
    pub fn set_expiry(&mut self, at: Ref, expires_at: Option<i64>) -> Ref {
        self.preserve(at);
        let old = std::mem::replace(&mut self.item_mut(at).expires_at, expires_at);
        if let Some(old) = old {
            self.expiries.remove(&(old, at.0));
        }
        if let Some(new) = expires_at {
            self.expiries.insert((new, at.0));
        }
        at
    }

    /// Adds a key or replaces its value and expiry. A new key's access bits are zero, those of a
    /// key that was there stay.
    pub fn insert(
        &mut self,
        hash: u64,
        key: &[u8],
        content: Content<'_, O>,
        expires_at: Option<i64>,
    ) -> Ref {
        self.replace(hash, key, content, expires_at).0
    }

    /// As [`Table::insert`], and hands back what was there.
    pub fn replace(
        &mut self,
        hash: u64,
        key: &[u8],
        content: Content<'_, O>,
        expires_at: Option<i64>,
    ) -> (Ref, Option<Removed<O>>) {
        if let Some(at) = self.find(hash, key) {
            let old = self.set_value(at, content);
            return (self.set_expiry(at, expires_at), Some(old));
        }
        (self.add(hash, key, owned(content), expires_at, 0), None)
    }

    /// Removes a key.
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<Removed<O>> {
        let at = self.find(hash, key)?;
        Some(self.remove_at(at))
    }

    /// Removes an entry.
    pub fn remove_at(&mut self, at: Ref) -> Removed<O> {
        removed(self.take_at(at).value)
    }

    /// Takes an entry out, whole, for [`Table::put`] under another key or in another table.
    pub fn take_at(&mut self, at: Ref) -> Taken<O> {
        self.preserve(at);
        self.set_expiry_index(at, None);
        let item = self.items[at.0 as usize].take();
        let item = item.unwrap_or_else(|| unreachable!("a reference outlived its entry"));
        self.index.remove(&item.position);
        self.free.push(at.0);
        self.bytes -= size_of::<Item<O>>() + item.key.len();
        Taken { value: item.value, expires_at: item.expires_at, access: item.access }
    }

    /// Puts an entry that was taken out under a key, in place of what may be there.
    pub fn put(&mut self, hash: u64, key: &[u8], taken: Taken<O>) -> Ref {
        if let Some(at) = self.find(hash, key) {
            drop(self.take_at(at));
        }
        self.add(hash, key, taken.value, taken.expires_at, taken.access)
    }

    /// The 24 bits of an entry's last access: a clock (LRU) or a clock and a counter (LFU).
    #[must_use]
    pub fn access(&self, at: Ref) -> u32 {
        self.item(at).access
    }

    /// Sets the 24 bits of an entry's last access; higher bits are ignored.
    pub fn set_access(&mut self, at: Ref, access: u32) {
        self.item_mut(at).access = access & ACCESS_MASK;
    }

    /// Brings the lines that [`Table::find`] will read closer to the processor.
    pub fn prefetch(&self, _hash: u64) {}

    /// Visits some entries and returns the cursor of the next call; 0 begins, and 0 is returned at
    /// the end. An entry that is there from the first call to the last is visited at least once,
    /// whatever is added or removed in between; an entry may be visited twice.
    pub fn scan(&self, cursor: u64, visit: &mut dyn FnMut(Ref)) -> u64 {
        let from = cursor.min(CURSOR_LIMIT - 1);
        let Some((&(first, _), _)) = self.index.range((from, 0)..).next() else {
            return 0;
        };
        for (_, &at) in self.index.range((first, 0)..=(first, u64::MAX)) {
            visit(Ref(at));
        }
        match self.index.range((first + 1, 0)..).next() {
            Some((&(next, _), _)) => next,
            None => 0,
        }
    }

    /// An entry at random: `random` is a random number, every entry is about as likely.
    #[must_use]
    pub fn random(&self, random: u64) -> Option<Ref> {
        if self.is_empty() {
            return None;
        }
        let count = self.items.len() as u64;
        let start = random % count;
        (start..count)
            .chain(0..start)
            .find(|&at| self.items[at as usize].is_some())
            .map(|at| Ref(at as u32))
    }

    /// Visits up to `count` entries near a random place, as candidates for eviction.
    pub fn sample(&self, random: u64, count: usize, visit: &mut dyn FnMut(Ref)) {
        for step in 0..count as u64 {
            if let Some(at) = self.random(random.wrapping_add(step)) {
                visit(at);
            }
        }
    }

    /// As [`Table::sample`], of the entries that have an expiry.
    pub fn sample_expiring(&self, random: u64, count: usize, visit: &mut dyn FnMut(Ref)) {
        if self.expiries.is_empty() {
            return;
        }
        let skip = (random % self.expiries.len() as u64) as usize;
        let ring = self.expiries.iter().skip(skip).chain(self.expiries.iter());
        for &(_, at) in ring.take(count.min(self.expiries.len())) {
            visit(Ref(at));
        }
    }

    /// The next entry that has expired at `now`, in Unix milliseconds. The caller removes it; until
    /// it does, the same entry may be returned again. Costs nothing for entries not yet expired.
    pub fn next_expired(&mut self, now: i64) -> Option<Ref> {
        let &(expires_at, at) = self.expiries.first()?;
        (expires_at <= now).then_some(Ref(at))
    }

    /// Begins a snapshot of the table as it is now. From here on every change hands the entry as it
    /// was to the sink first, and [`Table::save_next`] hands over the others, slice by slice.
    /// A snapshot that was running is given up.
    pub fn begin_snapshot(&mut self, sink: Box<dyn Sink<O>>) {
        for item in self.items.iter_mut().flatten() {
            item.saved = false;
        }
        self.snapshot = Some(Snapshot { sink, cursor: (0, 0) });
    }

    /// Hands about `count` more entries to the sink. Returns whether all are handed over.
    pub fn save_next(&mut self, count: usize) -> bool {
        for _ in 0..count {
            let Some(snapshot) = &mut self.snapshot else {
                return true;
            };
            let rest = (Bound::Excluded(snapshot.cursor), Bound::Unbounded);
            let Some((&position, &at)) = self.index.range(rest).next() else {
                return true;
            };
            snapshot.cursor = position;
            self.preserve(Ref(at));
        }
        false
    }

    /// Whether a snapshot was begun and not ended.
    #[must_use]
    pub fn in_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    /// The sink of the running snapshot, to empty its buffer.
    pub fn snapshot_sink(&mut self) -> Option<&mut (dyn Sink<O> + 'static)> {
        self.snapshot.as_mut().map(|snapshot| &mut *snapshot.sink)
    }

    /// Ends the snapshot, whether it is complete or not, and hands the sink back.
    pub fn end_snapshot(&mut self) -> Option<Box<dyn Sink<O>>> {
        self.snapshot.take().map(|snapshot| snapshot.sink)
    }

    fn add(
        &mut self,
        hash: u64,
        key: &[u8],
        value: Owned<O>,
        expires_at: Option<i64>,
        access: u32,
    ) -> Ref {
        self.stamp += 1;
        let position = (position(hash), self.stamp);
        let item = Item { key: key.into(), position, value, expires_at: None, access, saved: true };
        self.bytes += size_of::<Item<O>>() + key.len();
        let at = match self.free.pop() {
            Some(at) => at,
            None => {
                self.items.push(None);
                (self.items.len() - 1) as u32
            }
        };
        self.items[at as usize] = Some(item);
        self.index.insert(position, at);
        self.set_expiry(Ref(at), expires_at)
    }

    fn set_expiry_index(&mut self, at: Ref, new: Option<i64>) {
        if let Some(old) = self.item(at).expires_at {
            self.expiries.remove(&(old, at.0));
        }
        if let Some(new) = new {
            self.expiries.insert((new, at.0));
        }
    }

    fn preserve(&mut self, at: Ref) {
        let Some(snapshot) = &mut self.snapshot else {
            return;
        };
        let item = self.items[at.0 as usize].as_mut();
        let item = item.unwrap_or_else(|| unreachable!("a reference outlived its entry"));
        if !std::mem::replace(&mut item.saved, true) {
            snapshot.sink.save(Entry {
                key: &item.key,
                value: value_of(&item.value),
                expires_at: item.expires_at,
                access: item.access,
            });
        }
    }

    fn item(&self, at: Ref) -> &Item<O> {
        let item = self.items[at.0 as usize].as_ref();
        item.unwrap_or_else(|| unreachable!("a reference outlived its entry"))
    }

    fn item_mut(&mut self, at: Ref) -> &mut Item<O> {
        let item = self.items[at.0 as usize].as_mut();
        item.unwrap_or_else(|| unreachable!("a reference outlived its entry"))
    }
}

fn owned<O>(content: Content<'_, O>) -> Owned<O> {
    match content {
        Content::Int(number) => Owned::Int(number),
        Content::Bytes(bytes) => Owned::Bytes(bytes.to_vec()),
        Content::Heap(bytes) => Owned::Raw(bytes),
        Content::Object(object) => Owned::Object(object),
    }
}

fn removed<O>(value: Owned<O>) -> Removed<O> {
    match value {
        Owned::Int(_) | Owned::Bytes(_) => Removed::Small,
        Owned::Raw(bytes) => Removed::Heap(bytes),
        Owned::Object(object) => Removed::Object(object),
    }
}

fn value_of<O>(value: &Owned<O>) -> Value<'_, O> {
    match value {
        Owned::Int(number) => Value::Int(*number),
        Owned::Bytes(bytes) => Value::Bytes { bytes, raw: false },
        Owned::Raw(bytes) => Value::Bytes { bytes, raw: true },
        Owned::Object(object) => Value::Object(object),
    }
}
