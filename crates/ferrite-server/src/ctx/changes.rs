//! What must happen when a value has changed: whoever watches or waits is told.

use std::sync::atomic::Ordering;

use super::Ctx;
use super::effects::Propagation;
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

    /// A key has changed without an event of its own and without counting as a change.
    pub fn touched(&mut self, key: &[u8]) {
        let db = self.session.db;
        let number = shard_of(self.hash(key));
        let shard = self.held.shard(number);
        if !shard.watched.is_empty() {
            shard.watched.changed(db, key);
        }
        if shard.waiting.has(db, key) {
            self.effects.ready.push((db, key.to_vec()));
        }
        let shared = self.shared;
        if shared.tracking.clients() > 0 {
            let by = self.session.client.id;
            let tracked = &mut self.held.shard_mut(number).tracked;
            let at_once = self.effects.evicting.then_some(&mut self.reply);
            shared.tracking.changed(shared, tracked, key, by, at_once);
            if shared.tracking.broadcasts() {
                self.effects.broadcast.push((key.to_vec(), by));
            }
        }
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
        self.shared.pubsub.publish(self.shared, channel, message)
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
