//! Sorted sets.

mod add;
mod combine;
mod pop;
mod random;
mod range;
mod remove;
mod score;
mod store;

pub(in crate::commands) use add::{Options as AddOptions, add};
pub(in crate::commands) use store::store;

use ferrite_store::types::sorted_set::{LexRange, ScoreRange};

use super::arguments::is;
use super::{Handler, handler};
use crate::error::CommandError;
use crate::reply::Reply;

pub(super) const COMMANDS: &[Handler] = &[
    handler("bzmpop", pop::bzmpop),
    handler("bzpopmax", pop::bzpopmax),
    handler("bzpopmin", pop::bzpopmin),
    handler("zadd", add::zadd),
    handler("zcard", score::zcard),
    handler("zcount", score::zcount),
    handler("zdiff", combine::zdiff),
    handler("zdiffstore", combine::zdiffstore),
    handler("zincrby", add::zincrby),
    handler("zinter", combine::zinter),
    handler("zintercard", combine::zintercard),
    handler("zinterstore", combine::zinterstore),
    handler("zlexcount", score::zlexcount),
    handler("zmpop", pop::zmpop),
    handler("zmscore", score::zmscore),
    handler("zpopmax", pop::zpopmax),
    handler("zpopmin", pop::zpopmin),
    handler("zrandmember", random::zrandmember),
    handler("zrange", range::zrange),
    handler("zrangebylex", range::zrangebylex),
    handler("zrangebyscore", range::zrangebyscore),
    handler("zrangestore", range::zrangestore),
    handler("zrank", score::zrank),
    handler("zrem", remove::zrem),
    handler("zremrangebylex", remove::zremrangebylex),
    handler("zremrangebyrank", remove::zremrangebyrank),
    handler("zremrangebyscore", remove::zremrangebyscore),
    handler("zrevrange", range::zrevrange),
    handler("zrevrangebylex", range::zrevrangebylex),
    handler("zrevrangebyscore", range::zrevrangebyscore),
    handler("zrevrank", score::zrevrank),
    handler("zscan", random::zscan),
    handler("zscore", score::zscore),
    handler("zunion", combine::zunion),
    handler("zunionstore", combine::zunionstore),
];

fn score_range(min: &[u8], max: &[u8]) -> Result<ScoreRange, CommandError> {
    ScoreRange::parse(min, max).ok_or(CommandError::text("ERR min or max is not a float"))
}

fn lex_range(min: &[u8], max: &[u8]) -> Result<LexRange, CommandError> {
    let wrong = CommandError::text("ERR min or max not valid string range item");
    LexRange::parse(min, max).ok_or(wrong)
}

/// Whether a word is WITHSCORES, the option that many commands have.
fn is_with_scores(word: &[u8]) -> bool {
    is(word, "withscores")
}

/// Begins an array of members, with their scores where that is asked for: pairs in RESP3, in turns
/// in RESP2.
fn begin_members(reply: &mut Reply, count: usize, with_scores: bool) {
    let in_turns = with_scores && !reply.resp3();
    reply.array(if in_turns { 2 * count } else { count });
}

/// A member of an array that [`begin_members`] began.
fn member(reply: &mut Reply, member: &[u8], score: Option<f64>) {
    if score.is_some() && reply.resp3() {
        reply.array(2);
    }
    reply.bulk(member);
    if let Some(score) = score {
        reply.double(score);
    }
}
