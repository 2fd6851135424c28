//! LINDEX, LINSERT, LSET.

use ferrite_store::types::List;

use super::position;
use crate::commands::arguments::is;
use crate::commands::scan::element;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;
use crate::number;

pub(super) fn lindex(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let index = number::int(words[2]);
    ctx.answer::<List, _>(words[1], |reply, list| {
        let Some(list) = list else {
            reply.null();
            return Ok(());
        };
        match position(index?, list.len()).and_then(|index| list.get(index)) {
            Some(it) => element(reply, it),
            None => reply.null(),
        }
        Ok::<_, CommandError>(())
    })??;
    Ok(())
}

pub(super) fn lset(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (key, value, shared) = (words[1], words[3], ctx.shared);
    let list = ctx.write::<List>(key)?.ok_or(CommandError::NO_SUCH_KEY)?;
    let index = position(number::int(words[2])?, list.len());
    let index = index.filter(|index| *index < list.len()).ok_or(CommandError::OUT_OF_RANGE)?;
    list.grow_for([value], &shared.limits);
    if let Some(place) = list.seek(index) {
        list.replace(place, value, &shared.limits);
    }
    list.shrink(&shared.limits);
    ctx.changed(Class::List, "lset", key);
    ctx.reply.ok();
    Ok(())
}

/// `LINSERT key BEFORE|AFTER pivot element`
pub(super) fn linsert(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (key, pivot, value, shared) = (words[1], words[3], words[4], ctx.shared);
    let after = match words[2] {
        word if is(word, "after") => true,
        word if is(word, "before") => false,
        _ => return Err(CommandError::SYNTAX.into()),
    };
    let Some(list) = ctx.write::<List>(key)? else {
        ctx.reply.int(0);
        return Ok(());
    };
    list.grow_for([value], &shared.limits);
    let Some(place) = list.find(pivot) else {
        list.shrink(&shared.limits);
        ctx.reply.int(-1);
        return Ok(());
    };
    list.insert(place, value, after, &shared.limits);
    let length = list.len();
    ctx.changed(Class::List, "linsert", key);
    ctx.reply.count(length);
    Ok(())
}
