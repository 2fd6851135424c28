//! CLIENT: what a connection says and asks of itself.

use crate::clients::Mark;
use crate::commands::server::help;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::session::Muted;

pub(super) fn id(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let id = ctx.session.client.id;
    ctx.reply.int(id.cast_signed());
    Ok(())
}

pub(super) fn info(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let line = ctx.session.client.line(ctx.now) + "\n";
    ctx.reply.verbatim("txt", line.as_bytes());
    Ok(())
}

pub(super) fn getname(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let name = ctx.session.client.names.lock().name.clone();
    ctx.reply.bulk_or_null((!name.is_empty()).then_some(&name));
    Ok(())
}

/// Whether it can stand in CLIENT LIST.
fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

/// Whether a client may have this name.
pub(super) fn check_name(name: &[u8]) -> Result<(), CommandError> {
    match is_plain(name) {
        true => Ok(()),
        false => Err(CommandError::text(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        )),
    }
}

pub(super) fn setname(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    check_name(words[2])?;
    ctx.session.client.names.lock().name = words[2].to_vec();
    ctx.reply.ok();
    Ok(())
}

pub(super) fn setinfo(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let option = words[2].to_ascii_lowercase();
    let shown = String::from_utf8_lossy(words[2]);
    if !matches!(option.as_slice(), b"lib-name" | b"lib-ver") {
        return Err(CommandError::new(format!("ERR Unrecognized option '{shown}'")).into());
    }
    if !is_plain(words[3]) {
        return Err(CommandError::new(format!(
            "ERR {shown} cannot contain spaces, newlines or special characters."
        ))
        .into());
    }
    let mut names = ctx.session.client.names.lock();
    match option.as_slice() {
        b"lib-name" => names.library = words[3].to_vec(),
        _ => names.version = words[3].to_vec(),
    }
    drop(names);
    ctx.reply.ok();
    Ok(())
}

fn switch(word: &[u8]) -> Result<bool, CommandError> {
    match word.to_ascii_lowercase().as_slice() {
        b"on" => Ok(true),
        b"off" => Ok(false),
        _ => Err(CommandError::SYNTAX),
    }
}

pub(super) fn no_evict(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    ctx.session.client.mark(Mark::NoEvict, switch(words[2])?);
    ctx.reply.ok();
    Ok(())
}

pub(super) fn no_touch(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    ctx.session.client.mark(Mark::NoTouch, switch(words[2])?);
    ctx.reply.ok();
    Ok(())
}

pub(super) fn reply(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    match words[2].to_ascii_lowercase().as_slice() {
        b"on" => {
            ctx.session.muted = Muted::No;
            ctx.reply.ok();
        }
        b"off" => ctx.session.muted = Muted::Always,
        // While nothing is sent, one reply less changes nothing.
        b"skip" if ctx.session.muted == Muted::No => ctx.session.muted = Muted::Once,
        b"skip" => {}
        _ => return Err(CommandError::SYNTAX.into()),
    }
    Ok(())
}

pub(super) fn help(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let lines = [
        ("CACHING (YES|NO)", "Whether the keys of the next command are tracked."),
        ("GETNAME", "Answer the connection's name."),
        ("GETREDIR", "Answer who is told of tracked keys."),
        ("ID", "Answer the connection's number."),
        ("INFO", "Show the connection as CLIENT LIST does."),
        ("KILL <ip:port>|<option> <value> [...]", "Close connections."),
        ("LIST [TYPE <type>] [ID <id> ...]", "Show connections, a line each."),
        ("NO-EVICT (ON|OFF)", "Whether the connection stays when clients take much memory."),
        ("NO-TOUCH (ON|OFF)", "Whether its commands leave the age of keys alone."),
        ("PAUSE <timeout> [WRITE|ALL]", "Have commands wait for so many milliseconds."),
        ("REPLY (ON|OFF|SKIP)", "Which replies are sent."),
        ("SETINFO (LIB-NAME|LIB-VER) <value>", "Say which library this is."),
        ("SETNAME <name>", "Name the connection."),
        ("TRACKING (ON|OFF) [...]", "Be told when keys change."),
        ("TRACKINGINFO", "Answer how keys are tracked."),
        ("UNBLOCK <clientid> [TIMEOUT|ERROR]", "End the wait of another connection."),
        ("UNPAUSE", "End a pause."),
    ];
    help::help(ctx, "CLIENT", &lines);
    Ok(())
}
