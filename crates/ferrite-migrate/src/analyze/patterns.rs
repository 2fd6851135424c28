//! The most frequent patterns of names, by counters of which there is a limited number.
//!
//! As long as there are counters for all patterns, counts are exact. When there are too many, those
//! with the smallest counts are given up, and what comes later may have been counted up to so many
//! times before: `keys_at_most` says so.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use serde::Serialize;
use xxhash_rust::xxh3::Xxh3Default;

use super::shape;
use crate::report::{KeyName, key_text};

/// Counters that are kept when there are too many.
const KEPT: usize = 4096;
/// Counters at most.
const COUNTERS_MAX: usize = 4 * KEPT;
/// Bytes of a name that are kept as an example.
const EXAMPLE_MAX: usize = 200;

/// A pattern, and the keys whose names follow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PatternCount {
    /// The pattern: `*` stands for ids.
    pub pattern: String,
    /// Keys that were counted.
    pub keys: u64,
    /// Keys there can be at most: more than were counted where there were too many patterns.
    pub keys_at_most: u64,
    /// Bytes of names and values that were counted, unpacked.
    pub bytes: u64,
    /// One of the names.
    pub example: KeyName,
}

#[derive(Debug)]
struct Counter {
    keys: u64,
    missed: u64,
    bytes: u64,
    example: Vec<u8>,
}

/// Counts patterns.
#[derive(Debug, Default)]
pub struct Patterns {
    counters: HashMap<Vec<u8>, Counter, BuildHasherDefault<Xxh3Default>>,
    /// How many keys a pattern can have that has no counter.
    missed: u64,
    pattern: Vec<u8>,
}

impl Patterns {
    /// Counts a key.
    pub fn add(&mut self, name: &[u8], bytes: u64) {
        shape::pattern(name, &mut self.pattern);
        if let Some(counter) = self.counters.get_mut(&self.pattern) {
            counter.keys += 1;
            counter.bytes += bytes;
            return;
        }
        if self.counters.len() >= COUNTERS_MAX {
            self.give_up_the_rarest();
        }
        let example = name.get(..EXAMPLE_MAX).unwrap_or(name).to_vec();
        let counter = Counter { keys: 1, missed: self.missed, bytes, example };
        self.counters.insert(self.pattern.clone(), counter);
    }

    fn give_up_the_rarest(&mut self) {
        let mut counts: Vec<u64> =
            self.counters.values().map(|counter| counter.keys + counter.missed).collect();
        let at = counts.len() - KEPT;
        let (_, &mut limit, _) = counts.select_nth_unstable(at);
        self.counters.retain(|_, counter| counter.keys + counter.missed > limit);
        self.missed = self.missed.max(limit);
    }

    /// The most frequent ones, at most that many.
    pub fn finish(self, most: usize) -> Vec<PatternCount> {
        let mut found: Vec<_> = self.counters.into_iter().collect();
        found.sort_by(|(left, left_count), (right, right_count)| {
            right_count.keys.cmp(&left_count.keys).then_with(|| left.cmp(right))
        });
        found.truncate(most);
        let count = |(pattern, counter): (Vec<u8>, Counter)| PatternCount {
            pattern: key_text(&pattern),
            keys: counter.keys,
            keys_at_most: counter.keys + counter.missed,
            bytes: counter.bytes,
            example: KeyName(counter.example),
        };
        found.into_iter().map(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_patterns_survive_any_number_of_others() {
        let mut patterns = Patterns::default();
        let letters = |number: u64| -> String {
            format!("{number:012}").bytes().map(|digit| char::from(digit + b'a' - b'0')).collect()
        };
        for number in 0..100_000_u64 {
            patterns.add(letters(number).as_bytes(), 1);
            if number % 10 == 0 {
                patterns.add(format!("user:{number}").as_bytes(), 2);
            }
        }
        assert!(patterns.counters.len() <= COUNTERS_MAX);
        let top = patterns.finish(2);
        assert_eq!(
            (top[0].pattern.as_str(), top[0].keys, top[0].bytes),
            ("user:*", 10_000, 20_000)
        );
        assert_eq!(
            (top[0].keys_at_most, top[0].example.to_string()),
            (10_000, "user:0".to_owned())
        );
        assert!(top[1].keys == 1 && top[1].keys_at_most > 1, "{:?}", top[1]);
    }
}
