//! INCR and its kin.

use ferrite_store::table::Content;

use crate::ctx::{Ctx, Outcome, Text};
use crate::error::CommandError;
use crate::notify::Class;
use crate::number;

pub(super) fn by(ctx: &mut Ctx<'_>, words: &[&[u8]], step: i64) -> Outcome {
    let key = words[1];
    ctx.find(key);
    let value = match ctx.peek_string(key)? {
        Some(text) => text.int().ok_or(CommandError::NOT_AN_INTEGER)?,
        None => 0,
    };
    let sum = value.checked_add(step);
    let sum = sum.ok_or(CommandError::text("ERR increment or decrement would overflow"))?;
    let expires_at = ctx.expires_at(key);
    ctx.put(key, Content::Int(sum), expires_at);
    ctx.changed(Class::String, "incrby", key);
    ctx.reply.int(sum);
    Ok(())
}

pub(super) fn incrby(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    by(ctx, words, number::int(words[2])?)
}

pub(super) fn decrby(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let step = number::int(words[2])?.checked_neg();
    by(ctx, words, step.ok_or(CommandError::text("ERR decrement would overflow"))?)
}

pub(super) fn incrbyfloat(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let key = words[1];
    ctx.find(key);
    let value = match ctx.peek_string(key)? {
        Some(Text::Int(value)) => value.into(),
        Some(Text::Bytes(bytes)) => number::extended(bytes)?,
        None => 0.into(),
    };
    let sum = value + number::extended(words[2])?;
    if !sum.is_finite() {
        let text = "ERR increment would produce NaN or Infinity";
        return Err(CommandError::text(text).into());
    }
    let text = sum.text();
    let expires_at = ctx.expires_at(key);
    ctx.put(key, Content::Bytes(text.as_bytes()), expires_at);
    // Another machine may add otherwise: replicas are told the sum.
    ctx.propagate_instead(&[b"SET", key, text.as_bytes(), b"KEEPTTL"]);
    ctx.changed(Class::String, "incrbyfloat", key);
    ctx.reply.text(&text);
    Ok(())
}
