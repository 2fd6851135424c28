//! SET and its older kin.

use super::get::answer;
use crate::commands::arguments::is;
use crate::commands::expiry::{Change, option, positive};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;
use crate::number;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    IfMissing,
    IfThere,
}

struct Options {
    condition: Condition,
    get: bool,
    expiry: Change,
}

fn options(words: &[&[u8]], now: i64) -> Result<Options, CommandError> {
    let mut all = Options { condition: Condition::Always, get: false, expiry: Change::Remove };
    let (mut timed, mut rest) = (false, words.get(3..).unwrap_or_default());
    while let [word, behind @ ..] = rest {
        rest = behind;
        match word.to_ascii_lowercase().as_slice() {
            b"nx" if all.condition != Condition::IfThere => all.condition = Condition::IfMissing,
            b"xx" if all.condition != Condition::IfMissing => all.condition = Condition::IfThere,
            b"get" => all.get = true,
            b"keepttl" if !timed => (all.expiry, timed) = (Change::Keep, true),
            _ => {
                let [value, behind @ ..] = rest else { return Err(CommandError::SYNTAX) };
                let change = option(word, value, now, "set")?.filter(|_| !timed);
                all.expiry = change.ok_or(CommandError::SYNTAX)?;
                (timed, rest) = (true, behind);
            }
        }
    }
    Ok(all)
}

/// `SET key value [NX|XX] [GET] [EX s|PX ms|EXAT t|PXAT t|KEEPTTL]`.
pub(super) fn set(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (key, value) = (words[1], words[2]);
    if words.len() == 3 {
        ctx.put_string(key, value, None);
        ctx.changed(Class::String, "set", key);
        ctx.reply.ok();
        return Ok(());
    }
    let options = options(words, ctx.now)?;
    if options.get {
        answer(ctx, key)?;
    }
    let there = ctx.find(key).is_some();
    let refused = match options.condition {
        Condition::Always => false,
        Condition::IfMissing => there,
        Condition::IfThere => !there,
    };
    if refused {
        if !options.get {
            ctx.reply.null();
        }
        return Ok(());
    }
    let expires_at = match options.expiry {
        Change::Keep => ctx.expires_at(key),
        Change::Remove => None,
        Change::At(time) => Some(time),
    };
    store(ctx, key, value, expires_at, options.expiry);
    let told_as_it_is = words[3..].iter().any(|word| is(word, "pxat"));
    if let (Change::At(time), false) = (options.expiry, told_as_it_is) {
        tell(ctx, key, value, time);
    }
    if !options.get {
        ctx.reply.ok();
    }
    Ok(())
}

/// Puts a value, with what SET with a time tells listeners.
fn store(ctx: &mut Ctx<'_>, key: &[u8], value: &[u8], expires_at: Option<i64>, change: Change) {
    ctx.put_string(key, value, expires_at);
    ctx.changed(Class::String, "set", key);
    if let Change::At(_) = change {
        ctx.notify(Class::Generic, "expire", key);
    }
}

/// Tells replicas of a value with a time in the form in which it does not depend on when.
fn tell(ctx: &mut Ctx<'_>, key: &[u8], value: &[u8], time: i64) {
    ctx.propagate_instead(&[b"SET", key, value, b"PXAT", time.to_string().as_bytes()]);
}

fn set_for(ctx: &mut Ctx<'_>, words: &[&[u8]], scale: i64, name: &str) -> Outcome {
    let time = positive(number::int(words[2])?, scale, ctx.now, name)?;
    store(ctx, words[1], words[3], Some(time), Change::At(time));
    tell(ctx, words[1], words[3], time);
    ctx.reply.ok();
    Ok(())
}

pub(super) fn setex(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    set_for(ctx, words, 1000, "setex")
}

pub(super) fn psetex(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    set_for(ctx, words, 1, "psetex")
}

pub(super) fn setnx(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let there = ctx.find(words[1]).is_some();
    if !there {
        ctx.put_string(words[1], words[2], None);
        ctx.changed(Class::String, "set", words[1]);
    }
    ctx.reply.int(i64::from(!there));
    Ok(())
}

pub(super) fn getset(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (key, value) = (words[1], words[2]);
    answer(ctx, key)?;
    ctx.put_string(key, value, None);
    ctx.propagate_instead(&[b"SET", key, value]);
    ctx.changed(Class::String, "set", key);
    Ok(())
}

type Pair<'w> = (&'w [u8], &'w [u8]);

fn pairs<'w>(words: &[&'w [u8]], name: &str) -> Result<Vec<Pair<'w>>, CommandError> {
    let (pairs, rest) = words.get(1..).unwrap_or_default().as_chunks::<2>();
    match rest.is_empty() {
        true => Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect()),
        false => Err(CommandError::arity(name)),
    }
}

pub(super) fn mset(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    for (key, value) in pairs(words, "mset")? {
        ctx.put_string(key, value, None);
        ctx.changed(Class::String, "set", key);
    }
    ctx.reply.ok();
    Ok(())
}

pub(super) fn msetnx(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let pairs = pairs(words, "msetnx")?;
    if pairs.iter().any(|(key, _)| ctx.find(key).is_some()) {
        ctx.reply.int(0);
        return Ok(());
    }
    for (key, value) in pairs {
        ctx.put_string(key, value, None);
        ctx.changed(Class::String, "set", key);
    }
    ctx.reply.int(1);
    Ok(())
}
