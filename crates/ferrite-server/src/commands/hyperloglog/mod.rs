//! HyperLogLogs: estimates of how many different elements were added.

mod debug;

use ferrite_store::types::hyperloglog::{self, Invalid, Registers};

use super::{Handler, handler};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;

pub(super) const COMMANDS: &[Handler] = &[
    handler("pfadd", pfadd),
    handler("pfcount", pfcount),
    handler("pfdebug", debug::pfdebug),
    handler("pfmerge", pfmerge),
    handler("pfselftest", debug::pfselftest),
];

fn invalid(reason: Invalid) -> CommandError {
    CommandError::text(match reason {
        Invalid::Type => "WRONGTYPE Key is not a valid HyperLogLog string value.",
        Invalid::Corrupt => "INVALIDOBJ Corrupted HLL object detected",
    })
}

/// Looks whether a key holds a HyperLogLog; whether there is one.
fn check(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<bool, CommandError> {
    let Some(text) = ctx.string(key)? else { return Ok(false) };
    hyperloglog::check(text.bytes(&mut itoa::Buffer::new())).map_err(invalid)?;
    Ok(true)
}

/// `PFADD key [element …]`
fn pfadd(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let key = words[1];
    let is_there = check(ctx, key)?;
    let most = ctx.shared.limits().hll_sparse_max_bytes;
    let bytes = ctx.string_mut(key)?;
    if !is_there {
        *bytes = hyperloglog::empty();
    }
    let mut changes = u64::from(!is_there);
    for element in words.get(2..).unwrap_or_default() {
        changes += u64::from(hyperloglog::add(bytes, element, most).map_err(invalid)?);
    }
    if changes > 0 {
        hyperloglog::outdate(bytes);
        ctx.changed(Class::String, "pfadd", key);
        ctx.effects.dirty += changes - 1;
    }
    ctx.reply.int(i64::from(changes > 0));
    Ok(())
}

/// `PFCOUNT key [key …]`
fn pfcount(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let keys = words.get(1..).unwrap_or_default();
    if let [key] = keys {
        return count_one(ctx, key);
    }
    let mut all = Registers::new();
    for key in keys {
        merge(ctx, key, &mut all)?;
    }
    ctx.reply.int(all.count().cast_signed());
    Ok(())
}

/// Adds the registers of a key; whether they are dense, `None` where the key is not there.
fn merge(ctx: &mut Ctx<'_>, key: &[u8], all: &mut Registers) -> Result<Option<bool>, CommandError> {
    if !check(ctx, key)? {
        return Ok(None);
    }
    let Some(text) = ctx.peek_string(key)? else { return Ok(None) };
    let mut digits = itoa::Buffer::new();
    let bytes = text.bytes(&mut digits);
    all.merge(bytes).map_err(invalid)?;
    Ok(Some(hyperloglog::is_dense(bytes)))
}

/// The estimate of one key is kept in it, and replicas are told to do the same.
fn count_one(ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
    if !check(ctx, key)? {
        ctx.reply.int(0);
        return Ok(());
    }
    let bytes = ctx.string_mut(key)?;
    if let Some(estimate) = hyperloglog::cached(bytes) {
        ctx.reply.int(estimate.cast_signed());
        return Ok(());
    }
    let estimate = hyperloglog::count(bytes).map_err(invalid)?;
    hyperloglog::set_cached(bytes, estimate);
    ctx.touched(key);
    ctx.effects.dirty += 1;
    ctx.propagate_instead(&[b"PFCOUNT", key]);
    ctx.reply.int(estimate.cast_signed());
    Ok(())
}

/// `PFMERGE destination [source …]`
fn pfmerge(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (destination, most) = (words[1], ctx.shared.limits().hll_sparse_max_bytes);
    let (mut all, mut is_dense) = (Registers::new(), false);
    for key in words.get(1..).unwrap_or_default() {
        is_dense |= merge(ctx, key, &mut all)? == Some(true);
    }
    let is_there = check(ctx, destination)?;
    let bytes = ctx.string_mut(destination)?;
    if !is_there {
        *bytes = hyperloglog::empty();
    }
    if is_dense {
        hyperloglog::to_dense(bytes).map_err(invalid)?;
    }
    all.store(bytes, most).map_err(invalid)?;
    ctx.changed(Class::String, "pfadd", destination);
    ctx.reply.ok();
    Ok(())
}
