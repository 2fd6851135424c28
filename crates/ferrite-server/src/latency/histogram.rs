//! How long a command has taken, as counts of durations: two significant digits, from one
//! nanosecond to one second.
//!
//! ```text
//! row 0    0 … 255 ns, one by one
//! row n    128·2ⁿ … 256·2ⁿ-1 ns, 128 places of 2ⁿ ns each
//! ```
//!
//! One thread counts, any may look. A row takes memory once something falls into it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Places of a row that are its own; the first has twice as many.
const HALF: usize = 128;

/// The longest duration that is told apart, in nanoseconds.
const LONGEST: u64 = 1_000_000_000;

/// Rows up to [`LONGEST`].
const ROWS: usize = 23;

type Row = OnceLock<Box<[AtomicU64]>>;

/// Durations of one command on one thread.
#[derive(Debug, Default)]
pub struct Histogram {
    rows: OnceLock<Box<[Row]>>,
}

/// The row of a duration and its place there.
fn place(nanoseconds: u64) -> (usize, usize) {
    let row = (u64::BITS - nanoseconds.leading_zeros()).saturating_sub(8) as usize;
    (row, (nanoseconds >> row) as usize)
}

/// The longest duration that falls into the same place.
fn longest_alike(nanoseconds: u64) -> u64 {
    let (row, place) = place(nanoseconds);
    ((place as u64 + 1) << row) - 1
}

impl Histogram {
    /// Counts a duration. Only one thread does.
    pub fn add(&self, nanoseconds: u64) {
        let (row, place) = place(nanoseconds.clamp(1, LONGEST));
        let rows = self.rows.get_or_init(|| (0..ROWS).map(|_| Row::default()).collect());
        let Some(row) = rows.get(row) else { return };
        let row = row.get_or_init(|| (0..2 * HALF).map(|_| AtomicU64::new(0)).collect());
        if let Some(count) = row.get(place) {
            count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    /// Sets all counts to zero.
    pub fn reset(&self) {
        let rows = self.rows.get().into_iter().flatten().filter_map(OnceLock::get);
        rows.flatten().for_each(|count| count.store(0, Ordering::Relaxed));
    }
}

/// What several threads have counted, together.
#[derive(Debug, Default)]
pub struct Summary {
    /// The longest duration of a place, and how many fell into it; in order.
    counts: Vec<(u64, u64)>,
    /// How many there are.
    pub total: u64,
}

impl Summary {
    /// Adds up what threads have counted.
    pub fn of<'h>(histograms: impl Iterator<Item = &'h Histogram>) -> Self {
        let mut sums = std::collections::BTreeMap::new();
        let mut total = 0;
        for histogram in histograms {
            for (number, row) in histogram.rows.get().into_iter().flatten().enumerate() {
                for (place, count) in row.get().into_iter().flatten().enumerate() {
                    let count = count.load(Ordering::Relaxed);
                    if count > 0 {
                        let longest = ((place as u64 + 1) << number) - 1;
                        *sums.entry(longest).or_insert(0) += count;
                        total += count;
                    }
                }
            }
        }
        Self { counts: sums.into_iter().collect(), total }
    }

    /// The duration below or at which `percent` of all are, in nanoseconds.
    pub fn percentile(&self, percent: f64) -> u64 {
        let wanted = (percent.clamp(0.0, 100.0) / 100.0 * self.total as f64 + 0.5) as u64;
        let mut so_far = 0;
        for (longest, count) in &self.counts {
            so_far += count;
            if so_far >= wanted.max(1) {
                return *longest;
            }
        }
        0
    }

    /// How many took so many microseconds or less, where that is more than for half of it.
    pub fn cumulative(&self) -> Vec<(u64, u64)> {
        let mut steps: Vec<(u64, u64)> = Vec::new();
        let mut limit = 1024_u64;
        loop {
            let longest = longest_alike(limit);
            let within = self.counts.iter().filter(|(duration, _)| *duration <= longest);
            let within: u64 = within.map(|(_, count)| count).sum();
            if within > steps.last().map_or(0, |(_, before)| *before) {
                steps.push((longest / 1000, within));
            }
            if within == self.total || limit > LONGEST {
                return steps;
            }
            limit *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_has_a_place_that_is_exact_to_a_percent() {
        for nanoseconds in [1, 127, 128, 255, 256, 1000, 65_535, 65_536, 999_999_999, LONGEST] {
            let (row, at) = place(nanoseconds);
            assert!(row < ROWS && at < 2 * HALF, "{nanoseconds}: {row} {at}");
            let longest = longest_alike(nanoseconds);
            assert!(longest >= nanoseconds && longest <= nanoseconds + nanoseconds / HALF as u64);
        }
    }

    #[test]
    fn percentiles_and_steps_are_those_of_what_was_counted() {
        let threads = [Histogram::default(), Histogram::default()];
        (0..99).for_each(|_| threads[0].add(1_000));
        threads[1].add(50_000_000);
        let summary = Summary::of(threads.iter());
        assert_eq!(summary.total, 100);
        assert_eq!(summary.percentile(50.0) / 1000, 1);
        assert_eq!(summary.percentile(99.0) / 1000, 1);
        assert_eq!(summary.percentile(100.0) / 1_000_000, 50);
        assert_eq!(summary.cumulative(), [(1, 99), (67_633, 100)]);
        threads.iter().for_each(Histogram::reset);
        assert_eq!(Summary::of(threads.iter()).total, 0);
        assert!(Summary::of(threads.iter()).cumulative().is_empty());
    }
}
