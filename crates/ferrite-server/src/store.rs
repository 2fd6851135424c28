//! All keys of the server: 64 shards, each behind its own lock.
//!
//! A key lives in the shard that the top bits of its hash name, in every database. Whoever needs
//! several shards takes their locks in ascending order ([`Held::acquire`]), and asks for no more
//! while it holds some, unless it only tries ([`Held::try_add`]): so nobody waits in a circle.

use std::time::Duration;

use ferrite_store::table::{self, Table};
use ferrite_store::types::Collection;
use ferrite_store::types::stream::Group;
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;

use crate::dispatch::block::Waiting;
use crate::fields::FieldExpiries;
use crate::tracking::Tracked;
use crate::watch::Watched;

/// How many shards there are; a power of two, and as many as a [`ShardSet`] has bits.
pub const SHARDS: usize = 64;

/// How long a thread waits for a lock before it looks whether that is of use.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The shard of a key's hash.
pub fn shard_of(hash: u64) -> u8 {
    (hash >> 58) as u8
}

/// Some of the shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardSet(u64);

impl ShardSet {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(u64::MAX);

    /// The shard of one key.
    pub fn of_key(key: &[u8]) -> Self {
        Self(1 << shard_of(table::hash(key)))
    }

    /// One shard.
    pub fn of_shard(shard: u8) -> Self {
        Self(1 << (usize::from(shard) % SHARDS))
    }

    /// These and those.
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are among these.
    pub fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// These without those.
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The shards in ascending order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let next = u8::try_from(rest.trailing_zeros()).ok().filter(|next| *next < 64)?;
            rest &= rest - 1;
            Some(next)
        })
    }
}

/// What of a key's place in memory is to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// The bucket of the index.
    Bucket,
    /// What the bucket leads to; it should have been fetched before.
    Item,
}

/// What one lock protects.
#[derive(Debug)]
pub struct Shard {
    /// The keys of each database.
    pub tables: Vec<Table<Collection>>,
    /// Clients that wait for keys of this shard.
    pub waiting: Waiting,
    /// Transactions that watch keys of this shard.
    pub watched: Watched,
    /// When fields of its hashes expire.
    pub fields: FieldExpiries,
    /// Whether a stream may have a consumer; one whose consumers are gone may still count.
    pub consumers: bool,
    /// Clients that keep copies of keys of this shard.
    pub tracked: Tracked,
}

impl Shard {
    /// Notes what is to be known of a value without looking for it, when it is put under a key.
    pub fn note(&mut self, db: usize, key: &[u8], value: &Collection) {
        match value {
            Collection::Hash(hash) => {
                if let Some(next) = hash.next_expiry() {
                    self.fields.note(db, key, next);
                }
            }
            Collection::Stream(stream) => {
                let has_some = |group: &Group| group.consumer_count() > 0;
                self.consumers |= stream.groups().values().any(has_some);
            }
            _ => {}
        }
    }

    /// Forgets what was noted of a database that was emptied.
    pub fn emptied(&mut self, db: usize) {
        self.fields.clear(db);
        if self.tables.iter().all(Table::is_empty) {
            self.consumers = false;
        }
    }

    /// Has the memory fetched that a lookup will read.
    pub fn touch(&self, hash: u64, db: usize, touch: Touch) {
        let Some(table) = self.tables.get(db) else { return };
        match touch {
            Touch::Bucket => table.prefetch(hash),
            Touch::Item => table.prefetch_item(hash),
        }
    }
}

/// A shard apart from others in the processor's cache.
#[repr(align(128))]
#[derive(Debug)]
struct Seat(Mutex<Shard>);

/// The shards.
#[derive(Debug)]
pub struct Store {
    seats: Box<[Seat]>,
    databases: usize,
}

impl Store {
    /// An empty store.
    pub fn new(databases: usize) -> Self {
        let seat = |index: usize| {
            let table = |_| Table::new(u8::try_from(index).unwrap_or_default());
            Seat(Mutex::new(Shard {
                tables: (0..databases).map(table).collect(),
                waiting: Waiting::default(),
                watched: Watched::default(),
                fields: FieldExpiries::default(),
                consumers: false,
                tracked: Tracked::default(),
            }))
        };
        Self { seats: (0..SHARDS).map(seat).collect(), databases }
    }

    /// How many databases each shard has.
    pub fn databases(&self) -> usize {
        self.databases
    }

    /// Has the memory fetched that a lookup will read, unless somebody holds the shard.
    pub fn touch(&self, hash: u64, db: usize, touch: Touch) {
        if let Some(shard) = self.seat(shard_of(hash)).try_lock() {
            shard.touch(hash, db, touch);
        }
    }

    fn seat(&self, shard: u8) -> &Mutex<Shard> {
        &self.seats[usize::from(shard) % SHARDS].0
    }
}

