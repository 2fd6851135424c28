//! The members of a large sorted set, found by name: records in a slab, and a hash table over them.

mod buckets;
mod slab;

use buckets::Buckets;
pub(super) use slab::{Handle, Slab};

use crate::table::hash;

/// Members by name.
#[derive(Clone, Debug)]
pub(super) struct Members {
    slab: Slab,
    buckets: Buckets,
    len: usize,
}

impl Members {
    pub(super) fn new() -> Self {
        Self { slab: Slab::default(), buckets: Buckets::new(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn slab(&self) -> &Slab {
        &self.slab
    }

    pub(super) fn find(&self, member: &[u8]) -> Option<Handle> {
        self.buckets.find(&self.slab, hash(member), member)
    }

    /// Adds a member that is not there.
    pub(super) fn insert(&mut self, member: &[u8], score: f64) -> Handle {
        let handle = self.slab.insert(Handle::NONE, score, member);
        self.len += 1;
        self.buckets.insert(&mut self.slab, hash(member), handle, self.len);
        handle
    }

    pub(super) fn set_score(&mut self, handle: Handle, score: f64) {
        self.slab.set_score(handle, score);
    }

    pub(super) fn remove(&mut self, handle: Handle) {
        let hash = hash(self.slab.member(handle));
        self.len -= 1;
        self.buckets.remove(&mut self.slab, hash, handle, self.len);
        self.slab.remove(handle);
    }

    /// Hands out the members of one bucket; returns the next cursor, 0 at the end.
    pub(super) fn scan(&self, cursor: u64, found: &mut dyn FnMut(Handle)) -> u64 {
        self.buckets.scan(&self.slab, cursor, found)
    }

    pub(super) fn memory(&self) -> usize {
        self.slab.memory() + self.buckets.memory()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn names(members: &Members, cursor: u64, seen: &mut BTreeSet<Vec<u8>>) -> u64 {
        members.scan(cursor, &mut |handle| {
            seen.insert(members.slab().member(handle).to_vec());
        })
    }

    fn name(number: u32) -> Vec<u8> {
        let mut name = number.to_string().into_bytes();
        name.resize(name.len() + [0, 3, 40, 600][number as usize % 4], b'.');
        name
    }

    proptest! {
        #[test]
        fn a_scan_misses_nothing_while_the_table_grows_and_shrinks(
            stays in 1_u32..300, changes in prop::collection::vec((any::<bool>(), 0_u32..2000), 0..60)
        ) {
            let mut members = Members::new();
            for number in 0..stays {
                members.insert(&name(number), f64::from(number));
            }
            let mut seen = BTreeSet::new();
            let mut cursor = names(&members, 0, &mut seen);
            for (grow, by) in changes {
                for number in 10_000..10_000 + by {
                    match (members.find(&name(number)), grow) {
                        (None, true) => { members.insert(&name(number), 1.0); }
                        (Some(handle), false) => members.remove(handle),
                        _ => {}
                    }
                }
                if cursor != 0 {
                    cursor = names(&members, cursor, &mut seen);
                }
            }
            while cursor != 0 {
                cursor = names(&members, cursor, &mut seen);
            }
            for number in 0..stays {
                prop_assert!(seen.contains(&name(number)));
                let handle = members.find(&name(number)).unwrap();
                prop_assert_eq!(members.slab().score(handle), f64::from(number));
            }
        }
    }

    #[test]
    fn memory_is_given_back() {
        let mut members = Members::new();
        let empty = members.memory();
        for number in 0..20_000 {
            members.insert(&name(number), 0.0);
        }
        let full = members.memory();
        for number in 0..20_000 {
            members.remove(members.find(&name(number)).unwrap());
        }
        assert_eq!(members.len(), 0);
        assert!(full > 20 * 20_000);
        assert!(members.memory() < empty + full / 20, "{} of {full}", members.memory());
    }
}
