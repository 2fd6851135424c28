//! Intsets: small sets of integers, ascending.
//!
//! ```text
//! width in bytes: 2, 4 or 8 (4, LE) | count (4, LE) | integers, LE, each of that width
//! ```

use crate::ErrorKind;

const MALFORMED: ErrorKind = ErrorKind::Malformed("intset");
const HEADER: usize = 8;

/// The members of an intset, in order.
///
/// # Errors
/// [`ErrorKind::Malformed`] when the width is unknown or the count does not match the bytes.
pub fn iter(bytes: &[u8]) -> Result<Iter<'_>, ErrorKind> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>().ok_or(MALFORMED)?;
    let [a, b, c, d, e, f, g, h] = *header;
    let width = match u32::from_le_bytes([a, b, c, d]) {
        width @ (2 | 4 | 8) => width as usize,
        _ => return Err(MALFORMED),
    };
    let count = u64::from(u32::from_le_bytes([e, f, g, h]));
    if count * width as u64 != rest.len() as u64 {
        return Err(MALFORMED);
    }
    Ok(Iter { members: rest.chunks_exact(width) })
}

/// An iterator over the members of an intset; see [`iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    members: std::slice::ChunksExact<'a, u8>,
}

impl Iterator for Iter<'_> {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        Some(match *self.members.next()? {
            [a, b] => i64::from(i16::from_le_bytes([a, b])),
            [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
            [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width() {
        let two = b"\x02\0\0\0\x02\0\0\0\xff\xff\x07\0";
        assert_eq!(iter(two).unwrap().collect::<Vec<_>>(), [-1, 7]);
        let four = b"\x04\0\0\0\x01\0\0\0\0\0\x01\0";
        assert_eq!(iter(four).unwrap().collect::<Vec<_>>(), [65536]);
        let eight = b"\x08\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\x80";
        assert_eq!(iter(eight).unwrap().collect::<Vec<_>>(), [i64::MIN]);
    }

    #[test]
    fn wrong_frames_are_errors() {
        for bytes in [&b"\x02\0\0\0\x02\0\0\0\xff\xff"[..], b"\x03\0\0\0\0\0\0\0", b"\x02"] {
            assert_eq!(iter(bytes).err(), Some(MALFORMED), "{bytes:?}");
        }
    }
}
