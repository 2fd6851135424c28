//! Keys by the time they have left.

use serde::Serialize;

/// A minute, an hour, a day in milliseconds.
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Where the buckets end, in milliseconds from now; what is later is in the last one.
const ENDS: [(&str, u64); 7] = [
    ("within a minute", MINUTE),
    ("within an hour", HOUR),
    ("within a day", DAY),
    ("within a week", 7 * DAY),
    ("within 30 days", 30 * DAY),
    ("within a year", 365 * DAY),
    ("later", u64::MAX),
];

/// Keys that expire in a span of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpiryBucket {
    /// The span, for people.
    pub when: &'static str,
    /// Where it ends, in milliseconds from the time of the analysis: 0 for what is past, none for
    /// the last bucket and for keys that do not expire.
    pub within_ms: Option<u64>,
    /// How many keys.
    pub keys: u64,
}

/// Counts keys by the time they have left.
#[derive(Debug)]
pub struct Expiries {
    now_ms: u64,
    never: u64,
    past: u64,
    counts: [u64; ENDS.len()],
}

impl Expiries {
    /// No keys; times count from `now_ms`, Unix time in milliseconds.
    pub fn new(now_ms: u64) -> Self {
        Self { now_ms, never: 0, past: 0, counts: [0; ENDS.len()] }
    }

    /// Counts a key.
    pub fn add(&mut self, expires_at_ms: Option<u64>) {
        let Some(at) = expires_at_ms else {
            self.never += 1;
            return;
        };
        if at <= self.now_ms {
            self.past += 1;
            return;
        }
        let left = at - self.now_ms;
        let found = self.counts.iter_mut().zip(ENDS).find(|(_, (_, end))| left <= *end);
        if let Some((count, _)) = found {
            *count += 1;
        }
    }

    /// All buckets, soonest first, the keys that do not expire last.
    pub fn buckets(&self) -> Vec<ExpiryBucket> {
        let bucket = |when, within_ms, keys| ExpiryBucket { when, within_ms, keys };
        let mut buckets = vec![bucket("already past", Some(0), self.past)];
        buckets.extend(ENDS.iter().zip(self.counts).map(|((when, end), keys)| {
            let within_ms = (*end != u64::MAX).then_some(*end);
            bucket(when, within_ms, keys)
        }));
        buckets.push(bucket("never", None, self.never));
        buckets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_in_the_first_bucket_it_fits() {
        let mut expiries = Expiries::new(1000);
        for at in [None, Some(0), Some(1000), Some(1001), Some(61_000), Some(61_001)] {
            expiries.add(at);
        }
        expiries.add(Some(u64::MAX));
        let counts: Vec<u64> = expiries.buckets().iter().map(|bucket| bucket.keys).collect();
        assert_eq!(counts, [2, 2, 1, 0, 0, 0, 0, 1, 1]);
    }
}
