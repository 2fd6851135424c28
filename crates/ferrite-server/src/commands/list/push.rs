//! LPUSH, LPUSHX, RPUSH, RPUSHX.

use ferrite_store::types::{End, List};

use super::push_event;
use crate::ctx::{Ctx, Outcome};
use crate::notify::Class;

pub(super) fn push(ctx: &mut Ctx<'_>, words: &[&[u8]], end: End) -> Outcome {
    let (key, elements) = (words[1], &words[2..]);
    let shared = ctx.shared;
    let list = ctx.write_or_new(key, List::new)?;
    list.grow_for(elements.iter().copied(), &shared.limits());
    for element in elements {
        list.push(end, element, &shared.limits());
    }
    let length = list.len();
    ctx.changed(Class::List, push_event(end), key);
    ctx.counts_as(elements.len());
    ctx.reply.count(length);
    Ok(())
}

pub(super) fn push_existing(ctx: &mut Ctx<'_>, words: &[&[u8]], end: End) -> Outcome {
    if ctx.write::<List>(words[1])?.is_none() {
        ctx.reply.int(0);
        return Ok(());
    }
    push(ctx, words, end)
}
