//! The hash of a key: SipHash with a seed per process, so that nobody can choose keys that collide.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The hash of a key. Its top six bits choose the shard, the rest the place in the shard's table.
#[must_use]
pub fn hash(key: &[u8]) -> u64 {
    let mut hasher = SEED.build_hasher();
    hasher.write(key);
    hasher.finish()
}

/// The top bits of a hash, which choose the shard.
const SHARD_BITS: u32 = 6;

/// Bits of a hash that order the keys of a table.
pub(super) const POSITION_BITS: u32 = 40;

/// The place of a hash in the order of a table's keys.
pub(super) fn position(hash: u64) -> u64 {
    (hash << SHARD_BITS) >> (64 - POSITION_BITS)
}

/// Eight bits of the hash that are not in its position.
pub(super) fn print(hash: u64) -> u8 {
    hash as u8
}
