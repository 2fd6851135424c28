//! A command on several keys, for some of them only.

use ferrite_commands::{keys, resolve};
use ferrite_resp::encode;

use super::access::KEY_BY_KEY;

/// Appends the command `words` for those of its keys that are `wanted`, told by which word of the
/// call a key is, and says how many those are; for none, nothing is appended.
///
/// ```text
/// MSET a 1 b 2 c 3            ->  MSET a 1 c 3
/// DEL a b c                   ->  DEL a c
/// MSETEX 2 a 1 b 2 EX 10      ->  MSETEX 1 a 1 EX 10
/// MSETNX a 1 b 2              ->  MSET a 1      its condition has held
/// ```
///
/// Expiries are as they were: an `MSETEX` that was split is still to be rewritten.
///
/// `None` for commands that cannot be split: those that are not key by key, and malformed ones.
#[must_use]
pub fn split(words: &[&[u8]], wanted: impl Fn(usize) -> bool, out: &mut Vec<u8>) -> Option<usize> {
    let command = resolve(words).filter(|command| KEY_BY_KEY.contains(&command.name))?;
    let range = keys(command, words).ok()?.ranges().next()?;
    let is_counted = command.name == "msetex";
    // What belongs to the last key ends where the options begin, or the call.
    let groups = words.get(range.first..range.end)?;
    let options = words.get(range.end..)?;
    if !groups.len().is_multiple_of(range.step) {
        return None;
    }
    let kept = || {
        let all = groups.chunks(range.step).enumerate();
        all.filter(|(at, _)| wanted(range.first + at * range.step)).map(|(_, group)| group)
    };
    let count = kept().count();
    if count == 0 {
        return Some(0);
    }
    let name: &[u8] = if command.name == "msetnx" { b"MSET" } else { words.first()? };
    let length = 1 + usize::from(is_counted) + count * range.step + options.len();
    encode::array_header(out, length);
    encode::bulk(out, name);
    if is_counted {
        encode::bulk_integer(out, i64::try_from(count).ok()?);
    }
    kept().flatten().chain(options).for_each(|word| encode::bulk(out, word));
    Some(count)
}
