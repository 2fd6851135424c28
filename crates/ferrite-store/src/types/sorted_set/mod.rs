//! Sorted sets: unique members, each with a score, in the order of scores and then of bytes.
//!
//! Small ones are a listpack ([`packed`]), large ones a hash table and a tree over one store of
//! members ([`big`]). Ranks count from 0; ranges of ranks are half open. What a caller looks for
//! by score or name is turned into ranks first (see [`ScoreRange`], [`LexRange`]).

mod big;
mod members;
mod packed;
mod range;
mod rdb;
#[cfg(test)]
mod tests;
mod tree;

use std::ops::Range;

use big::Big;
use packed::Packed;
pub use range::{LexBound, LexRange, ScoreBound, ScoreRange, mirrored};
pub use rdb::SortedSetLoader;

use super::limits::Limits;

/// A listpack must not grow beyond this many bytes.
const MAX_LISTPACK_BYTES: usize = 1 << 30;

/// Which end a walk begins at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The smallest score first.
    Ascending,
    /// The largest score first.
    Descending,
}

/// A sorted set. Scores are never NaN: callers see to that.
#[derive(Clone, Debug)]
pub struct SortedSet {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Packed(Packed),
    Big(Box<Big>),
}

impl Default for SortedSet {
    fn default() -> Self {
        Self::new()
    }
}

impl SortedSet {
    /// An empty set, packed.
    #[must_use]
    pub fn new() -> Self {
        Self { form: Form::Packed(Packed::new()) }
    }

    /// An empty set about to take that many members, the longest of that many bytes.
    #[must_use]
    pub fn sized(members: usize, longest: usize, limits: &Limits) -> Self {
        let is_small = members <= limits.zset_max_listpack_entries
            && longest <= limits.zset_max_listpack_value;
        if is_small { Self::new() } else { Self { form: Form::Big(Box::new(Big::new())) } }
    }

