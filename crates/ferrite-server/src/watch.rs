//! WATCH: transactions that are given up when a key changes.
//!
//! A watching client has one flag; every shard with a key it watches has that flag under the
//! key. Whoever changes the key raises it, under the shard's lock; EXEC looks at it under the
//! locks of all watched keys.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Raised when a watched key has changed.
pub type Flag = Arc<AtomicBool>;

/// A client that watches a key.
#[derive(Debug)]
struct Watcher {
    flag: Flag,
    /// The key is there, and was past its time when it was watched: that it goes is no change.
    expired: bool,
}

/// What is under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// What is past its time.
    Expired,
    /// A value.
    Value,
}

/// The watched keys of one shard.
#[derive(Debug, Default)]
pub struct Watched {
    keys: HashMap<(usize, Vec<u8>), Vec<Watcher>>,
}

impl Watched {
    /// Raises `flag` when the key changes; `expired` says that it is there, past its time.
    pub fn add(&mut self, db: usize, key: &[u8], flag: &Flag, expired: bool) {
        let watcher = Watcher { flag: Arc::clone(flag), expired };
        self.keys.entry((db, key.to_vec())).or_default().push(watcher);
    }

    /// Ends that.
    pub fn remove(&mut self, db: usize, key: &[u8], flag: &Flag) {
        let place = (db, key.to_vec());
        if let Some(watchers) = self.keys.get_mut(&place) {
            watchers.retain(|other| !Arc::ptr_eq(&other.flag, flag));
            if watchers.is_empty() {
                self.keys.remove(&place);
            }
        }
    }

    /// Whether nothing is watched: then a change costs nothing here.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// A key has changed. `gone` says that nothing is under it now: for who has watched what was
    /// past its time nothing has changed then.
    pub fn changed(&mut self, db: usize, key: &[u8], gone: bool) {
        for watcher in self.keys.get_mut(&(db, key.to_vec())).into_iter().flatten() {
            match watcher.expired {
                true => watcher.expired = !gone,
                false => watcher.flag.store(true, Ordering::Relaxed),
            }
        }
    }

    /// Another database takes the place of this one. `found` looks for a key in both, first in
    /// this one; nothing has changed where there was nothing, or nothing in time, and is not now.
    pub fn replaced(&mut self, db: usize, found: impl Fn(&[u8]) -> [Found; 2]) {
        for ((_, key), watchers) in self.keys.iter_mut().filter(|((its, _), _)| *its == db) {
            let [before, now] = found(key);
            for watcher in watchers {
                match (before, now) {
                    (Found::Nothing, Found::Nothing) => {}
                    (_, Found::Nothing) if watcher.expired => watcher.expired = false,
                    (_, Found::Expired) if watcher.expired => {}
                    (Found::Nothing, Found::Expired) => watcher.expired = true,
                    _ => watcher.flag.store(true, Ordering::Relaxed),
                }
            }
        }
    }

    /// Whether the key was past its time when it was watched for `flag`, and is still there.
    pub fn was_expired(&self, db: usize, key: &[u8], flag: &Flag) -> bool {
        let watchers = self.keys.get(&(db, key.to_vec())).into_iter().flatten();
        watchers.filter(|other| Arc::ptr_eq(&other.flag, flag)).any(|other| other.expired)
    }
}
