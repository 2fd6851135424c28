//! Keeps all writers together at a rate.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What was not used of the rate is lost after this time: a stall is not followed by a flood.
const MAX_BEHIND: Duration = Duration::from_millis(100);

/// Places on a time line, one for each operation.
#[derive(Debug)]
pub(super) struct Pace {
    each: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    /// So many operations in a second; at least one.
    pub(super) fn new(per_second: u64) -> Pace {
        let each = Duration::from_secs(1) / u32::try_from(per_second.max(1)).unwrap_or(u32::MAX);
        Pace { each, next: Mutex::new(Instant::now()) }
    }

    /// When so many operations may be sent: their places are taken.
    pub(super) fn take(&self, operations: usize) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let earliest = now.checked_sub(MAX_BEHIND).unwrap_or(now);
        let due = (*next).max(earliest);
        *next = due + self.each * u32::try_from(operations).unwrap_or(u32::MAX);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_spread_over_time() {
        let pace = Pace::new(1000);
        let first = pace.take(500);
        let second = pace.take(1);
        assert_eq!(second - first, Duration::from_millis(500));
        assert_eq!(pace.take(1) - second, Duration::from_millis(1));
    }
}
