//! Ids and numbers in the words of commands on streams, and what is wrong with them.

use ferrite_store::types::stream::{StreamId, id};

use crate::error::CommandError;
use crate::number;

/// An id that is none.
const INVALID_ID: CommandError =
    CommandError::text("ERR Invalid stream ID specified as stream command argument");

/// An id; the sequence where there is none is the one given.
pub(super) fn strict_id(word: &[u8], missing_seq: u64) -> Result<StreamId, CommandError> {
    id::parse(word, missing_seq).ok_or(INVALID_ID)
}

/// The first id of an interval: an id, `(id`, `-`, `+`.
pub(super) fn first_id(word: &[u8]) -> Result<StreamId, CommandError> {
    let invalid = CommandError::text("ERR invalid start ID for the interval");
    match excluded(word) {
        Some(word) => id::successor(strict_id(word, 0)?).ok_or(invalid),
        None => bound(word, 0),
    }
}

/// The last id of an interval.
pub(super) fn last_id(word: &[u8]) -> Result<StreamId, CommandError> {
    let invalid = CommandError::text("ERR invalid end ID for the interval");
    match excluded(word) {
        Some(word) => id::predecessor(strict_id(word, u64::MAX)?).ok_or(invalid),
        None => bound(word, u64::MAX),
    }
}

fn excluded(word: &[u8]) -> Option<&[u8]> {
    word.strip_prefix(b"(").filter(|id| !id.is_empty())
}

/// An id, `-` for the first there can be, or `+` for the last.
pub(super) fn bound(word: &[u8], missing_seq: u64) -> Result<StreamId, CommandError> {
    match word {
        b"-" => Ok(id::MIN),
        b"+" => Ok(id::MAX),
        _ => strict_id(word, missing_seq),
    }
}

/// A whole number; negative ones are 0.
pub(super) fn not_negative(word: &[u8]) -> Result<usize, CommandError> {
    Ok(usize::try_from(number::int(word)?).unwrap_or(0))
}

/// There is no such key or group.
pub(super) fn no_group(key: &[u8], group: &[u8], behind: &str) -> CommandError {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    CommandError::new(format!("NOGROUP No such key '{key}' or consumer group '{group}'{behind}"))
}

/// There is no such group under a key that is there.
pub(super) fn no_group_of(key: &[u8], group: &[u8]) -> CommandError {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    CommandError::new(format!("NOGROUP No such consumer group '{group}' for key name '{key}'"))
}

/// A subcommand with words it does not know.
pub(super) fn wrong_subcommand(command: &str, word: &[u8]) -> CommandError {
    let word = String::from_utf8_lossy(word.get(..128).unwrap_or(word));
    CommandError::new(format!(
        "ERR unknown subcommand or wrong number of arguments for '{word}'. Try {command} HELP."
    ))
}
