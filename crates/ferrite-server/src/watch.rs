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

/// The watched keys of one shard.
#[derive(Debug, Default)]
pub struct Watched {
    keys: HashMap<(usize, Vec<u8>), Vec<Flag>>,
}

impl Watched {
    /// Raises `flag` when the key changes.
    pub fn add(&mut self, db: usize, key: &[u8], flag: &Flag) {
        self.keys.entry((db, key.to_vec())).or_default().push(Arc::clone(flag));
    }

    /// Ends that.
    pub fn remove(&mut self, db: usize, key: &[u8], flag: &Flag) {
        let place = (db, key.to_vec());
        if let Some(flags) = self.keys.get_mut(&place) {
            flags.retain(|other| !Arc::ptr_eq(other, flag));
            if flags.is_empty() {
                self.keys.remove(&place);
            }
        }
    }

    /// Whether nothing is watched: then a change costs nothing here.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// A key has changed.
    pub fn changed(&self, db: usize, key: &[u8]) {
        for flag in self.keys.get(&(db, key.to_vec())).into_iter().flatten() {
            flag.store(true, Ordering::Relaxed);
        }
    }

    /// The watched keys of a database.
    pub fn keys(&self, db: usize) -> impl Iterator<Item = &[u8]> {
        self.keys.keys().filter(move |(its, _)| *its == db).map(|(_, key)| key.as_slice())
    }
}
