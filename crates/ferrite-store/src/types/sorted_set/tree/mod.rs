//! The order of a large sorted set: a B+tree whose inner nodes count what is below them, so that
//! ranks are found, and members by rank, in as many steps as the tree is high.
//!
//! ```text
//! inner   up to 64 × (child, members below it, its first member's score and handle)
//! leaf    up to 64 scores | as many handles | the leaves before and behind it
//! ```
//!
//! The tree holds handles alone; bytes are compared where scores are equal. What an inner node says
//! of a child's first member is exact at all times, so no handle in it is ever stale.

mod change;
mod node;

use std::ops::Range;

use node::{Inner, Leaf, NONE};

pub(super) use node::Key;

use super::members::{Handle, Slab};

/// Members in order.
#[derive(Clone, Debug)]
#[expect(clippy::vec_box, reason = "a vector that grows moves pointers, not nodes")]
pub(super) struct Tree {
    leaves: Vec<Box<Leaf>>,
    inners: Vec<Box<Inner>>,
    free_leaves: Vec<u32>,
    free_inners: Vec<u32>,
    root: u32,
    /// Inner nodes between root and leaves; 0 when the root is a leaf.
    height: u32,
    len: usize,
}

/// A place in the tree: a leaf, and a member of it.
#[derive(Clone, Copy, Debug)]
struct Position {
    leaf: u32,
    slot: usize,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self {
            leaves: vec![Box::new(Leaf::new())],
            inners: Vec::new(),
            free_leaves: Vec::new(),
            free_inners: Vec::new(),
            root: 0,
            height: 0,
            len: 0,
        }
    }

    fn leaf(&self, node: u32) -> &Leaf {
        &self.leaves[node as usize]
    }

    fn inner(&self, node: u32) -> &Inner {
        &self.inners[node as usize]
    }

    /// How many members come first for which `is_before` holds; it holds for none behind the
    /// first for which it does not.
    pub(super) fn partition(&self, is_before: impl Fn(f64, Handle) -> bool) -> usize {
        let (mut node, mut rank) = (self.root, 0);
        for _ in 0..self.height {
            let inner = self.inner(node);
            let at = inner.descend(&is_before);
            rank += inner.children[..at].iter().map(|child| child.count as usize).sum::<usize>();
            node = inner.children[at].node;
        }
        rank + self.leaf(node).partition(&is_before)
    }

    /// How many members come before this one.
    pub(super) fn rank(&self, slab: &Slab, key: Key<'_>) -> usize {
        self.partition(|score, handle| key.compare(slab, score, handle).is_lt())
    }

    /// The place of a rank below the number of members.
    fn position(&self, mut rank: usize) -> Position {
        let mut node = self.root;
        for _ in 0..self.height {
            let inner = self.inner(node);
            let mut at = 0;
            while at + 1 < inner.len && rank >= inner.children[at].count as usize {
                rank -= inner.children[at].count as usize;
                at += 1;
            }
            node = inner.children[at].node;
        }
        Position { leaf: node, slot: rank }
    }

    /// The member of a rank.
    pub(super) fn at(&self, rank: usize) -> Option<(f64, Handle)> {
        let Position { leaf, slot } = (rank < self.len).then(|| self.position(rank))?;
        let leaf = self.leaf(leaf);
        Some((leaf.scores[slot], leaf.handles[slot]))
    }

    /// The members of some ranks, in order.
    pub(super) fn range(&self, ranks: Range<usize>) -> impl Iterator<Item = (f64, Handle)> + '_ {
        let end = ranks.end.min(self.len);
        let mut left = end.saturating_sub(ranks.start);
        let mut at = (left > 0).then(|| self.position(ranks.start));
        std::iter::from_fn(move || {
            let position = at.filter(|_| left > 0)?;
            left -= 1;
            let leaf = self.leaf(position.leaf);
            let found = (leaf.scores[position.slot], leaf.handles[position.slot]);
            at = if position.slot + 1 < leaf.len {
                Some(Position { slot: position.slot + 1, ..position })
            } else {
                (leaf.next != NONE).then_some(Position { leaf: leaf.next, slot: 0 })
            };
            Some(found)
        })
    }

    /// The members of some ranks, the last first.
    pub(super) fn range_back(
        &self,
        ranks: Range<usize>,
    ) -> impl Iterator<Item = (f64, Handle)> + '_ {
        let end = ranks.end.min(self.len);
        let mut left = end.saturating_sub(ranks.start);
        let mut at = (left > 0).then(|| self.position(end - 1));
        std::iter::from_fn(move || {
            let position = at.filter(|_| left > 0)?;
            left -= 1;
            let leaf = self.leaf(position.leaf);
            let found = (leaf.scores[position.slot], leaf.handles[position.slot]);
            at = match position.slot.checked_sub(1) {
                Some(slot) => Some(Position { slot, ..position }),
                None if leaf.previous == NONE => None,
                None => {
                    let slot = self.leaf(leaf.previous).len.saturating_sub(1);
                    Some(Position { leaf: leaf.previous, slot })
                }
            };
            Some(found)
        })
    }

    pub(super) fn memory(&self) -> usize {
        (self.leaves.len() - self.free_leaves.len()) * size_of::<Leaf>()
            + (self.inners.len() - self.free_inners.len()) * size_of::<Inner>()
            + (self.leaves.capacity() + self.inners.capacity()) * size_of::<usize>()
    }
}

#[cfg(test)]
mod tests;
