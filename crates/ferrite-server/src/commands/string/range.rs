//! Parts of strings: APPEND, GETRANGE, SETRANGE, STRLEN.

use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;
use crate::number;

/// The longest string (`proto-max-bulk-len`).
const LONGEST: usize = 512 * 1024 * 1024;

const TOO_LONG: CommandError =
    CommandError::text("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

pub(super) fn strlen(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let text = ctx.string(words[1])?;
    let length = text.map_or(0, |text| text.bytes(&mut itoa::Buffer::new()).len());
    ctx.reply.count(length);
    Ok(())
}

pub(super) fn append(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (key, more) = (words[1], words[2]);
    let length = if ctx.find(key).is_none() {
        ctx.put_string(key, more, None);
        more.len()
    } else {
        let old = ctx.peek_string(key)?.map_or(0, |text| text.to_vec().len());
        if old + more.len() > LONGEST {
            return Err(TOO_LONG.into());
        }
        let text = ctx.string_mut(key)?;
        text.extend_from_slice(more);
        text.len()
    };
    ctx.changed(Class::String, "append", key);
    ctx.reply.count(length);
    Ok(())
}

/// The bytes from `start` to `end`, both inclusive and, where negative, counted from the end.
fn part(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    if start < 0 && end < 0 && start > end {
        return &[];
    }
    let from_start = |index: i64| if index < 0 { (length + index).max(0) } else { index };
    let (start, end) = (from_start(start), from_start(end).min(length - 1));
    if start > end || length == 0 {
        return &[];
    }
    let index = |value: i64| usize::try_from(value).unwrap_or_default();
    bytes.get(index(start)..=index(end)).unwrap_or_default()
}

pub(super) fn getrange(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (start, end) = (number::int(words[2])?, number::int(words[3])?);
    let mut reply = std::mem::take(&mut ctx.reply);
    let text = ctx.string(words[1]);
    if let Ok(text) = text {
        let mut digits = itoa::Buffer::new();
        let bytes = text.as_ref().map_or(&[][..], |text| text.bytes(&mut digits));
        reply.bulk(part(bytes, start, end));
    }
    let failed = text.err();
    ctx.reply = reply;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

pub(super) fn setrange(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (key, value) = (words[1], words[3]);
    let offset = number::int(words[2])?;
    let offset =
        usize::try_from(offset).map_err(|_| CommandError::text("ERR offset is out of range"))?;
    ctx.find(key);
    let length = ctx.peek_string(key)?.map(|text| text.to_vec().len());
    if value.is_empty() {
        ctx.reply.count(length.unwrap_or(0));
        return Ok(());
    }
    let end = offset.checked_add(value.len()).filter(|end| *end <= LONGEST).ok_or(TOO_LONG)?;
    let text = ctx.string_mut(key)?;
    if text.len() < end {
        text.resize(end, 0);
    }
    if let Some(place) = text.get_mut(offset..end) {
        place.copy_from_slice(value);
    }
    let length = text.len();
    ctx.changed(Class::String, "setrange", key);
    ctx.reply.count(length);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn parts_are_cut_as_redis_cuts_them() {
        for (start, end, expected) in [
            (0, 3, "This"),
            (0, -1, "This is"),
            (-3, -1, " is"),
            (5, 100, "is"),
            (3, 2, ""),
            (-1, -3, ""),
            (100, 200, ""),
            (-100, 1, "Th"),
        ] {
            assert_eq!(part(b"This is", start, end), expected.as_bytes(), "{start} {end}");
        }
    }
}
