//! A segment: the buckets of one range of hashes, and a stash for what its buckets cannot take.
//!
//! A key is at home in the bucket that its hash's place in the range says, so that buckets are in
//! the order of hashes. The last four buckets are the stash: any key may be there.

use super::bucket::{Bucket, SLOTS, STASH};

/// The buckets of one range of hashes.
#[derive(Debug)]
pub(super) struct Segment {
    /// How many leading bits of the position all keys here have in common.
    pub(super) depth: u32,
    len: u32,
    buckets: Box<[Bucket]>,
}

/// The place of an item in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) bucket: u8,
    pub(super) slot: u8,
}

impl Place {
    fn new(bucket: usize, slot: usize) -> Self {
        // A segment has at most 64 buckets, a bucket twelve slots.
        Self { bucket: bucket as u8, slot: slot as u8 }
    }
}

impl Segment {
    pub(super) fn new(depth: u32, homes: usize) -> Self {
        Self { depth, len: 0, buckets: vec![Bucket::default(); homes + STASH].into() }
    }

    pub(super) fn homes(&self) -> usize {
        self.buckets.len() - STASH
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    pub(super) fn capacity(&self) -> usize {
        self.buckets.len() * SLOTS
    }

    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.buckets)
    }

    pub(super) fn bucket(&self, bucket: usize) -> &Bucket {
        &self.buckets[bucket]
    }

    pub(super) fn get(&self, place: Place) -> u32 {
        self.buckets[usize::from(place.bucket)].get(usize::from(place.slot))
    }

    pub(super) fn set(&mut self, place: Place, item: u32) {
        self.buckets[usize::from(place.bucket)].set(usize::from(place.slot), item);
    }

    /// Finds an item at home in a bucket for which `is_it` says yes.
    pub(super) fn find(
        &self,
        home: usize,
        print: u8,
        is_it: &mut impl FnMut(u32) -> bool,
    ) -> Option<Place> {
        let bucket = &self.buckets[home];
        for slot in bucket.matching(print) {
            if is_it(bucket.get(slot)) {
                return Some(Place::new(home, slot));
            }
        }
        for stash in bucket.stashes() {
            let number = self.homes() + stash;
            let bucket = &self.buckets[number];
            for slot in bucket.matching(print) {
                if is_it(bucket.get(slot)) {
                    return Some(Place::new(number, slot));
                }
            }
        }
        None
    }

    /// Adds an item; nothing if neither its home nor the stash has room.
    pub(super) fn insert(&mut self, home: usize, print: u8, item: u32) -> Option<Place> {
        if let Some(slot) = self.buckets[home].push(print, item) {
            self.len += 1;
            return Some(Place::new(home, slot));
        }
        for stash in 0..STASH {
            let number = self.homes() + stash;
            if let Some(slot) = self.buckets[number].push(print, item) {
                self.buckets[home].stash(stash);
                self.len += 1;
                return Some(Place::new(number, slot));
            }
        }
        None
    }

    pub(super) fn remove(&mut self, place: Place, home: usize) {
        let bucket = usize::from(place.bucket);
        self.buckets[bucket].remove(usize::from(place.slot));
        if let Some(stash) = bucket.checked_sub(self.homes()) {
            self.buckets[home].unstash(stash);
        }
        self.len -= 1;
    }

    /// Visits the items at home in a bucket. `home_of` is asked only for items in the stash.
    pub(super) fn visit_home(
        &self,
        home: usize,
        home_of: &mut impl FnMut(u32) -> usize,
        visit: &mut impl FnMut(Place),
    ) {
        let bucket = &self.buckets[home];
        for slot in bucket.used() {
            visit(Place::new(home, slot));
        }
        for stash in bucket.stashes() {
            let number = self.homes() + stash;
            let bucket = &self.buckets[number];
            for slot in bucket.used() {
                if home_of(bucket.get(slot)) == home {
                    visit(Place::new(number, slot));
                }
            }
        }
    }

    /// All items.
    pub(super) fn items(&self) -> impl Iterator<Item = u32> {
        let buckets = self.buckets.iter();
        buckets.flat_map(|bucket| bucket.used().map(|slot| bucket.get(slot)))
    }

    /// The item at a slot counted through all buckets, if there is one.
    pub(super) fn at(&self, slot: usize) -> Option<Place> {
        let (bucket, slot) = (slot / SLOTS, slot % SLOTS);
        let used = self.buckets[bucket].is_used(slot);
        used.then(|| Place::new(bucket, slot))
    }

    /// The item of this number in the order of buckets.
    pub(super) fn nth(&self, mut number: usize) -> Option<Place> {
        for (index, bucket) in self.buckets.iter().enumerate() {
            let count = bucket.used().count();
            if number < count {
                let slot = bucket.used().nth(number)?;
                return Some(Place::new(index, slot));
            }
            number -= count;
        }
        None
    }
}
