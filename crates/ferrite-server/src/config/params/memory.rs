//! How much memory, and what happens at the limit.

use super::super::scalar::choices;
use super::super::setting::{Number, section};
use super::super::spec::{choice, integer, memory, yes_no};

choices! {
    /// What is given up at the limit.
    EvictionPolicy {
        /// Of keys with an expiry, those not used for long.
        VolatileLru "volatile-lru",
        /// Of keys with an expiry, those used least.
        VolatileLfu "volatile-lfu",
        /// Any key with an expiry.
        VolatileRandom "volatile-random",
        /// Keys that expire soonest.
        VolatileTtl "volatile-ttl",
        /// Keys not used for long.
        AllKeysLru "allkeys-lru",
        /// Keys used least.
        AllKeysLfu "allkeys-lfu",
        /// Any key.
        AllKeysRandom "allkeys-random",
        /// Nothing: writes are refused.
        NoEviction "noeviction",
    }
}

section! {
    /// How much memory, and what happens at the limit.
    Memory "memory" {
        /// How much memory data and buffers may take; 0 for no limit.
        maxmemory: Number<u64> = memory("maxmemory", "0", 0, i64::MAX);
        /// What is given up at the limit.
        maxmemory_policy: Number<EvictionPolicy> =
            choice("maxmemory-policy", "noeviction", EvictionPolicy::WORDS);
        /// How many keys are looked at to find one.
        maxmemory_samples: Number<usize> = integer("maxmemory-samples", "5", 1, 64);
        /// How hard is tried before writes are refused, from 0 to 100.
        maxmemory_eviction_tenacity: Number<u32> =
            integer("maxmemory-eviction-tenacity", "10", 0, 100)
            .stored("a command evicts a bounded number of keys, and those after it go on");
        /// How much use a key needs to be counted up.
        lfu_log_factor: Number<u32> = integer("lfu-log-factor", "10", 0, i32::MAX as i64);
        /// Minutes after which the count goes down by one.
        lfu_decay_time: Number<u32> = integer("lfu-decay-time", "1", 0, i32::MAX as i64);
        /// How much is done for keys that expired, from 1 to 10.
        active_expire_effort: Number<u32> = integer("active-expire-effort", "1", 1, 10)
            .stored("keys that expire are found by their time, without samples");
        /// Whether tables are rehashed in the background.
        activerehashing: Number<bool> =
            yes_no("activerehashing", "yes").stored("tables grow by segments, without rehashing");
    }
}
