//! What the writers of a load and its owner share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::feature::Feature;
use super::pace::Pace;
use super::stalls::Stalls;
use crate::client::Connector;

/// Different error texts that are counted; the rest is counted together.
const MAX_TEXTS: usize = 500;
/// What the rest is counted as.
const OTHERS: &str = "other errors";

/// What was asked for.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub writers: usize,
    pub seed: u64,
    pub rate: Option<u64>,
    pub keys: u64,
    pub databases: Vec<u32>,
    pub pipeline: usize,
    pub features: BTreeSet<Feature>,
}

/// What went otherwise than planned, so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Operations answered with an error about them.
    pub failed: u64,
    /// Operations the server took not at all.
    pub refused: u64,
    /// Operations without an answer.
    pub uncertain: u64,
    /// All errors, those of connections too.
    pub errors: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts an error, by its text without what is in quotes: names of keys, most often.
    pub(super) fn error(&mut self, text: &str) {
        let text = without_quoted(text);
        let known = self.errors.len() < MAX_TEXTS || self.errors.contains_key(&text);
        let text = if known { text } else { OTHERS.to_owned() };
        *self.errors.entry(text).or_default() += 1;
    }
}

fn without_quoted(text: &str) -> String {
    let parts = text.split('\'').enumerate();
    let kept: Vec<&str> =
        parts.map(|(place, part)| if place % 2 == 0 { part } else { "…" }).collect();
    kept.join("'")
}

/// One load.
#[derive(Debug)]
pub(super) struct Shared {
    pub settings: Settings,
    pub stalls: Stalls,
    pub pace: Option<Pace>,
    pub operations: AtomicU64,
    /// Writers that have not ended.
    pub running: AtomicUsize,
    stop: AtomicBool,
    place: Mutex<Connector>,
    /// How often the place has changed.
    moves: AtomicU64,
    /// The moves each writer has made.
    moved: Vec<AtomicU64>,
    tally: Mutex<Tally>,
}

impl Shared {
    pub(super) fn new(settings: Settings, connector: Connector) -> Shared {
        let writers = settings.writers;
        Shared {
            stalls: Stalls::new(writers),
            pace: settings.rate.map(Pace::new),
            operations: AtomicU64::new(0),
            running: AtomicUsize::new(writers),
            stop: AtomicBool::new(false),
            place: Mutex::new(connector),
            moves: AtomicU64::new(0),
            moved: (0..writers).map(|_| AtomicU64::new(0)).collect(),
            tally: Mutex::new(Tally::default()),
            settings,
        }
    }

    /// Tells all writers to end.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Sends all writers elsewhere.
    pub(super) fn switch_to(&self, connector: Connector) {
        let mut place = lock(&self.place);
        *place = connector;
        self.moves.fetch_add(1, Ordering::SeqCst);
    }

    /// Where to connect, and the number of the move that led there.
    pub(super) fn place(&self) -> (Connector, u64) {
        let place = lock(&self.place);
        (place.clone(), self.moves())
    }

    /// The number of the last move.
    pub(super) fn moves(&self) -> u64 {
        self.moves.load(Ordering::SeqCst)
    }

    /// A writer has made a move.
    pub(super) fn arrived(&self, writer: usize, number: u64) {
        if let Some(moved) = self.moved.get(writer) {
            moved.store(number, Ordering::SeqCst);
        }
    }

    /// Whether all writers have made the last move.
    pub(super) fn all_arrived(&self) -> bool {
        let last = self.moves();
        self.moved.iter().all(|moved| moved.load(Ordering::SeqCst) == last)
    }

    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_by_what_they_say_and_not_about_which_key() {
        let mut tally = Tally::default();
        for number in 0..2 * MAX_TEXTS {
            tally.error(&format!("NOGROUP No group 'first' for key name 'stream:{number}'"));
        }
        let text = "NOGROUP No group '…' for key name '…'".to_owned();
        assert_eq!(tally.errors, BTreeMap::from([(text, 2 * MAX_TEXTS as u64)]));
        (0..2 * MAX_TEXTS).for_each(|number| tally.error(&format!("ERR number {number}")));
        assert_eq!(tally.errors.len(), MAX_TEXTS + 1);
    }
}
