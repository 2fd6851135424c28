//! What comparing has found, for whoever asks.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::jobs::JobVerify;
use crate::live::marks::Key;
use crate::report::{Difference, DifferenceKind, KeyName, Verified};

/// Differing keys that are known by name; more are only counted.
const NAMED_MAX: usize = 10_000;
/// Names in one sentence.
const EXAMPLES_MAX: usize = 3;

/// Numbers and names, shared by those who compare and those who tell.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    /// Keys compared in the pass that runs, and what there is.
    checked: u64,
    total: u64,
    /// Keys compared in the last complete pass, and the offset at which it began.
    complete: Option<(u64, u64)>,
    repaired: u64,
    moving: u64,
    not_comparable: u64,
    differing: HashMap<Key, (DifferenceKind, String)>,
    /// Differing keys beyond those with names.
    more: u64,
    repairs: Vec<Difference>,
    /// Why the last attempt at a pass was not completed.
    interrupted: Option<String>,
}

impl Tally {
    fn with<R>(&self, work: impl FnOnce(&mut Numbers) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Everything is copied anew: nothing is known.
    pub fn reset(&self) {
        self.with(|numbers| *numbers = Numbers::default());
    }

    /// A pass over about this many keys begins.
    pub fn begin(&self, total: u64) {
        self.with(|numbers| {
            (numbers.checked, numbers.total) = (0, total);
            (numbers.not_comparable, numbers.more) = (0, 0);
        });
    }

    /// The pass that began at this offset is complete.
    pub fn complete(&self, offset: u64, moving: u64) {
        self.with(|numbers| {
            numbers.complete = Some((numbers.checked, offset));
            numbers.moving = moving;
            numbers.interrupted = None;
        });
    }

    /// The pass was not completed.
    pub fn interrupted(&self, why: String) {
        self.with(|numbers| numbers.interrupted = Some(why));
    }

    /// Whether a pass was completed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.with(|numbers| numbers.complete.is_some())
    }

    /// A key is the same on both ends.
    pub fn equal(&self, key: &Key) {
        self.with(|numbers| {
            numbers.checked += 1;
            numbers.differing.remove(key);
        });
    }

    /// A key is on neither end.
    pub fn gone(&self, key: &Key) {
        self.with(|numbers| numbers.differing.remove(key));
    }

    /// Nobody can say whether a key is the same on both ends.
    pub fn not_comparable(&self) {
        self.with(|numbers| numbers.not_comparable += 1);
    }

    /// A key differs although it was written again.
    pub fn differs(&self, key: Key, kind: DifferenceKind, detail: String) {
        self.with(|numbers| {
            numbers.checked += 1;
            if numbers.differing.len() < NAMED_MAX || numbers.differing.contains_key(&key) {
                numbers.differing.insert(key, (kind, detail));
            } else {
                numbers.more += 1;
            }
        });
    }

    /// A key that differed was written again.
    pub fn repaired(&self, key: &Key, kind: DifferenceKind, detail: &str) {
        self.with(|numbers| {
            numbers.repaired += 1;
            if numbers.repairs.len() < Verified::NAMES_MAX {
                numbers.repairs.push(difference(key, kind, detail));
            }
        });
    }

    /// The keys that differ, by name.
    #[must_use]
    pub fn differing(&self) -> Vec<Key> {
        self.with(|numbers| numbers.differing.keys().cloned().collect())
    }

    /// Why what was compared holds a cutover back.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        self.with(|numbers| {
            let mut reasons = Vec::new();
            if numbers.complete.is_none() {
                let (done, all) = (grouped(numbers.checked), grouped(numbers.total));
                reasons.push(format!("not every key has been compared yet ({done} of {all})"));
                reasons.extend(numbers.interrupted.clone());
            }
            let differ = numbers.mismatched();
            if differ > 0 {
                let names = numbers.differing.keys().map(|(_, key)| KeyName(key.clone()));
                let names = names.take(EXAMPLES_MAX).map(|name| format!("\"{name}\""));
                let names = names.collect::<Vec<_>>().join(", ");
                reasons.push(format!(
                    "{} of the keys differ from the source's, such as {names}: does somebody \
                     else write to the target?",
                    grouped(differ)
                ));
            }
            reasons
        })
    }

    /// The numbers for the status.
    #[must_use]
    pub fn status(&self) -> JobVerify {
        let Verified { checked, mismatched, repaired, verified_offset, differences, .. } =
            self.report();
        let differing = differences.iter().map(sentence).collect();
        JobVerify { checked, mismatched, repaired, verified_offset, differing }
    }

    /// Numbers and names for the report.
    #[must_use]
    pub fn report(&self) -> Verified {
        self.with(|numbers| {
            let differing = numbers.differing.iter().take(Verified::NAMES_MAX);
            let named = |(key, (kind, detail)): (&Key, &(DifferenceKind, String))| {
                difference(key, *kind, detail)
            };
            Verified {
                checked: numbers.complete.map_or(numbers.checked, |(checked, _)| checked),
                mismatched: numbers.mismatched(),
                repaired: numbers.repaired,
                moving: numbers.moving,
                not_comparable: numbers.not_comparable,
                verified_offset: numbers.complete.map(|(_, offset)| offset),
                differences: differing.map(named).collect(),
                repairs: numbers.repairs.clone(),
            }
        })
    }
}

impl Numbers {
    fn mismatched(&self) -> u64 {
        self.differing.len() as u64 + self.more
    }
}

fn difference((db, key): &Key, kind: DifferenceKind, detail: &str) -> Difference {
    Difference { db: *db, key: KeyName(key.clone()), kind, detail: detail.to_owned() }
}

/// A difference in words.
fn sentence(difference: &Difference) -> String {
    let Difference { db, key, kind, detail } = difference;
    format!("\"{key}\" in database {db}: {}: {detail}", kind.name())
}

/// A number with a comma between thousands.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cutover_waits_for_a_complete_pass_without_differences() {
        let tally = Tally::default();
        let key = (0, b"k".to_vec());
        tally.begin(1_234_567);
        tally.equal(&(0, b"other".to_vec()));
        let waiting = "not every key has been compared yet (1 of 1,234,567)";
        assert_eq!(tally.reasons(), [waiting]);
        tally.differs(key.clone(), DifferenceKind::Value, String::new());
        tally.complete(77, 0);
        let reasons = tally.reasons();
        assert!(reasons.len() == 1 && reasons[0].starts_with("1 of the keys"), "{reasons:?}");
        assert_eq!(tally.status().verified_offset, Some(77));
        assert_eq!((tally.status().checked, tally.status().mismatched), (2, 1));
        tally.equal(&key);
        assert!(tally.reasons().is_empty());
    }

    #[test]
    fn thousands_are_set_apart() {
        let numbers = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
    }
}
