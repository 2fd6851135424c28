//! A node of a list: a listpack, or one element too large for one.

use super::super::limits::Limits;
use super::super::packed::listpack::{At, Element, Listpack};

/// A node.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// Some elements, at least one.
    Packed(Listpack),
    /// One element alone.
    Plain(Box<[u8]>),
}

impl Node {
    /// A node with one element.
    pub(super) fn of(element: &[u8], limits: &Limits) -> Self {
        if limits.list_is_large(element.len()) {
            return Self::Plain(element.into());
        }
        let mut listpack = Listpack::new();
        listpack.push(element);
        Self::Packed(listpack)
    }

    pub(super) fn view(&self) -> NodeView<'_> {
        match self {
            Self::Packed(listpack) => NodeView::Packed(listpack),
            Self::Plain(element) => NodeView::Plain(element),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether it can take an element of that many bytes.
    pub(super) fn takes(&self, element: usize, limits: &Limits) -> bool {
        match self {
            Self::Packed(packed) => {
                limits.list_node_takes(packed.byte_len(), packed.len(), element)
            }
            Self::Plain(_) => false,
        }
    }

    /// Moves the elements of the node behind into this one, if both together are not too many;
    /// or else gives it back.
    pub(super) fn merge(&mut self, behind: Self, limits: &Limits) -> Option<Self> {
        let (Self::Packed(packed), Self::Packed(other)) = (&mut *self, &behind) else {
            return Some(behind);
        };
        let bytes = packed.byte_len() + other.byte_len() - Listpack::new().byte_len();
        if limits.list_node_exceeds(bytes, packed.len() + other.len()) {
            return Some(behind);
        }
        packed.append(other);
        None
    }

    /// Removes elements from an index on; whether some are left.
    pub(super) fn remove(&mut self, index: usize, count: usize) -> bool {
        match self {
            Self::Packed(packed) => {
                if let Some(at) = packed.seek(index as i64) {
                    packed.remove(at, count);
                }
                !packed.is_empty()
            }
            Self::Plain(_) => count == 0,
        }
    }

    /// Removes elements equal to a value, at most `limit` of them, from the front or the back.
    /// How many they were.
    pub(super) fn remove_equal(&mut self, value: &[u8], limit: usize, backward: bool) -> usize {
        match self {
            Self::Packed(packed) if backward => remove_backward(packed, value, limit),
            Self::Packed(packed) => remove_forward(packed, value, limit),
            Self::Plain(element) => {
                let is_equal = limit > 0 && **element == *value;
                if is_equal {
                    *self = Self::Packed(Listpack::new());
                }
                usize::from(is_equal)
            }
        }
    }

    pub(super) fn memory(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.memory(),
            Self::Plain(element) => element.len(),
        }
    }
}

fn remove_forward(packed: &mut Listpack, value: &[u8], limit: usize) -> usize {
    let mut removed = 0;
    let mut from = packed.first();
    while removed < limit {
        let Some(at) = packed.find(from, value, 0) else { break };
        from = packed.remove(at, 1);
        removed += 1;
    }
    removed
}

fn remove_backward(packed: &mut Listpack, value: &[u8], limit: usize) -> usize {
    let mut removed = 0;
    let mut from = packed.last();
    while let Some(at) = from.filter(|_| removed < limit) {
        from = packed.prev(at);
        if packed.is_equal(at, value) {
            packed.remove(at, 1);
            removed += 1;
        }
    }
    removed
}

/// A node, or the listpack that is a whole list.
#[derive(Clone, Copy, Debug)]
pub(super) enum NodeView<'a> {
    Packed(&'a Listpack),
    Plain(&'a [u8]),
}

impl<'a> NodeView<'a> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Packed(packed) => packed.len(),
            Self::Plain(_) => 1,
        }
    }

    /// Where the element with an index is; the same for a plain element whatever the index.
    pub(super) fn seek(self, index: i64) -> Option<Spot> {
        match self {
            Self::Packed(packed) => packed.seek(index).map(Spot::In),
            Self::Plain(_) => Some(Spot::Whole),
        }
    }

    /// The element behind or in front.
    pub(super) fn step(self, spot: Spot, backward: bool) -> Option<Spot> {
        match (self, spot) {
            (Self::Packed(packed), Spot::In(at)) if backward => packed.prev(at).map(Spot::In),
            (Self::Packed(packed), Spot::In(at)) => packed.next(at).map(Spot::In),
            _ => None,
        }
    }

    pub(super) fn get(self, spot: Spot) -> Element<'a> {
        match (self, spot) {
            (Self::Packed(packed), Spot::In(at)) => packed.get(at),
            (Self::Plain(element), _) => Element::Bytes(element),
            (Self::Packed(_), Spot::Whole) => Element::Bytes(&[]),
        }
    }
}

/// Where in a node an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// In a listpack.
    In(At),
    /// It is the node.
    Whole,
}
