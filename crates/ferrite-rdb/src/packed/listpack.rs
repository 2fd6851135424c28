//! Listpacks: the packed sequence of Redis 7 and later, and of stream nodes since Redis 5.
//!
//! ```text
//! total bytes (4, LE) | count (2, LE; 65535 = unknown) | entry ... | 0xff
//! entry: encoding and data | length of that, 1 to 5 bytes, for walking backwards
//!
//! 0vvvvvvv                         unsigned 7 bits
//! 10llllll data                    string of up to 63 bytes
//! 110vvvvv vvvvvvvv                signed 13 bits
//! 1110llll llllllll data           string of up to 4,095 bytes
//! 0xf0 llll (LE) data              string
//! 0xf1, 0xf2, 0xf3, 0xf4           signed 16, 24, 32, 64 bits, LE
//! ```

use super::{Element, array, int24, take};
use crate::ErrorKind;

const MALFORMED: ErrorKind = ErrorKind::Malformed("listpack");
const HEADER: usize = 6;
const UNKNOWN_COUNT: u16 = u16::MAX;
const END: u8 = 0xff;

/// The elements of a listpack, in order.
///
/// # Errors
/// [`ErrorKind::Malformed`] when the length in the header is not that of the bytes, or the end
/// mark is missing.
pub fn iter(bytes: &[u8]) -> Result<Iter<'_>, ErrorKind> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>().ok_or(MALFORMED)?;
    let [a, b, c, d, e, f] = *header;
    let total = u32::from_le_bytes([a, b, c, d]);
    let (&END, entries) = rest.split_last().ok_or(MALFORMED)? else { return Err(MALFORMED) };
    if u32::try_from(bytes.len()) != Ok(total) {
        return Err(MALFORMED);
    }
    let count = u16::from_le_bytes([e, f]);
    Ok(Iter { rest: entries, count: (count != UNKNOWN_COUNT).then_some(count), seen: 0 })
}

/// An iterator over the elements of a listpack; see [`iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
    count: Option<u16>,
    seen: u64,
}

impl Iter<'_> {
    /// How many elements the header claims, if it can; checked against what is there when the
    /// end is reached.
    #[must_use]
    pub fn claimed(&self) -> Option<u16> {
        self.count
    }

    fn finish(&mut self) -> Option<Result<Element<'static>, ErrorKind>> {
        let agrees = self.count.take().is_none_or(|count| u64::from(count) == self.seen);
        (!agrees).then_some(Err(MALFORMED))
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Result<Element<'a>, ErrorKind>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return self.finish();
        }
        self.seen += 1;
        match entry(&mut self.rest) {
            Some(element) => Some(Ok(element)),
            None => {
                self.rest = &[];
                self.count = None;
                Some(Err(MALFORMED))
            }
        }
    }
}

/// For each entry whose trailing length has two forms, whether it is the wide one. Ends at the
/// first thing that is malformed.
pub(crate) fn critical_elements(bytes: &[u8]) -> impl Iterator<Item = bool> {
    let mut rest = bytes.get(HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        loop {
            let before = rest.len();
            entry(&mut rest)?;
            match before - rest.len() {
                16_385 | 2_097_154 | 268_435_459 => return Some(false),
                16_386 | 2_097_155 | 268_435_460 => return Some(true),
                _ => {}
            }
        }
    })
}

/// Takes one entry with its trailing length off the front.
#[inline]
fn entry<'a>(rest: &mut &'a [u8]) -> Option<Element<'a>> {
    let before = rest.len();
    let [first] = array(rest)?;
    let element = match first {
        0..0x80 => Element::Int(i64::from(first)),
        0x80..0xc0 => Element::Bytes(take(rest, usize::from(first & 0x3f))?),
        _ => longer(first, rest)?,
    };
    let len = before - rest.len();
    take(rest, back_length_size(len, rest))?;
    Some(element)
}

