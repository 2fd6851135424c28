//! SINTER, SUNION, SDIFF, what they store, and SINTERCARD.

use ferrite_store::table::Content;
use ferrite_store::types::{Collection, Element, Limits, Set};

use crate::commands::arguments::{at_least, is};
use crate::commands::scan::element;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;

/// How sets are put together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Intersection,
    Union,
    Difference,
}

impl Operation {
    const fn event(self) -> &'static str {
        match self {
            Self::Intersection => "sinterstore",
            Self::Union => "sunionstore",
            Self::Difference => "sdiffstore",
        }
    }
}

/// The sets under the keys, all of them there or not.
fn sets<'c>(ctx: &'c mut Ctx<'_>, keys: &[&[u8]]) -> Result<Vec<Option<&'c Set>>, CommandError> {
    for key in keys {
        ctx.look_up(key);
    }
    let ctx = &*ctx;
    keys.iter().map(|key| ctx.peek_as::<Set>(key)).collect()
}

/// What is in all of the sets, in the order of the smallest; nothing where one is not there.
fn intersection<'c>(sets: &[Option<&'c Set>]) -> impl Iterator<Item = Element<'c>> {
    let mut sets: Vec<&Set> = sets.iter().copied().collect::<Option<Vec<_>>>().unwrap_or_default();
    sets.sort_by_key(|set| set.len());
    let smallest = sets.first().copied();
    smallest
        .into_iter()
        .flat_map(Set::iter)
        .filter(move |member| sets.iter().skip(1).all(|set| set.contains_element(*member)))
}

fn combined(
    ctx: &mut Ctx<'_>,
    keys: &[&[u8]],
    operation: Operation,
    limits: &Limits,
) -> Result<Set, CommandError> {
    let sets = sets(ctx, keys)?;
    let mut result = Set::new();
    let mut add = |member: Element<'_>| {
        result.add_element(member, limits);
    };
    match operation {
        Operation::Intersection => intersection(&sets).for_each(add),
        Operation::Union => sets.iter().flatten().flat_map(|set| set.iter()).for_each(add),
        Operation::Difference => {
            let (first, others) = sets.split_first().ok_or(CommandError::SYNTAX)?;
            for member in first.iter().flat_map(|set| set.iter()) {
                if !others.iter().flatten().any(|set| set.contains_element(member)) {
                    add(member);
                }
            }
        }
    }
    Ok(result)
}

pub(super) fn answer(ctx: &mut Ctx<'_>, words: &[&[u8]], operation: Operation) -> Outcome {
    let shared = ctx.shared;
    let result = combined(ctx, &words[1..], operation, &shared.limits)?;
    ctx.reply.set(result.len());
    result.iter().for_each(|member| element(&mut ctx.reply, member));
    Ok(())
}

pub(super) fn store(ctx: &mut Ctx<'_>, words: &[&[u8]], operation: Operation) -> Outcome {
    let (target, shared) = (words[1], ctx.shared);
    let result = combined(ctx, &words[2..], operation, &shared.limits)?;
    let members = result.len();
    if members > 0 {
        ctx.put(target, Content::Object(Collection::Set(result)), None);
        ctx.changed(Class::Set, operation.event(), target);
    } else if ctx.delete(target) {
        ctx.changed(Class::Generic, "del", target);
    }
    ctx.reply.count(members);
    Ok(())
}

/// `SINTERCARD numkeys key ... [LIMIT limit]`
pub(super) fn sintercard(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    const NO_KEYS: CommandError = CommandError::text("ERR numkeys should be greater than 0");
    const TOO_MANY: CommandError =
        CommandError::text("ERR Number of keys can't be greater than number of args");
    let count = at_least(words[1], 1, NO_KEYS)?;
    let (keys, rest) = words[2..].split_at_checked(count).ok_or(TOO_MANY)?;
    let mut limit = 0;
    for pair in rest.chunks(2) {
        match pair {
            [word, value] if is(word, "limit") => {
                limit = at_least(value, 0, CommandError::text("ERR LIMIT can't be negative"))?;
            }
            _ => return Err(CommandError::SYNTAX.into()),
        }
    }
    let limit = if limit == 0 { usize::MAX } else { limit };
    let members = intersection(&sets(ctx, keys)?).take(limit).count();
    ctx.reply.count(members);
    Ok(())
}
