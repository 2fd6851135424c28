//! How several different elements of a collection are drawn by chance.

use std::collections::HashSet;
use std::hash::Hash;

use crate::random;

/// Whether so few are wanted that drawing one that was drawn before is rare; otherwise choose
/// among all by [`indexes`].
pub fn is_few(count: usize, of: usize) -> bool {
    count.saturating_mul(3) <= of
}

/// Draws until there are as many different ones, each known by its first part.
pub fn distinct<K: Eq + Hash, V>(count: usize, mut draw: impl FnMut() -> Option<(K, V)>) -> Vec<V> {
    let mut seen = HashSet::with_capacity(count);
    let mut drawn = Vec::with_capacity(count);
    while drawn.len() < count {
        let Some((key, element)) = draw() else { break };
        if seen.insert(key) {
            drawn.push(element);
        }
    }
    drawn
}

/// So many different indexes below `len`, in the order they were drawn.
pub fn indexes(count: usize, len: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..len).collect();
    for at in 0..count.min(len) {
        let other = at + random::below((len - at) as u64) as usize;
        all.swap(at, other);
    }
    all.truncate(count);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_different_and_all_as_likely() {
        let mut counts = [0_u32; 10];
        for _ in 0..10_000 {
            let drawn = indexes(4, 10);
            assert_eq!(drawn.len(), 4);
            for index in drawn {
                counts[index] += 1;
            }
        }
        // 4000 each on average, with a standard deviation of 49.
        assert!(counts.iter().all(|count| (3700..4300).contains(count)), "{counts:?}");
        let mut all = indexes(9, 5);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4]);
    }
}
