//! Changing the tree: adding, removing, and moving a member whose score changed.
//!
//! A full node is split in halves, but at its end when it is the last and grows there, so that
//! members that come in order fill their leaves. A node that is less than a quarter full joins a
//! neighbour when both together are at most three quarters full.

use super::node::{CAPACITY, Child, Inner, Key, Leaf, NONE};
use super::{Handle, Slab, Tree};

const SPARSE: usize = CAPACITY / 4;
const JOINED_AT_MOST: usize = CAPACITY / 4 * 3;

impl Tree {
    /// Adds a member, which is not there yet.
    pub(in crate::types::sorted_set) fn insert(&mut self, slab: &Slab, handle: Handle) {
        let score = slab.score(handle);
        let key = Key { score, member: slab.member(handle) };
        let added = self.insert_below(slab, self.root, self.height, key, handle);
        if let Some(added) = added {
            let first = self.describe(self.root, self.height);
            let mut root = Inner::new();
            root.insert(0, first);
            root.insert(1, added);
            self.root = self.add_inner(root);
            self.height += 1;
        }
        self.len += 1;
    }

    /// Adds below a node; returns the node that has to stand behind it, if it was split.
    fn insert_below(
        &mut self,
        slab: &Slab,
        node: u32,
        height: u32,
        key: Key<'_>,
        handle: Handle,
    ) -> Option<Child> {
        let is_before = |score, other| key.compare(slab, score, other).is_lt();
        if height == 0 {
            let at = self.leaf(node).partition(&is_before);
            return self.insert_into_leaf(node, at, key.score, handle);
        }
        let at = self.inner(node).descend(&is_before);
        let child = self.inner(node).children[at].node;
        let added = self.insert_below(slab, child, height - 1, key, handle);
        match added {
            Some(added) => {
                let child = self.describe(child, height - 1);
                self.inners[node as usize].children[at] = child;
                self.insert_child(node, height, at + 1, added)
            }
            None => {
                let (score, first) = self.first(child, height - 1);
                let child = &mut self.inners[node as usize].children[at];
                child.count += 1;
                (child.score, child.handle) = (score, first);
                None
            }
        }
    }

    fn insert_into_leaf(
        &mut self,
        node: u32,
        at: usize,
        score: f64,
        handle: Handle,
    ) -> Option<Child> {
        if self.leaf(node).len < CAPACITY {
            self.leaves[node as usize].insert(at, score, handle);
            return None;
        }
        let next = self.leaf(node).next;
        let split_at = if at == CAPACITY && next == NONE { CAPACITY } else { CAPACITY / 2 };
        let mut right = Leaf::new();
        (right.previous, right.next) = (node, next);
        let left = &mut self.leaves[node as usize];
        left.move_tail(split_at, &mut right);
        if at <= split_at && split_at < CAPACITY {
            left.insert(at, score, handle);
        } else {
            right.insert(at - split_at, score, handle);
        }
        let added = self.add_leaf(right);
        self.leaves[node as usize].next = added;
        if next != NONE {
            self.leaves[next as usize].previous = added;
        }
        Some(self.describe(added, 0))
    }

    fn insert_child(&mut self, node: u32, height: u32, at: usize, child: Child) -> Option<Child> {
        let left = &mut self.inners[node as usize];
        if left.len < CAPACITY {
            left.insert(at, child);
            return None;
        }
        let split_at = if at == CAPACITY { CAPACITY - 1 } else { CAPACITY / 2 };
        let mut right = Inner::new();
        left.move_tail(split_at, &mut right);
        if at <= split_at {
            left.insert(at, child);
        } else {
            right.insert(at - split_at, child);
        }
        let added = self.add_inner(right);
        Some(self.describe(added, height))
    }

    /// Removes a member, if it is there.
    pub(in crate::types::sorted_set) fn remove(&mut self, slab: &Slab, key: Key<'_>) {
        if !self.remove_below(slab, self.root, self.height, key) {
            return;
        }
        self.len -= 1;
        while self.height > 0 && self.inner(self.root).len == 1 {
            let old = self.root;
            self.root = self.inner(old).children[0].node;
            self.free_inners.push(old);
            self.height -= 1;
        }
    }

    fn remove_below(&mut self, slab: &Slab, node: u32, height: u32, key: Key<'_>) -> bool {
        if height == 0 {
            let leaf = &mut self.leaves[node as usize];
            let at = leaf.partition(&|score, other| key.compare(slab, score, other).is_lt());
            let found =
                at < leaf.len && key.compare(slab, leaf.scores[at], leaf.handles[at]).is_eq();
            if found {
                leaf.remove(at);
            }
            return found;
        }
        // The last child whose first member is not behind the key.
        let is_before = |score, other| key.compare(slab, score, other).is_le();
        let at = self.inner(node).descend(&is_before);
        let child = self.inner(node).children[at].node;
        if !self.remove_below(slab, child, height - 1, key) {
            return false;
        }
        self.inners[node as usize].children[at].count -= 1;
        if self.size(child, height - 1) < SPARSE {
            self.join_with_neighbour(node, height, at);
        } else {
            self.refresh(node, height, at);
        }
        true
    }

