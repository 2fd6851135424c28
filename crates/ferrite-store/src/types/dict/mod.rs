//! The dictionary behind the hashtable encodings: items found by hash, any of them drawn fairly,
//! all of them visited by a cursor that survives growth and shrinking.
//!
//! Linear hashing: the table grows by one bucket at a time, which takes its items out of one
//! other bucket, and shrinks the same way; no operation moves more than a bucket. With `2^b <
//! buckets <= 2^(b + 1)`, an item is in the bucket of its hash's low `b + 1` bits if there is one,
//! or else of its low `b` bits.
//!
//! ```text
//! buckets  0    1    2    3  | 4    5          6 buckets, b = 2
//! bits     000  001  10   11 | 100  101        2 and 3 are not split yet
//! ```
//!
//! A cursor counts through the low bits with the highest one changing first, so that the items of
//! a bucket that is split, or of two that are merged, lie next to each other in its order, however
//! many bits there are. This is Redis' order.

mod bucket;
#[cfg(test)]
mod tests;
mod thin;

use bucket::Bucket;
pub use thin::ThinBytes;

/// Items a bucket, on average.
const LOAD: usize = 16;
/// Below so many items a bucket, on average, the table shrinks.
const LOW_LOAD: usize = LOAD / 4;

/// A dictionary of items that know their own keys; its callers give the hashes.
pub struct Dict<T> {
    buckets: Vec<Bucket<T>>,
    len: usize,
    /// No bucket has more items.
    densest: usize,
}

