//! HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT.

use ferrite_store::types::Hash;

use super::named::{NOT_ABOVE_ZERO, Told, fields};
use super::time::Unit;
use crate::ctx::{Ctx, Outcome};

/// Which fields get the expiry.
#[derive(Clone, Copy)]
enum Condition {
    Always,
    /// `NX`: those that have none.
    None,
    /// `XX`: those that have one.
    Some,
    /// `GT`: those that would expire earlier.
    Later,
    /// `LT`: those that would expire later, or never.
    Earlier,
}

impl Condition {
    fn of(word: &[u8]) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_slice() {
            b"nx" => Self::None,
            b"xx" => Self::Some,
            b"gt" => Self::Later,
            b"lt" => Self::Earlier,
            _ => return None,
        })
    }

    fn holds(self, old: Option<u64>, new: u64) -> bool {
        match self {
            Self::Always => true,
            Self::None => old.is_none(),
            Self::Some => old.is_some(),
            Self::Later => old.is_some_and(|old| new > old),
            Self::Earlier => old.is_none_or(|old| new < old),
        }
    }
}

const NO_FIELD: i64 = -2;
const NOT_MET: i64 = 0;
const SET: i64 = 1;
const REMOVED: i64 = 2;

/// `HEXPIRE key time [NX|XX|GT|LT] FIELDS numfields field ...`
pub(super) fn run(ctx: &mut Ctx<'_>, words: &[&[u8]], unit: &Unit) -> Outcome {
    let key = words[1];
    ctx.expire_fields(key)?;
    let time = unit.time(words[2], ctx.now)?;
    let (condition, rest) = match Condition::of(words[3]) {
        Some(condition) => (condition, &words[4..]),
        None => (Condition::Always, &words[3..]),
    };
    let names = fields(rest, NOT_ABOVE_ZERO)?;
    let is_past = time <= ctx.now_of_fields();
    let (told, next, is_empty) = ctx.change::<Hash, _>(key, |reply, mut hash| {
        reply.array(names.len());
        let mut told = Told::default();
        for name in names {
            let hash = hash.as_deref_mut();
            let Some((hash, old)) = hash.and_then(|hash| {
                let old = hash.get(name)?.expires_at;
                Some((hash, old))
            }) else {
                reply.int(NO_FIELD);
                continue;
            };
            if !condition.holds(old, time) {
                reply.int(NOT_MET);
            } else if is_past {
                hash.remove(name);
                told.removed.push(name);
                reply.int(REMOVED);
            } else {
                hash.set_expiry(name, Some(time));
                told.expiring.push(name);
                reply.int(SET);
            }
        }
        let next = hash.as_ref().and_then(|hash| hash.next_expiry());
        (told, next, hash.is_some_and(|hash| hash.is_empty()))
    })?;
    if !told.is_empty() {
        told.tell(ctx, key, time, is_empty);
        ctx.note_fields(key, next);
    }
    Ok(())
}
