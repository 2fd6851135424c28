//! LPOP, RPOP, LMPOP.

use ferrite_store::types::{End, Limits, List};

use super::{end, pop_event};
use crate::commands::arguments::{at_least, counted_keys, is, positive};
use crate::commands::scan::element;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;
use crate::reply::Reply;

/// Writes elements from an end on, nearest first, as an array, and takes them out.
fn take(reply: &mut Reply, list: &mut List, end: End, count: usize, limits: &Limits) {
    let count = count.min(list.len());
    reply.array(count);
    let elements = match end {
        End::Left => list.iter(),
        End::Right => list.iter_back_from(list.len() - 1),
    };
    elements.take(count).for_each(|it| element(reply, it));
    list.pop(end, count);
    list.shrink(limits);
}

/// Writes the element at an end and takes it out.
fn take_one(reply: &mut Reply, list: &mut List, end: End, limits: &Limits) {
    let index = if end == End::Left { 0 } else { list.len() - 1 };
    match list.get(index) {
        Some(it) => element(reply, it),
        None => reply.null(),
    }
    list.pop(end, 1);
    list.shrink(limits);
}

/// `LPOP key [count]`
pub(super) fn pop(ctx: &mut Ctx<'_>, words: &[&[u8]], end: End) -> Outcome {
    let (key, shared) = (words[1], ctx.shared);
    let count = match words.get(2..).unwrap_or_default() {
        [] => None,
        [count] => Some(positive(count)?),
        _ => return Err(CommandError::arity(if end == End::Left { "lpop" } else { "rpop" }).into()),
    };
    let left = ctx.change::<List, _>(key, |reply, list| {
        let Some(list) = list else {
            if count.is_some() {
                reply.null_array()
            } else {
                reply.null()
            }
            return None;
        };
        let before = list.len();
        match count {
            Some(0) => {
                reply.array(0);
                return None;
            }
            Some(count) => take(reply, list, end, count, &shared.limits()),
            None => take_one(reply, list, end, &shared.limits()),
        }
        Some((before - list.len(), list.len()))
    })?;
    if let Some((popped, left)) = left {
        ctx.taken_from(Class::List, pop_event(end), key, left == 0);
        ctx.counts_as(popped);
    }
    Ok(())
}

/// Pops off the first of the lists that is there, and answers its key and the elements, or one
/// element where no count is given; whether there was one.
pub(super) fn first_of(
    ctx: &mut Ctx<'_>,
    keys: &[&[u8]],
    end: End,
    count: Option<usize>,
) -> Result<bool, CommandError> {
    let shared = ctx.shared;
    for key in keys {
        if ctx.find(key).is_none() {
            continue;
        }
        let (popped, left) = ctx.change::<List, _>(key, |reply, list| {
            let Some(list) = list else { return (0, 0) };
            let before = list.len();
            reply.array(2);
            reply.bulk(key);
            match count {
                Some(count) => take(reply, list, end, count, &shared.limits()),
                None => take_one(reply, list, end, &shared.limits()),
            }
            (before - list.len(), list.len())
        })?;
        let name: &[u8] = if end == End::Left { b"LPOP" } else { b"RPOP" };
        match count {
            Some(_) => ctx.propagate_instead(&[name, key, popped.to_string().as_bytes()]),
            None => ctx.propagate_instead(&[name, key]),
        }
        ctx.taken_from(Class::List, pop_event(end), key, left == 0);
        ctx.counts_as(popped);
        return Ok(true);
    }
    Ok(false)
}

/// What LMPOP and BLMPOP are told, behind the number of keys.
pub(super) struct Many<'w, 'b> {
    pub(super) keys: &'w [&'b [u8]],
    pub(super) end: End,
    pub(super) count: usize,
}

/// `numkeys key ... LEFT|RIGHT [COUNT count]`
pub(super) fn many<'w, 'b>(words: &'w [&'b [u8]], at: usize) -> Result<Many<'w, 'b>, CommandError> {
    let (keys, rest) = counted_keys(words, at)?;
    let (side, rest) = rest.split_first().ok_or(CommandError::SYNTAX)?;
    let end = end(side)?;
    let count = match rest {
        [] => 1,
        [word, count] if is(word, "count") => {
            at_least(count, 1, CommandError::text("ERR count should be greater than 0"))?
        }
        _ => return Err(CommandError::SYNTAX),
    };
    Ok(Many { keys, end, count })
}

pub(super) fn lmpop(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let many = many(words, 1)?;
    if !first_of(ctx, many.keys, many.end, Some(many.count))? {
        ctx.reply.null_array();
    }
    Ok(())
}
