//! ZPOPMIN, ZPOPMAX, ZMPOP, and the same for clients that wait: BZPOPMIN, BZPOPMAX, BZMPOP.

use ferrite_store::types::SortedSet;
use ferrite_store::types::sorted_set::Direction;

use crate::commands::arguments::{at_least, counted_keys, deadline, is, positive};
use crate::ctx::{Ctx, Outcome, Stop};
use crate::dispatch::block::Park;
use crate::error::CommandError;
use crate::notify::Class;
use crate::reply::Reply;

const NO_COUNT: CommandError = CommandError::text("ERR count should be greater than 0");

/// How what is popped is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Member, score, member, score.
    Flat,
    /// Pairs.
    Pairs,
    /// Key, member, score.
    KeyFlat,
    /// Key, and an array of pairs.
    KeyPairs,
}

/// `ZPOPMIN key [count]`
pub(super) fn zpopmin(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    pop_from_one(ctx, words, Direction::Ascending)
}

/// `ZPOPMAX key [count]`
pub(super) fn zpopmax(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    pop_from_one(ctx, words, Direction::Descending)
}

fn pop_from_one(ctx: &mut Ctx<'_>, words: &[&[u8]], direction: Direction) -> Outcome {
    let (count, shape) = match words {
        [_, _] => (1, Shape::Flat),
        [_, _, count] if ctx.reply.resp3() => (positive(count)?, Shape::Pairs),
        [_, _, count] => (positive(count)?, Shape::Flat),
        _ => return Err(CommandError::SYNTAX.into()),
    };
    let found = ctx.write::<SortedSet>(words[1])?.is_some();
    if found && count > 0 {
        pop(ctx, words[1], direction, count, shape)?;
    } else {
        ctx.reply.array(0);
    }
    Ok(())
}

/// Pops from a set that is there and answers; how many.
fn pop(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    direction: Direction,
    count: usize,
    shape: Shape,
) -> Result<usize, CommandError> {
    let (count, is_empty) = ctx.change::<SortedSet, _>(key, |reply, set| {
        let Some(set) = set else { return (0, false) };
        let count = count.min(set.len());
        match shape {
            Shape::Flat => reply.array(2 * count),
            Shape::Pairs => reply.array(count),
            Shape::KeyFlat => reply.array(1 + 2 * count),
            Shape::KeyPairs => reply.array(2),
        }
        if matches!(shape, Shape::KeyFlat | Shape::KeyPairs) {
            reply.bulk(key);
        }
        if shape == Shape::KeyPairs {
            reply.array(count);
        }
        let ranks = match direction {
            Direction::Ascending => 0..count,
            Direction::Descending => set.len() - count..set.len(),
        };
        set.walk(ranks.clone(), direction, &mut |name, score| {
            popped(reply, name, score, shape);
            true
        });
        set.remove_range(ranks, &mut |_, _| {});
        (count, set.is_empty())
    })?;
    ctx.taken_from(Class::SortedSet, event(direction), key, is_empty);
    ctx.effects.dirty += (count as u64).saturating_sub(1);
    Ok(count)
}

fn popped(reply: &mut Reply, name: &[u8], score: f64, shape: Shape) {
    if matches!(shape, Shape::Pairs | Shape::KeyPairs) {
        reply.array(2);
    }
    reply.bulk(name);
    reply.double(score);
}

fn event(direction: Direction) -> &'static str {
    match direction {
        Direction::Ascending => "zpopmin",
        Direction::Descending => "zpopmax",
    }
}

/// The first of some keys that holds a sorted set.
fn first_there<'k>(ctx: &mut Ctx<'_>, keys: &[&'k [u8]]) -> Result<Option<&'k [u8]>, CommandError> {
    for key in keys {
        if ctx.write::<SortedSet>(key)?.is_some() {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// `ZMPOP numkeys key [key …] MIN|MAX [COUNT count]`
pub(super) fn zmpop(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let request = MultiPop::parse(words, 1)?;
    match first_there(ctx, request.keys)? {
        Some(key) => request.run(ctx, key)?,
        None => ctx.reply.null_array(),
    }
    Ok(())
}

/// `BZMPOP timeout numkeys key [key …] MIN|MAX [COUNT count]`
pub(super) fn bzmpop(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let deadline = deadline(words[1], ctx.now)?;
    let request = MultiPop::parse(words, 2)?;
    match first_there(ctx, request.keys)? {
        Some(key) => request.run(ctx, key)?,
        None => return wait(ctx, request.keys, deadline),
    }
    Ok(())
}

/// The words of ZMPOP from the number of keys on.
#[derive(Debug)]
struct MultiPop<'w, 'b> {
    keys: &'w [&'b [u8]],
    direction: Direction,
    count: usize,
}

impl<'w, 'b> MultiPop<'w, 'b> {
    fn parse(words: &'w [&'b [u8]], at: usize) -> Result<Self, CommandError> {
        let (keys, rest) = counted_keys(words, at)?;
        let (end, options) = rest.split_first().ok_or(CommandError::SYNTAX)?;
        let direction = match end.to_ascii_lowercase().as_slice() {
            b"min" => Direction::Ascending,
            b"max" => Direction::Descending,
            _ => return Err(CommandError::SYNTAX),
        };
        let count = match options {
            [] => 1,
            [word, count] if is(word, "count") => at_least(count, 1, NO_COUNT)?,
            _ => return Err(CommandError::SYNTAX),
        };
        Ok(Self { keys, direction, count })
    }

    fn run(&self, ctx: &mut Ctx<'_>, key: &[u8]) -> Result<(), CommandError> {
        let count = pop(ctx, key, self.direction, self.count, Shape::KeyPairs)?;
        let count = count.to_string();
        ctx.propagate_instead(&[command(self.direction), key, count.as_bytes()]);
        Ok(())
    }
}

fn command(direction: Direction) -> &'static [u8] {
    match direction {
        Direction::Ascending => b"ZPOPMIN",
        Direction::Descending => b"ZPOPMAX",
    }
}

/// `BZPOPMIN key [key …] timeout`
pub(super) fn bzpopmin(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    pop_or_wait(ctx, words, Direction::Ascending)
}

/// `BZPOPMAX key [key …] timeout`
pub(super) fn bzpopmax(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    pop_or_wait(ctx, words, Direction::Descending)
}

fn pop_or_wait(ctx: &mut Ctx<'_>, words: &[&[u8]], direction: Direction) -> Outcome {
    let [_, keys @ .., timeout] = words else { return Err(CommandError::SYNTAX.into()) };
    let deadline = deadline(timeout, ctx.now)?;
    let Some(key) = first_there(ctx, keys)? else { return wait(ctx, keys, deadline) };
    pop(ctx, key, direction, 1, Shape::KeyFlat)?;
    ctx.propagate_instead(&[command(direction), key]);
    Ok(())
}

fn wait(ctx: &mut Ctx<'_>, keys: &[&[u8]], deadline: Option<i64>) -> Outcome {
    if !ctx.may_park() {
        ctx.reply.null_array();
        return Ok(());
    }
    let keys = keys.iter().map(|key| key.to_vec()).collect();
    let timeout = Reply::null_array;
    Err(Stop::Park(Box::new(Park { keys, deadline, timeout, answers_errors: false })))
}
