//! EVAL, EVALSHA and their read-only forms.

use std::sync::Arc;

use super::host::ScriptHost;
use crate::ctx::{Ctx, Outcome, Stop, Within, count};
use crate::dispatch::block::Park;
use crate::error::CommandError;
use crate::number;
use crate::scripting::flags::Flags;
use crate::scripting::{Invocation, Job, Protocol, Purpose, QUICK, ScriptError};

const NO_SUCH_SCRIPT: CommandError =
    CommandError::text("NOSCRIPT No matching script. Please use EVAL.");

/// The digits of a checksum.
const CHECKSUM_LENGTH: usize = 40;

pub(super) fn eval(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    run_text(ctx, words, false)
}

pub(super) fn eval_ro(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    run_text(ctx, words, true)
}

pub(super) fn evalsha(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    run_named(ctx, words, false)
}

pub(super) fn evalsha_ro(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    run_named(ctx, words, true)
}

fn run_text(ctx: &mut Ctx<'_>, words: &[&[u8]], read_only: bool) -> Outcome {
    let keys = key_count(words)?;
    let name = ctx.shared.scripting.cache()?.add(words[1], false).map_err(CommandError::new)?;
    run(ctx, words, &name, keys, read_only)
}

fn run_named(ctx: &mut Ctx<'_>, words: &[&[u8]], read_only: bool) -> Outcome {
    // What cannot be a checksum is not known, whatever follows.
    if words[1].len() != CHECKSUM_LENGTH {
        return Err(NO_SUCH_SCRIPT.into());
    }
    let keys = key_count(words)?;
    let name = std::str::from_utf8(words[1]).map_err(|_| NO_SUCH_SCRIPT)?.to_ascii_lowercase();
    if !ctx.shared.scripting.cache()?.has(&name) {
        return Err(NO_SUCH_SCRIPT.into());
    }
    run(ctx, words, &name, keys, read_only)
}

/// How many of the words behind the third are keys.
pub(super) fn key_count(words: &[&[u8]]) -> Result<usize, CommandError> {
    let count = number::int(words[2])?;
    match usize::try_from(count) {
        Ok(count) if count <= words.len() - 3 => Ok(count),
        Ok(_) => Err(CommandError::text("ERR Number of keys can't be greater than number of args")),
        Err(_) => Err(CommandError::text("ERR Number of keys can't be negative")),
    }
}

fn run(ctx: &mut Ctx<'_>, words: &[&[u8]], name: &str, keys: usize, read_only: bool) -> Outcome {
    let shared = ctx.shared;
    let mut cache = shared.scripting.cache()?;
    let (script, interpreter) = cache.take(name).ok_or(NO_SUCH_SCRIPT)?;
    if read_only && script.flags.declared && !script.flags.no_writes {
        return Err(CommandError::text(
            "ERR Can not execute a script with write flag using *_ro command.",
        )
        .into());
    }
    if script.flags.declared {
        check_flags(ctx, script.flags)?;
    }
    if ctx.may_park() && script.slowest.is_none_or(|slowest| slowest > QUICK) {
        return hand_over(ctx, words);
    }
    ctx.show_script(words);
    let running = shared.scripting.begin(Purpose::Scripts, name, words);
    let (keys, arguments) = words.get(3..).unwrap_or_default().split_at(keys);
    let invocation = Invocation {
        name,
        keys,
        arguments,
        protocol: if ctx.reply.resp3() { Protocol::Three } else { Protocol::Two },
        watch: &running.watch,
    };
    let text = Arc::clone(&script.text);
    let mut reply = Vec::new();
    let db = ctx.session.db;
    let mut host = ScriptHost {
        read_only: read_only || script.flags.no_writes,
        out_of_memory: shared.eviction.is_over() && !script.flags.allow_oom,
        wrote: Arc::clone(&running.wrote),
        listening: ctx.effects.listening,
        ctx,
    };
    let result = interpreter.run(name, &text, &invocation, &mut host, &mut reply);
    let elapsed = running.watch.elapsed();
    script.slowest = Some(script.slowest.map_or(elapsed, |slowest| slowest.max(elapsed)));
    shared.scripting.end();
    finish(ctx, db, name, &reply, result);
    Ok(())
}

/// Refuses what says of itself that it may write where writes are refused, or not that it may do
/// so without memory.
pub(super) fn check_flags(ctx: &Ctx<'_>, flags: Flags) -> Result<(), CommandError> {
    if !flags.no_writes && ctx.shared.replicas.too_few(ctx.now) {
        return Err(CommandError::NO_REPLICAS);
    }
    let harmless = flags.allow_oom || flags.no_writes;
    match ctx.shared.eviction.is_over() && !harmless {
        true => Err(CommandError::OUT_OF_MEMORY),
        false => Ok(()),
    }
}

/// Writes the reply of what has run, and restores what it may have changed.
pub(super) fn finish(
    ctx: &mut Ctx<'_>,
    db: usize,
    name: &str,
    reply: &[u8],
    result: Result<(), ScriptError>,
) {
    if ctx.session.db != db {
        ctx.session.select(db);
    }
    ctx.effects.listening = ctx.shared.log.is_listening();
    // Its commands have told replicas their own words; those of the call itself say nothing.
    ctx.propagate_nothing();
    match result {
        Ok(()) => ctx.reply.raw(reply),
        Err(error) => {
            let line = error.reply(name);
            if !error.counted {
                count(&ctx.counts.errors, 1);
                ctx.observe_error(&String::from_utf8_lossy(&line));
            }
            ctx.reply.raw(b"-");
            ctx.reply.raw(&line);
            ctx.reply.raw(b"\r\n");
        }
    }
}

/// Lets the call be executed by the thread for scripts, while the client waits.
pub(super) fn hand_over(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    debug_assert_ne!(ctx.within, Within::Script);
    let words = words.iter().map(|word| word.to_vec()).collect();
    let session = ctx.session.detached();
    ctx.shared.scripting.hand_over(ctx.shared, Job { session, words })?;
    Err(Stop::Park(Box::new(Park {
        keys: Vec::new(),
        deadline: None,
        timeout: |reply| reply.null(),
        answers_errors: false,
    })))
}
