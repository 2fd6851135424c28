//! Zipmaps: small hashes as Redis up to 2.4 stored them.
//!
//! ```text
//! count (1; 254 and up = unknown) | pair ... | 0xff
//! pair: name length | name | value length | unused bytes (1) | value | that many unused bytes
//! length: one byte below 254, or 254 and 4 bytes, LE
//! ```

use super::{array, take};
use crate::ErrorKind;

const MALFORMED: ErrorKind = ErrorKind::Malformed("zipmap");
const UNKNOWN_COUNT: u8 = 254;
const LONG: u8 = 254;
const END: u8 = 0xff;

/// The name-value pairs of a zipmap, in order.
///
/// # Errors
/// [`ErrorKind::Malformed`] when the end mark is missing.
pub fn iter(bytes: &[u8]) -> Result<Iter<'_>, ErrorKind> {
    let [count, pairs @ .., END] = bytes else { return Err(MALFORMED) };
    Ok(Iter { rest: pairs, count: (*count < UNKNOWN_COUNT).then_some(*count), seen: 0 })
}

/// An iterator over the pairs of a zipmap; see [`iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
    count: Option<u8>,
    seen: u64,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), ErrorKind>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            let agrees = self.count.take().is_none_or(|count| u64::from(count) == self.seen);
            return (!agrees).then_some(Err(MALFORMED));
        }
        self.seen += 1;
        let pair = pair(&mut self.rest);
        if pair.is_none() {
            self.rest = &[];
            self.count = None;
        }
        Some(pair.ok_or(MALFORMED))
    }
}

fn pair<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let name_len = length(rest)?;
    let name = take(rest, name_len)?;
    let value_len = length(rest)?;
    let [unused] = array(rest)?;
    let value = take(rest, value_len)?;
    take(rest, usize::from(unused))?;
    Some((name, value))
}

fn length(rest: &mut &[u8]) -> Option<usize> {
    match array(rest)? {
        [END] => None,
        [LONG] => usize::try_from(u32::from_le_bytes(array(rest)?)).ok(),
        [short] => Some(usize::from(short)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_lengths_and_unused_bytes() {
        let bytes = b"\x02\x01a\x02\x01xy.\xfe\x01\0\0\0b\x00\x00\xff";
        let pairs: Result<Vec<_>, _> = iter(bytes).unwrap().collect();
        assert_eq!(pairs, Ok(vec![(&b"a"[..], &b"xy"[..]), (b"b", b"")]));
    }

    #[test]
    fn damage_is_an_error() {
        for bytes in [&b""[..], b"\x00", b"\x01\xff", b"\x01\x05a\xff", b"\x01\x01a\x01\x00\xff"] {
            let got = iter(bytes).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            assert_eq!(got, Err(MALFORMED), "{bytes:?}");
        }
    }
}
