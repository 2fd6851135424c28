//! FCALL and FCALL_RO.

use std::sync::Arc;

use super::eval::{finish, hand_over};
use super::host::ScriptHost;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::number;
use crate::scripting::{Invocation, Protocol, Purpose, QUICK};

const NO_SUCH_FUNCTION: CommandError = CommandError::text("ERR Function not found");

pub(super) fn fcall(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    call(ctx, words, false)
}

pub(super) fn fcall_ro(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    call(ctx, words, true)
}

fn call(ctx: &mut Ctx<'_>, words: &[&[u8]], read_only: bool) -> Outcome {
    let shared = ctx.shared;
    let mut functions = shared.scripting.functions()?;
    let name = std::str::from_utf8(words[1]).map_err(|_| NO_SUCH_FUNCTION)?;
    let (function, code, interpreter) = functions.take(name).ok_or(NO_SUCH_FUNCTION)?;
    if number::parse_int(words[2]).is_none() {
        return Err(CommandError::text("ERR Bad number of keys provided").into());
    }
    let keys = super::eval::key_count(words)?;
    if read_only && !function.flags.no_writes {
        return Err(CommandError::text(
            "ERR Can not execute a script with write flag using *_ro command.",
        )
        .into());
    }
    super::eval::check_flags(ctx, function.flags)?;
    if ctx.may_park() && function.slowest.is_none_or(|slowest| slowest > QUICK) {
        return hand_over(ctx, words);
    }
    let name = &function.name.clone();
    ctx.show_script(words);
    let running = shared.scripting.begin(Purpose::Functions, name, words);
    let (keys, arguments) = words.get(3..).unwrap_or_default().split_at(keys);
    let invocation = Invocation {
        name,
        keys,
        arguments,
        protocol: if ctx.reply.resp3() { Protocol::Three } else { Protocol::Two },
        watch: &running.watch,
    };
    let mut reply = Vec::new();
    let db = ctx.session.db;
    let mut host = ScriptHost {
        read_only: function.flags.no_writes,
        out_of_memory: shared.eviction.is_over() && !function.flags.allow_oom,
        wrote: Arc::clone(&running.wrote),
        listening: ctx.effects.listening,
        ctx,
    };
    let result = interpreter.run(name, &code, &invocation, &mut host, &mut reply);
    let elapsed = running.watch.elapsed();
    function.slowest = Some(function.slowest.map_or(elapsed, |slowest| slowest.max(elapsed)));
    shared.scripting.end();
    finish(ctx, db, name, &reply, result);
    Ok(())
}
