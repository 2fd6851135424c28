//! Hashes, and the expiry of their fields.
//!
//! Commands that read overlook fields past their time; those that write call
//! [`crate::ctx::Ctx::expire_fields`] first, and see none of them.

mod count;
mod delete;
mod expire;
mod get;
mod getex;
mod named;
mod persist;
mod random;
mod scan;
mod set;
mod setex;
mod time;
mod ttl;

use ferrite_store::types::{Element, Hash};

use super::{Handler, handler};

pub(super) const COMMANDS: &[Handler] = &[
    handler("hdel", delete::hdel),
    handler("hexists", get::hexists),
    handler("hexpire", |ctx, words| expire::run(ctx, words, &time::HEXPIRE)),
    handler("hexpireat", |ctx, words| expire::run(ctx, words, &time::HEXPIREAT)),
    handler("hexpiretime", |ctx, words| ttl::run(ctx, words, ttl::Answer::Seconds)),
    handler("hget", get::hget),
    handler("hgetall", |ctx, words| get::all(ctx, words, get::Part::Both)),
    handler("hgetdel", delete::hgetdel),
    handler("hgetex", getex::hgetex),
    handler("hincrby", count::hincrby),
    handler("hincrbyfloat", count::hincrbyfloat),
    handler("hkeys", |ctx, words| get::all(ctx, words, get::Part::Names)),
    handler("hlen", get::hlen),
    handler("hmget", get::hmget),
    handler("hmset", set::hmset),
    handler("hpersist", persist::hpersist),
    handler("hpexpire", |ctx, words| expire::run(ctx, words, &time::HPEXPIRE)),
    handler("hpexpireat", |ctx, words| expire::run(ctx, words, &time::HPEXPIREAT)),
    handler("hpexpiretime", |ctx, words| ttl::run(ctx, words, ttl::Answer::Milliseconds)),
    handler("hpttl", |ctx, words| ttl::run(ctx, words, ttl::Answer::MillisecondsLeft)),
    handler("hrandfield", random::hrandfield),
    handler("hscan", scan::hscan),
    handler("hset", set::hset),
    handler("hsetex", setex::hsetex),
    handler("hsetnx", set::hsetnx),
    handler("hstrlen", get::hstrlen),
    handler("httl", |ctx, words| ttl::run(ctx, words, ttl::Answer::SecondsLeft)),
    handler("hvals", |ctx, words| get::all(ctx, words, get::Part::Values)),
];

/// The value of a field that is there and has not expired.
fn live<'h>(hash: &'h Hash, name: &[u8], now: u64) -> Option<Element<'h>> {
    hash.get(name).filter(|field| field.is_live(now)).map(|field| field.value)
}

/// How many fields have not expired.
fn live_len(hash: &Hash, now: u64) -> usize {
    if hash.next_expiry().is_none_or(|next| next > now) {
        return hash.len();
    }
    hash.iter().filter(|(_, field)| field.is_live(now)).count()
}
