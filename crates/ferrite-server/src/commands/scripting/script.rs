//! SCRIPT: what is kept, and the end of what runs.

use crate::commands::server::help as help_of;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::scripting::Purpose;

pub(super) fn exists(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let cache = ctx.shared.scripting.cache()?;
    let names = words.get(2..).unwrap_or_default();
    ctx.reply.array(names.len());
    for name in names {
        let known =
            std::str::from_utf8(name).is_ok_and(|name| cache.has(&name.to_ascii_lowercase()));
        ctx.reply.int(i64::from(known));
    }
    Ok(())
}

pub(super) fn load(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let name = ctx.shared.scripting.cache()?.add(words[2], true).map_err(CommandError::new)?;
    ctx.reply.text(&name);
    Ok(())
}

pub(super) fn flush(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    match words.get(2..).unwrap_or_default() {
        [] => {}
        [how] if how.eq_ignore_ascii_case(b"sync") || how.eq_ignore_ascii_case(b"async") => {}
        _ => {
            let text = "ERR SCRIPT FLUSH only support SYNC|ASYNC option";
            return Err(CommandError::text(text).into());
        }
    }
    ctx.shared
        .scripting
        .cache()?
        .flush()
        .map_err(|error| CommandError::new(String::from_utf8_lossy(&error.message).into_owned()))?;
    ctx.reply.ok();
    Ok(())
}

pub(super) fn kill(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.shared.scripting.kill(Purpose::Scripts)?;
    ctx.reply.ok();
    Ok(())
}

pub(super) fn help(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let lines = [
        ("EXISTS <sha1> [<sha1> ...]", "Answer which scripts are kept."),
        ("FLUSH [ASYNC|SYNC]", "Forget all scripts."),
        ("KILL", "End the script that runs, if it has not written."),
        ("LOAD <script>", "Keep a script without running it."),
    ];
    help_of::help(ctx, "SCRIPT", &lines);
    Ok(())
}
