//! The quicklist: nodes of bounded size, so that both ends are near and no change moves more than
//! a node. The rules for when nodes are filled, split and merged are those of Redis 7.2.

use std::collections::VecDeque;

use super::super::limits::Limits;
use super::super::packed::Listpack;
use super::End;
use super::node::{Node, Spot};

/// A chain of nodes, none of them empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Quicklist {
    pub(super) nodes: VecDeque<Node>,
    len: usize,
}

impl Quicklist {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends a node as it is.
    pub(super) fn push_node(&mut self, node: Node) {
        if node.len() > 0 {
            self.len += node.len();
            self.nodes.push_back(node);
        }
    }

    pub(super) fn push(&mut self, end: End, element: &[u8], limits: &Limits) {
        self.len += 1;
        let node = match end {
            End::Left => self.nodes.front_mut(),
            End::Right => self.nodes.back_mut(),
        };
        match node {
            Some(node) if node.takes(element.len(), limits) => push(node, end, element),
            _ => {
                let node = Node::of(element, limits);
                match end {
                    End::Left => self.nodes.push_front(node),
                    End::Right => self.nodes.push_back(node),
                }
            }
        }
    }

    /// The node an element is in, and its index there.
    pub(super) fn locate(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.len {
            return None;
        }
        if index < self.len / 2 {
            let mut left = index;
            for (at, node) in self.nodes.iter().enumerate() {
                match left.checked_sub(node.len()) {
                    Some(rest) => left = rest,
                    None => return Some((at, left)),
                }
            }
            return None;
        }
        let mut behind = self.len - index;
        for (at, node) in self.nodes.iter().enumerate().rev() {
            match behind.checked_sub(node.len()) {
                Some(rest) if rest > 0 => behind = rest,
                _ => return Some((at, node.len() - behind)),
            }
        }
        None
    }

    pub(super) fn remove_range(&mut self, start: usize, count: usize) {
        let Some((mut at, mut index)) = self.locate(start) else { return };
        let mut left = count.min(self.len - start);
        self.len -= left;
        let mut emptied = at..at;
        while left > 0 {
            let node = &mut self.nodes[at];
            let here = left.min(node.len() - index);
            left -= here;
            let is_left = here < node.len() && node.remove(index, here);
            if is_left && left > 0 {
                emptied = at + 1..at + 1;
            } else if !is_left {
                emptied.end = at + 1;
            }
            at += 1;
            index = 0;
        }
        self.nodes.drain(emptied);
        self.release();
    }

    /// Removes elements equal to a value, at most `limit` of them, from the front or the back.
    pub(super) fn remove_equal(&mut self, value: &[u8], limit: usize, backward: bool) -> usize {
        let mut removed = 0;
        let mut remove = |node: &mut Node| {
            if removed < limit {
                removed += node.remove_equal(value, limit - removed, backward);
            }
        };
        if backward {
            self.nodes.iter_mut().rev().for_each(&mut remove);
        } else {
            self.nodes.iter_mut().for_each(&mut remove);
        }
        self.nodes.retain(|node| node.len() > 0);
        self.len -= removed;
        self.release();
        removed
    }

    fn release(&mut self) {
        if self.nodes.capacity() > 4 * self.nodes.len().max(4) {
            self.nodes.shrink_to(2 * self.nodes.len());
        }
    }

    /// Puts an element in front of or behind the one at a place.
    pub(super) fn insert(
        &mut self,
        place: (usize, Spot),
        element: &[u8],
        after: bool,
        limits: &Limits,
    ) {
        let (at, spot) = place;
        self.len += 1;
        let node = &mut self.nodes[at];
        let len = element.len();
        if let (Node::Packed(packed), Spot::In(here)) = (&mut *node, spot)
            && limits.list_node_takes(packed.byte_len(), packed.len(), len)
        {
            if after {
                packed.insert_after(here, element);
            } else {
                packed.insert_before(here, element);
            }
            return;
        }
        let is_at_edge = node.view().step(spot, !after).is_none();
        let gap = if after { at + 1 } else { at };
        if !is_at_edge {
            return self.insert_between(at, spot, element, after, limits);
        }
        let end = if after { End::Left } else { End::Right };
        let neighbour = if after { Some(at + 1) } else { at.checked_sub(1) };
        match neighbour.and_then(|at| self.nodes.get_mut(at)) {
            Some(node) if node.takes(len, limits) => push(node, end, element),
            _ => self.nodes.insert(gap, Node::of(element, limits)),
        }
    }