    /// Writes what a node says of a child's first member anew.
    fn refresh(&mut self, node: u32, height: u32, at: usize) {
        let child = self.inner(node).children[at].node;
        let (score, handle) = self.first(child, height - 1);
        let child = &mut self.inners[node as usize].children[at];
        (child.score, child.handle) = (score, handle);
    }

    fn join_with_neighbour(&mut self, node: u32, height: u32, at: usize) {
        let inner = self.inner(node);
        let size = |at: usize| self.size(inner.children[at].node, height - 1);
        let left = match at.checked_sub(1) {
            Some(left) if size(left) + size(at) <= JOINED_AT_MOST => Some(left),
            _ if at + 1 < inner.len && size(at) + size(at + 1) <= JOINED_AT_MOST => Some(at),
            _ => None,
        };
        let Some(left) = left else { return self.drop_if_empty(node, height, at) };
        let (into, from) = (inner.children[left], inner.children[left + 1]);
        if height == 1 {
            self.join_leaves(into.node, from.node);
        } else {
            let mut right =
                std::mem::replace(&mut self.inners[from.node as usize], Box::new(Inner::new()));
            right.move_tail(0, &mut self.inners[into.node as usize]);
            self.free_inners.push(from.node);
        }
        let inner = &mut self.inners[node as usize];
        inner.children[left].count += from.count;
        inner.remove(left + 1);
        self.refresh(node, height, left);
    }

    /// A node between two that are too full to take it in may become empty.
    fn drop_if_empty(&mut self, node: u32, height: u32, at: usize) {
        let child = self.inner(node).children[at].node;
        if self.size(child, height - 1) > 0 {
            return self.refresh(node, height, at);
        }
        match height {
            1 => self.unlink(child),
            _ => self.free_inners.push(child),
        }
        self.inners[node as usize].remove(at);
    }

    fn join_leaves(&mut self, into: u32, from: u32) {
        let mut right = std::mem::replace(&mut self.leaves[from as usize], Box::new(Leaf::new()));
        right.move_tail(0, &mut self.leaves[into as usize]);
        self.leaves[from as usize] = right;
        self.unlink(from);
    }

    /// Takes a leaf out of the row and keeps it for later.
    fn unlink(&mut self, leaf: u32) {
        let Leaf { previous, next, .. } = *self.leaf(leaf);
        if previous != NONE {
            self.leaves[previous as usize].next = next;
        }
        if next != NONE {
            self.leaves[next as usize].previous = previous;
        }
        self.free_leaves.push(leaf);
    }

    /// Changes the score of a member where it stands, if its order allows that.
    pub(in crate::types::sorted_set) fn set_score_in_place(
        &mut self,
        slab: &Slab,
        old: Key<'_>,
        score: f64,
    ) -> bool {
        let mut node = self.root;
        for _ in 0..self.height {
            let inner = self.inner(node);
            let at = inner.descend(&|score, other| old.compare(slab, score, other).is_le());
            node = inner.children[at].node;
        }
        let leaf = &mut self.leaves[node as usize];
        let at = leaf.partition(&|score, other| old.compare(slab, score, other).is_lt());
        if at == 0 || at + 1 >= leaf.len {
            return false;
        }
        let new = Key { score, ..old };
        let is_between = new.compare(slab, leaf.scores[at - 1], leaf.handles[at - 1]).is_lt()
            && new.compare(slab, leaf.scores[at + 1], leaf.handles[at + 1]).is_gt();
        if is_between {
            leaf.scores[at] = score;
        }
        is_between
    }

    fn add_leaf(&mut self, leaf: Leaf) -> u32 {
        if let Some(node) = self.free_leaves.pop() {
            *self.leaves[node as usize] = leaf;
            return node;
        }
        self.leaves.push(Box::new(leaf));
        (self.leaves.len() - 1) as u32
    }

    fn add_inner(&mut self, inner: Inner) -> u32 {
        if let Some(node) = self.free_inners.pop() {
            *self.inners[node as usize] = inner;
            return node;
        }
        self.inners.push(Box::new(inner));
        (self.inners.len() - 1) as u32
    }

    /// Members of a leaf, children of an inner node.
    fn size(&self, node: u32, height: u32) -> usize {
        if height == 0 { self.leaf(node).len } else { self.inner(node).len }
    }

    fn first(&self, node: u32, height: u32) -> (f64, Handle) {
        if height == 0 {
            let leaf = self.leaf(node);
            (leaf.scores[0], leaf.handles[0])
        } else {
            let first = &self.inner(node).children[0];
            (first.score, first.handle)
        }
    }

    /// What a parent has to know of a node.
    fn describe(&self, node: u32, height: u32) -> Child {
        let (score, handle) = self.first(node, height);
        let count = if height == 0 { self.leaf(node).len as u32 } else { self.inner(node).count() };
        Child { node, count, score, handle }
    }
}
