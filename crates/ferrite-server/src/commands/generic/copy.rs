//! RENAME, RENAMENX, COPY, MOVE.

use ferrite_store::table::{Owned, Taken, Value};
use ferrite_store::types::Collection;

use super::{database, in_db, is};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;

const SAME: CommandError = CommandError::text("ERR source and destination objects are the same");

pub(super) fn rename(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (from, to) = (words[1], words[2]);
    if ctx.find(from).is_none() {
        return Err(CommandError::NO_SUCH_KEY.into());
    }
    if from != to {
        ctx.unlink(to);
        go(ctx, from, to);
    }
    ctx.reply.ok();
    Ok(())
}

pub(super) fn renamenx(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (from, to) = (words[1], words[2]);
    if ctx.find(from).is_none() {
        return Err(CommandError::NO_SUCH_KEY.into());
    }
    let done = ctx.find(to).is_none();
    if done {
        go(ctx, from, to);
    }
    ctx.reply.int(i64::from(done));
    Ok(())
}

/// Renames a key that is there to one that is not.
fn go(ctx: &mut Ctx<'_>, from: &[u8], to: &[u8]) {
    let Some(taken) = take(ctx, from) else { return };
    ctx.put_taken(to, taken);
    ctx.changed(Class::Generic, "rename_from", from);
    ctx.touched(to);
    ctx.notify(Class::Generic, "rename_to", to);
}

fn take(ctx: &mut Ctx<'_>, key: &[u8]) -> Option<Taken<Collection>> {
    let at = ctx.find(key)?;
    Some(ctx.table_mut(key).take_at(at))
}

pub(super) fn move_to(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let key = words[1];
    let to = database(ctx, words[2])?;
    if to == ctx.db() {
        return Err(SAME.into());
    }
    let done = ctx.find(key).is_some() && in_db(ctx, to, |ctx| ctx.find(key).is_none());
    if done && let Some(taken) = take(ctx, key) {
        in_db(ctx, to, |ctx| {
            ctx.put_taken(key, taken);
            ctx.touched(key);
        });
        ctx.changed(Class::Generic, "move_from", key);
        in_db(ctx, to, |ctx| ctx.notify(Class::Generic, "move_to", key));
    }
    ctx.reply.int(i64::from(done));
    Ok(())
}

pub(super) fn copy(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (from, to) = (words[1], words[2]);
    let (mut db, mut replace) = (ctx.db(), false);
    let mut rest = &words[3..];
    loop {
        rest = match rest {
            [] => break,
            [word, rest @ ..] if is(word, "replace") => {
                replace = true;
                rest
            }
            [word, number, rest @ ..] if is(word, "db") => {
                db = database(ctx, number)?;
                rest
            }
            _ => return Err(CommandError::SYNTAX.into()),
        };
    }
    if from == to && db == ctx.db() {
        return Err(SAME.into());
    }
    let copied = ctx.value(from).map(duplicate);
    let there = in_db(ctx, db, |ctx| ctx.find(to).is_some());
    let Some(value) = copied.filter(|_| replace || !there) else {
        ctx.reply.int(0);
        return Ok(());
    };
    let expires_at = ctx.expires_at(from);
    let access = ctx.find(from).map_or(0, |at| ctx.table(from).access(at));
    in_db(ctx, db, |ctx| {
        ctx.unlink(to);
        ctx.put_taken(to, Taken { value, expires_at, access });
        ctx.changed(Class::Generic, "copy_to", to);
    });
    ctx.reply.int(1);
    Ok(())
}

/// A value of its own that is the same.
fn duplicate(value: Value<'_, Collection>) -> Owned<Collection> {
    match value {
        Value::Int(number) => Owned::Int(number),
        Value::Bytes { bytes, raw: true } => Owned::Raw(bytes.to_vec()),
        Value::Bytes { bytes, raw: false } => Owned::Bytes(bytes.to_vec()),
        Value::Object(object) => Owned::Object(object.clone()),
    }
}
