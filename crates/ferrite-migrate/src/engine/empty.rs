//! Keys that have no elements. Valkey (seen in 9.1) makes such hashes, by copying one whose fields
//! are all expired, and no server accepts them: the target goes without.
//!
//! The first command that gives one an element makes a new key on the target, and a key that was
//! there all along at the source, with an expiry perhaps. Such keys are therefore read again.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Such keys of one job: there are few, if any.
#[derive(Debug, Default)]
pub struct EmptyKeys {
    any: AtomicBool,
    keys: Mutex<HashSet<(u32, Vec<u8>)>>,
}

impl EmptyKeys {
    /// A key has no elements.
    pub fn add(&self, db: u32, key: &[u8]) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert((db, key.to_vec()));
        self.any.store(true, Ordering::Release);
    }

    /// Whether there has been any.
    #[must_use]
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Whether a key has once been left out.
    #[must_use]
    pub fn contain(&self, db: u32, key: &[u8]) -> bool {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.contains(&(db, key.to_vec()))
    }
}
