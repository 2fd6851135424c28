//! Sparse registers: runs of equal ones, in order, until all 16384 are covered.
//!
//! ```text
//! 00llllll            l + 1 zeros, up to 64
//! 01llllll llllllll   l + 1 zeros, up to 16384
//! 1vvvvvll            l + 1 times v + 1: up to 4 times up to 32
//! ```
//!
//! Which runs stand for given registers is not unique; the ones here come about as in Redis.

use std::fmt::Write as _;

use super::{HEADER, Invalid, REGISTERS};

const MAX_SHORT_ZEROS: usize = 64;
const MAX_VALUE: u8 = 32;
const MAX_VALUES: usize = 4;
/// Runs looked at for joining after a change.
const JOIN_LOOKS: usize = 5;

/// What became of raising a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    /// It was not below.
    No,
    /// Done.
    Yes,
    /// The registers have to be made dense for it.
    NoRoom,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    value: u8,
    len: usize,
    /// Bytes it takes.
    bytes: usize,
}

/// The run at the front.
fn run(bytes: &[u8]) -> Option<Run> {
    Some(match *bytes {
        [first @ 0..0x40, ..] => Run { value: 0, len: usize::from(first) + 1, bytes: 1 },
        [first @ 0x40..0x80, second, ..] => {
            let len = usize::from(first & 0x3f) << 8 | usize::from(second);
            Run { value: 0, len: len + 1, bytes: 2 }
        }
        [first @ 0x80..=0xff, ..] => {
            Run { value: (first >> 2 & 0x1f) + 1, len: usize::from(first & 3) + 1, bytes: 1 }
        }
        _ => return None,
    })
}

fn value_run(value: u8, len: usize) -> u8 {
    0x80 | (value - 1) << 2 | (len - 1) as u8
}

/// Appends a run of zeros, none for none.
pub(super) fn push_zeros(out: &mut Vec<u8>, len: usize) {
    if len > MAX_SHORT_ZEROS {
        out.extend_from_slice(&(0x4000 | (len - 1) as u16).to_be_bytes());
    } else if len > 0 {
        out.push((len - 1) as u8);
    }
}

/// The run a register is in: its offset, that of the one before, its first register, itself.
fn locate(bytes: &[u8], index: usize) -> Option<(usize, usize, usize, Run)> {
    let (mut at, mut before, mut first) = (HEADER, HEADER, 0);
    loop {
        let run = run(bytes.get(at..)?)?;
        if index < first + run.len {
            return Some((at, before, first, run));
        }
        first += run.len;
        before = at;
        at += run.bytes;
    }
}

/// Raises a register of a whole HyperLogLog.
pub(super) fn raise(
    bytes: &mut Vec<u8>,
    index: usize,
    value: u8,
    max_bytes: usize,
) -> Result<Raised, Invalid> {
    if value > MAX_VALUE {
        return Ok(Raised::NoRoom);
    }
    let (at, before, first, old) = locate(bytes, index).ok_or(Invalid::Corrupt)?;
    if old.value >= value {
        return Ok(Raised::No);
    }
    let (left, right) = (index - first, first + old.len - 1 - index);
    let mut runs = Vec::with_capacity(5);
    let push_old = |runs: &mut Vec<u8>, len: usize| match old.value {
        0 => push_zeros(runs, len),
        _ if len == 0 => {}
        kept => runs.push(value_run(kept, len)),
    };
    push_old(&mut runs, left);
    runs.push(value_run(value, 1));
    push_old(&mut runs, right);
    let grows = runs.len() > old.bytes;
    if grows && bytes.len() + runs.len() - old.bytes > max_bytes {
        return Ok(Raised::NoRoom);
    }
    bytes.splice(at..at + old.bytes, runs);
    join(bytes, before);
    Ok(Raised::Yes)
}

/// Joins neighbouring runs of one value.
fn join(bytes: &mut Vec<u8>, from: usize) {
    let mut at = from;
    for _ in 0..JOIN_LOOKS {
        let Some(here) = bytes.get(at..).and_then(run) else { return };
        let next = bytes.get(at + here.bytes..).and_then(run);
        match next {
            Some(next)
                if here.value != 0
                    && here.value == next.value
                    && here.len + next.len <= MAX_VALUES =>
            {
                bytes[at] = value_run(here.value, here.len + next.len);
                bytes.remove(at + 1);
            }
            _ => at += here.bytes,
        }
    }
}

/// Raises unpacked registers to these.
pub(super) fn merge(mut bytes: &[u8], into: &mut [u8]) -> Result<(), Invalid> {
    let mut first = 0;
    while !bytes.is_empty() {
        let run = run(bytes).ok_or(Invalid::Corrupt)?;
        let covered = into.get_mut(first..first + run.len).ok_or(Invalid::Corrupt)?;
        covered.iter_mut().for_each(|value| *value = (*value).max(run.value));
        first += run.len;
        bytes = bytes.get(run.bytes..).unwrap_or_default();
    }
    if first == REGISTERS { Ok(()) } else { Err(Invalid::Corrupt) }
}

/// The runs in words, as `PFDEBUG DECODE` shows them.
#[must_use]
pub fn describe(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = bytes.get(HEADER..).unwrap_or_default();
    while let Some(run) = run(rest) {
        // Writing to a String cannot fail.
        let _ = match (run.value, run.bytes) {
            (0, 1) => write!(text, "z:{} ", run.len),
            (0, _) => write!(text, "Z:{} ", run.len),
            (value, _) => write!(text, "v:{value},{} ", run.len),
        };
        rest = rest.get(run.bytes..).unwrap_or_default();
    }
    text.truncate(text.trim_end().len());
    text
}
