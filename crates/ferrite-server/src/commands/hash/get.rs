//! HGET, HMGET, HGETALL, HKEYS, HVALS, HLEN, HEXISTS, HSTRLEN.

use ferrite_store::types::Hash;

use super::{live, live_len};
use crate::commands::scan::element;
use crate::ctx::{Ctx, Outcome};

pub(super) fn hget(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let now = ctx.now_of_fields();
    ctx.answer::<Hash, _>(words[1], |reply, hash| {
        match hash.and_then(|hash| live(hash, words[2], now)) {
            Some(value) => element(reply, value),
            None => reply.null(),
        }
    })?;
    Ok(())
}

pub(super) fn hmget(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let now = ctx.now_of_fields();
    ctx.answer::<Hash, _>(words[1], |reply, hash| {
        reply.array(words.len() - 2);
        for name in &words[2..] {
            match hash.and_then(|hash| live(hash, name, now)) {
                Some(value) => element(reply, value),
                None => reply.null(),
            }
        }
    })?;
    Ok(())
}

pub(super) fn hexists(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let now = ctx.now_of_fields();
    let hash = ctx.read::<Hash>(words[1])?;
    let is_there = hash.is_some_and(|hash| live(hash, words[2], now).is_some());
    ctx.reply.int(i64::from(is_there));
    Ok(())
}

pub(super) fn hstrlen(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let now = ctx.now_of_fields();
    let value = ctx.read::<Hash>(words[1])?.and_then(|hash| live(hash, words[2], now));
    let length = value.map_or(0, |value| value.as_bytes(&mut itoa::Buffer::new()).len());
    ctx.reply.count(length);
    Ok(())
}

/// Counts fields too that have expired and were not removed yet.
pub(super) fn hlen(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let fields = ctx.read::<Hash>(words[1])?.map_or(0, Hash::len);
    ctx.reply.count(fields);
    Ok(())
}

/// What of each field is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Names,
    Values,
    Both,
}

pub(super) fn all(ctx: &mut Ctx<'_>, words: &[&[u8]], part: Part) -> Outcome {
    let now = ctx.now_of_fields();
    ctx.answer::<Hash, _>(words[1], |reply, hash| {
        let fields = hash.map_or(0, |hash| live_len(hash, now));
        if part == Part::Both {
            reply.map(fields)
        } else {
            reply.array(fields)
        }
        for (name, field) in hash.into_iter().flat_map(Hash::iter) {
            if !field.is_live(now) {
                continue;
            }
            if part != Part::Values {
                element(reply, name);
            }
            if part != Part::Names {
                element(reply, field.value);
            }
        }
    })?;
    Ok(())
}
