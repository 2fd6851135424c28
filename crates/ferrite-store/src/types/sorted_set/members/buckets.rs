//! A hash table that grows by one bucket at a time (linear hashing), so that no insertion waits
//! for a rehash.
//!
//! A bucket is the handle of its first member; members of a bucket are chained through their
//! records. With 2^l ≤ n < 2^(l+1) buckets, a hash belongs to the bucket of its lowest l+1 bits if
//! there is one, and else of its lowest l bits. There are as many buckets as members, or, while
//! the set shrinks, up to twice as many.
//!
//! A scan goes through hashes in the order of their reversed bits: a bucket is an interval of that
//! order, halved when it is split and doubled when it is merged, so that nothing is missed whatever
//! happens between two calls.

use super::slab::{Handle, Slab};
use crate::table::hash;

/// Buckets of one allocation.
const SEGMENT: usize = 4096;
const MIN_BUCKETS: usize = 16;

#[derive(Clone, Debug)]
pub(super) struct Buckets {
    segments: Vec<Vec<u32>>,
    count: usize,
}

impl Buckets {
    pub(super) fn new() -> Self {
        Self { segments: vec![vec![Handle::NONE.0; MIN_BUCKETS]], count: MIN_BUCKETS }
    }

    /// Bits of a hash that tell the largest buckets apart.
    fn low_bits(&self) -> u32 {
        self.count.ilog2()
    }

    fn place(&self, hash: u64) -> usize {
        let low = (1_u64 << self.low_bits()) - 1;
        let fine = (hash & (low << 1 | 1)) as usize;
        if fine < self.count { fine } else { (hash & low) as usize }
    }

    fn head(&self, bucket: usize) -> Handle {
        Handle(self.segments[bucket / SEGMENT][bucket % SEGMENT])
    }

    fn set_head(&mut self, bucket: usize, handle: Handle) {
        self.segments[bucket / SEGMENT][bucket % SEGMENT] = handle.0;
    }

    fn chain<'s>(&self, slab: &'s Slab, bucket: usize) -> impl Iterator<Item = Handle> + use<'s> {
        let mut at = self.head(bucket);
        std::iter::from_fn(move || {
            let handle = (at != Handle::NONE).then_some(at)?;
            at = slab.next(handle);
            Some(handle)
        })
    }

    #[inline]
    pub(super) fn find(&self, slab: &Slab, hash: u64, member: &[u8]) -> Option<Handle> {
        self.chain(slab, self.place(hash)).find(|&handle| slab.member(handle) == member)
    }

    /// Adds a member that is not there; `len` members there are with it.
    pub(super) fn insert(&mut self, slab: &mut Slab, hash: u64, handle: Handle, len: usize) {
        self.push(slab, self.place(hash), handle);
        if len > self.count {
            self.split(slab);
        }
    }

    /// Takes a member out of its bucket; `len` are left.
    pub(super) fn remove(&mut self, slab: &mut Slab, hash: u64, handle: Handle, len: usize) {
        let bucket = self.place(hash);
        let next = slab.next(handle);
        let before = self.chain(slab, bucket).find(|&before| slab.next(before) == handle);
        match before {
            Some(before) => slab.set_next(before, next),
            None => self.set_head(bucket, next),
        }
        if self.count > MIN_BUCKETS && self.count > 2 * len {
            self.merge(slab);
        }
    }

    fn push(&mut self, slab: &mut Slab, bucket: usize, handle: Handle) {
        slab.set_next(handle, self.head(bucket));
        self.set_head(bucket, handle);
    }

    /// Adds a bucket and gives it its share of the one it belonged to.
    fn split(&mut self, slab: &mut Slab) {
        let added = self.count;
        let from = added - (1 << self.low_bits());
        if added.is_multiple_of(SEGMENT) {
            self.segments.push(Vec::with_capacity(SEGMENT));
        }
        if let Some(segment) = self.segments.last_mut() {
            segment.push(Handle::NONE.0);
        }
        self.count += 1;
        let mut at = self.head(from);
        self.set_head(from, Handle::NONE);
        while at != Handle::NONE {
            let next = slab.next(at);
            self.push(slab, self.place(hash(slab.member(at))), at);
            at = next;
        }
    }

    /// Takes the last bucket away and gives what it has to the one it came from.
    fn merge(&mut self, slab: &mut Slab) {
        let last = self.count - 1;
        let mut at = self.head(last);
        self.count = last;
        if let Some(segment) = self.segments.last_mut() {
            segment.pop();
            if segment.is_empty() {
                self.segments.pop();
            }
        }
        let into = last - (1 << last.ilog2());
        while at != Handle::NONE {
            let next = slab.next(at);
            self.push(slab, into, at);
            at = next;
        }
    }

    /// Hands out one bucket, the one of a cursor, and returns the next cursor; 0 is begin and end.
    pub(super) fn scan(&self, slab: &Slab, cursor: u64, found: &mut dyn FnMut(Handle)) -> u64 {
        let bucket = self.place(cursor);
        self.chain(slab, bucket).for_each(found);
        let low = self.low_bits();
        let bits =
            if bucket >= 1 << low || bucket + (1 << low) < self.count { low + 1 } else { low };
        let last_of_bucket = cursor.reverse_bits() | (u64::MAX >> bits);
        last_of_bucket.wrapping_add(1).reverse_bits()
    }

    pub(super) fn memory(&self) -> usize {
        self.segments.iter().map(|segment| segment.capacity() * 4 + size_of::<Vec<u32>>()).sum()
    }
}
