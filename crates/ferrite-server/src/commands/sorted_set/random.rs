//! ZRANDMEMBER and ZSCAN.

use std::collections::HashSet;

use ferrite_store::double;
use ferrite_store::types::SortedSet;
use ferrite_store::types::packed::Element;
use ferrite_store::types::sorted_set::Direction;

use super::{begin_members, is_with_scores, member};
use crate::commands::arguments::int_between;
use crate::commands::scan;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::reply::Reply;
use crate::{number, random};

/// `ZRANDMEMBER key [count [WITHSCORES]]`
pub(super) fn zrandmember(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (count, with_scores) = match words {
        [_, key] => return one(ctx, key),
        [_, _, count] => (int_between(count, -i64::MAX, i64::MAX)?, false),
        [_, _, count, option] if is_with_scores(option) => {
            (int_between(count, -i64::MAX, i64::MAX)?, true)
        }
        [_, _, count, ..] => {
            number::int(count)?;
            return Err(CommandError::SYNTAX.into());
        }
        _ => return Err(CommandError::SYNTAX.into()),
    };
    if with_scores && count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
        return Err(CommandError::text("ERR value is out of range").into());
    }
    ctx.answer::<SortedSet, _>(words[1], |reply, set| match set {
        Some(set) if count > 0 => distinct(reply, set, count.unsigned_abs() as usize, with_scores),
        Some(set) => repeated(reply, set, count.unsigned_abs() as usize, with_scores),
        None => reply.array(0),
    })?;
    Ok(())
}

fn one(ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
    ctx.answer::<SortedSet, _>(key, |reply, set| match set {
        Some(set) => {
            set.at(any_rank(set), &mut |name, _| reply.bulk(name));
        }
        None => reply.null(),
    })?;
    Ok(())
}

fn any_rank(set: &SortedSet) -> usize {
    random::below(set.len() as u64) as usize
}

/// So many members, the same one as often as chance wants it.
fn repeated(reply: &mut Reply, set: &SortedSet, count: usize, with_scores: bool) {
    begin_members(reply, count, with_scores);
    for _ in 0..count {
        if reply.is_over() {
            break;
        }
        set.at(any_rank(set), &mut |name, score| {
            member(reply, name, with_scores.then_some(score));
        });
    }
}

/// So many members, each once; all where there are not as many.
fn distinct(reply: &mut Reply, set: &SortedSet, count: usize, with_scores: bool) {
    let len = set.len();
    let count = count.min(len);
    begin_members(reply, count, with_scores);
    let mut write = |name: &[u8], score: f64| member(reply, name, with_scores.then_some(score));
    if count == len {
        return set.walk(0..len, Direction::Ascending, &mut |name, score| {
            write(name, score);
            true
        });
    }
    // Robert Floyd's choice of some out of many, each choice as likely as any other.
    let mut chosen = HashSet::with_capacity(count);
    for last in len - count..len {
        let rank = random::below(last as u64 + 1) as usize;
        let rank = if chosen.insert(rank) { rank } else { last };
        chosen.insert(rank);
        set.at(rank, &mut write);
    }
}

/// `ZSCAN key cursor [MATCH pattern] [COUNT count]`
pub(super) fn zscan(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let cursor = scan::cursor(words[2])?;
    ctx.answer::<SortedSet, _>(words[1], |reply, set| -> Outcome {
        let Some(set) = set else {
            scan::nothing(reply);
            return Ok(());
        };
        let options = scan::options(words.get(3..).unwrap_or_default(), false)?;
        scan::run(reply, cursor, options, |cursor, found| {
            set.scan(cursor, &mut |name, score| {
                found.visit(Element::Bytes(name), |reply| {
                    reply.bulk(name);
                    let mut text = Vec::new();
                    match set.is_packed() {
                        true => double::write(&mut text, score),
                        false => double::write_long(&mut text, score),
                    }
                    reply.bulk(&text);
                    2
                });
            })
        });
        Ok(())
    })?
}
