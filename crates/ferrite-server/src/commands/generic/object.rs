//! OBJECT: how a value is kept, and when it was used.

use ferrite_store::table::Value;
use ferrite_store::types::Collection;

use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;

/// The longest string that Redis keeps in one piece with its head.
const EMBEDDED_MAX: usize = 44;

/// Integers below this are shared in Redis.
const SHARED_INTEGERS: i64 = 10_000;

const NOT_LFU: CommandError = CommandError::text(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);
const IS_LFU: CommandError = CommandError::text(
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);

const HELP: &[&str] = &[
    "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ENCODING <key>",
    "    Return the kind of internal representation used in order to store the value",
    "    associated with a <key>.",
    "FREQ <key>",
    "    Return the access frequency index of the <key>. The returned integer is",
    "    proportional to the logarithm of the recent access frequency of the key.",
    "IDLETIME <key>",
    "    Return the idle time of the <key>, that is the approximated number of",
    "    seconds elapsed since the last access to the key.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with the specified",
    "    <key>.",
    "HELP",
    "    Print this help.",
];

pub(super) fn help(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.reply.array(HELP.len());
    for line in HELP {
        ctx.reply.simple(line);
    }
    Ok(())
}

/// How a value is kept, as Redis names it.
pub(in crate::commands) fn encoding_of(value: Value<'_, Collection>) -> &'static str {
    match value {
        Value::Int(_) => "int",
        Value::Bytes { bytes, raw: false } if bytes.len() <= EMBEDDED_MAX => "embstr",
        Value::Bytes { .. } => "raw",
        Value::Object(object) => object.encoding_name(),
    }
}

pub(super) fn encoding(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let name = ctx.look(words[2]).map(encoding_of);
    ctx.reply.bulk_or_null(name.map(str::as_bytes));
    Ok(())
}

pub(super) fn refcount(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    // Where each key's last access counts, each has an integer of its own.
    let eviction = &ctx.shared.eviction;
    let shares = eviction.limit() == 0 || !eviction.policy().by_access();
    let count = ctx.look(words[2]).map(|value| match value {
        Value::Int(0..SHARED_INTEGERS) if shares => i64::from(i32::MAX),
        _ => 1,
    });
    answer(ctx, count)
}

pub(super) fn idletime(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let eviction = &ctx.shared.eviction;
    if ctx.look(words[2]).is_some() && eviction.policy().is_lfu() {
        return Err(IS_LFU.into());
    }
    let access = ctx.last_access(words[2]);
    let seconds = access.map(|access| eviction.idle_seconds(access, ctx.now));
    answer(ctx, seconds)
}

pub(super) fn freq(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let eviction = &ctx.shared.eviction;
    if ctx.look(words[2]).is_some() && !eviction.policy().is_lfu() {
        return Err(NOT_LFU.into());
    }
    let access = ctx.last_access(words[2]);
    let frequency = access.map(|access| i64::from(eviction.frequency(access, ctx.now)));
    answer(ctx, frequency)
}

fn answer(ctx: &mut Ctx<'_>, number: Option<i64>) -> Outcome {
    match number {
        Some(number) => ctx.reply.int(number),
        None => ctx.reply.null(),
    }
    Ok(())
}
