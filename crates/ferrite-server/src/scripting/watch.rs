//! Looks at a running script from outside: how long it runs, and whether it is to end.
//!
//! The thread that runs the script asks every [`INTERVAL`] instructions; any other thread may
//! look and order the end. Only instructions of the script are counted: a single call of the
//! string library that takes long cannot be interrupted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Instructions between two looks at the clock: below a millisecond.
pub(super) const INTERVAL: u32 = 10_000;

/// One run of one script.
#[derive(Debug)]
pub struct Watch {
    started: Instant,
    /// How long it may run before others are told that the server is busy.
    patience: Option<Duration>,
    /// How long it may run before it is ended.
    limit: Option<Duration>,
    over_time: AtomicBool,
    killed: AtomicBool,
}

impl Watch {
    /// Starts the clock. Without `patience` the script never counts as slow.
    pub fn new(patience: Option<Duration>) -> Self {
        Self {
            started: Instant::now(),
            patience,
            limit: None,
            over_time: AtomicBool::new(false),
            killed: AtomicBool::new(false),
        }
    }

    /// Starts the clock for a script that is ended by itself after `limit`.
    pub fn with_limit(limit: Duration) -> Self {
        Self { limit: Some(limit), ..Self::new(None) }
    }

    /// Whether the script has run for longer than was agreed.
    pub fn is_over_time(&self) -> bool {
        self.over_time.load(Ordering::Acquire)
    }

    /// For how long it has been running.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Orders the end of the script.
    pub fn kill(&self) {
        self.killed.store(true, Ordering::Release);
    }

    /// Whether its end was ordered.
    pub fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire)
    }

    /// Whether the script may go on; called by the thread that runs it.
    pub(super) fn may_continue(&self) -> bool {
        if self.is_killed() {
            return false;
        }
        let elapsed = self.started.elapsed();
        if self.patience.is_some_and(|patience| elapsed >= patience) {
            self.over_time.store(true, Ordering::Release);
        }
        if self.limit.is_some_and(|limit| elapsed >= limit) {
            self.kill();
            return false;
        }
        true
    }
}
