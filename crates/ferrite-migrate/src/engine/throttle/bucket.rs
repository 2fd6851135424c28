//! A rate that is kept on average: whoever passes goes into debt, and the next one waits until
//! the debt is paid.

use std::time::{Duration, Instant};

/// How much of an unused rate can be made up for later, in seconds.
const BURST_S: f64 = 0.1;

/// Bytes that may pass.
#[derive(Debug)]
pub struct Bucket {
    /// Bytes that are left; below zero they are owed.
    balance: f64,
    /// When that was so.
    at: Instant,
}

impl Bucket {
    /// A bucket that owes nothing and has nothing left.
    pub fn new(now: Instant) -> Self {
        Self { balance: 0.0, at: now }
    }

    /// Lets so many bytes pass, at so many bytes a second since the last call.
    ///
    /// # Errors
    /// How long to wait before asking again: none of them pass before the debt is paid.
    #[expect(clippy::cast_precision_loss, reason = "bytes of one batch are far below 2^52")]
    pub fn take(&mut self, bytes: usize, rate: f64, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.balance = (self.balance + passed * rate).min(rate * BURST_S);
        self.at = now;
        if self.balance < 0.0 {
            return Err(Duration::from_secs_f64(-self.balance / rate));
        }
        self.balance -= bytes as f64;
        Ok(())
    }

    /// What is owed is forgiven, and nothing is left.
    pub fn clear(&mut self, now: Instant) {
        *self = Self::new(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: f64 = 1e6;

    /// Seconds that many takes of this size last, asked again when it says so.
    fn seconds(takes: usize, bytes: usize, rate: f64) -> f64 {
        let began = Instant::now();
        let (mut bucket, mut now) = (Bucket::new(began), began);
        for _ in 0..takes {
            while let Err(wait) = bucket.take(bytes, rate, now) {
                now += wait.max(Duration::from_nanos(1));
            }
        }
        (now - began).as_secs_f64()
    }

    #[test]
    fn a_rate_is_kept_whatever_the_size() {
        for (takes, bytes) in [(1001, 10_000), (101, 100_000), (11, 1_000_000), (2, 10_000_000)] {
            let took = seconds(takes, bytes, MB);
            assert!((9.99..10.01).contains(&took), "{bytes} bytes: {took} s");
        }
    }

    #[test]
    fn what_was_not_used_is_made_up_for_only_shortly() {
        let began = Instant::now();
        let mut bucket = Bucket::new(began);
        let later = began + Duration::from_secs(3600);
        assert_eq!(bucket.take(100_000, MB, later), Ok(()));
        assert_eq!(bucket.take(1, MB, later), Ok(()));
        assert!(bucket.take(1, MB, later).is_err());
    }

    #[test]
    fn a_debt_is_paid_at_the_rate_of_now() {
        let began = Instant::now();
        let mut bucket = Bucket::new(began);
        bucket.take(10_000_000, MB, began).unwrap();
        let (slow, fast) = (bucket.take(1, MB, began), bucket.take(1, 10.0 * MB, began));
        assert_eq!((slow, fast), (Err(Duration::from_secs(10)), Err(Duration::from_secs(1))));
        bucket.clear(began);
        assert_eq!(bucket.take(1, MB, began), Ok(()));
    }

    #[test]
    fn a_clock_that_stands_still_or_turns_back_lets_nothing_through() {
        let began = Instant::now() + Duration::from_secs(10);
        let mut bucket = Bucket::new(began);
        bucket.take(1000, MB, began).unwrap();
        for now in [began, began - Duration::from_secs(5)] {
            assert!(bucket.take(1, MB, now).is_err());
        }
    }
}
