//! HSET, HMSET, HSETNX.

use ferrite_store::types::{FieldExpiry, Hash};

use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;

/// Sets fields; how many are new. Those that had an expiry lose it.
fn set(ctx: &mut Ctx<'_>, words: &[&[u8]], command: &str) -> Result<usize, CommandError> {
    let (key, pairs, shared) = (words[1], &words[2..], ctx.shared);
    if !pairs.len().is_multiple_of(2) {
        return Err(CommandError::arity(command));
    }
    ctx.expire_fields(key)?;
    let hash = ctx.write_or_new(key, Hash::new)?;
    hash.grow_for(pairs.len() / 2, &shared.limits());
    let mut added = 0;
    for pair in pairs.chunks_exact(2) {
        let is_new = hash.set(pair[0], pair[1], FieldExpiry::Clear, &shared.limits());
        added += usize::from(is_new);
    }
    ctx.changed(Class::Hash, "hset", key);
    ctx.counts_as(pairs.len() / 2);
    Ok(added)
}

pub(super) fn hset(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let added = set(ctx, words, "hset")?;
    ctx.reply.count(added);
    Ok(())
}

pub(super) fn hmset(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    set(ctx, words, "hmset")?;
    ctx.reply.ok();
    Ok(())
}

pub(super) fn hsetnx(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (key, name) = (words[1], words[2]);
    ctx.expire_fields(key)?;
    if ctx.write::<Hash>(key)?.is_some_and(|hash| hash.get(name).is_some()) {
        ctx.reply.int(0);
        return Ok(());
    }
    set(ctx, words, "hsetnx")?;
    ctx.reply.int(1);
    Ok(())
}
