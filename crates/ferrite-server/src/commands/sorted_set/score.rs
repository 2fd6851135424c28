//! ZSCORE, ZMSCORE, ZCARD, ZRANK, ZREVRANK, ZCOUNT, ZLEXCOUNT.

use ferrite_store::types::SortedSet;
use ferrite_store::types::sorted_set::Direction;

use super::{lex_range, score_range};
use crate::commands::arguments::is;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;

/// `ZSCORE key member`
pub(super) fn zscore(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    match ctx.read::<SortedSet>(words[1])?.and_then(|set| set.score(words[2])) {
        Some(score) => ctx.reply.double(score),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// `ZMSCORE key member [member …]`
pub(super) fn zmscore(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let members = words.get(2..).unwrap_or_default();
    ctx.answer::<SortedSet, _>(words[1], |reply, set| {
        reply.array(members.len());
        for member in members {
            match set.and_then(|set| set.score(member)) {
                Some(score) => reply.double(score),
                None => reply.null(),
            }
        }
    })?;
    Ok(())
}

/// `ZCARD key`
pub(super) fn zcard(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let count = ctx.read::<SortedSet>(words[1])?.map_or(0, SortedSet::len);
    ctx.reply.count(count);
    Ok(())
}

/// `ZRANK key member [WITHSCORE]`
pub(super) fn zrank(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    rank(ctx, words, Direction::Ascending)
}

/// `ZREVRANK key member [WITHSCORE]`
pub(super) fn zrevrank(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    rank(ctx, words, Direction::Descending)
}

fn rank(ctx: &mut Ctx<'_>, words: &[&[u8]], direction: Direction) -> Outcome {
    let with_score = match words {
        [_, _, _] => false,
        [_, _, _, option] if is(option, "withscore") => true,
        [_, _, _, _] => return Err(CommandError::SYNTAX.into()),
        _ if direction == Direction::Ascending => return Err(CommandError::arity("zrank").into()),
        _ => return Err(CommandError::arity("zrevrank").into()),
    };
    let set = ctx.read::<SortedSet>(words[1])?;
    let found = set.and_then(|set| Some((set.len(), set.rank(words[2])?)));
    let Some((len, (rank, score))) = found else {
        match with_score {
            true => ctx.reply.null_array(),
            false => ctx.reply.null(),
        }
        return Ok(());
    };
    if with_score {
        ctx.reply.array(2);
    }
    ctx.reply.count(match direction {
        Direction::Ascending => rank,
        Direction::Descending => len - 1 - rank,
    });
    if with_score {
        ctx.reply.double(score);
    }
    Ok(())
}

/// `ZCOUNT key min max`
pub(super) fn zcount(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let range = score_range(words[2], words[3])?;
    let set = ctx.read::<SortedSet>(words[1])?;
    let count = set.map_or(0, |set| set.ranks_by_score(&range).len());
    ctx.reply.count(count);
    Ok(())
}

/// `ZLEXCOUNT key min max`
pub(super) fn zlexcount(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let range = lex_range(words[2], words[3])?;
    let set = ctx.read::<SortedSet>(words[1])?;
    let count = set.map_or(0, |set| set.ranks_by_lex(&range).len());
    ctx.reply.count(count);
    Ok(())
}
