//! Times of expiry in the options of commands: EX, PX, EXAT, PXAT.

use crate::error::CommandError;
use crate::number;

/// What a command does to a key's expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Leaves it.
    Keep,
    /// Takes it away.
    Remove,
    /// Sets it to a time, Unix milliseconds.
    At(i64),
}

/// Whether a word is one of the options EX, PX, EXAT and PXAT.
pub fn is_unit(word: &[u8]) -> bool {
    [b"ex".as_slice(), b"px", b"exat", b"pxat"].iter().any(|unit| word.eq_ignore_ascii_case(unit))
}

/// The option `unit` with its value, if `unit` is one.
///
/// # Errors
/// When the value is no number, or no time that can be.
pub fn option(
    unit: &[u8],
    value: &[u8],
    now: i64,
    command: &str,
) -> Result<Option<Change>, CommandError> {
    let (scale, base) = match unit.to_ascii_lowercase().as_slice() {
        b"ex" => (1000, now),
        b"px" => (1, now),
        b"exat" => (1000, 0),
        b"pxat" => (1, 0),
        _ => return Ok(None),
    };
    positive(number::int(value)?, scale, base, command).map(|time| Some(Change::At(time)))
}

/// A time of expiry from a positive number of a unit.
///
/// # Errors
/// `ERR invalid expire time in '…' command`.
pub fn positive(value: i64, scale: i64, base: i64, command: &str) -> Result<i64, CommandError> {
    let time = value.checked_mul(scale).and_then(|time| time.checked_add(base));
    let time = time.filter(|_| value > 0).ok_or_else(|| invalid(command))?;
    Ok(time)
}

/// `ERR invalid expire time in '…' command`.
pub fn invalid(command: &str) -> CommandError {
    CommandError::new(format!("ERR invalid expire time in '{command}' command"))
}