    /// The encoding, as `OBJECT ENCODING` names it.
    #[must_use]
    pub fn encoding_name(&self) -> &'static str {
        match &self.form {
            Form::Packed(_) => "listpack",
            Form::Big(_) => "skiplist",
        }
    }

    /// Whether it is small and kept in one blob.
    #[must_use]
    pub fn is_packed(&self) -> bool {
        matches!(self.form, Form::Packed(_))
    }

    /// How many members it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.len(),
            Form::Big(big) => big.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of heap it holds.
    #[must_use]
    pub fn memory(&self) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.listpack().memory(),
            Form::Big(big) => big.memory(),
        }
    }

    /// A member's score.
    #[must_use]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.form {
            Form::Packed(packed) => packed.score(member),
            Form::Big(big) => big.score(member),
        }
    }

    /// Adds a member or changes its score; returns the score it had.
    pub fn set(&mut self, member: &[u8], score: f64, limits: &Limits) -> Option<f64> {
        if let Form::Packed(packed) = &mut self.form {
            let fits = packed.len() < limits.zset_max_listpack_entries
                && member.len() <= limits.zset_max_listpack_value
                && packed.listpack().byte_len() + member.len() < MAX_LISTPACK_BYTES;
            if fits || packed.score(member).is_some() {
                return packed.set(member, score);
            }
            self.unpack();
        }
        match &mut self.form {
            Form::Packed(packed) => packed.set(member, score),
            Form::Big(big) => big.set(member, score),
        }
    }

    /// Makes a packed set large that is about to take that many members, or one of that many
    /// bytes.
    pub fn grow_for(&mut self, members: usize, longest: usize, limits: &Limits) {
        let is_large =
            members > limits.zset_max_listpack_entries || longest > limits.zset_max_listpack_value;
        if is_large && matches!(self.form, Form::Packed(_)) {
            self.unpack();
        }
    }

    /// Turns a packed set into a large one.
    fn unpack(&mut self) {
        let mut big = Big::new();
        self.walk(0..self.len(), Direction::Ascending, &mut |member, score| {
            big.set(member, score);
            true
        });
        self.form = Form::Big(Box::new(big));
    }

    /// Packs a large set that is small enough, as servers do with results and with values that
    /// were loaded.
    pub fn pack_if_small(&mut self, limits: &Limits) {
        let Form::Big(big) = &self.form else { return };
        if big.len() > limits.zset_max_listpack_entries {
            return;
        }
        let mut packed = Packed::new();
        let mut fits = true;
        big.walk(0..big.len(), &mut |member, score| {
            fits = member.len() <= limits.zset_max_listpack_value
                && packed.listpack().byte_len() + member.len() < MAX_LISTPACK_BYTES;
            if fits {
                packed.insert(member, score);
            }
            fits
        });
        if fits {
            self.form = Form::Packed(packed);
        }
    }

    /// Removes a member; returns the score it had.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.form {
            Form::Packed(packed) => packed.remove(member),
            Form::Big(big) => big.remove(member),
        }
    }

    /// Removes the members of some ranks, showing each before it goes, in ascending order.
    pub fn remove_range(&mut self, ranks: Range<usize>, gone: &mut dyn FnMut(&[u8], f64)) {
        let ranks = self.within(&ranks);
        match &mut self.form {
            Form::Packed(packed) => packed.remove_range(ranks, gone),
            Form::Big(big) => big.remove_range(ranks, gone),
        }
    }

    /// A member's rank and score.
    #[must_use]
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match &self.form {
            Form::Packed(packed) => packed.rank(member),
            Form::Big(big) => big.rank(member),
        }
    }

    /// How many members come first for which `is_before` holds; it must hold for none behind the
    /// first for which it does not.
    #[must_use]
    pub fn partition(&self, is_before: &dyn Fn(&[u8], f64) -> bool) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.partition(is_before),
            Form::Big(big) => big.partition(is_before),
        }
    }

    /// The same for what only the score decides.
    #[must_use]
    pub fn partition_by_score(&self, is_before: &dyn Fn(f64) -> bool) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.partition(&|_, score| is_before(score)),
            Form::Big(big) => big.partition_by_score(is_before),
        }
    }

    /// Shows the members of some ranks in one direction, until `found` says false.
    pub fn walk(
        &self,
        ranks: Range<usize>,
        direction: Direction,
        found: &mut dyn FnMut(&[u8], f64) -> bool,
    ) {
        let ranks = self.within(&ranks);
        match (&self.form, direction) {
            (Form::Packed(packed), Direction::Ascending) => packed.walk(ranks, found),
            (Form::Packed(packed), Direction::Descending) => packed.walk_back(ranks, found),
            (Form::Big(big), Direction::Ascending) => big.walk(ranks, found),
            (Form::Big(big), Direction::Descending) => big.walk_back(ranks, found),
        }
    }

    /// Shows the member of a rank; whether there is one.
    pub fn at(&self, rank: usize, found: &mut dyn FnMut(&[u8], f64)) -> bool {
        let mut is_there = false;
        self.walk(rank..rank.saturating_add(1), Direction::Ascending, &mut |member, score| {
            found(member, score);
            is_there = true;
            true
        });
        is_there
    }

    /// Shows some members, and returns the cursor to go on with: 0 at the end. A member that is
    /// there from the first call to the last is shown at least once. A small set is shown whole.
    pub fn scan(&self, cursor: u64, found: &mut dyn FnMut(&[u8], f64)) -> u64 {
        match &self.form {
            Form::Packed(packed) => {
                packed.walk(0..packed.len(), &mut |member, score| {
                    found(member, score);
                    true
                });
                0
            }
            Form::Big(big) => big.scan(cursor, found),
        }
    }

    fn within(&self, ranks: &Range<usize>) -> Range<usize> {
        let end = ranks.end.min(self.len());
        ranks.start.min(end)..end
    }
}
