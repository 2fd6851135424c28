//! How far the file is read that a server loads when it starts.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// What is known of the load; nothing is, before it begins.
#[derive(Debug)]
pub struct Progress {
    /// From the moment that clients can connect until all keys are there.
    loading: AtomicBool,
    /// When it began, Unix seconds.
    pub began: AtomicI64,
    /// The file's size.
    pub total: AtomicU64,
    /// How much of it was read.
    pub done: AtomicU64,
    /// How much memory the server used that wrote the file.
    pub used_memory: AtomicU64,
}

impl Default for Progress {
    /// Of a server that has not loaded anything yet.
    fn default() -> Self {
        Self {
            loading: AtomicBool::new(true),
            began: AtomicI64::new(crate::shared::unix_ms() / 1000),
            total: AtomicU64::new(0),
            done: AtomicU64::new(0),
            used_memory: AtomicU64::new(0),
        }
    }
}

impl Progress {
    /// Whether keys are missing yet: nobody may see or change any.
    pub fn is_loading(&self) -> bool {
        self.loading.load(Ordering::Acquire)
    }

    /// All keys are there.
    pub fn end(&self) {
        self.loading.store(false, Ordering::Release);
    }
}
