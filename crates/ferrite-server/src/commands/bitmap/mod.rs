//! Strings as rows of bits. The first bit is the highest of the first byte.

mod bits;
mod combine;
mod field;
mod search;

use super::{Handler, handler};
use crate::ctx::Ctx;
use crate::error::CommandError;

pub(super) const COMMANDS: &[Handler] = &[
    handler("bitcount", search::bitcount),
    handler("bitfield", field::bitfield),
    handler("bitfield_ro", field::bitfield_ro),
    handler("bitop", combine::bitop),
    handler("bitpos", search::bitpos),
    handler("getbit", bits::getbit),
    handler("setbit", bits::setbit),
];

/// The most bits a string has: 512 MiB of them.
const MOST_BITS: u64 = 512 * 1024 * 1024 * 8;

/// A place of a bit.
fn offset(word: &[u8]) -> Result<u64, CommandError> {
    let wrong = CommandError::text("ERR bit offset is not an integer or out of range");
    let offset = crate::number::parse_int(word).and_then(|offset| u64::try_from(offset).ok());
    offset.filter(|offset| *offset < MOST_BITS).ok_or(wrong)
}

/// A string to be changed that has a byte at this place at least, and whether it was made or
/// made longer for it.
fn grown<'c>(
    ctx: &'c mut Ctx<'_>,
    key: &[u8],
    byte: usize,
) -> Result<(&'c mut Vec<u8>, bool), CommandError> {
    let bytes = ctx.string_mut(key)?;
    let grown = bytes.len() <= byte;
    if grown {
        bytes.resize(byte + 1, 0);
    }
    Ok((bytes, grown))
}

/// The bytes of a string that a command reads; none where the key is missing.
fn read(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<Option<Vec<u8>>, CommandError> {
    Ok(ctx.string(key)?.map(|text| text.to_vec()))
}
