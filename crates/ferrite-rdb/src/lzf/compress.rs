//! LZF compression.
//!
//! Any sequence of instructions that reproduces the input is valid; this one finds matches with a
//! table of the last place each three-byte group was seen. The result may not be the bytes another
//! compressor would have written.

use super::WINDOW;

/// Groups of three bytes that are remembered, as a power of two: about one a byte, up to 8 Ki.
const TABLE_BITS: std::ops::RangeInclusive<u32> = 6..=13;
/// The longest copy one sequence can say.
const MAX_MATCH: usize = 264;
/// The most literals one sequence can hold.
const MAX_LITERALS: usize = 32;

/// Compresses `input` to the end of `out`. False, with `out` as it was, when the result would not
/// be shorter than the input.
#[must_use]
pub fn compress(input: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let bits = input.len().max(1).ilog2().clamp(*TABLE_BITS.start(), *TABLE_BITS.end());
    let mut table = vec![0_u32; 1 << bits];
    let mut literals = 0;
    let mut at = 0;
    while let Some(hash) = hash(input, at, bits) {
        let candidate = table.get_mut(hash).map(|slot| std::mem::replace(slot, at as u32 + 1));
        match candidate.and_then(|candidate| find_match(input, at, candidate)) {
            Some((distance, len)) => {
                write_literals(out, input.get(literals..at).unwrap_or_default());
                write_match(out, distance, len);
                at += len;
                literals = at;
            }
            None => at += 1,
        }
        if out.len() - start >= input.len() {
            break;
        }
    }
    write_literals(out, input.get(literals..).unwrap_or_default());
    let shorter = out.len() - start < input.len();
    if !shorter {
        out.truncate(start);
    }
    shorter
}

/// Where in the table the three bytes at `at` belong; `None` for the last two bytes, and above
/// 4 GiB, which the table cannot point to.
fn hash(input: &[u8], at: usize, bits: u32) -> Option<usize> {
    u32::try_from(at).ok().filter(|at| *at < u32::MAX)?;
    let group = input.get(at..at + 3)?;
    let word = group.iter().fold(0_u32, |word, byte| (word << 8) | u32::from(*byte));
    Some((word.wrapping_mul(0x9e37_79b1) >> (32 - bits)) as usize)
}

/// How far back and how long the match with a remembered place (plus one; 0 is none) is.
fn find_match(input: &[u8], at: usize, candidate: u32) -> Option<(usize, usize)> {
    let from = (candidate as usize).checked_sub(1)?;
    let distance = at - from;
    let same = |(a, b): &(&u8, &u8)| a == b;
    let pairs = input.get(from..)?.iter().zip(input.get(at..)?);
    let len = pairs.take(MAX_MATCH).take_while(same).count();
    (len >= 3 && distance <= WINDOW).then_some((distance, len))
}

fn write_literals(out: &mut Vec<u8>, literals: &[u8]) {
    for run in literals.chunks(MAX_LITERALS) {
        out.push(run.len() as u8 - 1);
        out.extend_from_slice(run);
    }
}

fn write_match(out: &mut Vec<u8>, distance: usize, len: usize) {
    let back = distance - 1;
    let high = (back >> 8) as u8;
    if len < 9 {
        out.push(((len - 2) as u8) << 5 | high);
    } else {
        out.push(0xe0 | high);
        out.push((len - 9) as u8);
    }
    out.push(back as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_one_literal_and_copies() {
        let mut out = b"kept".to_vec();
        assert!(compress(&[b'a'; 300], &mut out));
        assert_eq!(out, b"kept\0a\xe0\xff\0\xe1\x1a\x07");
    }

    #[test]
    fn what_does_not_shrink_is_refused() {
        let mut out = b"kept".to_vec();
        assert!(!compress(b"abcdefghijklmnopqrstuvwxyz", &mut out));
        assert!(!compress(b"", &mut out));
        assert_eq!(out, b"kept");
    }
}
