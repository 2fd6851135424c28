//! What SSCAN, HSCAN and ZSCAN have in common: their options, and how long a call goes on.

use ferrite_commands::matches_glob;
use ferrite_store::types::Element;

use super::arguments::is;
use crate::error::CommandError;
use crate::number;
use crate::reply::Reply;

/// Elements a call visits where it is not told how many.
const COUNT: usize = 10;
/// Steps of a call for each element it is to visit, at most, so that it ends where there are
/// hardly any.
const STEPS: usize = 10;

const ONLY_IN_HSCAN: CommandError =
    CommandError::text("ERR NOVALUES option can only be used in HSCAN");

/// The options of a call.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    /// `NOVALUES`: names alone.
    pub names_only: bool,
}

/// The cursor that a call goes on from.
///
/// # Errors
/// `ERR invalid cursor`.
pub fn cursor(word: &[u8]) -> Result<u64, CommandError> {
    let text = std::str::from_utf8(word).ok();
    text.and_then(|text| text.parse().ok()).ok_or(CommandError::text("ERR invalid cursor"))
}

/// `[MATCH pattern] [COUNT count]`, and `[NOVALUES]` where there are values.
///
/// # Errors
/// When a word is no option, or a count no positive number.
pub fn options<'a>(words: &[&'a [u8]], has_values: bool) -> Result<Options<'a>, CommandError> {
    let mut options = Options { pattern: None, count: COUNT, names_only: false };
    let mut rest = words;
    loop {
        rest = match rest {
            [] => return Ok(options),
            [word, value, rest @ ..] if is(word, "count") => {
                let count = number::int(value)?;
                let count = usize::try_from(count).ok().filter(|count| *count > 0);
                options.count = count.ok_or(CommandError::SYNTAX)?;
                rest
            }
            [word, pattern, rest @ ..] if is(word, "match") => {
                options.pattern = Some(*pattern).filter(|pattern| *pattern != b"*");
                rest
            }
            [word, rest @ ..] if is(word, "novalues") => {
                if !has_values {
                    return Err(ONLY_IN_HSCAN);
                }
                options.names_only = true;
                rest
            }
            _ => return Err(CommandError::SYNTAX),
        };
    }
}

/// Writes what a call on a key answers that is not there.
pub fn nothing(reply: &mut Reply) {
    reply.array(2);
    reply.bulk(b"0");
    reply.array(0);
}

/// Writes an element as a bulk string.
pub fn element(reply: &mut Reply, element: Element<'_>) {
    match element {
        Element::Bytes(bytes) => reply.bulk(bytes),
        Element::Int(value) => reply.bulk_int(value),
    }
}

/// The elements of one call, as they are found.
#[derive(Debug)]
pub struct Found<'a> {
    options: Options<'a>,
    elements: Reply,
    written: usize,
    visited: usize,
}

impl Found<'_> {
    /// An element was visited: where its name matches, `write` writes it, and says how many
    /// elements of the reply it is.
    pub fn visit(&mut self, name: Element<'_>, write: impl FnOnce(&mut Reply) -> usize) {
        self.visited += 1;
        let is_match = self
            .options
            .pattern
            .is_none_or(|pattern| matches_glob(pattern, name.as_bytes(&mut itoa::Buffer::new())));
        if is_match {
            self.written += write(&mut self.elements);
        }
    }
}

/// Writes the reply of a call. `step` visits some elements from a cursor on, and returns the
/// next.
pub fn run<'a>(
    reply: &mut Reply,
    from: u64,
    options: Options<'a>,
    mut step: impl FnMut(u64, &mut Found<'a>) -> u64,
) {
    let elements = Reply::new(reply.resp3());
    let mut found = Found { options, elements, written: 0, visited: 0 };
    let mut cursor = from;
    for _ in 0..options.count.saturating_mul(STEPS) {
        cursor = step(cursor, &mut found);
        if cursor == 0 || found.visited >= options.count {
            break;
        }
    }
    reply.array(2);
    reply.text(&cursor.to_string());
    reply.array(found.written);
    reply.raw(found.elements.as_bytes());
}
