//! Chance: for samples and names, not for secrets.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};

thread_local! {
    static STATE: Cell<u64> = Cell::new(RandomState::new().build_hasher().finish() | 1);
}

/// A number that nobody can foretell who does not look into this thread (xorshift64*).
pub fn next() -> u64 {
    STATE.with(|state| {
        let mut value = state.get();
        value ^= value >> 12;
        value ^= value << 25;
        value ^= value >> 27;
        state.set(value);
        value.wrapping_mul(0x2545_f491_4f6c_dd1d)
    })
}

/// A number below `limit`, each as likely as any other; 0 where the limit is 0.
pub fn below(limit: u64) -> u64 {
    ((u128::from(next()) * u128::from(limit)) >> 64) as u64
}

/// Hexadecimal digits by chance.
pub fn hex_digits(count: usize) -> String {
    (0..count).filter_map(|_| char::from_digit((next() >> 60) as u32, 16)).collect()
}
