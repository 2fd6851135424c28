//! SLOWLOG.

use super::help as help_of;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::number;

/// How many commands are answered where nothing is said.
const ENTRIES: usize = 10;

pub(super) fn get(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let most = match words.get(2..).unwrap_or_default() {
        [] => ENTRIES,
        [count] => match number::parse_int(count) {
            Some(-1) => usize::MAX,
            count => count
                .and_then(|count| usize::try_from(count).ok())
                .ok_or(CommandError::text("ERR count should be greater than or equal to -1"))?,
        },
        _ => {
            let word = String::from_utf8_lossy(words[1]);
            return Err(CommandError::new(format!(
                "ERR unknown subcommand or wrong number of arguments for '{word}'. Try SLOWLOG \
                 HELP."
            ))
            .into());
        }
    };
    let log = ctx.shared.slow_log.lock();
    let (reply, count) = (&mut ctx.reply, log.entries().len().min(most));
    reply.array(count);
    for entry in log.entries().take(count) {
        reply.array(6);
        reply.int(entry.id.cast_signed());
        reply.int(entry.at);
        reply.int(entry.microseconds);
        reply.array(entry.words.len());
        entry.words.iter().for_each(|word| reply.bulk(word));
        reply.text(&entry.client);
        reply.bulk(&entry.name);
    }
    Ok(())
}

pub(super) fn len(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let entries = ctx.shared.slow_log.lock().entries().len();
    ctx.reply.count(entries);
    Ok(())
}

pub(super) fn reset(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.shared.slow_log.lock().reset();
    ctx.reply.ok();
    Ok(())
}

pub(super) fn help(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let lines = [
        ("GET [<count>]", "Show the commands that took long, the latest first."),
        ("LEN", "Answer how many are remembered."),
        ("RESET", "Forget them."),
    ];
    help_of::help(ctx, "SLOWLOG", &lines);
    Ok(())
}
