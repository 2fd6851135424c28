//! How long to wait between attempts.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Waits that double from `first` to `longest`, each cut by up to half at random so that many
/// clients do not come back at once, until `attempts` or `total` is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// No attempt begins later than this after the first.
    pub total: Duration,
}

impl Default for Backoff {
    /// 0.1 s to 30 s, 20 attempts, 5 minutes.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(30),
            attempts: 20,
            total: Duration::from_secs(300),
        }
    }
}

impl Backoff {
    /// The wait after the `failed`-th failed attempt (from 1) when `elapsed` has passed since
    /// the first; `None` when it is time to give up.
    pub fn wait(&self, failed: u32, elapsed: Duration) -> Option<Duration> {
        if failed >= self.attempts {
            return None;
        }
        let doublings = failed.saturating_sub(1).min(31);
        let full = self.first.saturating_mul(1 << doublings).min(self.longest);
        let wait = full.mul_f64(1.0 - random_fraction() / 2.0);
        (elapsed.saturating_add(wait) <= self.total).then_some(wait)
    }
}

/// A number from 0 to 1, different each time: the standard library seeds each hasher anew.
fn random_fraction() -> f64 {
    let bits = RandomState::new().build_hasher().finish();
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_end() {
        let backoff = Backoff { attempts: 12, ..Backoff::default() };
        for failed in 1..12 {
            let full = Duration::from_millis(100 << (failed - 1)).min(backoff.longest);
            let wait = backoff.wait(failed, Duration::ZERO).unwrap();
            assert!(wait >= full / 2 && wait <= full, "{failed}: {wait:?}");
        }
        assert_eq!(backoff.wait(12, Duration::ZERO), None);
        assert_eq!(backoff.wait(1, Duration::from_secs(300)), None);
        let endless = Backoff { attempts: u32::MAX, ..Backoff::default() };
        assert!(endless.wait(u32::MAX - 1, Duration::ZERO).is_some());
    }

    #[test]
    fn waits_differ() {
        let backoff = Backoff::default();
        let waits: Vec<_> = (0..20).map(|_| backoff.wait(5, Duration::ZERO)).collect();
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }
}
