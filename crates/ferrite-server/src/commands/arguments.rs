//! Words that many commands understand alike: counts, numbers of keys, times to wait.

use crate::error::CommandError;
use crate::number;

const NOT_A_TIMEOUT: CommandError =
    CommandError::text("ERR timeout is not a float or out of range");
const TIMEOUT_NEGATIVE: CommandError = CommandError::text("ERR timeout is negative");
const TIMEOUT_TOO_LONG: CommandError = CommandError::text("ERR timeout is out of range");
const NO_KEYS: CommandError = CommandError::text("ERR numkeys should be greater than 0");

/// Whether a word is this option; `option` is in lower case.
pub fn is(word: &[u8], option: &str) -> bool {
    word.eq_ignore_ascii_case(option.as_bytes())
}

/// A whole number of at least `min`; the error is the same for a smaller one and for none.
///
/// # Errors
/// The error given.
pub fn at_least(word: &[u8], min: i64, error: CommandError) -> Result<usize, CommandError> {
    let value = number::parse_int(word).filter(|value| *value >= min);
    value.and_then(|value| usize::try_from(value).ok()).ok_or(error)
}

/// How many elements to take.
///
/// # Errors
/// `ERR value is out of range, must be positive`.
pub fn positive(word: &[u8]) -> Result<usize, CommandError> {
    at_least(word, 0, CommandError::text("ERR value is out of range, must be positive"))
}

/// A whole number between two others.
///
/// # Errors
/// When it is none, or not between them.
pub fn int_between(word: &[u8], min: i64, max: i64) -> Result<i64, CommandError> {
    let value = number::int(word)?;
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    let text = format!("ERR value is out of range, value must between {min} and {max}");
    Err(CommandError::new(text))
}

/// Until when a blocking command waits, in Unix milliseconds, out of seconds from now; nothing
/// for 0, which is without end.
///
/// # Errors
/// When it is no number, negative or too large.
pub fn deadline(word: &[u8], now: i64) -> Result<Option<i64>, CommandError> {
    let seconds = match (number::parse_float(word), number::extended(word)) {
        (Some(seconds), _) => seconds,
        // Too small or too large for a double.
        (None, Ok(seconds)) if seconds.text() == "0" => f64::MIN_POSITIVE,
        (None, Ok(_)) if word.starts_with(b"-") => f64::MIN,
        (None, Ok(_)) => f64::MAX,
        (None, Err(_)) => return Err(NOT_A_TIMEOUT),
    };
    let ms = (seconds * 1000.0).ceil();
    if ms >= i64::MAX as f64 {
        return Err(TIMEOUT_TOO_LONG);
    }
    match ms as i64 {
        ..0 => Err(TIMEOUT_NEGATIVE),
        0 => Ok(None),
        ms => now.checked_add(ms).map(Some).ok_or(TIMEOUT_TOO_LONG),
    }
}

/// Some of the words of a call.
pub type Words<'w, 'b> = &'w [&'b [u8]];

/// The keys behind a word that says how many they are, and the words behind them.
///
/// # Errors
/// When the number is none, not above 0, or there are fewer words.
pub fn counted_keys<'w, 'b>(
    words: Words<'w, 'b>,
    at: usize,
) -> Result<(Words<'w, 'b>, Words<'w, 'b>), CommandError> {
    let count = at_least(words.get(at).copied().unwrap_or_default(), 1, NO_KEYS)?;
    let rest = words.get(at + 1..).unwrap_or_default();
    rest.split_at_checked(count).ok_or(CommandError::SYNTAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_wait() {
        assert_eq!(deadline(b"0", 1000), Ok(None));
        assert_eq!(deadline(b"0.0001", 1000), Ok(Some(1001)));
        assert_eq!(deadline(b"2", 1000), Ok(Some(3000)));
        assert_eq!(deadline(b"-1", 1000), Err(TIMEOUT_NEGATIVE));
        assert_eq!(deadline(b"x", 1000), Err(NOT_A_TIMEOUT));
        assert_eq!(deadline(b"1e300", 1000), Err(TIMEOUT_TOO_LONG));
        assert_eq!(deadline(b"9223372036854775", 1000), Err(TIMEOUT_TOO_LONG));
    }

    #[test]
    fn keys_by_their_number() {
        let words: [&[u8]; 5] = [b"LMPOP", b"2", b"a", b"b", b"LEFT"];
        let (keys, rest) = counted_keys(&words, 1).unwrap();
        assert_eq!((keys, rest), (&words[2..4], &words[4..]));
        let words: [&[u8]; 3] = [b"LMPOP", b"2", b"a"];
        assert_eq!(counted_keys(&words, 1), Err(CommandError::SYNTAX));
        let words: [&[u8]; 3] = [b"LMPOP", b"0", b"a"];
        assert_eq!(counted_keys(&words, 1), Err(NO_KEYS));
    }
}
