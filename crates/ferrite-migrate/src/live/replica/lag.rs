//! How old what the target has not got is, from the source's offset over time.
//!
//! At the latest moment at which the source's offset was not beyond the target's, nothing was
//! missing; what is missing is younger than that.

use std::collections::VecDeque;

/// Moments that are kept; at five a second, three minutes. An older lag counts as that old.
const MOMENTS_MAX: usize = 1024;

/// The source's offset over time.
#[derive(Debug, Default)]
pub struct Moments(VecDeque<(u64, u64)>);

impl Moments {
    /// At `at_ms` (Unix time, ms) the source's offset was `offset`.
    pub fn add(&mut self, offset: u64, at_ms: u64) {
        match self.0.back_mut() {
            // Offsets that go back are another history's.
            Some((last, _)) if *last > offset => self.0.clear(),
            Some((last, at)) if *last == offset => {
                *at = at_ms;
                return;
            }
            _ => {}
        }
        if self.0.len() == MOMENTS_MAX {
            self.0.pop_front();
        }
        self.0.push_back((offset, at_ms));
    }

    /// The latest moment at which a target with this offset had everything; Unix time, ms.
    #[must_use]
    pub fn level_at(&self, offset: u64) -> Option<u64> {
        let reached = self.0.iter().rev().find(|(then, _)| *then <= offset);
        reached.or(self.0.front()).map(|(_, at_ms)| *at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_counts_from_the_last_moment_without_any() {
        let mut moments = Moments::default();
        assert_eq!(moments.level_at(5), None);
        for (offset, at_ms) in [(10, 100), (10, 200), (20, 300), (30, 400)] {
            moments.add(offset, at_ms);
        }
        let level = [5, 10, 19, 20, 29, 30, 99].map(|offset| moments.level_at(offset));
        assert_eq!(level, [200, 200, 200, 300, 300, 400, 400].map(Some));
        moments.add(3, 500);
        assert_eq!(moments.level_at(30), Some(500));
        for number in 0..2 * MOMENTS_MAX as u64 {
            moments.add(100 + number, 1000 + number);
        }
        assert_eq!(moments.0.len(), MOMENTS_MAX);
    }
}
