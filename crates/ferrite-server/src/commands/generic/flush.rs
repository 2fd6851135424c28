//! FLUSHALL, FLUSHDB, SWAPDB.

use ferrite_store::table::{self, Table};

use super::{existing, is};
use crate::clients::Caller;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::number;
use crate::store::{SHARDS, Shard};
use crate::watch::Found;

pub(super) fn flushall(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let later = is_later(words)?;
    let removed = empty_all(ctx, later);
    ctx.effects.dirty += removed as u64;
    // Replicas are told even where there was nothing: they may have something.
    ctx.propagate_instead(words);
    ctx.reply.ok();
    Ok(())
}

/// Every key is gone, and replicas are not told.
pub(in crate::commands) fn forget_everything(ctx: &mut Ctx<'_>) {
    empty_all(ctx, false);
}

/// Empties all databases; how many keys they had.
fn empty_all(ctx: &mut Ctx<'_>, later: bool) -> usize {
    let databases = 0..ctx.shared.store.databases();
    let removed = databases.map(|db| empty(ctx, db, later)).sum();
    let tracking = &ctx.shared.tracking;
    ctx.held.shards_mut().for_each(|shard| tracking.clear(&mut shard.tracked));
    tell_trackers(ctx);
    removed
}

pub(super) fn flushdb(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let later = is_later(words)?;
    let removed = empty(ctx, ctx.db(), later);
    ctx.effects.dirty += removed as u64;
    ctx.propagate_instead(words);
    tell_trackers(ctx);
    ctx.reply.ok();
    Ok(())
}

/// Whoever keeps copies of keys is told that all are gone.
fn tell_trackers(ctx: &mut Ctx<'_>) {
    let mut caller = Caller { id: ctx.session.client.id, own: &mut ctx.effects.own };
    ctx.shared.tracking.flushed(ctx.shared, &mut caller);
}

/// Whether values are freed in the background: ASYNC, and not SYNC.
fn is_later(words: &[&[u8]]) -> Result<bool, CommandError> {
    match words.get(1..).unwrap_or_default() {
        [] => Ok(false),
        [word] if is(word, "sync") => Ok(false),
        [word] if is(word, "async") => Ok(true),
        _ => Err(CommandError::SYNTAX),
    }
}

/// Empties a database; how many keys it had.
fn empty(ctx: &mut Ctx<'_>, db: usize, later: bool) -> usize {
    let mut removed = 0;
    for shard in 0..SHARDS as u8 {
        tell(ctx, shard, db, None);
        let place = ctx.held.shard_mut(shard);
        let table = &mut place.tables[db];
        if table.is_empty() && !table.in_snapshot() {
            place.emptied(db);
            continue;
        }
        removed += table.len();
        let mut table = std::mem::replace(table, Table::new(shard));
        place.emptied(db);
        // A snapshot that is being written has the keys as they were.
        while !table.save_next(usize::MAX) {}
        match later {
            true => ctx.shared.garbage.free_table(table),
            false => drop(table),
        }
    }
    removed
}

/// Tells those who watch or wait for a key of a database's part in a shard that is there, or is in
/// the database that takes its place; nothing does where it is emptied.
fn tell(ctx: &mut Ctx<'_>, shard: u8, db: usize, replacement: Option<usize>) {
    let Ctx { held, effects, now, .. } = ctx;
    let Shard { tables, watched, waiting, .. } = held.shard_mut(shard);
    let found = |db: Option<usize>, key: &[u8]| {
        let Some(table) = db.and_then(|db| tables.get(db)) else { return Found::Nothing };
        match table.find(table::hash(key), key).map(|at| table.expires_at(at)) {
            None => Found::Nothing,
            Some(Some(time)) if time <= *now => Found::Expired,
            Some(_) => Found::Value,
        }
    };
    let both = |key: &[u8]| [found(Some(db), key), found(replacement, key)];
    watched.replaced(db, both);
    let waiting = waiting.keys(db).filter(|key| both(key) != [Found::Nothing; 2]);
    effects.ready.extend(waiting.map(|key| (db, key.to_vec())));
}

pub(super) fn swapdb(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let number = |word, error| number::parse_int(word).ok_or(error);
    let first = number(words[1], CommandError::text("ERR invalid first DB index"))?;
    let second = number(words[2], CommandError::text("ERR invalid second DB index"))?;
    let (first, second) = (existing(ctx, first)?, existing(ctx, second)?);
    if first != second {
        for shard in 0..SHARDS as u8 {
            tell(ctx, shard, first, Some(second));
            tell(ctx, shard, second, Some(first));
            let shard = ctx.held.shard_mut(shard);
            shard.tables.swap(first, second);
            shard.fields.swap(first, second);
        }
    }
    ctx.effects.dirty += 1;
    ctx.reply.ok();
    Ok(())
}
