//! What must happen when a value has changed: whoever watches or waits is told.

use std::sync::atomic::Ordering;

use super::Ctx;
use super::effects::Propagation;
use crate::clients::Caller;
use crate::notify::Class;
use crate::session::Muted;
use crate::store::shard_of;

impl Ctx<'_> {
    /// A key has changed: its watchers are told, whoever waits for it may go on, the event is
    /// published, and the command is told to replicas. Every command that changes a key calls
    /// it once for each event that Redis publishes.
    pub fn changed(&mut self, class: Class, event: &str, key: &[u8]) {
        self.effects.dirty += 1;
        self.touched(key);
        self.notify(class, event, key);
    }

    /// The change of the last [`Ctx::changed`] counts as so many.
    pub fn counts_as(&mut self, changes: usize) {
        self.effects.dirty = self.effects.dirty.saturating_sub(1) + changes as u64;
    }

    /// A key has changed without an event of its own and without counting as a change.
    pub fn touched(&mut self, key: &[u8]) {
        let db = self.session.db;
        let hash = self.hash(key);
        let number = shard_of(hash);
        let shard = self.held.shard_mut(number);
        if !shard.watched.is_empty() {
            let gone = shard.tables[db].find(hash, key).is_none();
            shard.watched.changed(db, key, gone);
        }
        if shard.waiting.has(db, key) {
            self.effects.ready.push((db, key.to_vec()));
        }
        let shared = self.shared;
        if shared.tracking.clients() > 0 {
            let id = self.session.client.id;
            let tracked = &mut self.held.shard_mut(number).tracked;
            match &mut self.effects.evicted {
                Some(evicted) => evicted.extend(shared.tracking.take(tracked, key)),
                None => {
                    let mut caller = Caller { id, own: &mut self.effects.own };
                    shared.tracking.changed(shared, tracked, key, &mut caller);
                }
            }
            if shared.tracking.broadcasts() {
                self.effects.broadcast.push((key.to_vec(), id));
            }
        }
    }

    /// Messages for the caller so far are sent before the reply to its command.
    pub fn push_own(&mut self) {
        let begin = self.reply.len();
        self.reply.raw(&std::mem::take(&mut self.effects.own));
        self.push_written(begin);
    }

    /// Tells replicas these words instead of the command's own; more than once for more than one.
    pub fn propagate_instead<A: AsRef<[u8]>>(&mut self, words: &[A]) {
        self.effects.propagation = Propagation::Replaced;
        let db = self.session.db;
        self.effects.propagate(db, words);
    }

    /// Tells replicas nothing of this command.
    pub fn propagate_nothing(&mut self) {
        self.effects.propagation = Propagation::Replaced;
    }

    /// Publishes an event of a key, to whom that was configured for.
    pub fn notify(&mut self, class: Class, event: &str, key: &[u8]) {
        let flags = self.shared.notify.load(Ordering::Relaxed);
        if flags & class as u32 == 0 {
            return;
        }
        let db = self.session.db;
        if flags & Class::Keyspace as u32 != 0 {
            let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
            self.publish(&channel, event.as_bytes());
        }
        if flags & Class::Keyevent as u32 != 0 {
            let channel = format!("__keyevent@{db}__:{event}");
            self.publish(channel.as_bytes(), key);
        }
    }

    /// Publishes a message; how many received it.
    pub fn publish(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let mut caller = Caller { id: self.session.client.id, own: &mut self.effects.own };
        self.shared.pubsub.publish(self.shared, channel, message, &mut caller)
    }

    /// What stands in the reply behind `begin` is sent, also where replies are not
    /// (`CLIENT REPLY`): it is none.
    pub fn push_written(&mut self, begin: usize) {
        if self.session.muted != Muted::No {
            let written = self.reply.as_bytes().get(begin..).unwrap_or_default();
            self.effects.pushed.extend_from_slice(written);
        }
    }
}
