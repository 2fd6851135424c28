//! HSETEX.

use ferrite_store::types::{FieldExpiry, Hash};

use super::time::Unit;
use crate::commands::arguments::{at_least, is};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;

const ONE_CONDITION: CommandError =
    CommandError::text("ERR Only one of FXX or FNX arguments can be specified");
const ONE_EXPIRY: CommandError =
    CommandError::text("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");
const NUMBER: CommandError = CommandError::text("ERR invalid number of fields");

/// What a call says.
struct Call<'w, 'b> {
    /// Whether all fields have to be there, or none of them.
    condition: Option<bool>,
    expiry: Option<FieldExpiry>,
    pairs: &'w [&'b [u8]],
}

/// `[FNX|FXX] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL] FIELDS numfields field value ...`
fn parse<'w, 'b>(words: &'w [&'b [u8]], now: i64) -> Result<Call<'w, 'b>, CommandError> {
    let mut call = Call { condition: None, expiry: None, pairs: &[] };
    let mut rest = words;
    while let [word, tail @ ..] = rest {
        rest = tail;
        if is(word, "fnx") || is(word, "fxx") {
            if call.condition.replace(is(word, "fxx")).is_some() {
                return Err(ONE_CONDITION);
            }
        } else if is(word, "keepttl") {
            if call.expiry.replace(FieldExpiry::Keep).is_some() {
                return Err(ONE_EXPIRY);
            }
        } else if let Some(unit) = Unit::of_option(word, "hsetex") {
            if call.expiry.is_some() {
                return Err(ONE_EXPIRY);
            }
            let (value, tail) = rest.split_first().ok_or(CommandError::arity("hsetex"))?;
            call.expiry = Some(FieldExpiry::At(unit.time(value, now)?));
            rest = tail;
        } else if is(word, "fields") {
            let (number, pairs) = rest.split_first().ok_or(CommandError::arity("hsetex"))?;
            let number = at_least(number, 1, NUMBER)?;
            if pairs.len() != number.saturating_mul(2) {
                return Err(CommandError::arity("hsetex"));
            }
            call.pairs = pairs;
            return Ok(call);
        } else {
            let word = String::from_utf8_lossy(word);
            return Err(CommandError::new(format!("ERR unknown argument: {word}")));
        }
    }
    Err(CommandError::arity("hsetex"))
}

pub(super) fn hsetex(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (key, shared) = (words[1], ctx.shared);
    let call = parse(&words[2..], ctx.now)?;
    ctx.expire_fields(key)?;
    let hash = ctx.write::<Hash>(key)?;
    let names = || call.pairs.iter().step_by(2);
    let has = |name: &&&[u8]| hash.as_ref().is_some_and(|hash| hash.get(name).is_some());
    let may = match call.condition {
        Some(true) => names().all(|name| has(&name)),
        Some(false) => !names().any(|name| has(&name)),
        None => true,
    };
    if !may {
        ctx.reply.int(0);
        return Ok(());
    }
    let now = ctx.now_of_fields();
    let expiry = call.expiry.unwrap_or(FieldExpiry::Clear);
    let is_past = matches!(expiry, FieldExpiry::At(time) if time <= now);
    let hash = ctx.write_or_new(key, Hash::new)?;
    hash.grow_for(call.pairs.len() / 2, &shared.limits);
    for pair in call.pairs.chunks_exact(2) {
        hash.set(pair[0], pair[1], expiry, &shared.limits);
        if is_past {
            hash.remove(pair[0]);
        }
    }
    let (next, is_empty) = (hash.next_expiry(), hash.is_empty());
    if is_past {
        let removed: Vec<&[u8]> = names().copied().collect();
        let head: [&[u8]; 2] = [b"HDEL", key];
        ctx.propagate_instead(&[&head, &removed[..]].concat());
    } else if let FieldExpiry::At(time) = expiry {
        propagate(ctx, key, &call, time);
    }
    ctx.changed(Class::Hash, "hset", key);
    if is_past {
        ctx.taken_from(Class::Hash, "hdel", key, is_empty);
    } else if matches!(expiry, FieldExpiry::At(_)) {
        ctx.notify(Class::Hash, "hexpire", key);
    }
    if !is_empty {
        ctx.note_fields(key, next);
    }
    ctx.reply.int(1);
    Ok(())
}

/// Tells replicas the same with the time as it was worked out.
fn propagate(ctx: &mut Ctx<'_>, key: &[u8], call: &Call<'_, '_>, time: u64) {
    let (time, number) = (time.to_string(), (call.pairs.len() / 2).to_string());
    let head: [&[u8]; 6] = [b"HSETEX", key, b"PXAT", time.as_bytes(), b"FIELDS", number.as_bytes()];
    ctx.propagate_instead(&[&head, call.pairs].concat());
}
