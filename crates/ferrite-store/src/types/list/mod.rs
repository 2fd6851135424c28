//! Lists: one listpack while they are small, then a quicklist, a chain of them.

mod node;
mod quicklist;
mod rdb;
#[cfg(test)]
mod tests;

use node::{Node, NodeView, Spot};
use quicklist::Quicklist;

use super::limits::Limits;
use super::packed::{Element, Listpack};

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The head.
    Left,
    /// The tail.
    Right,
}

/// A list.
#[derive(Clone, Debug)]
pub struct List {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Listpack(Listpack),
    Quicklist(Box<Quicklist>),
}

/// Where an element is, until the list is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    node: usize,
    spot: Spot,
}

impl Default for List {
    fn default() -> Self {
        Self::new()
    }
}

impl List {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self { kind: Kind::Listpack(Listpack::new()) }
    }

    /// How many elements it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.kind {
            Kind::Listpack(packed) => packed.len(),
            Kind::Quicklist(list) => list.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The encoding, as `OBJECT ENCODING` names it.
    #[must_use]
    pub fn encoding_name(&self) -> &'static str {
        match &self.kind {
            Kind::Listpack(_) => "listpack",
            Kind::Quicklist(_) => "quicklist",
        }
    }

    /// Bytes of heap it holds.
    #[must_use]
    pub fn memory(&self) -> usize {
        match &self.kind {
            Kind::Listpack(packed) => packed.memory(),
            Kind::Quicklist(list) => size_of::<Quicklist>() + list.memory(),
        }
    }

    /// Makes ready for a command that adds elements or puts one in the place of another: all of
    /// them together decide whether the list stays a listpack.
    pub fn grow_for<'a>(&mut self, elements: impl IntoIterator<Item = &'a [u8]>, limits: &Limits) {
        let Kind::Listpack(packed) = &mut self.kind else { return };
        let (mut bytes, mut count) = (packed.byte_len(), packed.len());
        for element in elements {
            bytes += element.len();
            count += 1;
        }
        if limits.list_node_exceeds(bytes, count) {
            let mut list = Quicklist::default();
            list.push_node(Node::Packed(std::mem::take(packed)));
            self.kind = Kind::Quicklist(Box::new(list));
        }
    }

    /// Becomes a listpack again if one is enough. Called once a command has removed elements or
    /// put others in their place.
    pub fn shrink(&mut self, limits: &Limits) {
        self.fit(limits, true);
    }

    fn fit(&mut self, limits: &Limits, shrinks: bool) {
        if let Kind::Quicklist(list) = &mut self.kind
            && let Some(packed) = list.take_listpack(limits, shrinks)
        {
            self.kind = Kind::Listpack(packed);
        }
    }

    /// Adds an element at an end. [`Self::grow_for`] comes before.
    pub fn push(&mut self, end: End, element: &[u8], limits: &Limits) {
        match (&mut self.kind, end) {
            (Kind::Listpack(packed), End::Left) => packed.push_front(element),
            (Kind::Listpack(packed), End::Right) => packed.push(element),
            (Kind::Quicklist(list), _) => list.push(end, element, limits),
        }
    }

    fn node(&self, at: usize) -> Option<NodeView<'_>> {
        match &self.kind {
            Kind::Listpack(packed) => (at == 0).then_some(NodeView::Packed(packed)),
            Kind::Quicklist(list) => list.nodes.get(at).map(Node::view),
        }
    }

    fn nodes(&self) -> usize {
        match &self.kind {
            Kind::Listpack(_) => 1,
            Kind::Quicklist(list) => list.nodes.len(),
        }
    }

    /// Where the element with an index is.
    #[must_use]
    pub fn seek(&self, index: usize) -> Option<Place> {
        let (node, index) = match &self.kind {
            Kind::Listpack(_) => (0, index),
            Kind::Quicklist(list) => list.locate(index)?,
        };
        let spot = self.node(node)?.seek(i64::try_from(index).ok()?)?;
        Some(Place { node, spot })
    }

    /// The element with an index.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Element<'_>> {
        self.seek(index).and_then(|place| self.at(place))
    }

    fn at(&self, place: Place) -> Option<Element<'_>> {
        self.node(place.node).map(|node| node.get(place.spot))
    }

    /// The elements from an index on, towards the tail.
    #[must_use]
    pub fn iter_from(&self, index: usize) -> Iter<'_> {
        Iter { list: self, place: self.seek(index), backward: false }
    }

    /// The elements from an index on, towards the head.
    #[must_use]
    pub fn iter_back_from(&self, index: usize) -> Iter<'_> {
        Iter { list: self, place: self.seek(index), backward: true }
    }

    /// All elements, head first.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        self.iter_from(0)
    }

    /// Where the first element is that equals the bytes.
    #[must_use]
    pub fn find(&self, wanted: &[u8]) -> Option<Place> {
        (0..self.nodes()).find_map(|node| {
            let spot = match self.node(node)? {
                NodeView::Packed(packed) => packed.find(packed.first(), wanted, 0).map(Spot::In),
                NodeView::Plain(element) => (element == wanted).then_some(Spot::Whole),
            };
            spot.map(|spot| Place { node, spot })
        })
    }

    fn next(&self, place: Place, backward: bool) -> Option<Place> {
        if let Some(spot) = self.node(place.node)?.step(place.spot, backward) {
            return Some(Place { spot, ..place });
        }
        let node = if backward { place.node.checked_sub(1)? } else { place.node + 1 };
        let spot = self.node(node)?.seek(if backward { -1 } else { 0 })?;
        Some(Place { node, spot })
    }

    /// Removes elements from an index on; fewer when there are fewer.
    pub fn remove_range(&mut self, start: usize, count: usize) {
        match &mut self.kind {
            Kind::Listpack(packed) => {
                if let Some(at) = packed.seek(i64::try_from(start).unwrap_or(i64::MAX)) {
                    packed.remove(at, count);
                }
            }
            Kind::Quicklist(list) => list.remove_range(start, count),
        }
    }

    /// Removes elements from an end.
    pub fn pop(&mut self, end: End, count: usize) {
        let count = count.min(self.len());
        match end {
            End::Left => self.remove_range(0, count),
            End::Right => self.remove_range(self.len() - count, count),
        }
    }

    /// Removes elements that equal the bytes: at most `limit`, the first or the last ones.
    pub fn remove_equal(&mut self, value: &[u8], limit: usize, from: End) -> usize {
        let backward = from == End::Right;
        match &mut self.kind {
            Kind::Quicklist(list) => list.remove_equal(value, limit, backward),
            Kind::Listpack(packed) => {
                let mut node = Node::Packed(std::mem::take(packed));
                let removed = node.remove_equal(value, limit, backward);
                if let Node::Packed(left) = node {
                    *packed = left;
                }
                removed
            }
        }
    }

    /// Puts an element in front of or behind the one at a place. [`Self::grow_for`] comes before
    /// the place is looked for.
    pub fn insert(&mut self, place: Place, element: &[u8], after: bool, limits: &Limits) {
        match (&mut self.kind, place.spot) {
            (Kind::Quicklist(list), spot) => {
                list.insert((place.node, spot), element, after, limits);
            }
            (Kind::Listpack(packed), Spot::In(at)) if after => {
                packed.insert_after(at, element);
            }
            (Kind::Listpack(packed), Spot::In(at)) => packed.insert_before(at, element),
            (Kind::Listpack(_), Spot::Whole) => {}
        }
    }

    /// Puts an element in the place of another. [`Self::grow_for`] comes before the place is
    /// looked for.
    pub fn replace(&mut self, place: Place, element: &[u8], limits: &Limits) {
        match (&mut self.kind, place.spot) {
            (Kind::Quicklist(list), spot) => list.replace((place.node, spot), element, limits),
            (Kind::Listpack(packed), Spot::In(at)) => packed.replace(at, element),
            (Kind::Listpack(_), Spot::Whole) => {}
        }
    }
}

/// An iterator over elements of a list.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    list: &'a List,
    place: Option<Place>,
    backward: bool,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let place = self.place?;
        self.place = self.list.next(place, self.backward);
        self.list.at(place)
    }
}
