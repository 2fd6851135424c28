//! KEYS, SCAN, RANDOMKEY: keys of a whole database.
//!
//! ```text
//! cursor of SCAN   45     40 39                    0
//!                  | shard  | cursor of its table  |
//! ```

use ferrite_commands::matches_glob;
use ferrite_store::table::CURSOR_LIMIT;

use super::is;
use super::keys::type_name;
use crate::ctx::{Ctx, Outcome, Within};
use crate::error::CommandError;
use crate::number;
use crate::random;
use crate::store::SHARDS;

/// Keys that a call of SCAN visits where it is not told how many.
const COUNT: usize = 10;

/// Places of a table that a call visits for each key it is to visit, at most.
const PLACES_PER_KEY: usize = 10;

/// Places visited in any case, so that a small database takes few calls.
const PLACES: usize = 2 * SHARDS;

/// Tries to find a key at random whose time is not over.
const RANDOM_TRIES: usize = 100;

struct Options<'a> {
    pattern: Option<&'a [u8]>,
    type_name: Option<&'a [u8]>,
    count: usize,
}

fn options<'a>(words: &[&'a [u8]]) -> Result<Options<'a>, CommandError> {
    let mut options = Options { pattern: None, type_name: None, count: COUNT };
    let (pairs, rest) = words.as_chunks::<2>();
    for [word, value] in pairs {
        if is(word, "count") {
            let count = usize::try_from(number::int(value)?).ok().filter(|count| *count > 0);
            options.count = count.ok_or(CommandError::SYNTAX)?;
        } else if is(word, "match") {
            options.pattern = Some(*value).filter(|pattern| *pattern != b"*");
        } else if is(word, "type") {
            options.type_name = Some(*value);
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    if rest.is_empty() { Ok(options) } else { Err(CommandError::SYNTAX) }
}

pub(super) fn scan(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let text = std::str::from_utf8(words[1]).ok();
    let cursor: Option<u64> = text.and_then(|text| text.parse().ok());
    let cursor = cursor.ok_or(CommandError::text("ERR invalid cursor"))?;
    let options = options(&words[2..])?;
    ctx.effects.apart = ctx.within == Within::Nothing;
    let (mut keys, mut visited) = (Vec::new(), 0);
    let mut cursor = Some(cursor);
    for place in 0..options.count.saturating_mul(PLACES_PER_KEY).saturating_add(PLACES) {
        let Some(from) = cursor else { break };
        if visited >= options.count && place > 0 {
            break;
        }
        let mut found = Found { visited, keys, expired: Vec::new() };
        cursor = step(ctx, from, &options, &mut found);
        found.expired.iter().for_each(|key| ctx.expire(key));
        (visited, keys) = (found.visited, found.keys);
    }
    ctx.reply.array(2);
    ctx.reply.text(&cursor.unwrap_or_default().to_string());
    ctx.reply.array(keys.len());
    for key in keys {
        ctx.reply.bulk(&key);
    }
    Ok(())
}

/// What a call of SCAN has found.
struct Found {
    visited: usize,
    keys: Vec<Vec<u8>>,
    /// Keys past their time, which are to be deleted.
    expired: Vec<Vec<u8>>,
}

/// Visits one place of a table; the cursor of the next, if there is one.
fn step(ctx: &Ctx<'_>, cursor: u64, options: &Options<'_>, found: &mut Found) -> Option<u64> {
    let shard = u8::try_from(cursor / CURSOR_LIMIT).ok().filter(|it| usize::from(*it) < SHARDS)?;
    let table = &ctx.held.shard(shard).tables[ctx.db()];
    let next = table.scan(cursor % CURSOR_LIMIT, &mut |at| {
        found.visited += 1;
        let key = table.key(at);
        let alive = table.expires_at(at).is_none_or(|time| time > ctx.now);
        let name = |wanted: &[u8]| is(wanted, type_name(table.value(at)));
        if !alive {
            found.expired.push(key.to_vec());
        } else if options.pattern.is_none_or(|pattern| matches_glob(pattern, key))
            && options.type_name.is_none_or(name)
        {
            found.keys.push(key.to_vec());
        }
    });
    match next {
        0 => Some(u64::from(shard) + 1)
            .filter(|shard| *shard < SHARDS as u64)
            .map(|shard| shard * CURSOR_LIMIT),
        next => Some(u64::from(shard) * CURSOR_LIMIT + next),
    }
}

pub(super) fn keys(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let pattern = words[1];
    let (db, now) = (ctx.db(), ctx.now);
    let begin = ctx.reply.defer();
    let mut count = 0;
    let Ctx { held, reply, .. } = ctx;
    for table in held.shards().filter_map(|shard| shard.tables.get(db)) {
        let mut cursor = 0;
        loop {
            cursor = table.scan(cursor, &mut |at| {
                let key = table.key(at);
                let alive = table.expires_at(at).is_none_or(|time| time > now);
                if alive && (pattern == b"*" || matches_glob(pattern, key)) {
                    reply.bulk(key);
                    count += 1;
                }
            });
            if cursor == 0 || reply.is_over() {
                break;
            }
        }
    }
    reply.settle_array(begin, count);
    Ok(())
}

pub(super) fn randomkey(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.effects.apart = ctx.within == Within::Nothing;
    for _ in 0..RANDOM_TRIES {
        let Some(key) = any_key(ctx) else { break };
        if ctx.find(&key).is_some() {
            ctx.reply.bulk(&key);
            return Ok(());
        }
    }
    ctx.reply.null();
    Ok(())
}

/// A key at random, which may be past its time.
fn any_key(ctx: &Ctx<'_>) -> Option<Vec<u8>> {
    let tables = || ctx.held.shards().filter_map(|shard| shard.tables.get(ctx.db()));
    let all: usize = tables().map(|table| table.len()).sum();
    let mut place = usize::try_from(random::below(all as u64)).ok()?;
    for table in tables() {
        if place < table.len() {
            let at = table.random(random::next())?;
            return Some(table.key(at).to_vec());
        }
        place -= table.len();
    }
    None
}
