//! What a thread does by the clock, for its share of the shards.

use std::time::{Duration, Instant};

use ferrite_store::memory::allocated;
use ferrite_store::table::Table;
use ferrite_store::types::Collection;

use super::{Ctx, Within};
use crate::clients::Caller;
use crate::huge_pages;
use crate::persist::points;
use crate::store::{SHARDS, ShardSet};

/// Most keys that one visit to a shard lets expire, so that nobody waits long for its lock.
const EXPIRED_PER_VISIT: usize = 200;

/// How long a thread lets keys expire before it looks at its connections again.
const EXPIRING_AT_ONCE: Duration = Duration::from_micros(200);

/// Most visits to one shard in a round, so that a round ends while keys keep expiring.
const VISITS: usize = 500;

/// How far a thread is with the keys of its shards whose time has come.
#[derive(Clone, Copy, Debug)]
pub struct Expiring {
    shard: usize,
    visits: usize,
    took: Duration,
}

impl Expiring {
    /// A round begins.
    #[must_use]
    pub fn begin(thread: usize) -> Self {
        Self { shard: thread, visits: 0, took: Duration::ZERO }
    }
}

impl Ctx<'_> {
    /// What is to be done now and then.
    pub fn housekeeping(&mut self, thread: usize) {
        if thread == 0 {
            huge_pages::use_for(allocated() as u64);
            self.make_room();
            self.held.release();
            // While the server ends there is nobody to hold it, and nothing begins.
            if let Ok(shared) = self.shared.in_background() {
                points::save_if_due(&shared, self.now);
            }
        }
    }

    /// Lets keys expire for a moment; where to go on, if that was not enough. Between visits
    /// whoever waits for a shard gets it.
    pub fn expire_due(&mut self, from: Expiring) -> Option<Expiring> {
        if !self.shared.switches.expires_actively() || self.writes_wait() {
            return None;
        }
        let began = Instant::now();
        let mut at = from;
        while at.shard < SHARDS && began.elapsed() < EXPIRING_AT_ONCE {
            let expired = self.visit(at.shard)?;
            self.held.release();
            at.visits += 1;
            if expired < EXPIRED_PER_VISIT || at.visits >= VISITS {
                (at.shard, at.visits) = (at.shard + self.shared.mailboxes.len().max(1), 0);
            }
        }
        at.took += began.elapsed();
        if at.shard < SHARDS {
            return Some(at);
        }
        // What the round took of the thread's time, in all its parts.
        let threshold = self.shared.config.latency.monitor_threshold.get();
        self.shared.latency.note(threshold, self.now, "expire-cycle", at.took);
        None
    }

    /// How many keys of a shard expired; nothing when a script holds it for long.
    fn visit(&mut self, shard: usize) -> Option<usize> {
        let shard = u8::try_from(shard).unwrap_or_default();
        let scripting = &self.shared.scripting;
        if !self.held.acquire_unless(ShardSet::of_shard(shard), || scripting.is_busy()) {
            return None;
        }
        self.begin_unit(Within::Nothing);
        self.effects.apart = true;
        let mut expired = 0;
        for db in 0..self.shared.store.databases() {
            self.session.db = db;
            while expired < EXPIRED_PER_VISIT {
                let table = &mut self.held.shard_mut(shard).tables[db];
                let Some(key) = next_expired(table, self.now) else { break };
                self.expire(&key);
                expired += 1;
            }
        }
        let tracked = &mut self.held.shard_mut(shard).tracked;
        let mut nobody = Caller { id: 0, own: &mut self.effects.own };
        self.shared.tracking.give_up(self.shared, tracked, &mut nobody);
        expired +=
            self.expire_due_fields(shard, EXPIRED_PER_VISIT - expired.min(EXPIRED_PER_VISIT));
        self.end_unit();
        Some(expired)
    }

    /// Nothing of the session that is put in remains with the server: it watches nothing and
    /// listens to nothing.
    pub fn forget_session(&mut self) {
        self.unwatch();
        self.unsubscribe_all();
        self.end_monitoring();
        self.shared.tracking.stop(&self.session.client);
        self.session.transaction = None;
        self.session.note_transaction();
    }
}

fn next_expired(table: &mut Table<Collection>, now: i64) -> Option<Vec<u8>> {
    let at = table.next_expired(now)?;
    Some(table.key(at).to_vec())
}
