//! The biggest keys, by a heap of so many.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::Serialize;

use super::{KeyFacts, Size};
use crate::report::KeyName;

/// A key among the biggest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BigKey {
    /// The database it is in.
    pub db: u64,
    /// Its name.
    pub key: KeyName,
    /// The kind of value, as `TYPE` prints it.
    #[serde(rename = "type")]
    pub type_name: &'static str,
    /// How it is kept.
    pub encoding: &'static str,
    /// Bytes of name and value, unpacked.
    pub bytes: u64,
    /// Items, members, fields or entries; 1 for a string.
    pub elements: u64,
    /// Bytes of the largest element.
    pub largest: u64,
    /// Absolute expiry, Unix time in milliseconds.
    pub expires_at_ms: Option<u64>,
}

/// A key that was kept, ordered by size, then so that the result does not depend on the order of
/// the keys.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    bytes: u64,
    key: Reverse<(Vec<u8>, u64)>,
    type_name: &'static str,
    encoding: &'static str,
    elements: u64,
    largest: u64,
    expires_at_ms: Option<u64>,
}

/// Finds the biggest keys.
#[derive(Debug)]
pub struct Biggest {
    heap: BinaryHeap<Reverse<Kept>>,
    most: usize,
}

impl Biggest {
    /// For at most that many keys.
    pub fn new(most: usize) -> Self {
        Self { heap: BinaryHeap::new(), most }
    }

    /// Looks at a key.
    pub fn add(&mut self, facts: &KeyFacts<'_>) {
        let bytes = facts.bytes();
        let is_full = self.heap.len() >= self.most;
        let smallest = self.heap.peek().map_or(0, |Reverse(kept)| kept.bytes);
        if is_full && bytes < smallest || self.most == 0 {
            return;
        }
        let Size { elements, largest, .. } = facts.size;
        self.heap.push(Reverse(Kept {
            bytes,
            key: Reverse((facts.key.to_vec(), facts.db)),
            type_name: facts.kind.name(),
            encoding: facts.encoding,
            elements,
            largest,
            expires_at_ms: facts.expires_at_ms,
        }));
        if is_full {
            self.heap.pop();
        }
    }

    /// The biggest first.
    pub fn finish(self) -> Vec<BigKey> {
        let kept = self.heap.into_sorted_vec().into_iter();
        kept.map(|Reverse(kept)| {
            let Reverse((key, db)) = kept.key;
            BigKey {
                db,
                key: KeyName(key),
                type_name: kept.type_name,
                encoding: kept.encoding,
                bytes: kept.bytes,
                elements: kept.elements,
                largest: kept.largest,
                expires_at_ms: kept.expires_at_ms,
            }
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use ferrite_rdb::ValueKind;

    use super::*;

    #[test]
    fn the_biggest_come_first_whatever_the_order_of_the_keys() {
        let of = |names: &[&str]| {
            let mut biggest = Biggest::new(3);
            for name in names {
                biggest.add(&KeyFacts {
                    db: 0,
                    key: name.as_bytes(),
                    kind: ValueKind::String,
                    encoding: "string",
                    expires_at_ms: None,
                    size: Size::default(),
                });
            }
            biggest.finish().iter().map(|key| key.key.to_string()).collect::<Vec<_>>()
        };
        let expected = ["cccc", "aaa", "bbb"];
        assert_eq!(of(&["a", "bbb", "aaa", "b", "cccc", "ddd"]), expected);
        assert_eq!(of(&["cccc", "ddd", "bbb", "aaa", "a", "b"]), expected);
    }
}
