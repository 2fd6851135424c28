//! LMOVE, RPOPLPUSH.

use ferrite_store::types::{End, List};

use super::{end, pop_event, push_event};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;

/// From where to where an element moves.
#[derive(Clone, Copy)]
pub(super) struct Move<'a> {
    pub(super) source: &'a [u8],
    pub(super) target: &'a [u8],
    pub(super) from: End,
    pub(super) to: End,
}

/// Moves an element and answers it; whether there was one.
pub(super) fn run(ctx: &mut Ctx<'_>, it: Move<'_>) -> Result<bool, CommandError> {
    let shared = ctx.shared;
    let Some(list) = ctx.write::<List>(it.source)? else { return Ok(false) };
    let index = if it.from == End::Left { 0 } else { list.len() - 1 };
    let Some(element) = list.get(index) else { return Ok(false) };
    let element = element.as_bytes(&mut itoa::Buffer::new()).to_vec();
    // Pushed first, so that a list may be its own target and is never empty in between. What is
    // popped is the same: where both ends are one, the element is there twice.
    let target = ctx.write_or_new(it.target, List::new)?;
    target.grow_for([&element[..]], &shared.limits());
    target.push(it.to, &element, &shared.limits());
    ctx.changed(Class::List, push_event(it.to), it.target);
    let is_empty = ctx.write::<List>(it.source)?.is_some_and(|list| {
        list.pop(it.from, 1);
        list.shrink(&shared.limits());
        list.is_empty()
    });
    ctx.taken_from(Class::List, pop_event(it.from), it.source, is_empty);
    // Both events are of one change.
    ctx.counts_as(0);
    ctx.reply.bulk(&element);
    Ok(true)
}

pub(super) fn lmove(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (from, to) = (end(words[3])?, end(words[4])?);
    if !run(ctx, Move { source: words[1], target: words[2], from, to })? {
        ctx.reply.null();
    }
    Ok(())
}

pub(super) fn rpoplpush(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (source, target) = (words[1], words[2]);
    if !run(ctx, Move { source, target, from: End::Right, to: End::Left })? {
        ctx.reply.null();
    }
    Ok(())
}
