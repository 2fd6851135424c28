//! LLEN, LRANGE, LTRIM, LREM.

use ferrite_store::types::{End, List};

use super::position;
use crate::commands::scan::element;
use crate::ctx::{Ctx, Outcome};
use crate::notify::Class;
use crate::number;

pub(super) fn llen(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let length = ctx.read::<List>(words[1])?.map_or(0, List::len);
    ctx.reply.count(length);
    Ok(())
}

/// Start and length of what lies between two indexes, both inclusive.
fn part(start: i64, end: i64, len: usize) -> (usize, usize) {
    let start = position(start, len).unwrap_or(0).min(len);
    let end = position(end, len).map_or(0, |end| end.saturating_add(1).min(len));
    (start, end.saturating_sub(start))
}

pub(super) fn lrange(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (start, end) = (number::int(words[2])?, number::int(words[3])?);
    ctx.answer::<List, _>(words[1], |reply, list| {
        let Some(list) = list else { return reply.array(0) };
        let (start, count) = part(start, end, list.len());
        reply.array(count);
        list.iter_from(start).take(count).for_each(|it| element(reply, it));
    })?;
    Ok(())
}

pub(super) fn ltrim(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (start, end) = (number::int(words[2])?, number::int(words[3])?);
    let (key, shared) = (words[1], ctx.shared);
    if let Some(list) = ctx.write::<List>(key)? {
        let before = list.len();
        let (start, count) = part(start, end, before);
        list.pop(End::Right, before - start - count);
        list.pop(End::Left, if count == 0 { before } else { start });
        list.shrink(&shared.limits());
        let after = list.len();
        if after < before {
            ctx.taken_from(Class::List, "ltrim", key, after == 0);
            ctx.counts_as(before - after);
        } else {
            ctx.touched(key);
            ctx.notify(Class::List, "ltrim", key);
        }
    }
    ctx.reply.ok();
    Ok(())
}

pub(super) fn lrem(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (key, count, shared) = (words[1], number::int(words[2])?, ctx.shared);
    let from = if count < 0 { End::Right } else { End::Left };
    let limit = match count.unsigned_abs() {
        0 => usize::MAX,
        limit => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    let (removed, is_empty) = ctx.write::<List>(key)?.map_or((0, false), |list| {
        let removed = list.remove_equal(words[3], limit, from);
        list.shrink(&shared.limits());
        (removed, list.is_empty())
    });
    if removed > 0 {
        ctx.taken_from(Class::List, "lrem", key, is_empty);
        ctx.counts_as(removed);
    }
    ctx.reply.count(removed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn parts_between_two_indexes() {
        for (start, end, expected) in [
            (0, -1, (0, 3)),
            (1, 1, (1, 1)),
            (-2, -1, (1, 2)),
            (-9, 9, (0, 3)),
            (2, 1, (2, 0)),
            (5, 9, (3, 0)),
            (0, -4, (0, 0)),
            (0, i64::MAX, (0, 3)),
        ] {
            assert_eq!(part(start, end, 3), expected, "{start} {end}");
        }
    }
}
