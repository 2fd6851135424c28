//! Lists.

mod blocking;
mod index;
mod moving;
mod pop;
mod position;
mod push;
mod range;

use ferrite_store::types::{Element, End};

use super::arguments::is;
use super::{Handler, handler};
use crate::error::CommandError;
use crate::number;

pub(super) const COMMANDS: &[Handler] = &[
    handler("blmove", blocking::blmove),
    handler("blmpop", blocking::blmpop),
    handler("blpop", |ctx, words| blocking::pop(ctx, words, End::Left)),
    handler("brpop", |ctx, words| blocking::pop(ctx, words, End::Right)),
    handler("brpoplpush", blocking::brpoplpush),
    handler("lindex", index::lindex),
    handler("linsert", index::linsert),
    handler("llen", range::llen),
    handler("lmove", moving::lmove),
    handler("lmpop", pop::lmpop),
    handler("lpop", |ctx, words| pop::pop(ctx, words, End::Left)),
    handler("lpos", position::lpos),
    handler("lpush", |ctx, words| push::push(ctx, words, End::Left)),
    handler("lpushx", |ctx, words| push::push_existing(ctx, words, End::Left)),
    handler("lrange", range::lrange),
    handler("lrem", range::lrem),
    handler("lset", index::lset),
    handler("ltrim", range::ltrim),
    handler("rpop", |ctx, words| pop::pop(ctx, words, End::Right)),
    handler("rpoplpush", moving::rpoplpush),
    handler("rpush", |ctx, words| push::push(ctx, words, End::Right)),
    handler("rpushx", |ctx, words| push::push_existing(ctx, words, End::Right)),
];

/// The end that `LEFT` or `RIGHT` names.
fn end(word: &[u8]) -> Result<End, CommandError> {
    match () {
        () if is(word, "left") => Ok(End::Left),
        () if is(word, "right") => Ok(End::Right),
        () => Err(CommandError::SYNTAX),
    }
}

const fn push_event(end: End) -> &'static str {
    match end {
        End::Left => "lpush",
        End::Right => "rpush",
    }
}

const fn pop_event(end: End) -> &'static str {
    match end {
        End::Left => "lpop",
        End::Right => "rpop",
    }
}

/// Where an index is that counts from the end when it is negative; `None` in front of the list.
fn position(index: i64, len: usize) -> Option<usize> {
    match index {
        0.. => usize::try_from(index).ok(),
        _ => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

/// A value that elements are compared with.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    bytes: &'a [u8],
    int: Option<i64>,
}

impl<'a> Wanted<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, int: number::parse_int(bytes) }
    }

    fn is(&self, element: Element<'_>) -> bool {
        match element {
            Element::Bytes(bytes) => bytes == self.bytes,
            Element::Int(value) => self.int == Some(value),
        }
    }
}
