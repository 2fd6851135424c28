//! The checksum of RDB files and `DUMP` payloads: CRC-64, Jones polynomial.
//!
//! Polynomial 0xad93d23594c935a9, reflected in and out, initial value 0, no final xor; the check
//! value of `123456789` is 0xe9c6d914c4b8d9ca. Stored as eight bytes, least significant first.

use crc_fast::{CrcAlgorithm, Digest};

/// The checksum of one complete piece of data.
#[must_use]
pub fn crc64(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Redis, bytes)
}

/// A checksum computed piece by piece.
///
/// Short pieces are gathered, because the vectorised routine underneath is fast on long spans
/// only.
pub struct Crc64 {
    digest: Digest,
    gathered: Vec<u8>,
}

/// Pieces are gathered up to this many bytes before they are digested.
const GATHER: usize = 32 << 10;

impl Default for Crc64 {
    fn default() -> Self {
        Self::new()
    }
}

impl Crc64 {
    /// The checksum of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { digest: Digest::new(CrcAlgorithm::Crc64Redis), gathered: Vec::new() }
    }

    /// Appends bytes.
    #[inline]
    pub fn update(&mut self, bytes: &[u8]) {
        if self.gathered.len() + bytes.len() <= GATHER {
            self.gathered.extend_from_slice(bytes);
        } else {
            self.flush(bytes);
        }
    }

    /// The checksum of all bytes so far; more may follow.
    #[must_use]
    pub fn value(&mut self) -> u64 {
        self.flush(&[]);
        self.digest.finalize()
    }

    fn flush(&mut self, bytes: &[u8]) {
        self.digest.update(&self.gathered);
        self.gathered.clear();
        if bytes.len() > GATHER / 4 {
            self.digest.update(bytes);
        } else {
            self.gathered.extend_from_slice(bytes);
        }
    }
}

impl std::fmt::Debug for Crc64 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crc64").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_value_of_the_polynomial() {
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(crc64(b""), 0);
    }

    #[test]
    fn pieces_of_any_size_give_the_checksum_of_the_whole() {
        let data: Vec<u8> = (0..200_000_u32).map(|i| ((i * 31) >> 3) as u8).collect();
        let whole = crc64(&data);
        for size in [1, 7, 100, 4096, GATHER - 1, GATHER, GATHER + 1, 150_000] {
            let mut crc = Crc64::new();
            data.chunks(size).for_each(|piece| crc.update(piece));
            assert_eq!(crc.value(), whole, "pieces of {size}");
        }
    }
}
