//! Making room: keys are evicted until the memory used is below the limit.
//!
//! As in Redis, a few keys are compared at a time, and the best candidates of all comparisons are
//! kept in a pool. Each comparison looks at one shard, under its lock alone.

use std::sync::atomic::Ordering;
use std::time::Instant;

use ferrite_commands::Flag;
use ferrite_store::memory;
use ferrite_store::table::{self, Ref, Table};
use ferrite_store::types::Collection;

use super::{Eviction, Policy};
use crate::clients::Caller;
use crate::commands::Entry;
use crate::ctx::{Ctx, Within, count, deletion};
use crate::error::CommandError;
use crate::notify::Class;
use crate::random;
use crate::store::{SHARDS, ShardSet, shard_of};

/// Candidates that are kept.
const POOL: usize = 16;

/// Keys that are evicted before one command at most: if that is not enough, the command is
/// executed all the same, and those after it go on.
const EVICTED_PER_COMMAND: usize = 500;

/// Candidates for eviction, the best last, and the policy they were compared by.
#[derive(Debug, Default)]
pub(super) struct Pool {
    candidates: Vec<Candidate>,
    policy: Option<Policy>,
}

#[derive(Debug)]
struct Candidate {
    score: u64,
    db: usize,
    key: Vec<u8>,
}

impl Pool {
    /// Forgets what was compared by another policy.
    fn compare_by(&mut self, policy: Policy) {
        if self.policy.replace(policy) != Some(policy) {
            self.candidates.clear();
        }
    }

    fn offer(&mut self, candidate: Candidate) {
        let all = &mut self.candidates;
        if all.iter().any(|its| its.db == candidate.db && its.key == candidate.key) {
            return;
        }
        let place = all.partition_point(|its| its.score < candidate.score);
        all.insert(place, candidate);
        if all.len() > POOL {
            all.remove(0);
        }
    }
}

impl Eviction {
    /// Whether more memory is used than may be.
    pub fn is_over(&self) -> bool {
        let limit = self.limit();
        limit > 0
            && memory::allocated().saturating_sub(self.uncounted.load(Ordering::Relaxed)) as u64
                > limit
    }

    /// How good a key is to be evicted; the higher the better.
    fn score(&self, table: &Table<Collection>, at: Ref, now: i64) -> u64 {
        let access = table.access(at);
        match self.policy() {
            Policy::AllKeysLru | Policy::VolatileLru => {
                self.idle_seconds(access, now).unsigned_abs()
            }
            Policy::AllKeysLfu | Policy::VolatileLfu => {
                u64::from(u8::MAX - self.frequency(access, now))
            }
            Policy::VolatileTtl => {
                let time = table.expires_at(at).unwrap_or(i64::MAX).max(0).unsigned_abs();
                u64::MAX - time
            }
            Policy::AllKeysRandom | Policy::VolatileRandom | Policy::NoEviction => 0,
        }
    }
}

impl Ctx<'_> {
    /// Makes room for a command, if memory is short. Nothing else is held meanwhile.
    ///
    /// # Errors
    /// `OOM …` when there is no room for a command that may need some.
    pub fn make_room_for(&mut self, entry: &Entry) -> Result<(), CommandError> {
        if !self.shared.eviction.is_over() {
            return Ok(());
        }
        let began = Instant::now();
        let made = self.make_room();
        let threshold = self.shared.config.latency.monitor_threshold.get();
        self.shared.latency.note(threshold, self.now, "eviction-cycle", began.elapsed());
        if made {
            return Ok(());
        }
        let queued = self.session.transaction.iter().flat_map(|transaction| &transaction.queued);
        let needs = |entry: &Entry| entry.spec.flags.contains(Flag::DenyOom);
        let executes = entry.spec.name == "exec" && queued.into_iter().any(|it| needs(it.entry));
        match needs(entry) || executes {
            true => Err(CommandError::OUT_OF_MEMORY),
            false => Ok(()),
        }
    }

    /// Evicts keys while more memory is used than may be; whether there are keys left to evict,
    /// or no need to.
    pub fn make_room(&mut self) -> bool {
        self.effects.evicted = Some(Vec::new());
        let made = self.evict_keys();
        let (shared, id) = (self.shared, self.session.client.id);
        let mut caller = Caller { id, own: &mut self.effects.own };
        for readers in self.effects.evicted.take().into_iter().flatten() {
            shared.tracking.tell_readers(shared, &readers, id, &mut caller);
        }
        made
    }

    fn evict_keys(&mut self) -> bool {
        let eviction = &self.shared.eviction;
        for _ in 0..EVICTED_PER_COMMAND {
            if !eviction.is_over() {
                return true;
            }
            if eviction.policy() == Policy::NoEviction || !self.evict_one() {
                return false;
            }
        }
        true
    }

    fn evict_one(&mut self) -> bool {
        let first = random::below(SHARDS as u64) as usize;
        for step in 0..SHARDS {
            // A shard without a candidate leaves it to the next.
            self.compare(((first + step) % SHARDS) as u8);
            let best = self.shared.eviction.pool.lock().candidates.pop();
            let Some(Candidate { db, key, .. }) = best else { continue };
            self.held.acquire(ShardSet::of_key(&key));
            let selected = std::mem::replace(&mut self.session.db, db);
            self.begin_unit(Within::Nothing);
            let evicted = self.evict(&key);
            self.end_unit();
            self.session.db = selected;
            if evicted {
                return true;
            }
        }
        false
    }

    /// Compares some keys of a shard, and keeps the best.
    fn compare(&mut self, shard: u8) {
        self.held.acquire(ShardSet::of_shard(shard));
        let eviction = &self.shared.eviction;
        let volatile = eviction.policy().is_volatile();
        let samples = eviction.config.memory.maxmemory_samples.get();
        let mut pool = eviction.pool.lock();
        pool.compare_by(eviction.policy());
        for (db, table) in self.held.shard(shard).tables.iter().enumerate() {
            let mut visit = |at| {
                let score = eviction.score(table, at, self.now);
                pool.offer(Candidate { score, db, key: table.key(at).to_vec() });
            };
            match volatile {
                true => table.sample_expiring(random::next(), samples, &mut visit),
                false => table.sample(random::next(), samples, &mut visit),
            }
        }
    }

    /// Deletes a key of the selected database because its memory is needed.
    fn evict(&mut self, key: &[u8]) -> bool {
        let (hash, db) = (table::hash(key), self.session.db);
        let table = &mut self.held.shard_mut(shard_of(hash)).tables[db];
        let Some(removed) = table.remove(hash, key) else { return false };
        self.shared.garbage.free_value(removed);
        count(&self.counts.evicted, 1);
        let lazy = self.shared.config.lazy_free.lazy_eviction.get();
        self.effects.propagate(db, &[deletion(lazy), key]);
        self.touched(key);
        self.notify(Class::Evicted, "evicted", key);
        true
    }
}
