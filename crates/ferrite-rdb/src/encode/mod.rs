//! Writing values: lengths, strings, and whole values as every server reads them.
//!
//! A length is 1, 2, 5 or 9 bytes, chosen by its top bits:
//!
//! ```text
//! 00xxxxxx                      6 bits
//! 01xxxxxx xxxxxxxx            14 bits, big endian
//! 0x80 + 4 bytes big endian    32 bits
//! 0x81 + 8 bytes big endian    64 bits, RDB 8 and later
//! 11xxxxxx                     not a length: the string that follows is an integer, or LZF
//! ```
//!
//! Collections are counted while they are written: [`LengthSlot`] reserves the 5-byte form and
//! fills it in at the end. Readers take any form that holds the value.

mod listpack;
mod stream;
mod value;

pub use listpack::{BackLengths, Listpack, integer};
pub use value::{Encoded, HashLayout, Layout, ListLayout, StreamLayout, ValueEncoder, ZsetLayout};

use crate::lzf::compress;

/// Type byte of a string.
pub const TYPE_STRING: u8 = 0;
/// Type byte of a list of strings.
pub const TYPE_LIST: u8 = 1;
/// Type byte of a set of strings.
pub const TYPE_SET: u8 = 2;
/// Type byte of a sorted set with scores in decimal.
pub const TYPE_ZSET: u8 = 3;
/// Type byte of a hash of strings.
pub const TYPE_HASH: u8 = 4;
/// Type byte of a sorted set with binary scores; RDB 8 and later.
pub const TYPE_ZSET_2: u8 = 5;
/// Type byte of a stream; RDB 9.
pub const TYPE_STREAM: u8 = 15;
/// Type byte of a set of integers; all RDB versions since 2.
pub const TYPE_SET_INTSET: u8 = 11;
/// Type byte of a hash that is a listpack; RDB 10.
pub const TYPE_HASH_LISTPACK: u8 = 16;
/// Type byte of a sorted set as a listpack of members and scores; RDB 10.
pub const TYPE_ZSET_LISTPACK: u8 = 17;
/// Type byte of a list of listpacks; RDB 10.
pub const TYPE_LIST_QUICKLIST_2: u8 = 18;
/// Type byte of a stream with first and largest deleted id and counters; RDB 10.
pub const TYPE_STREAM_2: u8 = 19;
/// Type byte of a set that is a listpack; RDB 11.
pub const TYPE_SET_LISTPACK: u8 = 20;
/// Type byte of a stream whose consumers have an active time; RDB 11.
pub const TYPE_STREAM_3: u8 = 21;
/// Type byte of a hash with field expiry, Valkey 9 alone.
pub const TYPE_HASH_2: u8 = 22;
/// Type byte of a hash with field expiry, Redis 7.4 and later.
pub const TYPE_HASH_METADATA: u8 = 24;
/// Type byte of a hash with field expiry that is a listpack, Redis 7.4 and later.
pub const TYPE_HASH_LISTPACK_EX: u8 = 25;

/// Strings of up to this many bytes are never compressed: Redis' own threshold.
const COMPRESS_ABOVE: usize = 20;

/// Appends a length in its shortest form.
pub fn length(out: &mut Vec<u8>, len: u64) {
    if len < 1 << 6 {
        out.push(len as u8);
    } else if len < 1 << 14 {
        out.extend_from_slice(&(0x4000 | len as u16).to_be_bytes());
    } else if let Ok(len) = u32::try_from(len) {
        out.push(0x80);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(0x81);
        out.extend_from_slice(&len.to_be_bytes());
    }
}

