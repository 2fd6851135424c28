//! HINCRBY, HINCRBYFLOAT.

use ferrite_store::double::Extended;
use ferrite_store::types::{Element, FieldExpiry, Hash};

use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;
use crate::number;

const NOT_AN_INTEGER: CommandError = CommandError::text("ERR hash value is not an integer");
const NOT_A_FLOAT: CommandError = CommandError::text("ERR hash value is not a float");
const OVERFLOW: CommandError = CommandError::text("ERR increment or decrement would overflow");
const NOT_FINITE: CommandError = CommandError::text("ERR increment would produce NaN or Infinity");

pub(super) fn hincrby(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (key, name, shared) = (words[1], words[2], ctx.shared);
    let by = number::int(words[3])?;
    ctx.expire_fields(key)?;
    let old = match ctx.write::<Hash>(key)?.and_then(|hash| hash.get(name)) {
        Some(field) => match field.value {
            Element::Int(value) => value,
            Element::Bytes(bytes) => number::parse_int(bytes).ok_or(NOT_AN_INTEGER)?,
        },
        None => 0,
    };
    let new = old.checked_add(by).ok_or(OVERFLOW)?;
    let text = new.to_string();
    let hash = ctx.write_or_new(key, Hash::new)?;
    hash.set(name, text.as_bytes(), FieldExpiry::Keep, &shared.limits());
    ctx.changed(Class::Hash, "hincrby", key);
    ctx.reply.int(new);
    Ok(())
}

/// Replicas are told the result, for they might add differently.
pub(super) fn hincrbyfloat(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (key, name, shared) = (words[1], words[2], ctx.shared);
    let by = number::extended(words[3])?;
    if !by.is_finite() {
        return Err(CommandError::text("ERR value is NaN or Infinity").into());
    }
    ctx.expire_fields(key)?;
    let field = ctx.write::<Hash>(key)?.and_then(|hash| hash.get(name));
    let expires_at = field.and_then(|field| field.expires_at);
    let old = match field.map(|field| field.value) {
        Some(Element::Int(value)) => value.into(),
        Some(Element::Bytes(bytes)) => Extended::parse(bytes).ok_or(NOT_A_FLOAT)?,
        None => 0.into(),
    };
    let new = old + by;
    if !new.is_finite() {
        return Err(NOT_FINITE.into());
    }
    let text = new.text();
    let hash = ctx.write_or_new(key, Hash::new)?;
    hash.set(name, text.as_bytes(), FieldExpiry::Keep, &shared.limits());
    ctx.propagate_instead(&[b"HSET", key, name, text.as_bytes()]);
    if let Some(time) = expires_at {
        let time = time.to_string();
        ctx.propagate_instead(&[b"HPEXPIREAT", key, time.as_bytes(), b"FIELDS", b"1", name]);
    }
    ctx.changed(Class::Hash, "hincrbyfloat", key);
    ctx.reply.text(&text);
    Ok(())
}
