//! How much memory the keys may take (`maxmemory`), and which go when it is too much.
//!
//! * here: the settings, and how an access is remembered in 24 bits.
//! * `room`: making room before a command.

mod room;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use parking_lot::Mutex;
use room::Pool;

use crate::config::Config;
pub use crate::config::choices::EvictionPolicy as Policy;
use crate::random;

/// The counter of a new key under LFU, so that it is not the first to go.
const NEW_COUNTER: u8 = 5;

/// Milliseconds of a step of the LRU clock.
const LRU_STEP: i64 = 1000;

/// Milliseconds of a step of the LFU clock.
const LFU_STEP: i64 = 60_000;

/// Values of the LRU clock.
const LRU_RANGE: i64 = 1 << 24;

/// Values of the LFU clock.
const LFU_RANGE: i64 = 1 << 16;

impl Policy {
    /// Whether accesses are counted, and not their last time remembered.
    pub fn is_lfu(self) -> bool {
        matches!(self, Self::AllKeysLfu | Self::VolatileLfu)
    }

    /// Whether it matters when or how often a key was used.
    pub fn by_access(self) -> bool {
        self.is_lfu() || matches!(self, Self::AllKeysLru | Self::VolatileLru)
    }

    /// Whether only keys that expire are evicted.
    pub fn is_volatile(self) -> bool {
        use Policy::{VolatileLfu, VolatileLru, VolatileRandom, VolatileTtl};
        matches!(self, VolatileLru | VolatileLfu | VolatileRandom | VolatileTtl)
    }
}

/// What is evicted, by the configuration.
#[derive(Debug)]
pub struct Eviction {
    config: Arc<Config>,
    pool: Mutex<Pool>,
    /// Bytes of messages on their way that do not count: see [`crate::shared::Shared::tell`].
    pub uncounted: AtomicUsize,
}

impl Eviction {
    /// By the values that a configuration has at each moment.
    pub fn new(config: Arc<Config>) -> Self {
        Self { config, pool: Mutex::default(), uncounted: AtomicUsize::new(0) }
    }

    /// Bytes that may be used; 0 for no limit.
    pub fn limit(&self) -> u64 {
        self.config.memory.maxmemory.get()
    }

    /// Which keys are evicted.
    pub fn policy(&self) -> Policy {
        self.config.memory.maxmemory_policy.get()
    }

    /// The access bits of a new key.
    pub fn new_access(&self, now: i64) -> u32 {
        match self.policy().is_lfu() {
            true => lfu(now, NEW_COUNTER),
            false => lru_clock(now),
        }
    }

    /// The access bits of a key that is used once more.
    pub fn used(&self, access: u32, now: i64) -> u32 {
        match self.policy().is_lfu() {
            true => lfu(now, self.count_one(self.frequency(access, now))),
            false => lru_clock(now),
        }
    }

    /// The access bits of a key that was not used for so many seconds.
    pub fn idle_access(&self, seconds: i64, now: i64) -> u32 {
        lru_clock(now.saturating_sub(seconds.saturating_mul(1000)))
    }

    /// The access bits of a key that was used so often.
    pub fn frequent_access(&self, frequency: u8, now: i64) -> u32 {
        lfu(now, frequency)
    }

    /// How long ago a key was used, by its access bits under LRU.
    pub fn idle_seconds(&self, access: u32, now: i64) -> i64 {
        let passed = i64::from(lru_clock(now)) - i64::from(access);
        passed.rem_euclid(LRU_RANGE) * LRU_STEP / 1000
    }

    /// The counter of a key, by its access bits under LFU, less what it has shrunk since.
    pub fn frequency(&self, access: u32, now: i64) -> u8 {
        let counter = access as u8;
        let decay = i64::from(self.config.memory.lfu_decay_time.get());
        if decay == 0 {
            return counter;
        }
        let passed = (now / LFU_STEP - i64::from(access >> 8)).rem_euclid(LFU_RANGE);
        counter.saturating_sub(u8::try_from(passed / decay).unwrap_or(u8::MAX))
    }

    /// A counter after one more access: the larger it is, the less likely it grows.
    fn count_one(&self, counter: u8) -> u8 {
        let above = u64::from(counter.saturating_sub(NEW_COUNTER));
        let factor = u64::from(self.config.memory.lfu_log_factor.get());
        let grows = random::below(above.saturating_mul(factor).saturating_add(1)) == 0;
        counter.saturating_add(u8::from(grows))
    }
}

fn lru_clock(now: i64) -> u32 {
    (now / LRU_STEP).rem_euclid(LRU_RANGE) as u32
}

fn lfu(now: i64, counter: u8) -> u32 {
    let minutes = (now / LFU_STEP).rem_euclid(LFU_RANGE) as u32;
    minutes << 8 | u32::from(counter)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn by(policy: Policy) -> Eviction {
        let config = Config::new(std::path::Path::new("."));
        config.memory.maxmemory_policy.set(policy as i64);
        Eviction::new(Arc::new(config))
    }

    #[test]
    fn idle_time_is_what_has_passed_also_over_the_end_of_the_clock() {
        let eviction = by(Policy::NoEviction);
        for (now, passed) in [(NOW, 0), (NOW, 90), (LRU_RANGE * LRU_STEP + 5000, 60)] {
            let access = eviction.idle_access(passed, now);
            assert_eq!(eviction.idle_seconds(access, now), passed);
        }
    }

    #[test]
    fn counters_grow_slower_and_shrink_with_time() {
        let eviction = by(Policy::AllKeysLfu);
        let mut access = eviction.new_access(NOW);
        assert_eq!(eviction.frequency(access, NOW), NEW_COUNTER);
        let mut after = Vec::new();
        for uses in 1..=10_000 {
            access = eviction.used(access, NOW);
            if [100, 10_000].contains(&uses) {
                after.push(eviction.frequency(access, NOW));
            }
        }
        assert!(after[0] > NEW_COUNTER && after[0] < 30, "{after:?}");
        assert!(after[1] > after[0] && after[1] < 90, "{after:?}");
        let later = eviction.frequency(access, NOW + 3 * LFU_STEP);
        assert_eq!(later, after[1] - 3);
    }
}
