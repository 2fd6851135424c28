//! What becomes of the keys of a comparison: equal, looked at again, written again, reported.
//!
//! ```text
//! look ──► equal
//!  │ ▲
//!  │ └── written to meanwhile: again, up to HOT_LOOKS times, then it counts as moving
//!  └───► differs twice ──► read from the source again ──► differs twice ──► mismatched
//! ```
//!
//! A first difference proves little: a key that expires is deleted on the source a moment after
//! it was found missing there, and a command that the target refused is made good right after.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::looker::Looker;
use super::tally::Tally;
use crate::error::MigrateError;
use crate::live::apply::Request;
use crate::live::marks::Key;
use crate::report::{DifferenceKind, KeyName};
use crate::verify::Verdict;

/// Keys compared together.
pub const BATCH_KEYS: usize = 100;
/// Keys compared together when they are looked at again: fewer take less time, in which fewer are
/// written to.
const AGAIN_KEYS: usize = 20;
/// Keys that wait for another look before the pass goes on.
pub const SUSPECTS_MAX: usize = 1000;
/// Looks at a key that is written to each time.
const HOT_LOOKS: u32 = 8;
/// Differing looks in a row that count.
const DIFFERENT_LOOKS: u32 = 2;
/// Looks at one key in all.
const LOOKS_MAX: u32 = 30;
/// Keys that are written to all the time, by name.
const MOVING_MAX: usize = 10_000;
/// Rounds of writing keys again at the cutover.
const LAST_ROUNDS: u32 = 3;
/// How long writing keys again may take.
const REPAIR_MAX: Duration = Duration::from_secs(10);
/// Names in one sentence.
const EXAMPLES_MAX: usize = 3;

/// A key that has to be looked at again.
#[derive(Clone, Debug)]
struct Suspect {
    key: Key,
    looks: u32,
    touched: u32,
    differed: u32,
    is_repaired: bool,
}

impl Suspect {
    fn new(key: Key) -> Self {
        Self { key, looks: 0, touched: 0, differed: 0, is_repaired: false }
    }
}

/// A difference that is to be made good.
type Repair = (Suspect, DifferenceKind, String);

/// Compares, and keeps what is not decided.
pub struct Work {
    looker: Looker,
    suspects: Vec<Suspect>,
    /// Keys written to each time they were looked at.
    moving: HashSet<Key>,
    /// Of those, how many are not known by name.
    more_moving: u64,
}

impl Work {
    /// Nothing to do yet.
    #[must_use]
    pub fn new(looker: Looker) -> Self {
        Self { looker, suspects: Vec::new(), moving: HashSet::new(), more_moving: 0 }
    }

    /// A pass begins.
    pub fn begin(&mut self) {
        self.more_moving = 0;
    }

    /// Has the keys looked at again that were written to all the time.
    pub fn suspect_moving(&mut self) {
        self.suspects.extend(self.moving.drain().map(Suspect::new));
    }

    /// Keys that were written to each time they were looked at.
    #[must_use]
    pub fn moving(&self) -> u64 {
        self.moving.len() as u64 + self.more_moving
    }

    /// Keys that have to be looked at again.
    #[must_use]
    pub fn suspects(&self) -> usize {
        self.suspects.len()
    }

    /// Has keys looked at again.
    pub fn suspect(&mut self, keys: Vec<Key>) {
        self.suspects.extend(keys.into_iter().map(Suspect::new));
    }

    /// Compares keys of one database.
    ///
    /// # Errors
    /// An end that cannot be read.
    pub async fn check(
        &mut self,
        db: u32,
        keys: &[&[u8]],
        tally: &Tally,
    ) -> Result<(), MigrateError> {
        let suspects = keys.iter().map(|key| Suspect::new((db, key.to_vec()))).collect();
        let repairs = self.look(suspects, tally).await?;
        debug_assert!(repairs.is_empty(), "one look decides nothing");
        Ok(())
    }

    /// Looks at what is undecided, and writes again what differs.
    ///
    /// # Errors
    /// An end that cannot be read.
    pub async fn look_again(
        &mut self,
        tally: &Tally,
        requests: &mpsc::Sender<Request>,
    ) -> Result<(), MigrateError> {
        let mut suspects = std::mem::take(&mut self.suspects);
        suspects.sort_unstable_by_key(|suspect| suspect.key.0);
        let looked = self.look_through(&suspects, tally, requests).await;
        if looked.is_err() {
            self.suspects = suspects;
        }
        looked
    }

    async fn look_through(
        &mut self,
        suspects: &[Suspect],
        tally: &Tally,
        requests: &mpsc::Sender<Request>,
    ) -> Result<(), MigrateError> {
        for group in suspects.chunk_by(|one, other| one.key.0 == other.key.0) {
            for some in group.chunks(AGAIN_KEYS) {
                let repairs = self.look(some.to_vec(), tally).await?;
                self.repair(repairs, tally, requests).await;
            }
        }
        Ok(())
    }

    /// Looks at keys of one database; gives those that are to be written again.
    async fn look(
        &mut self,
        mut suspects: Vec<Suspect>,
        tally: &Tally,
    ) -> Result<Vec<Repair>, MigrateError> {
        suspects.retain(|suspect| !self.looker.is_unreadable(&suspect.key));
        let Some(db) = suspects.first().map(|suspect| suspect.key.0) else { return Ok(Vec::new()) };
        let keys: Vec<&[u8]> = suspects.iter().map(|suspect| suspect.key.1.as_slice()).collect();
        let verdicts = self.looker.look(db, &keys).await?;
        let decided = suspects.into_iter().zip(verdicts);
        Ok(decided.filter_map(|(suspect, verdict)| self.decide(suspect, verdict, tally)).collect())
    }