    /// Splits a full node and puts an element between its parts, then merges what has become
    /// small.
    fn insert_between(
        &mut self,
        at: usize,
        spot: Spot,
        element: &[u8],
        after: bool,
        limits: &Limits,
    ) {
        let Some(tail) = self.split(at, spot, after) else { return };
        let large = limits.list_is_large(element.len());
        if large {
            self.nodes.insert(at + 1, tail);
            self.nodes.insert(at + 1, Node::of(element, limits));
            self.merge_around(at + 1, limits);
            return;
        }
        let mut tail = tail;
        if after {
            push(&mut tail, End::Left, element);
            self.nodes.insert(at + 1, tail);
        } else {
            push(&mut self.nodes[at], End::Right, element);
            self.nodes.insert(at + 1, tail);
        }
        self.merge_around(at, limits);
    }

    /// Takes the elements from a place on, or behind it, out of a node.
    fn split(&mut self, at: usize, spot: Spot, after: bool) -> Option<Node> {
        let (Node::Packed(packed), Spot::In(here)) = (self.nodes.get_mut(at)?, spot) else {
            return None;
        };
        let from = if after { packed.next(here)? } else { here };
        Some(Node::Packed(packed.split_off(from)))
    }

    /// Merges a node with those around it, as far as they fit.
    fn merge_around(&mut self, at: usize, limits: &Limits) {
        let mut center = at;
        if center >= 2 && self.merge_with_next(center - 2, limits) {
            center -= 1;
        }
        self.merge_with_next(center + 1, limits);
        if center >= 1 && self.merge_with_next(center - 1, limits) {
            center -= 1;
        }
        self.merge_with_next(center, limits);
    }

    fn merge_with_next(&mut self, at: usize, limits: &Limits) -> bool {
        if at + 1 >= self.nodes.len() {
            return false;
        }
        let Some(behind) = self.nodes.remove(at + 1) else { return false };
        match self.nodes[at].merge(behind, limits) {
            None => true,
            Some(behind) => {
                self.nodes.insert(at + 1, behind);
                false
            }
        }
    }

    /// Puts an element in the place of another.
    pub(super) fn replace(&mut self, place: (usize, Spot), element: &[u8], limits: &Limits) {
        let (at, spot) = place;
        let large = limits.list_is_large(element.len());
        match (&mut self.nodes[at], spot) {
            (Node::Packed(packed), Spot::In(here)) if !large => packed.replace(here, element),
            (Node::Plain(_), _) => match self.nodes.get_mut(at + 1) {
                Some(next) if next.takes(element.len(), limits) => {
                    push(next, End::Left, element);
                    self.nodes.remove(at);
                }
                _ => self.nodes[at] = Node::of(element, limits),
            },
            (node, _) => {
                let index = index_of(node, spot);
                let is_last = index + 1 == node.len();
                let tail = if is_last { None } else { self.split(at, spot, true) };
                let stays = self.nodes[at].remove(index, 1);
                let plain = Node::of(element, limits);
                if let Some(tail) = tail {
                    self.nodes.insert(at + 1, tail);
                }
                if stays {
                    self.nodes.insert(at + 1, plain);
                } else {
                    self.nodes[at] = plain;
                }
            }
        }
    }

    pub(super) fn memory(&self) -> usize {
        let nodes: usize = self.nodes.iter().map(Node::memory).sum();
        nodes + self.nodes.capacity() * size_of::<Node>()
    }

    /// The listpack that is the only node, if it is small enough to be the whole list.
    pub(super) fn take_listpack(&mut self, limits: &Limits, shrinks: bool) -> Option<Listpack> {
        let is_one = self.nodes.len() == 1;
        let Some(Node::Packed(packed)) = self.nodes.front_mut().filter(|_| is_one) else {
            return None;
        };
        limits
            .list_fits_listpack(packed.byte_len(), packed.len(), shrinks)
            .then(|| std::mem::take(packed))
    }
}

fn push(node: &mut Node, end: End, element: &[u8]) {
    if let Node::Packed(packed) = node {
        match end {
            End::Left => packed.push_front(element),
            End::Right => packed.push(element),
        }
    }
}

fn index_of(node: &Node, spot: Spot) -> usize {
    let view = node.view();
    let mut index = 0;
    let mut at = spot;
    while let Some(previous) = view.step(at, true) {
        at = previous;
        index += 1;
    }
    index
}
