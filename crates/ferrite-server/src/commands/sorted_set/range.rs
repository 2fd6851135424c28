//! ZRANGE and what it replaced: ZRANGEBYSCORE, ZRANGEBYLEX, their reverses; ZRANGESTORE.

use std::ops::Range;

use ferrite_store::types::SortedSet;
use ferrite_store::types::sorted_set::{Direction, LexRange, ScoreRange, mirrored};

use super::store::store;
use super::{begin_members, is_with_scores, lex_range, member, score_range};
use crate::commands::arguments::is;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::number;

const LIMIT_BY_RANK: CommandError = CommandError::text(
    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
);
const SCORES_BY_LEX: CommandError =
    CommandError::text("ERR syntax error, WITHSCORES not supported in combination with BYLEX");

/// What a range is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// What the name of a command fixes; the rest are options.
#[derive(Debug, Clone, Copy)]
struct Given {
    by: Option<By>,
    direction: Option<Direction>,
    stores: bool,
}

#[derive(Debug)]
enum Wanted {
    Rank(i64, i64),
    Score(ScoreRange),
    Lex(LexRange),
}

#[derive(Debug)]
struct Request {
    wanted: Wanted,
    direction: Direction,
    offset: i64,
    /// -1 for all.
    limit: i64,
    with_scores: bool,
}

const FREE: Given = Given { by: None, direction: None, stores: false };

/// `ZRANGE key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`
pub(super) fn zrange(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    answer(ctx, words, FREE)
}

/// `ZREVRANGE key start stop [WITHSCORES]`
pub(super) fn zrevrange(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let direction = Some(Direction::Descending);
    answer(ctx, words, Given { by: Some(By::Rank), direction, stores: false })
}

/// `ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]`
pub(super) fn zrangebyscore(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let direction = Some(Direction::Ascending);
    answer(ctx, words, Given { by: Some(By::Score), direction, stores: false })
}

/// `ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]`
pub(super) fn zrevrangebyscore(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let direction = Some(Direction::Descending);
    answer(ctx, words, Given { by: Some(By::Score), direction, stores: false })
}

/// `ZRANGEBYLEX key min max [LIMIT offset count]`
pub(super) fn zrangebylex(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let direction = Some(Direction::Ascending);
    answer(ctx, words, Given { by: Some(By::Lex), direction, stores: false })
}

/// `ZREVRANGEBYLEX key max min [LIMIT offset count]`
pub(super) fn zrevrangebylex(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let direction = Some(Direction::Descending);
    answer(ctx, words, Given { by: Some(By::Lex), direction, stores: false })
}

/// `ZRANGESTORE destination source min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]`
pub(super) fn zrangestore(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let request = parse(words.get(3..).unwrap_or_default(), Given { stores: true, ..FREE })?;
    let limits = ctx.shared.limits;
    let mut result = SortedSet::new();
    if let Some(source) = ctx.read::<SortedSet>(words[2])? {
        let ranks = request.ranks(source);
        result = SortedSet::sized(ranks.len(), 0, &limits);
        source.walk(ranks, request.direction, &mut |member, score| {
            result.set(member, score, &limits);
            true
        });
    }
    store(ctx, words[1], result, "zrangestore");
    Ok(())
}

fn answer(ctx: &mut Ctx<'_>, words: &[&[u8]], given: Given) -> Outcome {
    let request = parse(words.get(2..).unwrap_or_default(), given)?;
    ctx.answer::<SortedSet, _>(words[1], |reply, set| {
        let Some(set) = set else { return reply.array(0) };
        let ranks = request.ranks(set);
        begin_members(reply, ranks.len(), request.with_scores);
        set.walk(ranks, request.direction, &mut |name, score| {
            member(reply, name, request.with_scores.then_some(score));
            true
        });
    })?;
    Ok(())
}

/// The words from the first end of the range on.
fn parse(words: &[&[u8]], given: Given) -> Result<Request, CommandError> {
    let [first, second, options @ ..] = words else { return Err(CommandError::SYNTAX) };
    let (mut by, mut direction) = (given.by, given.direction);
    let (mut offset, mut limit, mut with_scores) = (0, -1, false);
    let mut rest = options;
    loop {
        rest = match rest {
            [] => break,
            [word, rest @ ..] if !given.stores && is_with_scores(word) => {
                with_scores = true;
                rest
            }
            [word, skip, count, rest @ ..] if is(word, "limit") => {
                (offset, limit) = (number::int(skip)?, number::int(count)?);
                rest
            }
            [word, rest @ ..] if direction.is_none() && is(word, "rev") => {
                direction = Some(Direction::Descending);
                rest
            }
            [word, rest @ ..] if by.is_none() && is(word, "bylex") => {
                by = Some(By::Lex);
                rest
            }
            [word, rest @ ..] if by.is_none() && is(word, "byscore") => {
                by = Some(By::Score);
                rest
            }
            _ => return Err(CommandError::SYNTAX),
        };
    }
    let by = by.unwrap_or(By::Rank);
    let direction = direction.unwrap_or(Direction::Ascending);
    if limit != -1 && by == By::Rank {
        return Err(LIMIT_BY_RANK);
    }
    if with_scores && by == By::Lex {
        return Err(SCORES_BY_LEX);
    }
    let (min, max) = match (by, direction) {
        (By::Score | By::Lex, Direction::Descending) => (second, first),
        _ => (first, second),
    };
    let wanted = match by {
        By::Rank => Wanted::Rank(number::int(min)?, number::int(max)?),
        By::Score => Wanted::Score(score_range(min, max)?),
        By::Lex => Wanted::Lex(lex_range(min, max)?),
    };
    Ok(Request { wanted, direction, offset, limit, with_scores })
}

impl Request {
    /// The ranks that are asked for, counted from the smallest score.
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let ranks = match &self.wanted {
            Wanted::Rank(start, stop) => {
                let ranks = set.ranks_by_index(*start, *stop);
                return match self.direction {
                    Direction::Ascending => ranks,
                    Direction::Descending => mirrored(&ranks, set.len()),
                };
            }
            Wanted::Score(range) => set.ranks_by_score(range),
            Wanted::Lex(range) => set.ranks_by_lex(range),
        };
        // A negative offset skips everything, a negative limit is none.
        let skipped = usize::try_from(self.offset).unwrap_or(ranks.len()).min(ranks.len());
        let taken = usize::try_from(self.limit).unwrap_or(usize::MAX).min(ranks.len() - skipped);
        match self.direction {
            Direction::Ascending => ranks.start + skipped..ranks.start + skipped + taken,
            Direction::Descending => ranks.end - skipped - taken..ranks.end - skipped,
        }
    }
}
