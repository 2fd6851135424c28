//! The tree against a sorted list.

use proptest::prelude::*;

use super::node::CAPACITY;
use super::*;
use crate::types::sorted_set::members::Members;

struct Both {
    members: Members,
    tree: Tree,
    model: Vec<(f64, Vec<u8>)>,
}

impl Both {
    fn new() -> Self {
        Self { members: Members::new(), tree: Tree::new(), model: Vec::new() }
    }

    fn place(&self, score: f64, name: &[u8]) -> usize {
        self.model.partition_point(|(other, bytes)| (*other, &bytes[..]) < (score, name))
    }

    fn set(&mut self, name: &[u8], score: f64) {
        if let Some(handle) = self.members.find(name) {
            let old = Key { score: self.members.slab().score(handle), member: name };
            if !self.tree.set_score_in_place(self.members.slab(), old, score) {
                self.tree.remove(self.members.slab(), old);
                self.members.set_score(handle, score);
                self.tree.insert(self.members.slab(), handle);
            }
            self.members.set_score(handle, score);
            self.model.retain(|(_, bytes)| bytes != name);
        } else {
            let handle = self.members.insert(name, score);
            self.tree.insert(self.members.slab(), handle);
        }
        self.model.insert(self.place(score, name), (score, name.to_vec()));
    }

    fn remove(&mut self, name: &[u8]) {
        let Some(handle) = self.members.find(name) else { return };
        let score = self.members.slab().score(handle);
        self.tree.remove(self.members.slab(), Key { score, member: name });
        self.members.remove(handle);
        self.model.retain(|(_, bytes)| bytes != name);
    }

    fn listed(&self, found: impl Iterator<Item = (f64, Handle)>) -> Vec<(f64, Vec<u8>)> {
        found.map(|(score, at)| (score, self.members.slab().member(at).to_vec())).collect()
    }

    fn check(&self) {
        assert_eq!(self.tree.len, self.model.len());
        assert_eq!(self.listed(self.tree.range(0..self.model.len())), self.model);
        let mut back = self.listed(self.tree.range_back(0..self.model.len()));
        back.reverse();
        assert_eq!(back, self.model);
        for (rank, (score, name)) in self.model.iter().enumerate().step_by(7) {
            let key = Key { score: *score, member: name };
            assert_eq!(self.tree.rank(self.members.slab(), key), rank);
            let (found, handle) = self.tree.at(rank).unwrap();
            assert_eq!((found, self.members.slab().member(handle)), (*score, &name[..]));
        }
        assert_eq!(self.tree.at(self.model.len()), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn the_tree_is_a_sorted_list(
        steps in prop::collection::vec((0_u16..1500, 0_i8..20, any::<bool>()), 1..1500),
        keeps in 0_u16..100,
    ) {
        let mut both = Both::new();
        for (name, score, _) in &steps {
            both.set(name.to_string().as_bytes(), f64::from(*score));
        }
        both.check();
        for (name, score, is_removed) in &steps {
            match is_removed {
                true => both.remove(name.to_string().as_bytes()),
                false => both.set(name.to_string().as_bytes(), f64::from(-score)),
            }
        }
        both.check();
        for name in keeps..1500 {
            both.remove(name.to_string().as_bytes());
        }
        both.check();
    }
}

#[test]
fn members_in_order_fill_their_leaves() {
    let mut both = Both::new();
    for number in 0..50_000_u32 {
        let handle = both.members.insert(&number.to_be_bytes(), f64::from(number));
        both.tree.insert(both.members.slab(), handle);
    }
    assert_eq!(both.tree.leaves.len(), 50_000_usize.div_ceil(CAPACITY));
    for number in (0..50_000_u32).rev() {
        both.remove(&number.to_be_bytes());
    }
    assert_eq!((both.tree.len, both.tree.height), (0, 0));
}
