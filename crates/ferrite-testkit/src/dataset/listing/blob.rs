//! Bytes of any length, kept short: the beginning as it is, the whole as a hash.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use crate::client::write_bytes;

/// Bytes kept as they are.
const KEPT: usize = 128;

/// A string of any length that compares by all of its bytes and shows its first ones.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blob {
    head: Vec<u8>,
    length: usize,
    /// Zero when `head` is everything.
    hash: [u64; 2],
}

impl Blob {
    /// Takes note of bytes.
    pub fn new(bytes: &[u8]) -> Blob {
        let head = bytes.get(..KEPT).unwrap_or(bytes).to_vec();
        let hash = if head.len() < bytes.len() { [hash(1, bytes), hash(2, bytes)] } else { [0; 2] };
        Blob { head, length: bytes.len(), hash }
    }

    /// The first bytes; all of them when there are not many.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

fn hash(seed: u8, bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u8(seed);
    hasher.write(bytes);
    hasher.finish()
}

impl fmt::Display for Blob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_bytes(formatter, &self.head)?;
        if self.length > self.head.len() {
            write!(formatter, "… ({} bytes, hash {:016x})", self.length, self.hash[0])?;
        }
        Ok(())
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
