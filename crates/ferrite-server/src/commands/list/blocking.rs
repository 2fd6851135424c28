//! BLPOP, BRPOP, BLMPOP, BLMOVE, BRPOPLPUSH.
//!
//! Replicas are told what happened by the names of the commands that do not wait.

use ferrite_store::table::Value;
use ferrite_store::types::{Collection, End};

use super::moving::{self, Move};
use super::{end, pop};
use crate::commands::arguments::deadline;
use crate::ctx::{Ctx, Outcome, Stop, Within};
use crate::dispatch::block::Park;
use crate::error::CommandError;
use crate::reply::Reply;

/// Waits for one of the keys, or answers at once where that is not allowed.
fn wait(
    ctx: &mut Ctx<'_>,
    keys: &[&[u8]],
    deadline: Option<i64>,
    at_once: fn(&mut Reply),
) -> Outcome {
    if !ctx.may_park() {
        at_once(&mut ctx.reply);
        return Ok(());
    }
    Err(Stop::Park(Box::new(Park {
        keys: keys.iter().map(|key| key.to_vec()).collect(),
        deadline,
        timeout: Reply::null_array,
        answers_errors: true,
    })))
}

/// The keys of a command that may be run again: one that has become something else meanwhile is
/// no reason to answer, the others are still waited for.
fn lists<'b>(ctx: &mut Ctx<'_>, keys: &[&'b [u8]]) -> Vec<&'b [u8]> {
    if ctx.within != Within::Retry {
        return keys.to_vec();
    }
    let is_list =
        |key: &&[u8]| matches!(ctx.peek(key), None | Some(Value::Object(Collection::List(_))));
    keys.iter().copied().filter(is_list).collect()
}

/// `BLPOP key ... timeout`
pub(super) fn pop(ctx: &mut Ctx<'_>, words: &[&[u8]], end: End) -> Outcome {
    let (timeout, keys) = words[1..].split_last().ok_or(CommandError::SYNTAX)?;
    let deadline = deadline(timeout, ctx.now)?;
    let lists = lists(ctx, keys);
    if pop::first_of(ctx, &lists, end, None)? {
        return Ok(());
    }
    wait(ctx, keys, deadline, Reply::null_array)
}

/// `BLMPOP timeout numkeys key ... LEFT|RIGHT [COUNT count]`
pub(super) fn blmpop(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let deadline = deadline(words[1], ctx.now)?;
    let many = pop::many(words, 2)?;
    let lists = lists(ctx, many.keys);
    if pop::first_of(ctx, &lists, many.end, Some(many.count))? {
        return Ok(());
    }
    wait(ctx, many.keys, deadline, Reply::null_array)
}

fn move_or_wait(ctx: &mut Ctx<'_>, it: Move<'_>, timeout: &[u8], told: &[&[u8]]) -> Outcome {
    let deadline = deadline(timeout, ctx.now)?;
    let is_list = !lists(ctx, &[it.source]).is_empty();
    if is_list && moving::run(ctx, it)? {
        ctx.propagate_instead(told);
        return Ok(());
    }
    wait(ctx, &[it.source], deadline, Reply::null)
}

/// `BLMOVE source target LEFT|RIGHT LEFT|RIGHT timeout`
pub(super) fn blmove(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let it = Move { source: words[1], target: words[2], from: end(words[3])?, to: end(words[4])? };
    move_or_wait(ctx, it, words[5], &[b"LMOVE", words[1], words[2], words[3], words[4]])
}

/// `BRPOPLPUSH source target timeout`
pub(super) fn brpoplpush(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (source, target) = (words[1], words[2]);
    let it = Move { source, target, from: End::Right, to: End::Left };
    move_or_wait(ctx, it, words[3], &[b"RPOPLPUSH", source, target])
}
