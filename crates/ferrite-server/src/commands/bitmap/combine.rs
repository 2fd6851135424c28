//! BITOP.

use ferrite_store::table::Content;

use super::read;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::notify::Class;

/// `BITOP AND|OR|XOR|NOT destination key [key …]`: shorter strings end in zeros.
pub(super) fn bitop(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let combine: fn(u8, u8) -> u8 = match words[1].to_ascii_lowercase().as_slice() {
        b"and" => |one, other| one & other,
        b"or" => |one, other| one | other,
        b"xor" => |one, other| one ^ other,
        b"not" => |one, _| !one,
        _ => return Err(CommandError::SYNTAX.into()),
    };
    let (destination, sources) = (words[2], words.get(3..).unwrap_or_default());
    let not = words[1].eq_ignore_ascii_case(b"not");
    if not && sources.len() != 1 {
        let text = "ERR BITOP NOT must be called with a single source key.";
        return Err(CommandError::text(text).into());
    }
    let mut values = Vec::new();
    for key in sources {
        values.push(read(ctx, key)?.unwrap_or_default());
    }
    let longest = values.iter().map(Vec::len).max().unwrap_or(0);
    let mut all = values.into_iter();
    let mut result = all.next().unwrap_or_default();
    result.resize(longest, 0);
    if not {
        result.iter_mut().for_each(|byte| *byte = !*byte);
    }
    for value in all {
        let padded = value.iter().copied().chain(std::iter::repeat(0));
        result.iter_mut().zip(padded).for_each(|(byte, other)| *byte = combine(*byte, other));
    }
    if longest > 0 {
        ctx.put(destination, Content::Heap(result), None);
        ctx.changed(Class::String, "set", destination);
    } else if ctx.delete(destination) {
        ctx.changed(Class::Generic, "del", destination);
    }
    ctx.reply.count(longest);
    Ok(())
}
