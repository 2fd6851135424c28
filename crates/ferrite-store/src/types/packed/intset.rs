//! Intsets that are changed in place: integers in ascending order, the bytes Redis writes.
//!
//! ```text
//! width in bytes: 2, 4 or 8 (4, LE) | count (4, LE) | integers, LE, each of that width
//! ```

use ferrite_rdb::ErrorKind;
use ferrite_rdb::packed::intset;

const HEADER: usize = 8;

/// A set of integers.
#[derive(Clone, PartialEq, Eq)]
pub struct Intset {
    bytes: Vec<u8>,
}

impl Default for Intset {
    fn default() -> Self {
        Self::new()
    }
}

/// The width an integer needs.
const fn width_of(value: i64) -> usize {
    match value {
        -0x8000..=0x7fff => 2,
        -0x8000_0000..=0x7fff_ffff => 4,
        _ => 8,
    }
}

impl Intset {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: vec![2, 0, 0, 0, 0, 0, 0, 0] }
    }

    /// Takes an intset out of a file or payload.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] when its length is not what its header says, or its integers do
    /// not ascend.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, ErrorKind> {
        if intset::iter(&bytes)?.is_sorted_by(|a, b| a < b) {
            Ok(Self { bytes })
        } else {
            Err(ErrorKind::Malformed("intset: its integers do not ascend"))
        }
    }

    /// The bytes, as they stand in RDB files.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of heap it holds.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    fn width(&self) -> usize {
        usize::from(self.bytes[0])
    }

    /// How many integers it has.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.bytes.len() - HEADER) / self.width()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == HEADER
    }

    /// The integer with an index, the smallest first.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<i64> {
        let width = self.width();
        let start = HEADER + index.checked_mul(width)?;
        let bytes = self.bytes.get(start..start.checked_add(width)?)?;
        Some(match bytes {
            [a, b] => i64::from(i16::from_le_bytes([*a, *b])),
            [a, b, c, d] => i64::from(i32::from_le_bytes([*a, *b, *c, *d])),
            _ => i64::from_le_bytes(bytes.try_into().ok()?),
        })
    }

    /// The integers, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = i64> + DoubleEndedIterator + '_ {
        (0..self.len()).map(|index| self.get(index).unwrap_or_default())
    }

    /// Where the integer is, or else where it belongs.
    fn search(&self, value: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle).map(|found| found.cmp(&value)) {
                Some(std::cmp::Ordering::Less) => low = middle + 1,
                Some(std::cmp::Ordering::Equal) => return Ok(middle),
                _ => high = middle,
            }
        }
        Err(low)
    }

    /// Whether it has an integer.
    #[must_use]
    pub fn contains(&self, value: i64) -> bool {
        width_of(value) <= self.width() && self.search(value).is_ok()
    }

    /// Adds an integer; false when it is there already.
    pub fn add(&mut self, value: i64) -> bool {
        let Err(index) = self.search(value) else { return false };
        if width_of(value) > self.width() {
            self.widen(width_of(value));
        }
        let width = self.width();
        let start = HEADER + index * width;
        let len = self.bytes.len();
        if self.bytes.capacity() - len < width {
            self.bytes.reserve_exact(width + len / 8);
        }
        self.bytes.resize(len + width, 0);
        self.bytes.copy_within(start..len, start + width);
        self.bytes[start..start + width].copy_from_slice(&value.to_le_bytes()[..width]);
        self.write_count();
        true
    }

    /// Removes an integer; false when it is not there.
    pub fn remove(&mut self, value: i64) -> bool {
        let Ok(index) = self.search(value) else { return false };
        let start = HEADER + index * self.width();
        self.bytes.drain(start..start + self.width());
        if self.bytes.len() < self.bytes.capacity() / 2 {
            self.bytes.shrink_to_fit();
        }
        self.write_count();
        true
    }

    /// Writes all integers in a larger width.
    fn widen(&mut self, width: usize) {
        let mut bytes = Vec::with_capacity(HEADER + (self.len() + 1) * width);
        bytes.extend_from_slice(&[width as u8, 0, 0, 0, 0, 0, 0, 0]);
        for value in self.iter() {
            bytes.extend_from_slice(&value.to_le_bytes()[..width]);
        }
        self.bytes = bytes;
        self.write_count();
    }

    fn write_count(&mut self) {
        let count = (self.len() as u32).to_le_bytes();
        self.bytes[4..HEADER].copy_from_slice(&count);
    }
}

impl std::fmt::Debug for Intset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_an_ordered_set(
            changes in proptest::collection::vec((any::<bool>(), prop_oneof![
                -50..50_i64, -100_000..100_000_i64, any::<i64>()
            ]), 0..200)
        ) {
            let mut set = Intset::new();
            let mut model = BTreeSet::new();
            let mut width = 2;
            for (adds, value) in changes {
                if adds {
                    width = width.max(width_of(value));
                    prop_assert_eq!(set.add(value), model.insert(value));
                } else {
                    prop_assert_eq!(set.remove(value), model.remove(&value));
                }
                prop_assert_eq!(set.contains(value), adds);
            }
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.width(), width);
            prop_assert_eq!(set.len(), model.len());
            let read: Vec<_> = intset::iter(set.as_bytes()).unwrap().collect();
            prop_assert_eq!(read, model.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(Intset::from_bytes(set.as_bytes().to_vec()), Ok(set));
        }
    }

    #[test]
    fn integers_that_do_not_ascend_are_refused() {
        for bytes in [&b"\x02\0\0\0\x02\0\0\0\x02\0\x01\0"[..], b"\x02\0\0\0\x02\0\0\0\x01\0\x01\0"]
        {
            assert!(Intset::from_bytes(bytes.to_vec()).is_err());
        }
    }
}
