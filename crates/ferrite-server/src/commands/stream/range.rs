//! XRANGE, XREVRANGE, XLEN, XDEL.

use ferrite_store::types::Stream;
use ferrite_store::types::sorted_set::Direction;

use super::words::{first_id, last_id, not_negative, strict_id};
use crate::commands::arguments::is;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;

/// `XLEN key`
pub(super) fn xlen(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let count = ctx.read::<Stream>(words[1])?.map_or(0, Stream::len);
    ctx.reply.count(count);
    Ok(())
}

/// `XRANGE key start end [COUNT count]`
pub(super) fn xrange(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    range(ctx, words, words[2], words[3], Direction::Ascending)
}

/// `XREVRANGE key end start [COUNT count]`
pub(super) fn xrevrange(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    range(ctx, words, words[3], words[2], Direction::Descending)
}

fn range(
    ctx: &mut Ctx<'_>,
    words: &[&[u8]],
    first: &[u8],
    last: &[u8],
    direction: Direction,
) -> Outcome {
    let (first, last) = (first_id(first)?, last_id(last)?);
    let mut most = None;
    let mut rest = words.get(4..).unwrap_or_default();
    while !rest.is_empty() {
        let [word, count, behind @ ..] = rest else { return Err(CommandError::SYNTAX.into()) };
        if !is(word, "count") {
            return Err(CommandError::SYNTAX.into());
        }
        most = Some(not_negative(count)?);
        rest = behind;
    }
    ctx.answer::<Stream, _>(words[1], |reply, stream| match (stream, most) {
        (None, _) => reply.array(0),
        (Some(_), Some(0)) => reply.null_array(),
        (Some(stream), most) => {
            let most = most.unwrap_or(usize::MAX);
            let (list, mut count) = (reply.defer(), 0);
            stream.walk(first, last, direction, &mut |entry| {
                super::entry(reply, &entry);
                count += 1;
                count < most
            });
            reply.settle_array(list, count);
        }
    })?;
    Ok(())
}

/// `XDEL key id [id …]`
pub(super) fn xdel(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let Some(stream) = ctx.write::<Stream>(words[1])? else {
        ctx.reply.int(0);
        return Ok(());
    };
    let ids = words.get(2..).unwrap_or_default();
    let ids: Vec<_> = ids.iter().map(|id| strict_id(id, 0)).collect::<Result<_, _>>()?;
    let deleted = ids.into_iter().filter(|id| stream.delete(*id)).count();
    if deleted > 0 {
        ctx.changed(Class::Stream, "xdel", words[1]);
        ctx.effects.dirty += deleted as u64 - 1;
    }
    ctx.reply.count(deleted);
    Ok(())
}
