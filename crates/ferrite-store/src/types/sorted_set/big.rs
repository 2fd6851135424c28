//! The form of a large sorted set, which `OBJECT ENCODING` calls `skiplist`: members by name, and
//! a tree of them in order.

use std::ops::Range;

use super::members::{Handle, Members};
use super::tree::{Key, Tree};

/// Members by name and in order.
#[derive(Clone, Debug)]
pub(super) struct Big {
    members: Members,
    tree: Tree,
}

impl Big {
    pub(super) fn new() -> Self {
        Self { members: Members::new(), tree: Tree::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.members.find(member).map(|handle| self.members.slab().score(handle))
    }

    /// Adds a member or changes its score; returns the score it had.
    pub(super) fn set(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let Some(handle) = self.members.find(member) else {
            let handle = self.members.insert(member, score);
            self.tree.insert(self.members.slab(), handle);
            return None;
        };
        let old = Key { score: self.members.slab().score(handle), member };
        if old.score == score {
            return Some(old.score);
        }
        if self.tree.set_score_in_place(self.members.slab(), old, score) {
            self.members.set_score(handle, score);
        } else {
            self.tree.remove(self.members.slab(), old);
            self.members.set_score(handle, score);
            self.tree.insert(self.members.slab(), handle);
        }
        Some(old.score)
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let handle = self.members.find(member)?;
        let score = self.members.slab().score(handle);
        self.tree.remove(self.members.slab(), Key { score, member });
        self.members.remove(handle);
        Some(score)
    }

    /// Removes the members of some ranks, showing each before it goes.
    pub(super) fn remove_range(&mut self, ranks: Range<usize>, gone: &mut dyn FnMut(&[u8], f64)) {
        for _ in ranks.clone() {
            let Some((score, handle)) = self.tree.at(ranks.start) else { return };
            let member = self.members.slab().member(handle);
            gone(member, score);
            self.tree.remove(self.members.slab(), Key { score, member });
            self.members.remove(handle);
        }
    }

    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.tree.rank(self.members.slab(), Key { score, member }), score))
    }

    /// How many members come first for which `is_before` holds.
    pub(super) fn partition(&self, is_before: &dyn Fn(&[u8], f64) -> bool) -> usize {
        self.tree.partition(|score, handle| is_before(self.members.slab().member(handle), score))
    }

    /// The same for what only the score decides.
    pub(super) fn partition_by_score(&self, is_before: &dyn Fn(f64) -> bool) -> usize {
        self.tree.partition(|score, _| is_before(score))
    }

    pub(super) fn walk(&self, ranks: Range<usize>, found: &mut dyn FnMut(&[u8], f64) -> bool) {
        let slab = self.members.slab();
        let mut in_order = self.tree.range(ranks);
        while in_order.next().is_some_and(|(score, at)| found(slab.member(at), score)) {}
    }

    pub(super) fn walk_back(&self, ranks: Range<usize>, found: &mut dyn FnMut(&[u8], f64) -> bool) {
        let slab = self.members.slab();
        let mut in_order = self.tree.range_back(ranks);
        while in_order.next().is_some_and(|(score, at)| found(slab.member(at), score)) {}
    }

    /// Shows the members of one bucket; returns the next cursor, 0 at the end.
    pub(super) fn scan(&self, cursor: u64, found: &mut dyn FnMut(&[u8], f64)) -> u64 {
        let slab = self.members.slab();
        self.members.scan(cursor, &mut |at: Handle| found(slab.member(at), slab.score(at)))
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.members.memory() + self.tree.memory()
    }
}

/// Members that are loaded: they are put in order when all are there.
#[derive(Debug)]
pub(super) struct Loading {
    big: Big,
    loaded: Vec<Handle>,
}

impl Loading {
    pub(super) fn new() -> Self {
        Self { big: Big::new(), loaded: Vec::new() }
    }

    /// Whether the member was not there yet.
    pub(super) fn add(&mut self, member: &[u8], score: f64) -> bool {
        let members = &mut self.big.members;
        let is_new = members.find(member).is_none();
        if is_new {
            self.loaded.push(members.insert(member, score));
        }
        is_new
    }

    /// Servers store the largest score first; backwards, leaves fill.
    pub(super) fn finish(self) -> Big {
        let Self { mut big, loaded } = self;
        for handle in loaded.into_iter().rev() {
            big.tree.insert(big.members.slab(), handle);
        }
        big
    }
}