    fn decide(
        &mut self,
        mut suspect: Suspect,
        verdict: Option<Verdict>,
        tally: &Tally,
    ) -> Option<Repair> {
        suspect.looks += 1;
        match verdict {
            None => {
                suspect.touched += 1;
                if suspect.touched < HOT_LOOKS {
                    self.suspects.push(suspect);
                } else if self.moving.len() < MOVING_MAX {
                    self.moving.insert(suspect.key);
                } else {
                    self.more_moving += 1;
                }
            }
            Some(Verdict::Equal) => {
                self.moving.remove(&suspect.key);
                tally.equal(&suspect.key);
            }
            Some(Verdict::Gone | Verdict::Filtered) => {
                self.moving.remove(&suspect.key);
                tally.gone(&suspect.key);
            }
            Some(Verdict::NotComparable) => tally.not_comparable(),
            Some(Verdict::Differs(kind, detail)) => {
                suspect.differed += 1;
                let is_certain = suspect.differed >= DIFFERENT_LOOKS;
                if is_certain && (suspect.is_repaired || suspect.looks > LOOKS_MAX) {
                    tally.differs(suspect.key, kind, detail);
                } else if is_certain {
                    return Some((suspect, kind, detail));
                } else {
                    self.suspects.push(suspect);
                }
            }
        }
        None
    }

    /// Writes keys again; they are looked at again afterwards.
    async fn repair(
        &mut self,
        repairs: Vec<Repair>,
        tally: &Tally,
        requests: &mpsc::Sender<Request>,
    ) {
        let keys = repairs.iter().map(|(suspect, ..)| suspect.key.clone()).collect();
        let is_written = refetch(keys, requests).await;
        for (mut suspect, kind, detail) in repairs {
            if is_written {
                tally.repaired(&suspect.key, kind, &detail);
                suspect.is_repaired = true;
                suspect.differed = 0;
            }
            self.suspects.push(suspect);
        }
    }

    /// Looks at what is undecided by nature, and writes again what differs.
    ///
    /// # Errors
    /// An end that cannot be read.
    pub async fn look_ahead(
        &mut self,
        tally: &Tally,
        requests: &mpsc::Sender<Request>,
    ) -> Result<(), MigrateError> {
        let keys = self.looker.groups.iter().cloned().collect();
        self.suspect(keys);
        // What still differs after that many looks has been written again.
        for _ in 0..DIFFERENT_LOOKS {
            self.look_again(tally, requests).await?;
        }
        Ok(())
    }

    /// Compares, while nothing is written, what is undecided by nature: keys that are written to
    /// all the time, and streams with groups. What differs is written again.
    ///
    /// # Errors
    /// What differs still, in words.
    pub async fn last_look(
        &mut self,
        tally: &Tally,
        requests: &mpsc::Sender<Request>,
    ) -> Result<(), String> {
        let mut keys: HashSet<Key> = self.looker.groups.clone();
        keys.extend(self.moving.iter().cloned());
        keys.extend(self.suspects.drain(..).map(|suspect| suspect.key));
        keys.extend(tally.differing());
        let mut keys: Vec<Key> = keys.into_iter().collect();
        for _ in 0..LAST_ROUNDS {
            keys = self.differing(keys, tally).await.map_err(|error| error.to_string())?;
            if keys.is_empty() {
                return Ok(());
            }
            tracing::debug!(keys = keys.len(), "writing keys again under the fence");
            for some in keys.chunks(BATCH_KEYS) {
                refetch(some.to_vec(), requests).await;
            }
        }
        keys = self.differing(keys, tally).await.map_err(|error| error.to_string())?;
        let names = keys.iter().take(EXAMPLES_MAX);
        let names = names.map(|(_, key)| format!("\"{}\"", KeyName(key.clone())));
        match keys.len() {
            0 => Ok(()),
            count => Err(format!(
                "{count} of the keys still differ, such as {}",
                names.collect::<Vec<_>>().join(", ")
            )),
        }
    }

    /// Those of the keys that are not equal now.
    async fn differing(
        &mut self,
        mut keys: Vec<Key>,
        tally: &Tally,
    ) -> Result<Vec<Key>, MigrateError> {
        let mut differing = Vec::new();
        keys.sort_unstable();
        for group in keys.chunk_by(|(one, _), (other, _)| one == other) {
            for some in group.chunks(BATCH_KEYS) {
                let db = some.first().map_or(0, |(db, _)| *db);
                let names: Vec<&[u8]> = some.iter().map(|(_, key)| key.as_slice()).collect();
                let verdicts = self.looker.look(db, &names).await?;
                for (key, verdict) in some.iter().zip(verdicts) {
                    match verdict {
                        None => differing.push(key.clone()),
                        Some(Verdict::Differs(kind, detail)) => {
                            tracing::debug!(db, key = %KeyName(key.1.clone()), ?kind, detail, "differs");
                            differing.push(key.clone());
                        }
                        Some(_) => tally.gone(key),
                    }
                }
            }
        }
        Ok(differing)
    }
}

/// Has the applier read keys again; whether it did.
async fn refetch(keys: Vec<Key>, requests: &mpsc::Sender<Request>) -> bool {
    if keys.is_empty() {
        return true;
    }
    let (done, is_done) = oneshot::channel();
    let asked = async {
        requests.send(Request::Refetch(keys, done)).await.is_ok() && is_done.await.is_ok()
    };
    timeout(REPAIR_MAX, asked).await.unwrap_or(false)
}
