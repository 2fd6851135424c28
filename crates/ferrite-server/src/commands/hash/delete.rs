//! HDEL, HGETDEL.

use ferrite_store::types::Hash;

use super::named::{NOT_POSITIVE, Told, fields};
use crate::commands::scan::element;
use crate::ctx::{Ctx, Outcome};
use crate::notify::Class;

pub(super) fn hdel(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let key = words[1];
    ctx.expire_fields(key)?;
    let (removed, is_empty) = ctx.write::<Hash>(key)?.map_or((0, false), |hash| {
        let removed = words[2..].iter().filter(|name| hash.remove(name)).count();
        (removed, hash.is_empty())
    });
    if removed > 0 {
        ctx.taken_from(Class::Hash, "hdel", key, is_empty);
        ctx.counts_as(removed);
    }
    ctx.reply.count(removed);
    Ok(())
}

/// `HGETDEL key FIELDS numfields field ...`
pub(super) fn hgetdel(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let key = words[1];
    ctx.expire_fields(key)?;
    let names = fields(&words[2..], NOT_POSITIVE)?;
    let (told, is_empty) = ctx.change::<Hash, _>(key, |reply, mut hash| {
        reply.array(names.len());
        let mut told = Told::default();
        for name in names {
            match hash.as_ref().and_then(|hash| hash.get(name)) {
                Some(field) => element(reply, field.value),
                None => reply.null(),
            }
            if hash.as_mut().is_some_and(|hash| hash.remove(name)) {
                told.removed.push(name);
            }
        }
        (told, hash.is_some_and(|hash| hash.is_empty()))
    })?;
    told.tell(ctx, key, 0, is_empty);
    Ok(())
}
