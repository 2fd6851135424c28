//! FUNCTION: libraries, and the end of a function that runs.

use crate::commands::server::help as help_of;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::scripting::functions::{Functions, Library, Policy};
use crate::scripting::{Purpose, ScriptError};

/// The version of the format in dumps: that of Redis 7.2.
const DUMP_VERSION: u16 = 11;

fn failed(error: &ScriptError) -> CommandError {
    CommandError::new(String::from_utf8_lossy(&error.message).into_owned())
}

fn wrong_words(subcommand: &[u8]) -> CommandError {
    let subcommand = String::from_utf8_lossy(subcommand);
    CommandError::new(format!(
        "ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try FUNCTION HELP."
    ))
}

/// Libraries have changed: replicas are told, and it counts as a change.
fn changed(ctx: &mut Ctx<'_>) {
    ctx.effects.dirty += 1;
}

pub(super) fn load(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (code, options) = words.split_last().ok_or(CommandError::SYNTAX)?;
    let mut replace = false;
    for option in options.get(2..).unwrap_or_default() {
        if !option.eq_ignore_ascii_case(b"replace") {
            let option = String::from_utf8_lossy(option);
            return Err(CommandError::new(format!("ERR Unknown option given: {option}")).into());
        }
        replace = true;
    }
    let name = ctx.shared.scripting.functions()?.load(code, replace).map_err(CommandError::new)?;
    changed(ctx);
    ctx.reply.text(&name);
    Ok(())
}

pub(super) fn delete(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let name = String::from_utf8_lossy(words[2]);
    if !ctx.shared.scripting.functions()?.delete(&name) {
        return Err(CommandError::text("ERR Library not found").into());
    }
    changed(ctx);
    ctx.reply.ok();
    Ok(())
}

pub(super) fn flush(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    match words.get(2..).unwrap_or_default() {
        [] => {}
        [how] if how.eq_ignore_ascii_case(b"sync") || how.eq_ignore_ascii_case(b"async") => {}
        [_] => {
            let text = "ERR FUNCTION FLUSH only supports SYNC|ASYNC option";
            return Err(CommandError::text(text).into());
        }
        _ => return Err(wrong_words(words[1]).into()),
    }
    ctx.shared.scripting.functions()?.flush().map_err(|error| failed(&error))?;
    changed(ctx);
    ctx.reply.ok();
    Ok(())
}

pub(super) fn dump(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let functions = ctx.shared.scripting.functions()?;
    let mut payload = Vec::new();
    let codes = functions.libraries().map(|(_, library)| &*library.code);
    ferrite_rdb::functions::write(&mut payload, codes, DUMP_VERSION);
    ctx.reply.bulk(&payload);
    Ok(())
}

pub(super) fn restore(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let policy = match words.get(3..).unwrap_or_default() {
        [] => Policy::Append,
        [word] if word.eq_ignore_ascii_case(b"append") => Policy::Append,
        [word] if word.eq_ignore_ascii_case(b"replace") => Policy::Replace,
        [word] if word.eq_ignore_ascii_case(b"flush") => Policy::Flush,
        [_] => {
            return Err(CommandError::text(
                "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
            )
            .into());
        }
        _ => return Err(wrong_words(words[1]).into()),
    };
    let (codes, _) = ferrite_rdb::functions::read(words[2])
        .map_err(|_| CommandError::text("ERR DUMP payload version or checksum are wrong"))?;
    ctx.shared.scripting.functions()?.restore(&codes, policy).map_err(CommandError::new)?;
    changed(ctx);
    ctx.reply.ok();
    Ok(())
}

pub(super) fn kill(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.shared.scripting.kill(Purpose::Functions)?;
    ctx.reply.ok();
    Ok(())
}

pub(super) fn stats(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let running = ctx.shared.scripting.running();
    let (libraries, functions) = ctx.shared.scripting.counts();
    ctx.reply.map(2);
    ctx.reply.text("running_script");
    match running {
        None => ctx.reply.null(),
        Some(running) => {
            ctx.reply.map(3);
            ctx.reply.text("name");
            ctx.reply.text(&running.name);
            ctx.reply.text("command");
            ctx.reply.array(running.command.len());
            for word in &running.command {
                ctx.reply.bulk(word);
            }
            ctx.reply.text("duration_ms");
            let elapsed = running.watch.elapsed().as_millis();
            ctx.reply.int(i64::try_from(elapsed).unwrap_or(i64::MAX));
        }
    }
    ctx.reply.text("engines");
    ctx.reply.map(1);
    ctx.reply.text("LUA");
    ctx.reply.map(2);
    ctx.reply.text("libraries_count");
    ctx.reply.count(libraries);
    ctx.reply.text("functions_count");
    ctx.reply.count(functions);
    Ok(())
}

pub(super) fn list(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (mut with_code, mut pattern) = (false, None);
    let mut rest = words.get(2..).unwrap_or_default().iter();
    while let Some(word) = rest.next() {
        if !with_code && word.eq_ignore_ascii_case(b"withcode") {
            with_code = true;
        } else if pattern.is_none() && word.eq_ignore_ascii_case(b"libraryname") {
            let text = "ERR library name argument was not given";
            pattern = Some(*rest.next().ok_or(CommandError::text(text))?);
        } else {
            let word = String::from_utf8_lossy(word);
            return Err(CommandError::new(format!("ERR Unknown argument {word}")).into());
        }
    }
    let functions = ctx.shared.scripting.functions()?;
    let wanted = |name: &str| {
        pattern.is_none_or(|pattern| ferrite_commands::matches_glob(pattern, name.as_bytes()))
    };
    let chosen: Vec<_> = functions.libraries().filter(|(name, _)| wanted(name)).collect();
    ctx.reply.array(chosen.len());
    for (name, library) in chosen {
        write_library(ctx, &functions, name, library, with_code);
    }
    Ok(())
}

fn write_library(
    ctx: &mut Ctx<'_>,
    functions: &Functions,
    name: &str,
    library: &Library,
    with_code: bool,
) {
    let reply = &mut ctx.reply;
    reply.map(if with_code { 4 } else { 3 });
    reply.text("library_name");
    reply.text(name);
    reply.text("engine");
    reply.text("LUA");
    reply.text("functions");
    reply.array(library.functions.len());
    for name in &library.functions {
        let Some(function) = functions.function(name) else { continue };
        reply.map(3);
        reply.text("name");
        reply.text(name);
        reply.text("description");
        reply.bulk_or_null(function.description.as_deref());
        reply.text("flags");
        let flags: Vec<_> = function.flags.names().collect();
        reply.set(flags.len());
        for flag in flags {
            reply.simple(flag);
        }
    }
    if with_code {
        reply.text("library_code");
        reply.bulk(&library.code);
    }
}

pub(super) fn help(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let lines = [
        ("DELETE <library-name>", "Delete a library with its functions."),
        ("DUMP", "Answer all libraries as a payload for FUNCTION RESTORE."),
        ("FLUSH [ASYNC|SYNC]", "Delete all libraries."),
        ("KILL", "End the function that runs, if it has not written."),
        ("LIST [LIBRARYNAME <pattern>] [WITHCODE]", "Answer libraries and their functions."),
        ("LOAD [REPLACE] <code>", "Make a library of this code."),
        ("RESTORE <payload> [FLUSH|APPEND|REPLACE]", "Take the libraries of a payload."),
        ("STATS", "Answer what runs, and how many libraries and functions there are."),
    ];
    help_of::help(ctx, "FUNCTION", &lines);
    Ok(())
}
