//! ZREM, ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX.

use std::ops::Range;

use ferrite_store::types::SortedSet;

use super::{lex_range, score_range};
use crate::ctx::{Ctx, Outcome};
use crate::notify::Class;
use crate::number;

/// `ZREM key member [member …]`
pub(super) fn zrem(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let Some(set) = ctx.write::<SortedSet>(words[1])? else {
        ctx.reply.int(0);
        return Ok(());
    };
    let members = words.get(2..).unwrap_or_default();
    let removed = members.iter().filter(|member| set.remove(member).is_some()).count();
    let is_empty = set.is_empty();
    removed_from(ctx, "zrem", words[1], removed, is_empty);
    Ok(())
}

fn removed_from(ctx: &mut Ctx<'_>, event: &str, key: &[u8], removed: usize, is_empty: bool) {
    if removed > 0 {
        ctx.taken_from(Class::SortedSet, event, key, is_empty);
        ctx.effects.dirty += removed as u64 - 1;
    }
    ctx.reply.count(removed);
}

/// `ZREMRANGEBYRANK key start stop`
pub(super) fn zremrangebyrank(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (start, stop) = (number::int(words[2])?, number::int(words[3])?);
    remove(ctx, words[1], "zremrangebyrank", |set| set.ranks_by_index(start, stop))
}

/// `ZREMRANGEBYSCORE key min max`
pub(super) fn zremrangebyscore(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let range = score_range(words[2], words[3])?;
    remove(ctx, words[1], "zremrangebyscore", |set| set.ranks_by_score(&range))
}

/// `ZREMRANGEBYLEX key min max`
pub(super) fn zremrangebylex(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let range = lex_range(words[2], words[3])?;
    remove(ctx, words[1], "zremrangebylex", |set| set.ranks_by_lex(&range))
}

fn remove(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    event: &str,
    choose: impl FnOnce(&SortedSet) -> Range<usize>,
) -> Outcome {
    let Some(set) = ctx.write::<SortedSet>(key)? else {
        ctx.reply.int(0);
        return Ok(());
    };
    let ranks = choose(set);
    let removed = ranks.len();
    set.remove_range(ranks, &mut |_, _| {});
    let is_empty = set.is_empty();
    removed_from(ctx, event, key, removed, is_empty);
    Ok(())
}
