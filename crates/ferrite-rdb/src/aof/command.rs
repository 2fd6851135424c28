//! One command: an array of bulk strings.
//!
//! ```text
//! *<words>\r\n { $<length>\r\n <bytes> \r\n } ...
//! ```
//!
//! Only what servers write is accepted: decimal digits without a sign, at least one word. Lengths
//! are looked at before anything is waited for, so that damage is told from an end that is
//! missing wherever that can be done.

use crate::ErrorKind;

/// The longest line of a header, in bytes: a sign and twenty digits.
const DIGITS_MAX: usize = 20;
/// Words at most: what a server takes from a client (`INT_MAX / 2` since Redis 7.0 is more than
/// the bytes of a command can hold here).
const WORDS_MAX: u64 = 1 << 26;
/// Room made for words before they are seen.
const WORDS_EXPECTED: u64 = 64;

/// Why no command could be taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// It does not end in the input.
    Incomplete,
    /// It is none: what is wrong, and how many bytes behind its start.
    Bad(ErrorKind, usize),
}

/// The words of the command at the start of `input`, and the bytes it takes. A command of more
/// than `limit` bytes is refused as soon as a length says so.
pub fn parse(input: &[u8], limit: usize) -> Result<(Vec<&[u8]>, usize), Stop> {
    let (count, mut at) =
        header(input, 0, b'*', "AOF: a command does not begin with * and a number")?;
    if count == 0 || count > WORDS_MAX {
        return Err(Stop::Bad(ErrorKind::Malformed("AOF: number of words of a command"), 0));
    }
    let mut words = Vec::with_capacity(count.min(WORDS_EXPECTED) as usize);
    for _ in 0..count {
        let (length, start) =
            header(input, at, b'$', "AOF: a word does not begin with $ and a number")?;
        let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
        let Some(end) = end.filter(|end| *end <= limit) else {
            let len = (start as u64).saturating_add(length);
            let limit = limit as u64;
            return Err(Stop::Bad(ErrorKind::TooLarge { what: "AOF command", len, limit }, at));
        };
        let word = input.get(start..end).ok_or(Stop::Incomplete)?;
        match input.get(end..).unwrap_or_default() {
            [b'\r', b'\n', ..] => {}
            [] | [b'\r'] => return Err(Stop::Incomplete),
            _ => return Err(Stop::Bad(ErrorKind::Malformed("AOF: word without its end"), end)),
        }
        words.push(word);
        at = end + 2;
    }
    Ok((words, at))
}

/// A type byte and a number: the number, and where the next thing begins.
fn header(input: &[u8], at: usize, kind: u8, what: &'static str) -> Result<(u64, usize), Stop> {
    let bad = || Stop::Bad(ErrorKind::Malformed(what), at);
    let Some((first, rest)) = input.get(at..).and_then(<[u8]>::split_first) else {
        return Err(Stop::Incomplete);
    };
    if *first != kind {
        return Err(bad());
    }
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > DIGITS_MAX {
        return Err(bad());
    }
    let (text, tail) = rest.split_at(digits);
    match tail {
        [b'\r', b'\n', ..] if digits > 0 => {}
        [] => return Err(Stop::Incomplete),
        [b'\r'] if digits > 0 => return Err(Stop::Incomplete),
        _ => return Err(bad()),
    }
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    Ok((number.ok_or_else(bad)?, at + 1 + digits + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;

    #[test]
    fn words_are_borrowed() {
        let input = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n*1\r\n";
        let (words, len) = parse(input, LIMIT).unwrap();
        assert_eq!(words, [&b"SET"[..], b"k", b""]);
        assert_eq!(len, input.len() - 4);
    }

    #[test]
    fn every_cut_is_incomplete() {
        let input = b"*2\r\n$4\r\nINCR\r\n$10\r\n0123456789\r\n";
        for len in 0..input.len() {
            assert_eq!(parse(&input[..len], LIMIT), Err(Stop::Incomplete), "{len}");
        }
    }

    #[test]
    fn damage_is_told_from_a_missing_end() {
        let cases: [(&[u8], usize); 9] = [
            (b"3\r\n", 0),
            (b"*-1\r\n", 0),
            (b"*x", 0),
            (b"*\r\n", 0),
            (b"*0\r\n", 0),
            (b"*123456789012345678901", 0),
            (b"*1\r\n+OK\r\n", 4),
            (b"*1\r\n$2\r\nabc\r\n", 10),
            (b"*1\r\n$2000000\r\n", 4),
        ];
        for (input, place) in cases {
            match parse(input, LIMIT) {
                Err(Stop::Bad(_, at)) => assert_eq!(at, place, "{input:?}"),
                other => panic!("{input:?}: {other:?}"),
            }
        }
    }
}
