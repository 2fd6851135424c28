//! What is known about single keys: which are newer on the target than the stream, and which have
//! to be read again.
//!
//! A key that was read from the source at offset *F* holds everything up to *F*: commands of the
//! stream up to *F* must leave it alone. *F* is its fence. A key whose next value cannot be made
//! by a command is dirty: it is read again, and until then commands leave it alone too, because
//! whatever they do is part of what will be read.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::verify::Watched;

/// Fences that are remembered: some 50 MB with names of 50 bytes.
const FENCES_MAX: usize = 200_000;

/// A key of the source: its database and name.
pub type Key = (u32, Vec<u8>);

/// What is known about one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It has to be read again.
    Dirty,
    /// The target holds it as it was at this offset.
    Fence(u64),
}

/// The marked keys.
#[derive(Debug, Default)]
pub struct Marks {
    dbs: HashMap<u32, HashMap<Vec<u8>, Mark>>,
    dirty: VecDeque<Key>,
    fences: VecDeque<(u64, Key)>,
    len: usize,
    highest: u64,
    /// The keys that are being compared, for which every change matters.
    pub watched: Arc<Watched>,
}

impl Marks {
    /// No marks, for keys some of which may be watched.
    #[must_use]
    pub fn new(watched: &Arc<Watched>) -> Self {
        Self { watched: Arc::clone(watched), ..Self::default() }
    }

    /// Whether no key is marked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether there are more fences than should be remembered. They may be forgotten when all
    /// commands up to the [`highest`](Self::highest) are taken for such that may have been seen.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.fences.len() > FENCES_MAX && self.dirty.is_empty()
    }

    /// Keys that have to be read again.
    #[must_use]
    pub fn dirty(&self) -> usize {
        self.dirty.len()
    }

    /// The highest fence there has ever been.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// What is known about a key.
    #[must_use]
    pub fn get(&self, db: u32, key: &[u8]) -> Option<Mark> {
        self.dbs.get(&db)?.get(key).copied()
    }

    /// Whether a command at `offset` leaves the key alone.
    #[must_use]
    pub fn is_ahead(&self, db: u32, key: &[u8], offset: u64) -> bool {
        match self.get(db, key) {
            None => false,
            Some(Mark::Dirty) => true,
            Some(Mark::Fence(fence)) => fence >= offset,
        }
    }

    /// Has a key read again.
    pub fn mark_dirty(&mut self, db: u32, key: &[u8]) {
        let keys = self.dbs.entry(db).or_default();
        match keys.get_mut(key) {
            Some(Mark::Dirty) => return,
            Some(mark) => *mark = Mark::Dirty,
            None => {
                keys.insert(key.to_vec(), Mark::Dirty);
                self.len += 1;
            }
        }
        self.dirty.push_back((db, key.to_vec()));
    }

    /// Takes at most `count` dirty keys of one database; each must be given a fence afterwards.
    pub fn take_dirty(&mut self, count: usize) -> Vec<Key> {
        let Some(db) = self.dirty.front().map(|(db, _)| *db) else { return Vec::new() };
        let together = self.dirty.iter().take(count).take_while(|(other, _)| *other == db).count();
        self.dirty.drain(..together).collect()
    }

    /// The keys that have to be read again.
    pub fn dirty_keys(&self) -> impl Iterator<Item = Key> {
        self.dirty.iter().cloned()
    }

    /// The target will hold the key as it was at `offset`.
    pub fn fence(&mut self, db: u32, key: Vec<u8>, offset: u64) {
        self.highest = self.highest.max(offset);
        self.watched.touch(db, &key, offset);
        let keys = self.dbs.entry(db).or_default();
        if keys.insert(key.clone(), Mark::Fence(offset)).is_none() {
            self.len += 1;
        }
        self.fences.push_back((offset, (db, key)));
    }

    /// Forgets the fences the stream has come to.
    pub fn passed(&mut self, offset: u64) {
        while self.fences.front().is_some_and(|(fence, _)| *fence <= offset) {
            let Some((fence, (db, key))) = self.fences.pop_front() else { return };
            if self.get(db, &key) == Some(Mark::Fence(fence)) {
                self.remove(db, &key);
            }
        }
    }

    fn remove(&mut self, db: u32, key: &[u8]) {
        if self.dbs.get_mut(&db).is_some_and(|keys| keys.remove(key).is_some()) {
            self.len -= 1;
        }
    }

    /// The marked keys of a database, or of all.
    #[must_use]
    pub fn keys(&self, only: Option<u32>) -> Vec<Key> {
        let dbs = self.dbs.iter().filter(|(db, _)| only.is_none_or(|only| only == **db));
        dbs.flat_map(|(db, keys)| keys.keys().map(|key| (*db, key.clone()))).collect()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        let (highest, watched) = (self.highest, Arc::clone(&self.watched));
        *self = Self { highest, watched, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_holds_until_the_stream_has_come_to_it() {
        let mut marks = Marks::default();
        marks.mark_dirty(1, b"k");
        assert!(marks.is_ahead(1, b"k", u64::MAX) && !marks.is_ahead(0, b"k", 1));
        assert_eq!(marks.take_dirty(9), [(1, b"k".to_vec())]);
        marks.fence(1, b"k".to_vec(), 100);
        assert!(marks.is_ahead(1, b"k", 100) && !marks.is_ahead(1, b"k", 101));
        marks.passed(99);
        assert!(!marks.is_empty());
        marks.passed(100);
        assert!(marks.is_empty());
        assert_eq!(marks.highest(), 100);
    }

    #[test]
    fn a_key_made_dirty_again_stays_so_when_its_old_fence_is_passed() {
        let mut marks = Marks::default();
        marks.fence(0, b"k".to_vec(), 10);
        marks.mark_dirty(0, b"k");
        marks.mark_dirty(0, b"k");
        assert_eq!(marks.dirty(), 1);
        marks.passed(10);
        assert_eq!(marks.get(0, b"k"), Some(Mark::Dirty));
    }

    #[test]
    fn dirty_keys_are_taken_one_database_at_a_time() {
        let mut marks = Marks::default();
        for (db, key) in [(0, b"a"), (0, b"b"), (1, b"c"), (0, b"d")] {
            marks.mark_dirty(db, key);
        }
        let taken: Vec<usize> = (0..4).map(|_| marks.take_dirty(10).len()).collect();
        assert_eq!(taken, [2, 1, 1, 0]);
    }
}
