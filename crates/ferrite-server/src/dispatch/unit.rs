//! A unit: one command, a transaction or a script; what replicas see as one, and what nobody sees
//! half of.

use std::sync::atomic::Ordering;

use ferrite_commands::Flag;

use super::block::Park;
use super::slices;
use crate::commands::{Entry, Run};
use crate::ctx::effects::Propagation;
use crate::ctx::{Ctx, Outcome, Within, count};
use crate::replication::Wait;
use crate::session::Queued;
use crate::store::shard_of;
use crate::tracking::Choice;

/// Commands that are no writes and may tell replicas something all the same.
pub(super) const MAY_REPLICATE: [&str; 6] =
    ["eval", "evalsha", "fcall", "pfcount", "publish", "spublish"];

impl Ctx<'_> {
    /// Begins a unit; the locks it needs are held.
    pub fn begin_unit(&mut self, within: Within) {
        self.within = within;
        self.effects.clear();
        self.effects.listening = self.shared.log.is_listening();
    }

    /// Runs a command and notes what replicas are told of it.
    pub(super) fn in_call(&mut self, entry: &Entry, words: &[&[u8]], run: Run) -> Outcome {
        let dirty = self.effects.dirty;
        self.effects.propagation = Propagation::Verbatim;
        let db = self.session.db;
        let outcome = match self.shared.names.in_own_words(entry, words) {
            None => run(self, words),
            Some(words) => run(self, &words),
        };
        if entry.spec.flags.contains(Flag::ReadOnly) {
            self.track_reads(entry, words);
        }
        let changed = self.effects.dirty > dirty;
        if changed
            && self.effects.listening
            && entry.spec.is_write()
            && self.effects.propagation == Propagation::Verbatim
        {
            self.effects.propagate(db, words);
        }
        outcome
    }

    /// Notes the keys that a client has read that is to be told when they change.
    fn track_reads(&mut self, entry: &Entry, words: &[&[u8]]) {
        let client = &self.session.client;
        if !client.tracks_reads.load(Ordering::Relaxed) || entry.spec.flags.contains(Flag::NoScript)
        {
            return;
        }
        let wanted = client.tracking.lock().as_ref().is_some_and(|mode| match mode.choice {
            Choice::All => true,
            Choice::OptIn => mode.caching,
            Choice::OptOut => !mode.caching,
        });
        let Ok(keys) = ferrite_commands::keys(entry.spec, words) else { return };
        if !wanted {
            return;
        }
        let (shared, id) = (self.shared, client.id);
        for key in keys.iter().filter_map(|key| words.get(key.index)) {
            let tracked = &mut self.held.shard_mut(shard_of(self.hashes.of(key))).tracked;
            shared.tracking.read(tracked, key, id);
        }
    }

    /// Ends a unit while its locks are still held: writes the log, and serves who waits for what
    /// it changed.
    pub fn end_unit(&mut self) {
        if self.effects.dirty > 0 || !self.effects.commands.is_empty() {
            count(&self.counts.dirty, self.effects.dirty);
            self.write_log();
        }
        if !self.effects.ready.is_empty() {
            let ready = std::mem::take(&mut self.effects.ready);
            self.serve(ready);
        }
        if !self.effects.broadcast.is_empty() {
            let keys = std::mem::take(&mut self.effects.broadcast);
            self.shared.tracking.broadcast(self.shared, keys);
        }
    }

    /// Tells replicas what the unit did so far.
    pub fn write_log(&mut self) {
        let commands = std::mem::take(&mut self.effects.commands);
        if !commands.is_empty() {
            self.shared.log.append(&commands, commands.len() > 1 && !self.effects.apart);
        }
    }

    /// Whether a command must wait because clients are paused.
    pub(super) fn must_pause(&self, entry: &Entry, words: &[&[u8]]) -> bool {
        let until = self.shared.paused_until.load(Ordering::Relaxed);
        if until <= self.now {
            return false;
        }
        let name = entry.spec.name;
        if name == "replconf" || name == "psync" {
            return false;
        }
        let may_replicate = |name: &str, words: &[&[u8]]| {
            MAY_REPLICATE.contains(&name) && !self.shared.scripting.never_writes(name, words)
        };
        let queued = |one: &Queued| may_replicate(one.entry.spec.name, &slices(&one.words));
        self.shared.paused_reads.load(Ordering::Relaxed)
            || self.writes(entry)
            || may_replicate(name, words)
            || (name == "exec" && self.queued().any(queued))
    }

    /// The commands of the transaction that was begun.
    fn queued(&self) -> impl Iterator<Item = &Queued> {
        self.session.transaction.iter().flat_map(|transaction| &transaction.queued)
    }

    /// Whether a command is a write, or a transaction has one.
    pub(super) fn writes(&self, entry: &Entry) -> bool {
        entry.spec.is_write() || self.transaction_writes(entry)
    }

    /// Keeps a client that waits for replicas.
    pub(super) fn wait_for_replicas(&mut self, wait: Wait) {
        self.shared.replicas.wait(&self.session.client, wait.clone());
        self.session.client.parked.store(true, Ordering::Relaxed);
        self.session.wait = Some(wait);
    }

    fn transaction_writes(&self, entry: &Entry) -> bool {
        entry.spec.name == "exec" && self.queued().any(|one| one.entry.spec.is_write())
    }

    /// Keeps a command that must wait: in the queues of its keys, and in its session.
    pub(super) fn wait(&mut self, entry: &'static Entry, words: &[&[u8]], park: Park) {
        let shards = self.held.set();
        let wanted = super::locks::of_keys(entry, words).unwrap_or(shards);
        let again = self.effects.retry_words.take();
        let again = again.as_deref().map(super::slices);
        let words = again.as_deref().unwrap_or(words);
        let waiter = super::block::Waiter::new(&self.session, entry, words, park, wanted);
        let waiter = std::sync::Arc::new(waiter);
        if waiter.park.keys.is_empty() {
            // It waits for another thread, not for a key: nobody else can serve it or give it up.
            waiter.finish();
        }
        let db = self.session.db;
        for key in &waiter.park.keys {
            let shard = crate::store::shard_of(ferrite_store::table::hash(key));
            self.held.shard_mut(shard).waiting.add(db, key, &waiter);
        }
        let timed = waiter.park.deadline.is_some();
        self.session.client.timed.store(timed, Ordering::Relaxed);
        self.session.client.parked.store(true, Ordering::Relaxed);
        self.session.waiter = Some(waiter);
    }
}
