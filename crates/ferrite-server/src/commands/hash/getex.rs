//! HGETEX.

use ferrite_store::types::Hash;

use super::named::{NOT_POSITIVE, Told, fields};
use super::time::Unit;
use crate::commands::arguments::is;
use crate::commands::scan::element;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;

/// What becomes of the expiries of the fields that are answered.
#[derive(Clone, Copy)]
enum Expiry {
    Keep,
    Clear,
    At(u64),
}

/// The options, and the words behind them.
fn options<'w, 'b>(
    words: &'w [&'b [u8]],
    now: i64,
) -> Result<(Expiry, &'w [&'b [u8]]), CommandError> {
    match words {
        [word, rest @ ..] if is(word, "persist") => Ok((Expiry::Clear, rest)),
        [word, value, rest @ ..] => match Unit::of_option(word, "hgetex") {
            Some(unit) => Ok((Expiry::At(unit.time(value, now)?), rest)),
            None => Ok((Expiry::Keep, words)),
        },
        _ => Ok((Expiry::Keep, words)),
    }
}

/// `HGETEX key [EX s|PX ms|EXAT s|PXAT ms|PERSIST] FIELDS numfields field ...`
pub(super) fn hgetex(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let key = words[1];
    ctx.expire_fields(key)?;
    let (expiry, rest) = options(&words[2..], ctx.now)?;
    let names = fields(rest, NOT_POSITIVE)?;
    let now = ctx.now_of_fields();
    let (told, next, is_empty) = ctx.change::<Hash, _>(key, |reply, mut hash| {
        reply.array(names.len());
        let mut told = Told::default();
        for name in names {
            let hash = hash.as_deref_mut();
            let Some(hash) = hash.filter(|hash| hash.get(name).is_some()) else {
                reply.null();
                continue;
            };
            let Some(field) = hash.get(name) else { continue };
            let has_expiry = field.expires_at.is_some();
            element(reply, field.value);
            match expiry {
                Expiry::Keep => {}
                Expiry::Clear if has_expiry => {
                    hash.set_expiry(name, None);
                    told.persisted.push(*name);
                }
                Expiry::Clear => {}
                Expiry::At(time) if time <= now => {
                    hash.remove(name);
                    told.removed.push(*name);
                }
                Expiry::At(time) => {
                    hash.set_expiry(name, Some(time));
                    told.expiring.push(*name);
                }
            }
        }
        let next = hash.as_ref().and_then(|hash| hash.next_expiry());
        (told, next, hash.is_some_and(|hash| hash.is_empty()))
    })?;
    if !told.is_empty() {
        let time = if let Expiry::At(time) = expiry { time } else { 0 };
        told.tell(ctx, key, time, is_empty);
        ctx.note_fields(key, next);
    }
    Ok(())
}
