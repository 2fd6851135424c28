//! The answer of HELP subcommands.

use crate::ctx::Ctx;

/// Answers a command's subcommands, each with what it does, and HELP behind them.
pub(in crate::commands) fn help(ctx: &mut Ctx<'_>, name: &str, lines: &[(&str, &str)]) {
    let head = format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    ctx.reply.array(3 + 2 * lines.len());
    ctx.reply.simple(&head);
    for (usage, what) in lines {
        ctx.reply.simple(usage);
        ctx.reply.simple(&format!("    {what}"));
    }
    ctx.reply.simple("HELP");
    ctx.reply.simple("    Print this help.");
}
