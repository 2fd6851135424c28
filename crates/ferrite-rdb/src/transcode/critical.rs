//! Elements of listpacks whose bytes differ from server to server.
//!
//! Behind each element stands its length, so that a listpack can be read backwards. For three
//! lengths, 16383, 2097151 and 268435455, that field is a byte longer with some servers than with
//! others ([`BackLengths`]), and each reads only its own. Which one it is shows: the longer one
//! begins with 0.
//!
//! Listpacks of sets, hashes and sorted sets are that long only with unusual settings; a stream
//! entry has its own listpack however long it is.

use crate::cursor::{Cursor, Scan, Scratch, Stored};
use crate::encode::BackLengths;
use crate::packed::listpack;

/// The first of the lengths.
const SHORTEST: usize = 16_383;

/// How many times longer than its bytes a compressed string can be: 264 bytes for 3.
const MAX_RATIO: usize = 88;

/// What there is in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Such elements, all of one rule.
    Only(BackLengths),
    /// Such elements of both.
    Both,
}

/// Looks for such elements in a value stored as listpacks. Malformed values have none: whoever
/// reads them says what is wrong.
pub(super) fn listpacks(type_byte: u8, body: &[u8]) -> Option<Found> {
    if body.len() < SHORTEST / MAX_RATIO {
        return None;
    }
    let mut search = Search { found: None, scratch: Scratch::default() };
    // What was found before the value turned out to be malformed is true as well.
    let _ = search.value(type_byte, &mut Cursor::new(body));
    search.found
}

struct Search {
    found: Option<Found>,
    scratch: Scratch,
}

impl Search {
    fn value(&mut self, type_byte: u8, cursor: &mut Cursor<'_>) -> Scan<()> {
        match type_byte {
            16 | 17 | 20 => self.listpack(cursor),
            25 => {
                cursor.u64_le()?;
                self.listpack(cursor)
            }
            18 => {
                for _ in 0..cursor.length()? {
                    if cursor.length()? == CONTAINER_PACKED {
                        self.listpack(cursor)?;
                    } else {
                        cursor.skip_string()?;
                    }
                }
                Ok(())
            }
            15 | 19 | 21 | 26 | 27 => {
                for _ in 0..cursor.length()? {
                    cursor.skip_string()?;
                    self.listpack(cursor)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn listpack(&mut self, cursor: &mut Cursor<'_>) -> Scan<()> {
        let stored = cursor.stored()?;
        let len = match stored {
            Stored::Raw(bytes) => bytes.len(),
            Stored::Lzf { len, .. } => len,
            Stored::Int(_) => 0,
        };
        if len > SHORTEST {
            let bytes = self.scratch.resolve(stored)?;
            for wide in listpack::critical_elements(bytes) {
                let rule = if wide { BackLengths::Wide } else { BackLengths::Narrow };
                self.found = Some(match self.found {
                    None => Found::Only(rule),
                    Some(Found::Only(known)) if known == rule => Found::Only(rule),
                    Some(_) => Found::Both,
                });
            }
        }
        Ok(())
    }
}

/// A list node that is a listpack rather than one item.
const CONTAINER_PACKED: u64 = 2;
