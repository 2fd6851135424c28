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