/// Shards whose locks are held.
#[derive(Debug)]
pub struct Held<'s> {
    store: &'s Store,
    set: ShardSet,
    waited: bool,
    guards: SmallVec<[(u8, MutexGuard<'s, Shard>); 1]>,
}

impl<'s> Held<'s> {
    /// Nothing held yet.
    pub fn nothing(store: &'s Store) -> Self {
        Self { store, set: ShardSet::NONE, waited: false, guards: SmallVec::new() }
    }

    /// Which are held.
    pub fn set(&self) -> ShardSet {
        self.set
    }

    /// Holds at least these: keeps what is held if that suffices, otherwise releases it and
    /// takes all of these. Returns whether anything was released in between.
    pub fn acquire(&mut self, wanted: ShardSet) -> bool {
        if self.set.covers(wanted) {
            return false;
        }
        self.release();
        for shard in wanted.iter() {
            self.guards.push((shard, self.store.seat(shard).lock()));
        }
        self.set = wanted;
        true
    }

    /// The same, unless `hopeless` says that waiting on is of no use; whether these are held.
    pub fn acquire_unless(&mut self, wanted: ShardSet, hopeless: impl Fn() -> bool) -> bool {
        if self.set.covers(wanted) {
            return true;
        }
        self.release();
        for shard in wanted.iter() {
            let seat = self.store.seat(shard);
            let guard = match seat.try_lock() {
                Some(guard) => Some(guard),
                None => self.wait_for(seat, &hopeless),
            };
            let Some(guard) = guard else {
                self.release();
                return false;
            };
            self.guards.push((shard, guard));
        }
        self.set = wanted;
        true
    }

    #[cold]
    fn wait_for(
        &mut self,
        seat: &'s Mutex<Shard>,
        hopeless: &impl Fn() -> bool,
    ) -> Option<MutexGuard<'s, Shard>> {
        self.waited = true;
        loop {
            match seat.try_lock_for(LOOK_AGAIN) {
                None if hopeless() => return None,
                None => {}
                guard => return guard,
            }
        }
    }

    /// Whether somebody else had to be waited for since this was asked last.
    pub fn has_waited(&mut self) -> bool {
        std::mem::take(&mut self.waited)
    }

    /// Holds these too, if that is possible without waiting.
    pub fn try_add(&mut self, wanted: ShardSet) -> bool {
        let missing = wanted.without(self.set);
        let mut taken = SmallVec::<[(u8, MutexGuard<'s, Shard>); 1]>::new();
        for shard in missing.iter() {
            match self.store.seat(shard).try_lock() {
                Some(guard) => taken.push((shard, guard)),
                None => return false,
            }
        }
        self.guards.extend(taken);
        self.guards.sort_unstable_by_key(|(shard, _)| *shard);
        self.set = self.set.with(missing);
        true
    }

    /// Releases all.
    pub fn release(&mut self) {
        self.guards.clear();
        self.set = ShardSet::NONE;
    }

    /// Makes way for whoever waits for what is held. A single shard is held again after that;
    /// several are not: whoever gets one of them may wait for the next, which must be free then.
    pub fn yield_now(&mut self) {
        if let [(_, only)] = self.guards.as_mut_slice() {
            return MutexGuard::bump(only);
        }
        self.set = ShardSet::NONE;
        for (_, guard) in self.guards.drain(..) {
            MutexGuard::unlock_fair(guard);
        }
    }

    fn at(&self, shard: u8) -> usize {
        match self.guards.as_slice() {
            [(only, _)] if *only == shard => 0,
            guards => guards
                .binary_search_by_key(&shard, |(shard, _)| *shard)
                .unwrap_or_else(|_| unreachable_shard(shard)),
        }
    }

    /// A shard that is held.
    ///
    /// # Panics
    /// When it is not: a command touches a key that its entry in the catalogue does not name.
    pub fn shard(&self, shard: u8) -> &Shard {
        &self.guards[self.at(shard)].1
    }

    /// See [`Held::shard`].
    pub fn shard_mut(&mut self, shard: u8) -> &mut Shard {
        let at = self.at(shard);
        &mut self.guards[at].1
    }

    /// All shards that are held.
    pub fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.guards.iter().map(|(_, guard)| &**guard)
    }

    /// See [`Held::shards`].
    pub fn shards_mut(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.guards.iter_mut().map(|(_, guard)| &mut **guard)
    }
}

#[cold]
fn unreachable_shard(shard: u8) -> usize {
    unreachable!("shard {shard} is used and its lock is not held")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_kept_when_it_suffices() {
        let store = Store::new(1);
        let (one, two) = (ShardSet(0b10), ShardSet(0b110));
        let mut held = Held::nothing(&store);
        assert!(held.acquire(two));
        assert!(!held.acquire(one));
        assert_eq!(held.set(), two);
        let mut other = Held::nothing(&store);
        assert!(!other.try_add(one));
        assert!(other.try_add(ShardSet(1)));
        held.release();
        assert!(other.try_add(one));
        assert_eq!(other.set().iter().collect::<Vec<_>>(), [0, 1]);
    }
}
