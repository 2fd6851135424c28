//! Which shards a call needs.

use ferrite_commands::Access;

use crate::commands::{Entry, Locks};
use crate::ctx::Ctx;
use crate::error::CommandError;
use crate::store::{ShardSet, shard_of};

/// The shards of a call of the session that is put in.
///
/// # Errors
/// When the words do not say which keys there are.
pub fn wanted(ctx: &mut Ctx<'_>, entry: &Entry, words: &[&[u8]]) -> Result<ShardSet, CommandError> {
    match entry.locks {
        Locks::All => Ok(ShardSet::ALL),
        Locks::Keys => {
            let hashes = &mut ctx.hashes;
            of_named(entry, words, |key| ShardSet::of_shard(shard_of(hashes.note(key))))
        }
        Locks::Transaction => Ok(of_transaction(ctx)),
    }
}

/// The shards of the keys that a call names.
///
/// # Errors
/// When the words do not say which keys there are: those the command would refuse anyhow. It is
/// then run without any shard, and says so itself; only where it could not, this is an error.
pub fn of_keys(entry: &Entry, words: &[&[u8]]) -> Result<ShardSet, CommandError> {
    of_named(entry, words, ShardSet::of_key)
}

fn of_named(
    entry: &Entry,
    words: &[&[u8]],
    mut of_key: impl FnMut(&[u8]) -> ShardSet,
) -> Result<ShardSet, CommandError> {
    if entry.single_key {
        return Ok(words.get(1).map_or(ShardSet::NONE, |key| of_key(key)));
    }
    if entry.spec.keys.is_empty() {
        return Ok(ShardSet::NONE);
    }
    let Ok(keys) = ferrite_commands::keys(entry.spec, words) else { return Ok(ShardSet::NONE) };
    let keys = keys.iter().filter(|key| key.access != Access::NotKey);
    let keys = keys.filter_map(|key| words.get(key.index));
    Ok(keys.fold(ShardSet::NONE, |set, key| set.with(of_key(key))))
}

fn of_transaction(ctx: &Ctx<'_>) -> ShardSet {
    let watched = &ctx.session.watch.keys;
    let watched = watched.iter().map(|watched| ShardSet::of_key(&watched.key));
    let queued = ctx.session.transaction.iter().flat_map(|transaction| &transaction.queued);
    let queued = queued.map(|queued| match queued.entry.locks {
        Locks::Keys => {
            of_keys(queued.entry, &super::slices(&queued.words)).unwrap_or(ShardSet::ALL)
        }
        Locks::All | Locks::Transaction => ShardSet::ALL,
    });
    watched.chain(queued).fold(ShardSet::NONE, ShardSet::with)
}
