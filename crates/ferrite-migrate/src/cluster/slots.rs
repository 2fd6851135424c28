//! Sets of slots.

use ferrite_commands::{SLOTS, slot};

/// A set of slots: 16,384 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotSet(Vec<bool>);

impl Default for SlotSet {
    /// None.
    fn default() -> Self {
        Self(vec![false; usize::from(SLOTS)])
    }
}

impl SlotSet {
    /// Adds a slot.
    pub fn insert(&mut self, slot: u16) {
        if let Some(bit) = self.0.get_mut(usize::from(slot)) {
            *bit = true;
        }
    }

    /// Adds ranges of first and last slot.
    pub fn insert_ranges(&mut self, ranges: &[(u16, u16)]) {
        ranges.iter().flat_map(|(first, last)| *first..=*last).for_each(|slot| self.insert(slot));
    }

    /// Adds all of another set.
    pub fn insert_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(ours, theirs)| *ours |= *theirs);
    }

    /// Whether a slot of these ranges of first and last is in it.
    #[must_use]
    pub fn overlaps(&self, ranges: &[(u16, u16)]) -> bool {
        let mut slots = ranges.iter().flat_map(|(first, last)| *first..=*last);
        slots.any(|slot| self.0.get(usize::from(slot)) == Some(&true))
    }

    /// Removes what is not in another set.
    pub fn keep_common(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(ours, theirs)| *ours &= *theirs);
    }

    /// Whether a key is in one of the slots.
    #[must_use]
    pub fn has_key(&self, key: &[u8]) -> bool {
        self.0.get(usize::from(slot(key))).copied().unwrap_or(false)
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.0.contains(&true)
    }

    /// How many it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().filter(|bit| **bit).count()
    }

    /// The slots as ranges, in words, at most `max` of them: `3, 5-9, …`.
    #[must_use]
    pub fn describe(&self, max: usize) -> String {
        let slots = (0..SLOTS).filter(|slot| self.0.get(usize::from(*slot)) == Some(&true));
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for slot in slots {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == slot => *last = slot,
                _ => ranges.push((slot, slot)),
            }
        }
        describe(&ranges, max)
    }
}

/// Ranges of slots in words, at most `max` of them.
#[must_use]
pub fn describe(ranges: &[(u16, u16)], max: usize) -> String {
    let text = |(first, last): &(u16, u16)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let mut words: Vec<String> = ranges.iter().take(max).map(text).collect();
    if ranges.len() > max {
        words.push(String::from("…"));
    }
    words.join(", ")
}
