//! The keys that are being compared, and whether the stream wrote to them meanwhile.
//!
//! ```text
//! watch k ──► read k at the source ──► applied ≥ F ──► read k at the target ──► end
//!             its offset is F
//! stream      … F ……… a command on k …                 touched after F: nothing can be said of k
//! ```
//!
//! Whoever plans a command or reads a key again says so before the target can show it, and says
//! up to which offset the target's value may be newer. A value that was read again before it was
//! watched is no newer than `F`, because `F` was read later.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// The keys that are being compared: one batch at a time, of one database.
#[derive(Debug, Default)]
pub struct Watched {
    is_active: AtomicBool,
    watch: Mutex<Watch>,
}

#[derive(Debug, Default)]
struct Watch {
    db: u32,
    touched: Touched,
}

/// Up to which offsets keys were written to while they were watched.
#[derive(Debug, Default)]
pub struct Touched {
    keys: HashMap<Vec<u8>, u64>,
    /// What every key was written to by.
    all: u64,
}

impl Watched {
    /// Whether any key is watched: nothing else has to be called if not.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.is_active.load(Ordering::SeqCst)
    }

    /// Watches keys of a database of the source, and no others any more.
    pub fn watch(&self, db: u32, keys: &[&[u8]]) {
        let keys = keys.iter().map(|key| (key.to_vec(), 0)).collect();
        *lock(&self.watch) = Watch { db, touched: Touched { keys, all: 0 } };
        self.is_active.store(true, Ordering::SeqCst);
    }

    /// A key is written to by what the stream holds up to `offset`.
    pub fn touch(&self, db: u32, key: &[u8], offset: u64) {
        if !self.is_active() {
            return;
        }
        let mut watch = lock(&self.watch);
        if watch.db == db
            && let Some(touched) = watch.touched.keys.get_mut(key)
        {
            *touched = offset.max(*touched);
        }
    }

    /// Any key may be written to by the command of the stream that ends at `offset`.
    pub fn touch_all(&self, offset: u64) {
        if self.is_active() {
            let mut watch = lock(&self.watch);
            watch.touched.all = offset.max(watch.touched.all);
        }
    }

    /// Ends the watch.
    pub fn end(&self) -> Touched {
        self.is_active.store(false, Ordering::SeqCst);
        std::mem::take(&mut *lock(&self.watch)).touched
    }
}

impl Touched {
    /// Whether a key was written to by what lies behind `offset`.
    #[must_use]
    pub fn is_since(&self, key: &[u8], offset: u64) -> bool {
        self.all > offset || self.keys.get(key).is_some_and(|touched| *touched > offset)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_behind_the_offset_counts() {
        let watched = Watched::default();
        watched.touch(1, b"a", 50);
        watched.watch(1, &[b"a", b"b", b"c"]);
        assert!(watched.is_active());
        watched.touch(1, b"a", 10);
        watched.touch(1, b"b", 11);
        watched.touch(1, b"b", 3);
        watched.touch(0, b"c", 20);
        let touched = watched.end();
        assert!(!watched.is_active());
        assert!(!touched.is_since(b"a", 10) && touched.is_since(b"b", 10));
        assert!(!touched.is_since(b"c", 0));
    }

    #[test]
    fn what_may_write_to_any_key_counts_for_all() {
        let watched = Watched::default();
        watched.touch_all(50);
        watched.watch(0, &[b"a"]);
        watched.touch_all(7);
        let touched = watched.end();
        assert!(touched.is_since(b"a", 6) && !touched.is_since(b"a", 7));
    }
}
