//! GET, GETDEL, GETEX, MGET.

use crate::commands::expiry::{Change, is_unit, option};
use crate::ctx::{Ctx, Outcome, Text, deletion};
use crate::error::CommandError;
use crate::notify::Class;
use crate::reply::Reply;

/// Writes a string.
pub(super) fn write(reply: &mut Reply, text: Option<Text<'_>>) {
    match text {
        Some(Text::Bytes(bytes)) => reply.bulk(bytes),
        Some(Text::Int(value)) => reply.bulk_int(value),
        None => reply.null(),
    }
}

/// Answers the string under a key; whether there is one.
pub(super) fn answer(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<bool, CommandError> {
    let mut reply = std::mem::take(&mut ctx.reply);
    let found = ctx.string(key).map(|text| {
        write(&mut reply, text);
        text.is_some()
    });
    ctx.reply = reply;
    found
}

pub(super) fn get(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    answer(ctx, words[1])?;
    Ok(())
}

pub(super) fn getdel(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let key = words[1];
    if answer(ctx, key)? {
        ctx.delete(key);
        ctx.propagate_instead(&[b"DEL", key]);
        ctx.changed(Class::Generic, "del", key);
    }
    Ok(())
}

/// `GETEX key [EX seconds | PX ms | EXAT time | PXAT time | PERSIST]`.
pub(super) fn getex(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let key = words[1];
    let options = words.get(2..).unwrap_or_default();
    let known = match options {
        [] => true,
        [persist] => persist.eq_ignore_ascii_case(b"persist"),
        [unit, _] => is_unit(unit),
        _ => false,
    };
    if !known {
        return Err(CommandError::SYNTAX.into());
    }
    // Of a key that is not there no time is too long.
    if !answer(ctx, key)? {
        return Ok(());
    }
    let change = match options {
        [] => Change::Keep,
        [unit, time] => option(unit, time, ctx.now, "getex")?.ok_or(CommandError::SYNTAX)?,
        _ => Change::Remove,
    };
    match change {
        Change::Keep => {}
        Change::At(time) if time <= ctx.now => {
            ctx.delete(key);
            let lazy = ctx.shared.config.lazy_free.lazy_expire.get();
            ctx.propagate_instead(&[deletion(lazy), key]);
            ctx.changed(Class::Generic, "del", key);
        }
        Change::At(time) => {
            ctx.set_expiry(key, Some(time));
            ctx.propagate_instead(&[b"PEXPIREAT", key, time.to_string().as_bytes()]);
            ctx.changed(Class::Generic, "expire", key);
        }
        Change::Remove => {
            if ctx.expires_at(key).is_some() {
                ctx.set_expiry(key, None);
                ctx.propagate_instead(&[b"PERSIST", key]);
                ctx.changed(Class::Generic, "persist", key);
            }
        }
    }
    Ok(())
}

pub(super) fn mget(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    ctx.reply.array(words.len() - 1);
    for key in words.iter().skip(1) {
        if answer(ctx, key).is_err() {
            ctx.reply.null();
        }
    }
    Ok(())
}
