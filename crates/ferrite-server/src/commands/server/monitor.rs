//! MONITOR.

use crate::clients::Mark;
use crate::ctx::{Ctx, Outcome, Within};
use crate::error::CommandError;

pub(super) fn monitor(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    if ctx.within != Within::Nothing {
        let text = "ERR MONITOR isn't allowed for DENY BLOCKING client";
        return Err(CommandError::text(text).into());
    }
    let client = &ctx.session.client;
    client.mark(Mark::Monitor, true);
    ctx.shared.monitors.add(client);
    ctx.reply.ok();
    Ok(())
}

impl Ctx<'_> {
    /// The session that is put in is shown no commands any more.
    pub fn end_monitoring(&mut self) {
        let client = &self.session.client;
        if client.has(Mark::Monitor) {
            client.mark(Mark::Monitor, false);
            self.shared.monitors.remove(client);
        }
    }
}
