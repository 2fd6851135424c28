//! PFDEBUG and PFSELFTEST.

use ferrite_store::types::hyperloglog::{self, Registers};

use super::{check, invalid};
use crate::commands::arguments::is;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;

/// `PFDEBUG GETREG|DECODE|ENCODING|TODENSE key`
pub(super) fn pfdebug(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (word, key) = (words[1], words[2]);
    if !check(ctx, key)? {
        return Err(CommandError::text("ERR The specified key does not exist").into());
    }
    let bytes = ctx.string_mut(key)?;
    let was_dense = hyperloglog::is_dense(bytes);
    match word.to_ascii_lowercase().as_slice() {
        b"getreg" => {
            hyperloglog::to_dense(bytes).map_err(invalid)?;
            let mut registers = Registers::new();
            registers.merge(bytes).map_err(invalid)?;
            ctx.effects.dirty += u64::from(!was_dense);
            ctx.reply.array(registers.values().len());
            registers.values().iter().for_each(|value| ctx.reply.int(i64::from(*value)));
        }
        b"decode" if was_dense => {
            return Err(CommandError::text("ERR HLL encoding is not sparse").into());
        }
        b"decode" => {
            let text = hyperloglog::describe(bytes);
            ctx.reply.text(&text);
        }
        b"encoding" => ctx.reply.simple(if was_dense { "dense" } else { "sparse" }),
        _ if is(word, "todense") => {
            hyperloglog::to_dense(bytes).map_err(invalid)?;
            ctx.effects.dirty += u64::from(!was_dense);
            ctx.reply.int(i64::from(!was_dense));
        }
        _ => {
            let word = String::from_utf8_lossy(word);
            let text = format!("ERR Unknown PFDEBUG subcommand '{word}'");
            return Err(CommandError::new(text).into());
        }
    }
    Ok(())
}

/// `PFSELFTEST`
pub(super) fn pfselftest(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    match hyperloglog::self_test() {
        Ok(()) => ctx.reply.ok(),
        Err(what) => return Err(CommandError::new(format!("ERR TESTFAILED {what}")).into()),
    }
    Ok(())
}
