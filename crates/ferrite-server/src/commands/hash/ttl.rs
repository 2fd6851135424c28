//! HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME.

use ferrite_store::types::Hash;

use super::named::{NOT_POSITIVE, fields};
use crate::ctx::{Ctx, Outcome};

/// How a time is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    SecondsLeft,
    MillisecondsLeft,
    Seconds,
    Milliseconds,
}

const NO_FIELD: i64 = -2;
const NO_EXPIRY: i64 = -1;

/// `HTTL key FIELDS numfields field ...`
pub(super) fn run(ctx: &mut Ctx<'_>, words: &[&[u8]], answer: Answer) -> Outcome {
    let now = ctx.now_of_fields();
    ctx.read::<Hash>(words[1])?;
    let names = fields(&words[2..], NOT_POSITIVE)?;
    ctx.change::<Hash, _>(words[1], |reply, hash| {
        reply.array(names.len());
        for name in names {
            let field = hash.as_ref().and_then(|hash| hash.get(name));
            match field.filter(|field| field.is_live(now)).map(|field| field.expires_at) {
                None => reply.int(NO_FIELD),
                Some(None) => reply.int(NO_EXPIRY),
                Some(Some(time)) => reply.int(as_answered(time, now, answer)),
            }
        }
    })?;
    Ok(())
}

fn as_answered(time: u64, now: u64, answer: Answer) -> i64 {
    let time = match answer {
        Answer::Seconds => time.div_ceil(1000),
        Answer::Milliseconds => time,
        Answer::SecondsLeft => time.saturating_sub(now).div_ceil(1000),
        Answer::MillisecondsLeft => time.saturating_sub(now),
    };
    i64::try_from(time).unwrap_or(i64::MAX)
}
