//! The form of a small sorted set: a listpack of member, score, member, score, in order. A score is
//! an integer where it is one, else its shortest digits.

use std::cmp::Ordering;
use std::ops::Range;

use ferrite_rdb::ErrorKind;

use crate::double;
use crate::types::packed::listpack::{At, Element, Listpack};

/// Members and scores in one blob.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    listpack: Listpack,
}

/// A member where it stands.
struct Pair<'p> {
    at: At,
    member: Element<'p>,
    score: f64,
}

/// The score an element stands for; what is no number was refused when it came in.
fn score_of(element: Element<'_>) -> f64 {
    match element {
        Element::Int(value) => value as f64,
        Element::Bytes(bytes) => double::parse_clamped(bytes).unwrap_or_default(),
    }
}

/// How a member compares to another of the same score.
fn compare(member: Element<'_>, other: &[u8]) -> Ordering {
    member.as_bytes(&mut itoa::Buffer::new()).cmp(other)
}

impl Packed {
    pub(super) fn new() -> Self {
        Self { listpack: Listpack::new() }
    }

    /// Takes a listpack out of a file or payload; members that are not in our order are put
    /// into it.
    pub(super) fn from_listpack(listpack: Listpack) -> Result<Self, ErrorKind> {
        let malformed = |what| Err(ErrorKind::Malformed(what));
        if !listpack.len().is_multiple_of(2) {
            return malformed("sorted set: a member without a score");
        }
        let mut elements = listpack.iter();
        while let (Some(_), Some(score)) = (elements.next(), elements.next()) {
            if matches!(score, Element::Bytes(bytes) if double::parse_clamped(bytes).is_none()) {
                return malformed("score");
            }
        }
        let packed = Self { listpack };
        let (mut names, is_in_order) = packed.names();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return malformed("sorted set: a member is there twice");
        }
        if is_in_order {
            return Ok(packed);
        }
        let mut ordered = Self::new();
        packed.walk(0..packed.len(), &mut |member, score| {
            ordered.insert(member, score);
            true
        });
        Ok(ordered)
    }

    /// All names, and whether they stand in order.
    fn names(&self) -> (Vec<Vec<u8>>, bool) {
        let mut names: Vec<Vec<u8>> = Vec::with_capacity(self.len());
        let (mut is_in_order, mut before) = (true, f64::NEG_INFINITY);
        for pair in self.pairs() {
            let name = pair.member.as_bytes(&mut itoa::Buffer::new()).to_vec();
            let follows = names.last().is_none_or(|last| *last < name);
            is_in_order &= before < pair.score || (before == pair.score && follows);
            before = pair.score;
            names.push(name);
        }
        (names, is_in_order)
    }

    pub(super) fn listpack(&self) -> &Listpack {
        &self.listpack
    }

    pub(super) fn len(&self) -> usize {
        self.listpack.len() / 2
    }

    fn pair(&self, at: At) -> Option<Pair<'_>> {
        let score = score_of(self.listpack.get(self.listpack.next(at)?));
        Some(Pair { at, member: self.listpack.get(at), score })
    }

    fn pairs(&self) -> impl Iterator<Item = Pair<'_>> {
        let mut next = self.listpack.first();
        std::iter::from_fn(move || {
            let pair = self.pair(next?)?;
            next = self.listpack.next(pair.at).and_then(|score| self.listpack.next(score));
            Some(pair)
        })
    }

    fn pairs_back(&self) -> impl Iterator<Item = Pair<'_>> {
        let mut score = self.listpack.last();
        std::iter::from_fn(move || {
            let pair = self.pair(self.listpack.prev(score?)?)?;
            score = self.listpack.prev(pair.at);
            Some(pair)
        })
    }

    fn find(&self, member: &[u8]) -> Option<Pair<'_>> {
        self.pair(self.listpack.find(self.listpack.first(), member, 1)?)
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.find(member).map(|pair| pair.score)
    }

    /// Adds a member that is not there.
    pub(super) fn insert(&mut self, member: &[u8], score: f64) {
        let behind = self.pairs().find(|pair| match pair.score.total_cmp(&score) {
            _ if pair.score == score => compare(pair.member, member).is_gt(),
            order => order.is_gt(),
        });
        let behind = behind.map(|pair| pair.at);
        let mut digits = Vec::new();
        let integer = double::as_integer(score);
        if integer.is_none() {
            double::write(&mut digits, score);
        }
        let list = &mut self.listpack;
        match (behind, integer) {
            (None, _) => {
                list.push(member);
                match integer {
                    Some(integer) => list.push_int(integer),
                    None => list.push(&digits),
                }
            }
            // The score first: what is inserted later in front of the same place stands before it.
            (Some(at), _) => {
                match integer {
                    Some(integer) => list.insert_int_before(at, integer),
                    None => list.insert_before(at, &digits),
                }
                list.insert_before(at, member);
            }
        }
    }

    /// Changes the score of a member that is there, or adds it; returns the score it had.
    pub(super) fn set(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let old = self.find(member).map(|pair| (pair.at, pair.score));
        if let Some((at, old)) = old {
            if old == score {
                return Some(old);
            }
            self.listpack.remove(at, 2);
        }
        self.insert(member, score);
        old.map(|(_, score)| score)
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let (at, score) = self.find(member).map(|pair| (pair.at, pair.score))?;
        self.listpack.remove(at, 2);
        Some(score)
    }

    /// Removes the members of some ranks, showing each before it goes.
    pub(super) fn remove_range(&mut self, ranks: Range<usize>, gone: &mut dyn FnMut(&[u8], f64)) {
        self.walk(ranks.clone(), &mut |member, score| {
            gone(member, score);
            true
        });
        let first = i64::try_from(ranks.start).ok().and_then(|rank| self.listpack.seek(2 * rank));
        if let Some(first) = first {
            self.listpack.remove(first, 2 * ranks.len());
        }
    }

    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let found = self.find(member)?;
        self.pairs().position(|pair| pair.at == found.at).map(|rank| (rank, found.score))
    }

    /// How many members come first for which `is_before` holds.
    pub(super) fn partition(&self, is_before: &dyn Fn(&[u8], f64) -> bool) -> usize {
        let mut digits = itoa::Buffer::new();
        self.pairs()
            .take_while(|pair| is_before(pair.member.as_bytes(&mut digits), pair.score))
            .count()
    }

    /// Shows the members of some ranks, until told to stop.
    pub(super) fn walk(&self, ranks: Range<usize>, found: &mut dyn FnMut(&[u8], f64) -> bool) {
        let pairs = self.pairs().skip(ranks.start).take(ranks.len());
        show(pairs, found);
    }

    /// The same, the last first.
    pub(super) fn walk_back(&self, ranks: Range<usize>, found: &mut dyn FnMut(&[u8], f64) -> bool) {
        let skipped = self.len().saturating_sub(ranks.end);
        show(self.pairs_back().skip(skipped).take(ranks.len()), found);
    }
}

fn show<'p>(pairs: impl Iterator<Item = Pair<'p>>, found: &mut dyn FnMut(&[u8], f64) -> bool) {
    let mut digits = itoa::Buffer::new();
    for pair in pairs {
        if !found(pair.member.as_bytes(&mut digits), pair.score) {
            return;
        }
    }
}
