//! BITCOUNT, BITPOS.

use super::read;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::number;

/// What a command looks at: from `first` to `last`, in bits, both inclusive; nothing where that
/// is empty.
fn range(start: i64, end: i64, length: i64, in_bits: bool) -> Option<(usize, usize)> {
    let units = if in_bits { length * 8 } else { length };
    let from_start = |index: i64| if index < 0 { (units + index).max(0) } else { index };
    if start < 0 && end < 0 && start > end {
        return None;
    }
    let (start, end) = (from_start(start), from_start(end).min(units - 1));
    if start > end || units == 0 {
        return None;
    }
    let (first, last) = if in_bits { (start, end) } else { (start * 8, end * 8 + 7) };
    Some((usize::try_from(first).ok()?, usize::try_from(last).ok()?))
}

/// Whether the word is BIT, and not BYTE.
fn unit(word: Option<&&[u8]>) -> Result<bool, CommandError> {
    match word.map(|word| word.to_ascii_lowercase()).as_deref() {
        None | Some(b"byte") => Ok(false),
        Some(b"bit") => Ok(true),
        Some(_) => Err(CommandError::SYNTAX),
    }
}

/// The bits of a byte that lie from `first` to `last`, `at` being the number of its first bit.
fn mask(at: usize, first: usize, last: usize) -> u8 {
    let mut mask = 0xff_u8;
    if first > at {
        mask &= 0xff >> (first - at).min(7);
    }
    if last < at + 7 {
        mask &= 0xff << (at + 7 - last).min(7);
    }
    mask
}

fn count(bytes: &[u8], first: usize, last: usize) -> usize {
    let part = bytes.get(first / 8..=last / 8).unwrap_or_default();
    let all: usize = part.iter().map(|byte| byte.count_ones() as usize).sum();
    let outside = |byte: Option<&u8>, at: usize| {
        byte.map_or(0, |byte| (byte & !mask(at, first, last)).count_ones() as usize)
    };
    let (head, tail) = (first / 8 * 8, last / 8 * 8);
    let before = outside(part.first(), head);
    let behind = if tail == head { 0 } else { outside(part.last(), tail) };
    all - before - behind
}

/// `BITCOUNT key [start end [BYTE|BIT]]`.
pub(super) fn bitcount(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    if words.len() == 3 || words.len() > 5 {
        return Err(CommandError::SYNTAX.into());
    }
    let (start, end) = match words.get(2..4) {
        Some([start, end]) => (number::int(start)?, number::int(end)?),
        _ => (0, -1),
    };
    let in_bits = unit(words.get(4))?;
    let bytes = read(ctx, words[1])?.unwrap_or_default();
    let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let counted = range(start, end, length, in_bits);
    ctx.reply.count(counted.map_or(0, |(first, last)| count(&bytes, first, last)));
    Ok(())
}

/// The first bit from `first` to `last` that is `wanted`.
fn position(bytes: &[u8], wanted: bool, first: usize, last: usize) -> Option<usize> {
    let part = bytes.get(first / 8..=last / 8).unwrap_or_default();
    let miss = if wanted { 0 } else { 0xff };
    for (index, byte) in part.iter().enumerate() {
        if *byte == miss {
            continue;
        }
        let at = (first / 8 + index) * 8;
        let found = (byte ^ miss) & mask(at, first, last);
        if found != 0 {
            return Some(at + found.leading_zeros() as usize);
        }
    }
    None
}

/// `BITPOS key bit [start [end [BYTE|BIT]]]`.
pub(super) fn bitpos(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let wanted = match number::int(words[2])? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::text("ERR The bit argument must be 1 or 0.").into()),
    };
    if words.len() > 6 {
        return Err(CommandError::SYNTAX.into());
    }
    let start = words.get(3).map_or(Ok(0), |start| number::int(start))?;
    let in_bits = unit(words.get(5))?;
    let end = words.get(4).map(|end| number::int(end)).transpose()?;
    let Some(bytes) = read(ctx, words[1])? else {
        ctx.reply.int(if wanted { -1 } else { 0 });
        return Ok(());
    };
    let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let place = range(start, end.unwrap_or(-1), length, in_bits);
    let found = place.and_then(|(first, last)| position(&bytes, wanted, first, last));
    match found {
        Some(bit) => ctx.reply.count(bit),
        // Behind the string all bits are 0, unless an end was given.
        None if !wanted && end.is_none() && place.is_some() => ctx.reply.int(length * 8),
        None => ctx.reply.int(-1),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_and_finding_agree_with_looking_at_each_bit() {
        let bytes = [0x00, 0xff, 0x0f, 0xa5, 0x80, 0x01];
        let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1 == 1;
        for first in 0..48 {
            for last in first..48 {
                let all = (first..=last).filter(|at| bit(*at));
                assert_eq!(count(&bytes, first, last), all.clone().count(), "{first} {last}");
                assert_eq!(position(&bytes, true, first, last), all.clone().next());
                let zero = (first..=last).find(|at| !bit(*at));
                assert_eq!(position(&bytes, false, first, last), zero, "{first} {last}");
            }
        }
    }
}
