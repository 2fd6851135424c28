//! The generator behind `math.random`: the 48-bit one of POSIX, so that a script that seeds it
//! gets the numbers it would get elsewhere.

const MULTIPLIER: u64 = 0x5_DEEC_E66D;
const INCREMENT: u64 = 0xB;
const MASK: u64 = (1 << 48) - 1;
const INITIAL: u64 = 0x1234_ABCD_330E;

/// What 31 random bits are divided by.
const RANGE: u64 = i32::MAX as u64;

/// The state of the generator.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self(INITIAL)
    }
}

impl Random {
    /// Starts the sequence of this seed.
    pub(super) fn seed(&mut self, seed: i32) {
        self.0 = (u64::from(seed as u32) << 16) | 0x330E;
    }

    /// The next number, at least 0 and below 1.
    pub(super) fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT) & MASK;
        ((self.0 >> 17) % RANGE) as f64 / RANGE as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `tostring(math.random())` gives first on a server just started.
    #[test]
    fn the_first_numbers_are_those_of_redis() {
        let mut random = Random::default();
        assert_eq!(format!("{:.14}", random.fraction()), "0.39646477363839");
        assert_eq!(format!("{:.14}", random.fraction()), "0.84048536971234");
        random.seed(7);
        assert_eq!(format!("{:.14}", random.fraction()), "0.26644419658298");
    }
}
