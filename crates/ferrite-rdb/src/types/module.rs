//! Values of module types, skipped by their own structure and handed over whole.
//!
//! ```text
//! module id (length: nine 6-bit letters, then a 10-bit encoding version)
//! | (1 or 2, length) | (3, 4 bytes) | (4, 8 bytes) | (5, string) ... | 0
//! ```

use crate::cursor::{Cursor, Scan, Stop};
use crate::{ErrorKind, Sink};

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const NAME_LEN: usize = 9;

const END: u64 = 0;
const SIGNED: u64 = 1;
const UNSIGNED: u64 = 2;
const FLOAT: u64 = 3;
const DOUBLE: u64 = 4;
const STRING: u64 = 5;

/// The nine-letter name of a module type, as it is packed into module ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModuleName([u8; NAME_LEN]);

impl ModuleName {
    /// Unpacks the name from a module id.
    pub(crate) fn of(id: u64) -> Self {
        let letter = |position: usize| {
            let index = id >> (10 + 6 * (NAME_LEN - 1 - position)) & 0x3f;
            LETTERS.get(usize::try_from(index).unwrap_or(0)).copied().unwrap_or(b'?')
        };
        Self(std::array::from_fn(letter))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Reads a module value, which has to be in the buffer as a whole.
pub(crate) fn whole<S: Sink + ?Sized>(cursor: &mut Cursor<'_>, sink: &mut S) -> Scan<()> {
    let start = cursor.pos();
    let id = cursor.length()?;
    skip_fields(cursor)?;
    sink.module(ModuleName::of(id).as_str(), cursor.since(start));
    Ok(())
}

/// Skips the fields of a module value up to and with the end mark.
pub(crate) fn skip_fields(cursor: &mut Cursor<'_>) -> Scan<()> {
    loop {
        match cursor.length()? {
            END => return Ok(()),
            SIGNED | UNSIGNED => drop(cursor.length()?),
            FLOAT => drop(cursor.array::<4>()?),
            DOUBLE => drop(cursor.array::<8>()?),
            STRING => cursor.skip_string()?,
            _ => return Err(Stop::Bad(ErrorKind::Malformed("module value"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unpacked() {
        // "hellotype", encoding version 0, from the sample module of Redis.
        let id = b"hellotype".iter().fold(0, |id, letter| {
            id << 6 | LETTERS.iter().position(|known| known == letter).unwrap() as u64
        }) << 10;
        assert_eq!(ModuleName::of(id).as_str(), "hellotype");
    }
}