fn longer<'a>(first: u8, rest: &mut &'a [u8]) -> Option<Element<'a>> {
    Some(match first {
        0xc0..0xe0 => {
            let [low] = array(rest)?;
            let shifted = u16::from(first) << 11 | u16::from(low) << 3;
            Element::Int(i64::from(shifted.cast_signed() >> 3))
        }
        0xe0..0xf0 => {
            let [low] = array(rest)?;
            Element::Bytes(take(rest, usize::from(first & 0x0f) << 8 | usize::from(low))?)
        }
        0xf0 => {
            let len = u32::from_le_bytes(array(rest)?);
            Element::Bytes(take(rest, usize::try_from(len).ok()?)?)
        }
        0xf1 => Element::Int(i64::from(i16::from_le_bytes(array(rest)?))),
        0xf2 => Element::Int(int24(rest)?),
        0xf3 => Element::Int(i64::from(i32::from_le_bytes(array(rest)?))),
        0xf4 => Element::Int(i64::from_le_bytes(array(rest)?)),
        _ => return None,
    })
}

/// How many bytes the trailing length of an entry of `len` bytes takes, `rest` being what follows
/// the entry.
///
/// Lengths of which seven, fourteen, ... bits are all set took a byte more than they need before
/// Valkey 9.1 (and Redis builds after May 2026); then, their first byte is 0.
#[inline]
fn back_length_size(len: usize, rest: &[u8]) -> usize {
    let wide = || usize::from(rest.first() == Some(&0));
    match len {
        0..=127 => 1,
        128..16_383 => 2,
        16_383 => 2 + wide(),
        16_384..2_097_151 => 3,
        2_097_151 => 3 + wide(),
        2_097_152..268_435_455 => 4,
        268_435_455 => 4 + wide(),
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(entry: &[u8]) -> Result<Vec<Element<'static>>, ErrorKind> {
        let mut bytes = (u32::try_from(entry.len()).unwrap() + 7).to_le_bytes().to_vec();
        bytes.extend([1, 0]);
        bytes.extend(entry);
        bytes.push(END);
        let bytes: &'static [u8] = bytes.leak();
        iter(bytes)?.collect()
    }

    #[test]
    fn integers_of_every_width() {
        for (entry, value) in [
            (&b"\x00\x01"[..], 0),
            (b"\x7f\x01", 127),
            (b"\xc0\x80\x02", 128),
            (b"\xdf\xff\x02", -1),
            (b"\xd0\x00\x02", -4096),
            (b"\xcf\xff\x02", 4095),
            (b"\xf1\x00\x80\x03", -32768),
            (b"\xf2\x00\x00\x80\x04", -8_388_608),
            (b"\xf3\xff\xff\xff\x7f\x05", 2_147_483_647),
            (b"\xf4\x00\x00\x00\x00\x00\x00\x00\x80\x09", i64::MIN),
        ] {
            assert_eq!(one(entry), Ok(vec![Element::Int(value)]), "{entry:?}");
        }
    }

    #[test]
    fn back_lengths_at_their_bounds_are_read_in_both_forms() {
        let mut entry = vec![0xf0, 0xfa, 0x3f, 0, 0];
        entry.resize(16_383, b'x');
        for back_length in [&b"\x7f\xff"[..], b"\x00\xff\xff"] {
            let bytes = [&entry, back_length].concat();
            let elements = one(&bytes).unwrap();
            assert!(matches!(elements[..], [Element::Bytes(bytes)] if bytes.len() == 16_378));
        }
    }

    #[test]
    fn wrong_frames_are_errors() {
        for bytes in [
            &b""[..],
            b"\x07\x00\x00\x00\x00\x00",
            b"\x08\x00\x00\x00\x00\x00\xff",
            b"\x07\x00\x00\x00\x00\x00\xfe",
        ] {
            assert!(iter(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(one(b"\x83ab\x04"), Err(MALFORMED));
        assert_eq!(one(b"\x01\x01\x01\x01"), Err(MALFORMED));
        assert_eq!(one(b"\xf5\x01"), Err(MALFORMED));
    }
}
