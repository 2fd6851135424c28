//! Ziplists: the packed sequence of Redis 2.6 to 6.2, KeyDB and Dragonfly.
//!
//! ```text
//! total bytes (4, LE) | offset of the last entry (4, LE) | count (2, LE; 65535 = unknown)
//! | entry ... | 0xff
//! entry: length of the previous entry (1 byte, or 0xfe and 4 LE) | encoding | data
//!
//! 00llllll                         string of up to 63 bytes
//! 01llllll llllllll                string of up to 16,383 bytes
//! 0x80 llll (BE)                   string
//! 0xc0, 0xd0, 0xe0, 0xf0, 0xfe     signed 16, 32, 64, 24, 8 bits, LE
//! 0xf1 to 0xfd                     0 to 12
//! ```

use super::{Element, array, int24, take};
use crate::ErrorKind;

const MALFORMED: ErrorKind = ErrorKind::Malformed("ziplist");
const HEADER: usize = 10;
const UNKNOWN_COUNT: u16 = u16::MAX;
const END: u8 = 0xff;
const BIG_PREVIOUS: u8 = 0xfe;

/// The elements of a ziplist, in order.
///
/// # Errors
/// [`ErrorKind::Malformed`] when the length in the header is not that of the bytes, or the end
/// mark is missing.
pub fn iter(bytes: &[u8]) -> Result<Iter<'_>, ErrorKind> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>().ok_or(MALFORMED)?;
    let [a, b, c, d, _, _, _, _, e, f] = *header;
    let total = u32::from_le_bytes([a, b, c, d]);
    let (&END, entries) = rest.split_last().ok_or(MALFORMED)? else { return Err(MALFORMED) };
    if u32::try_from(bytes.len()) != Ok(total) {
        return Err(MALFORMED);
    }
    let count = u16::from_le_bytes([e, f]);
    Ok(Iter { rest: entries, count: (count != UNKNOWN_COUNT).then_some(count), seen: 0 })
}

/// An iterator over the elements of a ziplist; see [`iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
    count: Option<u16>,
    seen: u64,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Result<Element<'a>, ErrorKind>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            let agrees = self.count.take().is_none_or(|count| u64::from(count) == self.seen);
            return (!agrees).then_some(Err(MALFORMED));
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

#[inline]
fn entry<'a>(rest: &mut &'a [u8]) -> Option<Element<'a>> {
    match array(rest)? {
        [END] => return None,
        [BIG_PREVIOUS] => {
            take(rest, 4)?;
        }
        [_] => {}
    }
    let [first] = array(rest)?;
    Some(match first {
        0..0x40 => Element::Bytes(take(rest, usize::from(first))?),
        0x40..0x80 => {
            let [low] = array(rest)?;
            Element::Bytes(take(rest, usize::from(first & 0x3f) << 8 | usize::from(low))?)
        }
        0x80 => {
            let len = u32::from_be_bytes(array(rest)?);
            Element::Bytes(take(rest, usize::try_from(len).ok()?)?)
        }
        _ => Element::Int(integer(first, rest)?),
    })
}

fn integer(first: u8, rest: &mut &[u8]) -> Option<i64> {
    Some(match first {
        0xc0 => i64::from(i16::from_le_bytes(array(rest)?)),
        0xd0 => i64::from(i32::from_le_bytes(array(rest)?)),
        0xe0 => i64::from_le_bytes(array(rest)?),
        0xf0 => int24(rest)?,
        0xfe => i64::from(i8::from_le_bytes(array(rest)?)),
        0xf1..=0xfd => i64::from(first & 0x0f) - 1,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(count: u16, entries: &[u8]) -> Vec<u8> {
        let mut bytes = (u32::try_from(entries.len()).unwrap() + 11).to_le_bytes().to_vec();
        bytes.extend([0; 4]);
        bytes.extend(count.to_le_bytes());
        bytes.extend(entries);
        bytes.push(END);
        bytes
    }

    #[test]
    fn every_encoding() {
        for (entry, expected) in [
            (&b"\x00\x03abc"[..], Element::Bytes(b"abc")),
            (b"\xfe\xff\x00\x00\x00\x40\x03abc", Element::Bytes(b"abc")),
            (b"\x00\x80\x00\x00\x00\x01x", Element::Bytes(b"x")),
            (b"\x00\xc0\x00\x80", Element::Int(-32768)),
            (b"\x00\xd0\xff\xff\xff\x7f", Element::Int(2_147_483_647)),
            (b"\x00\xe0\x00\x00\x00\x00\x00\x00\x00\x80", Element::Int(i64::MIN)),
            (b"\x00\xf0\x00\x00\x80", Element::Int(-8_388_608)),
            (b"\x00\xfe\x80", Element::Int(-128)),
            (b"\x00\xf1", Element::Int(0)),
            (b"\x00\xfd", Element::Int(12)),
        ] {
            let bytes = pack(1, entry);
            let got: Result<Vec<_>, _> = iter(&bytes).unwrap().collect();
            assert_eq!(got, Ok(vec![expected]), "{entry:?}");
        }
    }

    #[test]
    fn damage_is_an_error() {
        for bytes in [pack(2, b"\x00\xf1"), pack(1, b"\x00\x03ab"), pack(1, b"\x00\x81"), vec![]] {
            let got = iter(&bytes).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            assert_eq!(got, Err(MALFORMED), "{bytes:?}");
        }
    }
}
