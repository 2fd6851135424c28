//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.
//!
//! EXEC holds the locks of all keys of the queued commands and of all watched keys from the look
//! at the watch flag to the last command, so nobody sees half of a transaction.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Handler, handler};
use crate::ctx::{Ctx, Outcome, Within};
use crate::dispatch::slices;
use crate::error::CommandError;
use crate::session::{Transaction, Watch, WatchedKey};
use crate::store::{ShardSet, shard_of};
use ferrite_store::table;

pub(super) const COMMANDS: &[Handler] = &[
    handler("discard", discard).at_once(),
    handler("exec", exec).transaction().at_once(),
    handler("multi", multi).at_once(),
    handler("unwatch", unwatch),
    handler("watch", watch).at_once(),
];

fn multi(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    if ctx.session.transaction.is_some() {
        return Err(CommandError::text("ERR MULTI calls can not be nested").into());
    }
    ctx.session.transaction = Some(Transaction::default());
    ctx.session.note_transaction();
    ctx.reply.ok();
    Ok(())
}

fn discard(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    if ctx.session.transaction.take().is_none() {
        return Err(CommandError::text("ERR DISCARD without MULTI").into());
    }
    ctx.session.note_transaction();
    ctx.unwatch();
    ctx.reply.ok();
    Ok(())
}

fn watch(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    if ctx.session.transaction.is_some() {
        return Err(CommandError::text("ERR WATCH inside MULTI is not allowed").into());
    }
    let db = ctx.db();
    for key in words.iter().skip(1) {
        let known = &ctx.session.watch.keys;
        if known.iter().any(|watched| watched.db == db && watched.key == *key) {
            continue;
        }
        let expired =
            ctx.table(key).find(table::hash(key), key).is_some() && ctx.peek_at(key).is_none();
        let flag = Arc::clone(&ctx.session.watch.flag);
        ctx.held.shard_mut(shard_of(table::hash(key))).watched.add(db, key, &flag, expired);
        ctx.session.watch.keys.push(WatchedKey { db, key: key.to_vec() });
        let client = &ctx.session.client;
        client.watched.fetch_add(1, Ordering::Relaxed);
        client.listening_memory.fetch_add(watched_memory(key), Ordering::Relaxed);
    }
    ctx.reply.ok();
    Ok(())
}

/// Bytes that are kept for a watched key: with the client, and in its shard.
fn watched_memory(key: &[u8]) -> usize {
    2 * (size_of::<WatchedKey>() + key.len())
}

fn unwatch(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.unwatch();
    ctx.reply.ok();
    Ok(())
}

fn exec(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let Some(transaction) = ctx.session.transaction.take() else {
        return Err(CommandError::text("ERR EXEC without MULTI").into());
    };
    ctx.session.note_transaction();
    if transaction.refused {
        ctx.unwatch();
        return Err(CommandError::EXEC_ABORTED.into());
    }
    let dirty = ctx.watch_is_dirty();
    ctx.unwatch();
    if dirty {
        ctx.reply.null_array();
        return Ok(());
    }
    ctx.within = Within::Transaction;
    ctx.reply.array(transaction.queued.len());
    for queued in &transaction.queued {
        // Inside of a transaction nothing waits: a blocking command answers at once.
        let words = slices(&queued.words);
        // Rights may have changed since the command was queued.
        match ctx.permit(queued.entry.spec, &words) {
            Ok(()) => drop(ctx.call(queued.entry, &words)),
            Err(error) => ctx.reply.error(&error),
        }
    }
    Ok(())
}

impl Ctx<'_> {
    /// Whether a watched key has changed, or is past its time now. All their shards are held.
    fn watch_is_dirty(&self) -> bool {
        let watch = &self.session.watch;
        watch.flag.load(Ordering::Relaxed)
            || watch.keys.iter().any(|watched| {
                let hash = table::hash(&watched.key);
                let shard = self.held.shard(shard_of(hash));
                let table = &shard.tables[watched.db];
                let expiry = table.find(hash, &watched.key).and_then(|at| table.expires_at(at));
                expiry.is_some_and(|time| time <= self.now)
                    && !shard.watched.was_expired(watched.db, &watched.key, &watch.flag)
            })
    }

    /// Ends all watching. The shards that are held stay so where they cover the watched keys.
    pub fn unwatch(&mut self) {
        if self.session.watch.keys.is_empty() {
            self.session.watch.flag.store(false, Ordering::Relaxed);
            return;
        }
        let Watch { keys, flag } = std::mem::take(&mut self.session.watch);
        let all = keys.iter().map(|watched| ShardSet::of_key(&watched.key));
        self.held.acquire(all.fold(ShardSet::NONE, ShardSet::with));
        let client = &self.session.client;
        client.watched.store(0, Ordering::Relaxed);
        let memory = keys.iter().map(|watched| watched_memory(&watched.key)).sum();
        client.listening_memory.fetch_sub(memory, Ordering::Relaxed);
        for WatchedKey { db, key } in keys {
            self.held.shard_mut(shard_of(table::hash(&key))).watched.remove(db, &key, &flag);
        }
    }
}
