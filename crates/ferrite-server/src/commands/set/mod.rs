//! Sets.

mod change;
mod combine;
mod look;
mod pop;
mod random;
mod scan;

use super::{Handler, handler};
use combine::Operation;

pub(super) const COMMANDS: &[Handler] = &[
    handler("sadd", change::sadd),
    handler("scard", look::scard),
    handler("sdiff", |ctx, words| combine::answer(ctx, words, Operation::Difference)),
    handler("sdiffstore", |ctx, words| combine::store(ctx, words, Operation::Difference)),
    handler("sinter", |ctx, words| combine::answer(ctx, words, Operation::Intersection)),
    handler("sintercard", combine::sintercard),
    handler("sinterstore", |ctx, words| combine::store(ctx, words, Operation::Intersection)),
    handler("sismember", look::sismember),
    handler("smembers", look::smembers),
    handler("smismember", look::smismember),
    handler("smove", change::smove),
    handler("spop", pop::spop),
    handler("srandmember", random::srandmember),
    handler("srem", change::srem),
    handler("sscan", scan::sscan),
    handler("sunion", |ctx, words| combine::answer(ctx, words, Operation::Union)),
    handler("sunionstore", |ctx, words| combine::store(ctx, words, Operation::Union)),
];