/// Appends a string as it is.
pub fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    length(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a string, LZF compressed where that is shorter.
///
/// ```text
/// 0xc3 | compressed length | length | LZF data
/// ```
pub fn string_compressed(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    if bytes.len() <= COMPRESS_ABOVE {
        return string(out, bytes);
    }
    let mut data = Vec::with_capacity(bytes.len());
    if !compress(bytes, &mut data) {
        return string(out, bytes);
    }
    out.push(0xc3);
    length(out, data.len() as u64);
    length(out, bytes.len() as u64);
    out.extend_from_slice(&data);
    if out.len() - start > bytes.len() {
        out.truncate(start);
        string(out, bytes);
    }
}

/// Appends a string in the shortest form it has: as an integer of up to 32 bits where it is one,
/// or else as [`string_compressed`] does. Not every place for a string takes integers.
///
/// ```text
/// 0xc0 + 1 byte | 0xc1 + 2 bytes (LE) | 0xc2 + 4 bytes (LE)
/// ```
pub fn string_shortest(out: &mut Vec<u8>, bytes: &[u8]) {
    let value = integer(bytes).and_then(|value| i32::try_from(value).ok());
    match value {
        Some(value @ -0x80..=0x7f) => out.extend_from_slice(&[0xc0, value as u8]),
        Some(value @ -0x8000..=0x7fff) => {
            let [low, high, ..] = value.to_le_bytes();
            out.extend_from_slice(&[0xc1, low, high]);
        }
        Some(value) => {
            out.push(0xc2);
            out.extend_from_slice(&value.to_le_bytes());
        }
        None => string_compressed(out, bytes),
    }
}

/// A length to be known later: five bytes kept free for it.
#[derive(Clone, Copy, Debug)]
#[must_use = "a slot that is never filled leaves a length of 0"]
pub struct LengthSlot(usize);

impl LengthSlot {
    /// Reserves the slot at the end of `out`.
    pub fn reserve(out: &mut Vec<u8>) -> Self {
        let at = out.len();
        out.extend_from_slice(&[0x80, 0, 0, 0, 0]);
        Self(at)
    }

    /// Writes the length. False when it does not fit: above 2^32 - 1.
    #[must_use]
    pub fn fill(self, out: &mut [u8], len: u64) -> bool {
        let bytes = out.get_mut(self.0 + 1..self.0 + 5);
        match (u32::try_from(len), bytes) {
            (Ok(len), Some(bytes)) => {
                bytes.copy_from_slice(&len.to_be_bytes());
                true
            }
            _ => false,
        }
    }
}

/// Appends a score in decimal, as in sorted sets of type 3: one byte of length and digits, or one
/// byte alone for what has no digits (253 not a number, 254 and 255 the infinities).
pub fn decimal_score(out: &mut Vec<u8>, score: f64) {
    if score.is_nan() {
        return out.push(253);
    }
    if score.is_infinite() {
        return out.push(if score > 0.0 { 254 } else { 255 });
    }
    // The shortest digits that read back exactly; the exponent keeps 1e300 short.
    let digits = format!("{score:e}");
    out.push(digits.len() as u8);
    out.extend_from_slice(digits.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn lengths_take_the_shortest_form() {
        assert_eq!(encoded(|out| length(out, 63)), [63]);
        assert_eq!(encoded(|out| length(out, 64)), [0x40, 64]);
        assert_eq!(encoded(|out| length(out, 16383)), [0x7f, 0xff]);
        assert_eq!(encoded(|out| length(out, 16384)), [0x80, 0, 0, 0x40, 0]);
        assert_eq!(encoded(|out| length(out, 1 << 32)), [0x81, 0, 0, 0, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn integers_take_the_place_of_their_digits() {
        assert_eq!(encoded(|out| string_shortest(out, b"-128")), [0xc0, 0x80]);
        assert_eq!(encoded(|out| string_shortest(out, b"128")), [0xc1, 128, 0]);
        assert_eq!(encoded(|out| string_shortest(out, b"32768")), [0xc2, 0, 128, 0, 0]);
        assert_eq!(encoded(|out| string_shortest(out, b"2147483648"))[0], 10);
        assert_eq!(encoded(|out| string_shortest(out, b"007")), b"\x03007");
    }

    #[test]
    fn a_slot_is_filled_in_place() {
        let mut out = vec![9];
        let slot = LengthSlot::reserve(&mut out);
        out.push(7);
        assert!(slot.fill(&mut out, 258));
        assert_eq!(out, [9, 0x80, 0, 0, 1, 2, 7]);
        assert!(!slot.fill(&mut out, 1 << 32));
    }

    #[test]
    fn decimal_scores_read_back_exactly() {
        for score in [0.0, -0.0, 1.5, -3.25e-300, f64::MAX, f64::MIN_POSITIVE, 0.1 + 0.2] {
            let out = encoded(|out| decimal_score(out, score));
            assert_eq!(usize::from(out[0]), out.len() - 1);
            let read: f64 = std::str::from_utf8(&out[1..]).unwrap().parse().unwrap();
            assert_eq!(read.to_bits(), score.to_bits());
        }
        assert_eq!(encoded(|out| decimal_score(out, f64::NEG_INFINITY)), [255]);
    }
}