impl<T> Default for Dict<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Dict<T> {
    /// An empty dictionary.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty dictionary that takes so many items without splitting buckets.
    #[must_use]
    pub fn with_capacity(items: usize) -> Self {
        let buckets = (0..items.div_ceil(LOAD).max(1)).map(|_| Bucket::new()).collect();
        Self { buckets, len: 0, densest: 0 }
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of heap it holds, without those of its items.
    #[must_use]
    pub fn memory(&self) -> usize {
        let blocks: usize = self.buckets.iter().map(Bucket::memory).sum();
        blocks + self.buckets.capacity() * size_of::<Bucket<T>>()
    }

    /// The bucket of a hash, and how many low bits of the hash all items in it share.
    #[inline]
    fn locate(&self, hash: u64) -> (usize, u32) {
        let buckets = self.buckets.len();
        let low_bits = usize::BITS - (buckets - 1).leading_zeros();
        let Some(fewer) = low_bits.checked_sub(1) else { return (0, 0) };
        let half = 1_usize << fewer;
        let low = hash as usize & (half - 1);
        if low + half < buckets { (hash as usize & (2 * half - 1), low_bits) } else { (low, fewer) }
    }

    /// The item with this hash that is the one wanted.
    #[inline]
    pub fn find(&self, hash: u64, is_it: impl FnMut(&T) -> bool) -> Option<&T> {
        let bucket = &self.buckets[self.locate(hash).0];
        bucket.position(tag(hash), is_it).map(|at| &bucket.items()[at])
    }

    /// The item with this hash that is the one wanted, to change without changing its hash.
    pub fn find_mut(&mut self, hash: u64, is_it: impl FnMut(&T) -> bool) -> Option<&mut T> {
        let at = self.locate(hash).0;
        let bucket = &mut self.buckets[at];
        let at = bucket.position(tag(hash), is_it)?;
        bucket.items_mut().get_mut(at)
    }

    /// Adds an item. The caller has looked that it is not there.
    pub fn insert(&mut self, hash: u64, item: T, hash_of: impl Fn(&T) -> u64) {
        if self.len >= self.buckets.len() * LOAD {
            self.split(&hash_of);
        }
        let at = self.locate(hash).0;
        self.buckets[at].push(tag(hash), item);
        self.densest = self.densest.max(self.buckets[at].len());
        self.len += 1;
    }

    /// Takes the item with this hash out that is the one wanted.
    pub fn remove(
        &mut self,
        hash: u64,
        is_it: impl FnMut(&T) -> bool,
        hash_of: impl Fn(&T) -> u64,
    ) -> Option<T> {
        let at = self.locate(hash).0;
        let bucket = &mut self.buckets[at];
        let item = bucket.swap_remove(bucket.position(tag(hash), is_it)?);
        self.len -= 1;
        if self.len < self.buckets.len() * LOW_LOAD && self.buckets.len() > 1 {
            self.merge(&hash_of);
        }
        Some(item)
    }

    /// Adds a bucket, with its items out of the one they were in.
    fn split(&mut self, hash_of: &impl Fn(&T) -> u64) {
        let new = self.buckets.len();
        self.buckets.push(Bucket::new());
        let old = new & !(1 << new.ilog2());
        for at in (0..self.buckets[old].len()).rev() {
            let hash = hash_of(&self.buckets[old].items()[at]);
            if self.locate(hash).0 == new {
                let item = self.buckets[old].swap_remove(at);
                self.buckets[new].push(tag(hash), item);
            }
        }
        self.measure();
    }

    /// Gives the last bucket up, its items going back into the one they came from.
    fn merge(&mut self, hash_of: &impl Fn(&T) -> u64) {
        let Some(mut last) = self.buckets.pop() else { return };
        let at = self.buckets.len();
        let into = &mut self.buckets[at & !(1 << at.ilog2())];
        while let Some(at) = last.len().checked_sub(1) {
            let item = last.swap_remove(at);
            into.push(tag(hash_of(&item)), item);
        }
        self.densest = self.densest.max(into.len());
        if self.buckets.capacity() > 4 * self.buckets.len() {
            self.buckets.shrink_to(2 * self.buckets.len());
        }
        self.measure();
    }

    /// Looks for the fullest bucket anew, each time the number of buckets has doubled or halved.
    fn measure(&mut self) {
        if self.buckets.len().is_power_of_two() {
            self.densest = self.buckets.iter().map(Bucket::len).max().unwrap_or(0);
        }
    }

    /// Any item, each as likely as every other; takes a few random numbers.
    pub fn random(&self, mut number: impl FnMut() -> u64) -> Option<&T> {
        if self.len == 0 {
            return None;
        }
        // A bucket is drawn, and a place as if all were as full as the fullest; places that are
        // not taken are drawn again, so that full buckets count for more.
        loop {
            let number = number();
            let bucket = &self.buckets[below(number as u32, self.buckets.len())];
            if let Some(item) = bucket.items().get(below((number >> 32) as u32, self.densest)) {
                return Some(item);
            }
        }
    }

    /// Visits the items of one bucket and returns the cursor of the next; 0 begins, 0 is the end.
    /// An item that is there from the beginning to the end is visited at least once.
    pub fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(&'a T)) -> u64 {
        let (bucket, bits) = self.locate(cursor);
        self.buckets[bucket].items().iter().for_each(&mut visit);
        match u64::MAX.checked_shl(bits) {
            None => 0,
            Some(above) => (cursor | above).reverse_bits().wrapping_add(1).reverse_bits(),
        }
    }

    /// All items, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.buckets.iter().flat_map(Bucket::items)
    }

    /// Takes all items out.
    pub fn drain(&mut self) -> impl Iterator<Item = T> {
        std::mem::take(self).buckets.into_iter().flat_map(|mut bucket| {
            std::iter::from_fn(move || Some(bucket.swap_remove(bucket.len().checked_sub(1)?)))
        })
    }
}

/// The bits of a hash that are kept with an item; the lowest ones choose the bucket.
#[inline]
const fn tag(hash: u64) -> u8 {
    (hash >> 56) as u8
}

/// A number below `limit` out of 32 random bits.
fn below(random: u32, limit: usize) -> usize {
    ((u128::from(random) * limit as u128) >> 32) as usize
}

impl<T: Clone> Clone for Dict<T> {
    fn clone(&self) -> Self {
        Self { buckets: self.buckets.clone(), len: self.len, densest: self.densest }
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Dict<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
