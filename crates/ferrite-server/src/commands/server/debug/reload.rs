//! DEBUG RELOAD: the snapshot is written, all keys are forgotten, and it is read again.

use crate::commands::generic::forget_everything;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::persist::{load, save};
use crate::store::ShardSet;

/// How often a snapshot is tried before which nobody writes on.
const TRIES: usize = 100;

const UNKNOWN: CommandError =
    CommandError::text("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
const NOT_LOADED: CommandError =
    CommandError::text("ERR Error trying to load the RDB dump, check server logs.");

/// `DEBUG RELOAD [MERGE] [NOFLUSH] [NOSAVE]`.
pub(super) fn reload(ctx: &mut Ctx<'_>, options: &[&[u8]]) -> Outcome {
    let (mut flush, mut save, mut merge) = (true, true, false);
    for option in options {
        match option.to_ascii_lowercase().as_slice() {
            b"merge" => merge = true,
            b"noflush" => flush = false,
            b"nosave" => save = false,
            _ => return Err(UNKNOWN.into()),
        }
    }
    if save {
        save_all(ctx)?;
    }
    if flush {
        forget_everything(ctx);
        forget_functions(ctx)?;
    }
    let conflicts = match merge {
        true => load::Conflicts::Replace,
        false => load::Conflicts::Refuse,
    };
    let path = ctx.shared.persistence.path();
    let loaded = load::load_into(ctx.shared, &mut ctx.held, &path, ctx.now, conflicts);
    loaded.map_err(|error| {
        tracing::error!("DEBUG RELOAD: {error}");
        NOT_LOADED
    })?;
    tracing::info!("DB reloaded by DEBUG RELOAD");
    ctx.reply.ok();
    Ok(())
}

fn forget_functions(ctx: &Ctx<'_>) -> Result<(), CommandError> {
    let mut functions = ctx.shared.scripting.functions()?;
    functions
        .flush()
        .map_err(|error| CommandError::new(String::from_utf8_lossy(&error.message).into_owned()))
}

/// Writes a snapshot that has every change, and holds all shards then.
fn save_all(ctx: &mut Ctx<'_>) -> Result<(), CommandError> {
    for _ in 0..TRIES {
        // The snapshot takes the locks itself, and somebody may write before they are held again.
        ctx.held.release();
        let saved = save::save(ctx.shared);
        ctx.held.acquire(ShardSet::ALL);
        saved.map_err(|error| {
            tracing::error!("{error}; the old file is untouched");
            CommandError::new(format!("ERR {error}"))
        })?;
        if !ctx.shared.has_changes() {
            return Ok(());
        }
    }
    Err(CommandError::text("ERR other clients keep writing: DEBUG RELOAD gave up"))
}
