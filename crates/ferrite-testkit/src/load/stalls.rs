//! How long writers wait for what they sent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Nobody waits.
const IDLE: u64 = u64::MAX;

/// The waiting of all writers. Moments are nanoseconds since the load was started.
#[derive(Debug)]
pub(super) struct Stalls {
    start: Instant,
    /// Waiting before this does not count.
    reset: AtomicU64,
    longest: AtomicU64,
    /// Since when each writer waits.
    waiting: Vec<AtomicU64>,
}

impl Stalls {
    pub(super) fn new(writers: usize) -> Stalls {
        Stalls {
            start: Instant::now(),
            reset: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            waiting: (0..writers).map(|_| AtomicU64::new(IDLE)).collect(),
        }
    }

    /// A writer sends; it may be waiting already, for something sent before.
    pub(super) fn begin(&self, writer: usize) {
        let now = self.now();
        if let Some(since) = self.waiting.get(writer) {
            // An error means it waits already: that wait goes on.
            let _ = since.compare_exchange(IDLE, now, Ordering::SeqCst, Ordering::SeqCst);
        }
    }

    /// A writer has all its answers.
    pub(super) fn end(&self, writer: usize) {
        if let Some(since) = self.waiting.get(writer) {
            let since = since.swap(IDLE, Ordering::SeqCst);
            self.longest.fetch_max(self.wait(since), Ordering::SeqCst);
        }
    }

    /// The longest wait, also of those who still wait.
    pub(super) fn longest(&self) -> Duration {
        let waiting = self.waiting.iter().map(|since| self.wait(since.load(Ordering::SeqCst)));
        let longest = self.longest.load(Ordering::SeqCst);
        Duration::from_nanos(waiting.max().unwrap_or_default().max(longest))
    }

    /// Forgets all waiting up to now.
    pub(super) fn reset(&self) {
        self.reset.store(self.now(), Ordering::SeqCst);
        self.longest.store(0, Ordering::SeqCst);
    }

    fn wait(&self, since: u64) -> u64 {
        if since == IDLE {
            return 0;
        }
        self.now().saturating_sub(since.max(self.reset.load(Ordering::SeqCst)))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(IDLE - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_goes_on_until_it_is_answered_and_counts_from_the_reset() {
        let stalls = Stalls::new(2);
        stalls.begin(0);
        let first = stalls.longest();
        stalls.begin(0);
        stalls.begin(1);
        let second = stalls.longest();
        assert!(second > first, "still waiting since the first begin");
        stalls.end(0);
        let ended = stalls.longest();
        assert!(ended > second);
        stalls.end(1);
        assert_eq!(stalls.longest(), stalls.longest(), "nobody waits");
        stalls.reset();
        assert_eq!(stalls.longest(), Duration::ZERO);
    }
}
