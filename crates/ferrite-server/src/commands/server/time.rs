//! TIME, LOLWUT.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::commands::REDIS_VERSION;
use crate::ctx::{Ctx, Outcome};

pub(super) fn time(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = *ctx.effects.time.get_or_insert_with(now);
    ctx.reply.array(2);
    ctx.reply.text(&since.as_secs().to_string());
    ctx.reply.text(&since.subsec_micros().to_string());
    Ok(())
}

/// The version, in a picture: a lattice of iron, which is what ferrite is.
pub(super) fn lolwut(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let row =
        |row: usize| if row.is_multiple_of(2) { "o---o---o---o\n" } else { "|   |   |   |\n" };
    let picture: String = (0..5).map(row).collect();
    let own = env!("CARGO_PKG_VERSION");
    let text = format!("{picture}\nRedis ver. {REDIS_VERSION} (Ferrite {own})\n");
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}
