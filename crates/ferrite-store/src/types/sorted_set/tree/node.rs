//! The nodes of the tree: leaves of members in order, inner nodes of children in order.

use std::cmp::Ordering;

use crate::types::sorted_set::members::{Handle, Slab};

/// Members of a leaf, children of an inner node.
pub(super) const CAPACITY: usize = 64;
/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// Where a member stands: its score, then its bytes.
#[derive(Clone, Copy, Debug)]
pub(in crate::types::sorted_set) struct Key<'a> {
    pub(in crate::types::sorted_set) score: f64,
    pub(in crate::types::sorted_set) member: &'a [u8],
}

impl Key<'_> {
    /// How a stored member compares to this.
    #[inline]
    pub(in crate::types::sorted_set) fn compare(
        &self,
        slab: &Slab,
        score: f64,
        handle: Handle,
    ) -> Ordering {
        // Scores are never NaN; -0 and 0 are equal.
        match score.partial_cmp(&self.score) {
            Some(Ordering::Less) => Ordering::Less,
            Some(Ordering::Greater) => Ordering::Greater,
            _ => slab.member(handle).cmp(self.member),
        }
    }
}

/// Scores and handles side by side, in order.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) len: usize,
    pub(super) previous: u32,
    pub(super) next: u32,
    pub(super) scores: [f64; CAPACITY],
    pub(super) handles: [Handle; CAPACITY],
}

impl Leaf {
    pub(super) fn new() -> Self {
        Self {
            len: 0,
            previous: NONE,
            next: NONE,
            scores: [0.0; CAPACITY],
            handles: [Handle::NONE; CAPACITY],
        }
    }

    /// How many members come first for which `is_before` holds.
    #[inline]
    pub(super) fn partition(&self, is_before: &impl Fn(f64, Handle) -> bool) -> usize {
        partition(self.len, |at| is_before(self.scores[at], self.handles[at]))
    }

    /// There is room.
    pub(super) fn insert(&mut self, at: usize, score: f64, handle: Handle) {
        self.scores.copy_within(at..self.len, at + 1);
        self.handles.copy_within(at..self.len, at + 1);
        self.scores[at] = score;
        self.handles[at] = handle;
        self.len += 1;
    }

    pub(super) fn remove(&mut self, at: usize) -> Handle {
        let handle = self.handles[at];
        self.scores.copy_within(at + 1..self.len, at);
        self.handles.copy_within(at + 1..self.len, at);
        self.len -= 1;
        handle
    }

    /// Takes the members from `at` on into another leaf's end.
    pub(super) fn move_tail(&mut self, at: usize, into: &mut Self) {
        let count = self.len - at;
        into.scores[into.len..into.len + count].copy_from_slice(&self.scores[at..self.len]);
        into.handles[into.len..into.len + count].copy_from_slice(&self.handles[at..self.len]);
        into.len += count;
        self.len = at;
    }
}

/// What an inner node knows of a child.
#[derive(Clone, Copy, Debug)]
pub(super) struct Child {
    pub(super) node: u32,
    /// Members below it.
    pub(super) count: u32,
    /// The first of them.
    pub(super) score: f64,
    pub(super) handle: Handle,
}

const NO_CHILD: Child = Child { node: NONE, count: 0, score: 0.0, handle: Handle::NONE };

/// Children in order.
#[derive(Clone, Debug)]
pub(super) struct Inner {
    pub(super) len: usize,
    pub(super) children: [Child; CAPACITY],
}

impl Inner {
    pub(super) fn new() -> Self {
        Self { len: 0, children: [NO_CHILD; CAPACITY] }
    }

    /// The child in which the first member is for which `is_before` does not hold, or the last
    /// for which it does.
    #[inline]
    pub(super) fn descend(&self, is_before: &impl Fn(f64, Handle) -> bool) -> usize {
        let first = 1.min(self.len);
        partition(self.len - first, |at| {
            let child = &self.children[first + at];
            is_before(child.score, child.handle)
        })
    }

    pub(super) fn count(&self) -> u32 {
        self.children[..self.len].iter().map(|child| child.count).sum()
    }

    /// There is room.
    pub(super) fn insert(&mut self, at: usize, child: Child) {
        self.children.copy_within(at..self.len, at + 1);
        self.children[at] = child;
        self.len += 1;
    }

    pub(super) fn remove(&mut self, at: usize) {
        self.children.copy_within(at + 1..self.len, at);
        self.len -= 1;
    }

    /// Takes the children from `at` on into another node's end.
    pub(super) fn move_tail(&mut self, at: usize, into: &mut Self) {
        let count = self.len - at;
        into.children[into.len..into.len + count].copy_from_slice(&self.children[at..self.len]);
        into.len += count;
        self.len = at;
    }
}

/// How many of the first `len` numbers come before the first for which `is_before` is false.
#[inline]
fn partition(len: usize, is_before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low.midpoint(high);
        if is_before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
