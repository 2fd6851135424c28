//! Fields of hashes that expire.
//!
//! A field past its time is overlooked by commands that read; those that write remove such fields
//! first, and so does the clock.

use ferrite_store::types::Hash;

use super::Ctx;
use crate::error::CommandError;
use crate::notify::Class;
use crate::store::shard_of;

impl Ctx<'_> {
    /// The time of this command as fields' expiries are told.
    pub fn now_of_fields(&self) -> u64 {
        u64::try_from(self.now).unwrap_or_default()
    }

    /// Removes the expired fields of a hash that a command is about to change.
    ///
    /// # Errors
    /// `WRONGTYPE` when the key holds something else.
    pub fn expire_fields(&mut self, key: &[u8]) -> Result<(), CommandError> {
        let now = self.now_of_fields();
        let next = self.write::<Hash>(key)?.and_then(|hash| hash.next_expiry());
        if next.is_some_and(|next| next <= now) {
            self.remove_expired_fields(key, usize::MAX);
        }
        Ok(())
    }

    /// Notes when the first field of a hash expires, after a command has changed it.
    pub fn note_fields(&mut self, key: &[u8], next: Option<u64>) {
        if let Some(next) = next {
            let db = self.session.db;
            let shard = shard_of(self.hash(key));
            self.held.shard_mut(shard).fields.note(db, key, next);
        }
    }

    /// Notes that the stream under a key has got a consumer.
    pub fn note_consumer(&mut self, key: &[u8]) {
        let shard = shard_of(self.hash(key));
        self.held.shard_mut(shard).consumers = true;
    }

    /// Removes fields of a shard whose time has come, at most so many; how many they were.
    pub fn expire_due_fields(&mut self, shard: u8, limit: usize) -> usize {
        let now = self.now_of_fields();
        let mut expired = 0;
        while expired < limit {
            let Some((db, key)) = self.held.shard_mut(shard).fields.due(now) else { break };
            self.session.db = db;
            expired += self.remove_expired_fields(&key, limit - expired).max(1);
        }
        expired
    }

    /// Removes expired fields and tells replicas; the hash too, when none is left.
    fn remove_expired_fields(&mut self, key: &[u8], limit: usize) -> usize {
        let now = self.now_of_fields();
        let Ok(Some(hash)) = self.write::<Hash>(key) else { return 0 };
        let mut words = vec![b"HDEL".to_vec(), key.to_vec()];
        while words.len() - 2 < limit {
            let Some(name) = hash.remove_expired(now) else { break };
            words.push(name);
        }
        let (next, is_empty, removed) = (hash.next_expiry(), hash.is_empty(), words.len() - 2);
        if removed > 0 {
            let db = self.session.db;
            self.effects.propagate(db, &words);
            self.touched(key);
            self.notify(Class::Hash, "hexpired", key);
        }
        if is_empty {
            self.delete(key);
            self.notify(Class::Generic, "del", key);
        } else {
            self.note_fields(key, next);
        }
        removed
    }
}
