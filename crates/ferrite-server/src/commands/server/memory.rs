//! MEMORY.

use ferrite_store::table::Value;

use super::help as help_of;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::number;

/// `MEMORY USAGE key [SAMPLES count]`: the bytes of the key's item and of what hangs on it. They
/// are known, so that no samples are taken.
pub(super) fn usage(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    match words.get(3..).unwrap_or_default() {
        [] => {}
        [option, count] if option.eq_ignore_ascii_case(b"samples") => {
            if number::int(count)? < 0 {
                return Err(CommandError::SYNTAX.into());
            }
        }
        _ => return Err(CommandError::SYNTAX.into()),
    }
    let key = words[2];
    let Some(at) = ctx.find(key) else {
        ctx.reply.null();
        return Ok(());
    };
    let table = ctx.table(key);
    let object = match table.value(at) {
        Value::Object(object) => object.memory(),
        Value::Int(_) | Value::Bytes { .. } => 0,
    };
    let bytes = table.item_memory(at) + object;
    ctx.reply.count(bytes);
    Ok(())
}

pub(super) fn help(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let lines = [
        ("DOCTOR", "Say what is unusual about the use of memory."),
        ("MALLOC-STATS", "Answer what the allocator tells of itself."),
        ("PURGE", "Have freed memory given back to the system."),
        ("STATS", "Answer what memory is used for."),
        ("USAGE <key> [SAMPLES <count>]", "Answer the bytes that a key takes."),
    ];
    help_of::help(ctx, "MEMORY", &lines);
    Ok(())
}
