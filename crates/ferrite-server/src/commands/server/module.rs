//! MODULE: there are none, and none can be loaded.

use super::help as help_of;
use crate::ctx::{Ctx, Outcome};

pub(super) fn list(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.reply.array(0);
    Ok(())
}

pub(super) fn help(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    help_of::help(ctx, "MODULE", &[("LIST", "Answer an empty list: this server has no modules.")]);
    Ok(())
}
