//! How long things take: events that took longer than `latency-monitor-threshold`, and how long
//! each command has taken.

mod histogram;
mod report;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;

pub use histogram::{Histogram, Summary};
pub use report::{doctor, graph};

/// How many moments are remembered of an event, as in Redis.
const SAMPLES: usize = 160;

/// The longest an event took within one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When, Unix seconds.
    pub at: i64,
    /// How long, in milliseconds.
    pub milliseconds: u64,
}

/// Something that took long, more than once perhaps.
#[derive(Debug, Clone, Default)]
pub struct Event {
    /// The last moments, the oldest first.
    pub samples: VecDeque<Sample>,
    /// The longest of all, in milliseconds.
    pub longest: u64,
}

impl Event {
    fn add(&mut self, sample: Sample) {
        self.longest = self.longest.max(sample.milliseconds);
        match self.samples.back_mut() {
            Some(last) if last.at == sample.at => {
                last.milliseconds = last.milliseconds.max(sample.milliseconds);
            }
            _ => {
                self.samples.push_back(sample);
                if self.samples.len() > SAMPLES {
                    self.samples.pop_front();
                }
            }
        }
    }
}

/// All events by name.
#[derive(Debug, Default)]
pub struct Latency {
    events: Mutex<BTreeMap<&'static str, Event>>,
}

impl Latency {
    /// Remembers an event, if it took at least `threshold` milliseconds; 0: none is remembered.
    pub fn note(&self, threshold: i64, now: i64, event: &'static str, took: Duration) {
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if threshold <= 0 || milliseconds < threshold.unsigned_abs() {
            return;
        }
        let sample = Sample { at: now / 1000, milliseconds };
        self.events.lock().entry(event).or_default().add(sample);
    }

    /// All events.
    pub fn events(&self) -> BTreeMap<&'static str, Event> {
        self.events.lock().clone()
    }

    /// One of them.
    pub fn event(&self, name: &[u8]) -> Option<Event> {
        let name = std::str::from_utf8(name).ok()?;
        self.events.lock().get(name).cloned()
    }

    /// Forgets the named events, or all; how many there were.
    pub fn reset(&self, names: &[&[u8]]) -> usize {
        let mut events = self.events.lock();
        let before = events.len();
        events.retain(|name, _| {
            !names.is_empty() && !names.iter().any(|one| one.eq_ignore_ascii_case(name.as_bytes()))
        });
        before - events.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_remembered_once_a_second_by_its_longest() {
        let latency = Latency::default();
        let note = |now, took| latency.note(10, now, "command", Duration::from_millis(took));
        for (now, took) in [(1000, 9), (1000, 20), (1500, 30), (1900, 10), (2000, 11)] {
            note(now, took);
        }
        let event = latency.event(b"command").unwrap();
        let seen: Vec<_> = event.samples.iter().map(|one| (one.at, one.milliseconds)).collect();
        assert_eq!(seen, [(1, 30), (2, 11)]);
        assert_eq!(event.longest, 30);
        (0..500).for_each(|second| note(second * 1000, 10));
        assert_eq!(latency.event(b"command").unwrap().samples.len(), SAMPLES);
        latency.note(0, 1, "other", Duration::from_secs(1));
        assert_eq!(latency.reset(&[b"other"]), 0);
        assert_eq!(latency.reset(&[b"COMMAND"]), 1);
        assert!(latency.events().is_empty());
    }
}
