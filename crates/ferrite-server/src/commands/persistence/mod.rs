//! SAVE, BGSAVE, LASTSAVE.

use std::sync::atomic::Ordering;

use super::{Handler, handler};
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::persist::save;

pub(super) const COMMANDS: &[Handler] =
    &[handler("bgsave", bgsave), handler("lastsave", lastsave), handler("save", save_now)];

const IN_PROGRESS: CommandError = CommandError::text("ERR Background save already in progress");

fn save_now(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    if ctx.shared.persistence.saving.load(Ordering::SeqCst) {
        return Err(IN_PROGRESS.into());
    }
    // The snapshot takes the locks itself.
    ctx.held.release();
    save::save(ctx.shared).map_err(|error| {
        tracing::error!("{error}; the old file is untouched");
        CommandError::new(format!("ERR {error}"))
    })?;
    ctx.reply.ok();
    Ok(())
}

fn bgsave(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    match words.get(1..).unwrap_or_default() {
        [] => {}
        [word] if word.eq_ignore_ascii_case(b"schedule") => {}
        _ => return Err(CommandError::SYNTAX.into()),
    }
    let begun = ctx.shared.in_background().and_then(|shared| save::save_in_background(&shared));
    match begun {
        Ok(true) => ctx.reply.simple("Background saving started"),
        Ok(false) => return Err(IN_PROGRESS.into()),
        Err(error) => return Err(CommandError::new(format!("ERR {error}")).into()),
    }
    Ok(())
}

fn lastsave(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.reply.int(ctx.shared.persistence.last_save.load(Ordering::Relaxed));
    Ok(())
}
