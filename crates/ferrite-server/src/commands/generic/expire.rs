//! EXPIRE and its kin, PERSIST, TTL and its kin.

use crate::commands::expiry::invalid;
use crate::ctx::{Ctx, Outcome, deletion};
use crate::error::CommandError;
use crate::notify::Class;
use crate::number;

/// On which expiry of the key the new one is set.
#[derive(Debug, Clone, Copy, Default)]
struct Conditions {
    if_none: bool,
    if_any: bool,
    if_later: bool,
    if_earlier: bool,
}

impl Conditions {
    fn read(words: &[&[u8]]) -> Result<Self, CommandError> {
        let mut all = Self::default();
        for word in words {
            match word.to_ascii_lowercase().as_slice() {
                b"nx" => all.if_none = true,
                b"xx" => all.if_any = true,
                b"gt" => all.if_later = true,
                b"lt" => all.if_earlier = true,
                _ => {
                    let word = String::from_utf8_lossy(word);
                    return Err(CommandError::new(format!("ERR Unsupported option {word}")));
                }
            }
        }
        if all.if_none && (all.if_any || all.if_later || all.if_earlier) {
            return Err(CommandError::text(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if all.if_later && all.if_earlier {
            return Err(CommandError::text(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(all)
    }

    /// Whether they allow `new` in place of what there is. No expiry is later than any.
    fn allow(self, old: Option<i64>, new: i64) -> bool {
        !(self.if_none && old.is_some()
            || self.if_any && old.is_none()
            || self.if_later && old.is_none_or(|old| new <= old)
            || self.if_earlier && old.is_some_and(|old| new >= old))
    }
}

pub(super) fn expire(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    set(ctx, words, 1000, ctx.now, "expire")
}

pub(super) fn pexpire(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    set(ctx, words, 1, ctx.now, "pexpire")
}

pub(super) fn expireat(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    set(ctx, words, 1000, 0, "expireat")
}

pub(super) fn pexpireat(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    set(ctx, words, 1, 0, "pexpireat")
}

fn set(ctx: &mut Ctx<'_>, words: &[&[u8]], scale: i64, base: i64, name: &str) -> Outcome {
    let key = words[1];
    let conditions = Conditions::read(&words[3..])?;
    let time = number::int(words[2])?.checked_mul(scale);
    let time = time.and_then(|time| time.checked_add(base)).ok_or_else(|| invalid(name))?;
    let done = ctx.find(key).is_some() && conditions.allow(ctx.expires_at(key), time);
    if done && time <= ctx.now {
        ctx.delete(key);
        let lazy = ctx.shared.config.lazy_free.lazy_expire.get();
        ctx.propagate_instead(&[deletion(lazy), key]);
        ctx.changed(Class::Generic, "del", key);
    } else if done {
        ctx.set_expiry(key, Some(time));
        ctx.propagate_instead(&[b"PEXPIREAT", key, time.to_string().as_bytes()]);
        ctx.changed(Class::Generic, "expire", key);
    }
    ctx.reply.int(i64::from(done));
    Ok(())
}

pub(super) fn persist(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let key = words[1];
    let done = ctx.expires_at(key).is_some() && ctx.set_expiry(key, None);
    if done {
        ctx.changed(Class::Generic, "persist", key);
    }
    ctx.reply.int(i64::from(done));
    Ok(())
}

pub(super) fn ttl(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    tell(ctx, words[1], |time, now| rounded((time - now).max(0)))
}

pub(super) fn pttl(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    tell(ctx, words[1], |time, now| (time - now).max(0))
}

pub(super) fn expiretime(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    tell(ctx, words[1], |time, _| rounded(time))
}

pub(super) fn pexpiretime(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    tell(ctx, words[1], |time, _| time)
}

/// Milliseconds as seconds, rounded as Redis does.
fn rounded(ms: i64) -> i64 {
    ms.saturating_add(500) / 1000
}

fn tell(ctx: &mut Ctx<'_>, key: &[u8], show: impl Fn(i64, i64) -> i64) -> Outcome {
    let answer = match (ctx.look(key).is_some(), ctx.now) {
        (false, _) => -2,
        (true, now) => {
            let at = ctx.peek_at(key);
            let time = at.and_then(|at| ctx.table(key).expires_at(at));
            time.map_or(-1, |time| show(time, now))
        }
    };
    ctx.reply.int(answer);
    Ok(())
}
