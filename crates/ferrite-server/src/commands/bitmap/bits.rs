//! GETBIT, SETBIT.

use super::offset;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;

/// The byte a bit is in, and how far it must be shifted to be the lowest.
fn place(offset: u64) -> (usize, u32) {
    (usize::try_from(offset / 8).unwrap_or(usize::MAX), 7 - (offset % 8) as u32)
}

pub(super) fn getbit(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (byte, shift) = place(offset(words[2])?);
    let mut digits = itoa::Buffer::new();
    let text = ctx.string(words[1])?;
    let bytes = text.as_ref().map_or(&[][..], |text| text.bytes(&mut digits));
    let bit = bytes.get(byte).is_some_and(|byte| byte >> shift & 1 == 1);
    ctx.reply.int(i64::from(bit));
    Ok(())
}

pub(super) fn setbit(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (key, offset) = (words[1], offset(words[2])?);
    let on = match words[3] {
        b"0" => false,
        b"1" => true,
        _ => {
            let text = "ERR bit is not an integer or out of range";
            return Err(CommandError::text(text).into());
        }
    };
    let (byte, shift) = place(offset);
    let (bytes, grown) = super::grown(ctx, key, byte)?;
    let mut was = false;
    if let Some(byte) = bytes.get_mut(byte) {
        was = *byte >> shift & 1 == 1;
        *byte = *byte & !(1 << shift) | u8::from(on) << shift;
    }
    if grown || was != on {
        ctx.changed(Class::String, "setbit", key);
    }
    ctx.reply.int(i64::from(was));
    Ok(())
}
