//! A bucket: twelve references to items in one cache line.
//!
//! ```text
//! 0        48            60     62         64
//! | refs   | prints      | used | overflow |
//! | 12×u32 | 12×u8       | u16  | u16      |
//! ```
//!
//! `prints` holds eight bits of each key's hash, so that a lookup touches an item only where they
//! agree. `overflow` counts, four bits for each of the segment's stash buckets, the items at home
//! here that had to be put there.

/// References in a bucket.
pub(super) const SLOTS: usize = 12;

/// Stash buckets of a segment, one count of four bits each in `overflow`.
pub(super) const STASH: usize = 4;

const ALL: u16 = (1 << SLOTS) - 1;

/// Twelve references to items.
#[repr(align(64))]
#[derive(Debug, Clone, Default)]
pub(super) struct Bucket {
    refs: [u32; SLOTS],
    prints: [u8; SLOTS],
    used: u16,
    overflow: u16,
}

impl Bucket {
    /// The slots whose print is this, as bits.
    pub(super) fn matching(&self, print: u8) -> Bits {
        let mut bits = 0;
        for (slot, &other) in self.prints.iter().enumerate() {
            bits |= u16::from(other == print) << slot;
        }
        Bits(bits & self.used)
    }

    /// The slots in use, as bits.
    pub(super) fn used(&self) -> Bits {
        Bits(self.used)
    }

    pub(super) fn is_used(&self, slot: usize) -> bool {
        self.used >> slot & 1 == 1
    }

    pub(super) fn get(&self, slot: usize) -> u32 {
        self.refs[slot]
    }

    pub(super) fn set(&mut self, slot: usize, item: u32) {
        self.refs[slot] = item;
    }

    /// Adds a reference; nothing if the bucket is full.
    pub(super) fn push(&mut self, print: u8, item: u32) -> Option<usize> {
        let slot = Bits(ALL & !self.used).next()?;
        self.refs[slot] = item;
        self.prints[slot] = print;
        self.used |= 1 << slot;
        Some(slot)
    }

    pub(super) fn remove(&mut self, slot: usize) {
        self.used &= !(1 << slot);
    }

    /// The stash buckets that hold items which are at home here, as bits.
    pub(super) fn stashes(&self) -> Bits {
        let mut bits = 0;
        for stash in 0..STASH {
            bits |= u16::from(self.overflow >> (4 * stash) & 0xf != 0) << stash;
        }
        Bits(bits)
    }

    /// Counts an item at home here that was put into a stash bucket.
    pub(super) fn stash(&mut self, stash: usize) {
        self.overflow += 1 << (4 * stash);
    }

    /// Takes back one count of [`Bucket::stash`].
    pub(super) fn unstash(&mut self, stash: usize) {
        self.overflow -= 1 << (4 * stash);
    }
}

/// The numbers of the bits that are set, lowest first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits(u16);

impl Bits {
    pub(super) fn count(self) -> usize {
        self.0.count_ones() as usize
    }
}

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(bit as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_one_cache_line() {
        assert_eq!(size_of::<Bucket>(), 64);
        assert_eq!(align_of::<Bucket>(), 64);
    }

    #[test]
    fn a_bucket_takes_twelve_and_finds_them_by_print() {
        let mut bucket = Bucket::default();
        for item in 0..SLOTS as u32 {
            assert!(bucket.push((item % 5) as u8, item).is_some());
        }
        assert_eq!(bucket.push(0, 99), None);
        let found: Vec<_> = bucket.matching(3).map(|slot| bucket.get(slot)).collect();
        assert_eq!(found, [3, 8]);
        bucket.remove(3);
        assert_eq!(bucket.matching(3).count(), 1);
        assert_eq!(bucket.push(7, 50), Some(3));
    }

    #[test]
    fn the_stash_counts_are_apart() {
        let mut bucket = Bucket::default();
        for _ in 0..SLOTS {
            bucket.stash(3);
        }
        bucket.stash(1);
        assert_eq!(bucket.stashes().collect::<Vec<_>>(), [1, 3]);
        bucket.unstash(1);
        assert_eq!(bucket.stashes().collect::<Vec<_>>(), [3]);
    }
}
