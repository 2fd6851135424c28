//! DEBUG: what tests need. It is closed unless `enable-debug-command` opens it.

use std::time::Duration;

use super::help as help_of;
use crate::config::choices::Protection;
use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::number;

/// The longest DEBUG SLEEP, in seconds.
const LONGEST: f64 = 3600.0;

const CLOSED: CommandError = CommandError::text(
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you \
     can run it from a local connection, otherwise you need to set this option in the \
     configuration file, and then restart the server.",
);

pub(super) fn debug(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let open = match ctx.shared.config.security.enable_debug_command.get() {
        Protection::Yes => true,
        Protection::Local => ctx.session.client.is_local(),
        Protection::No => false,
    };
    if !open {
        return Err(CLOSED.into());
    }
    let rest = words.get(2..).unwrap_or_default();
    match (words[1].to_ascii_lowercase().as_slice(), rest) {
        (b"sleep", [seconds]) => {
            let seconds = number::float(seconds)?.clamp(0.0, LONGEST);
            // All shards are held: everybody waits, as it is meant to be.
            std::thread::sleep(Duration::from_secs_f64(seconds));
            ctx.reply.ok();
        }
        (b"jmap", []) => ctx.reply.ok(),
        (b"error", [text]) => {
            return Err(CommandError::new(String::from_utf8_lossy(text).into_owned()).into());
        }
        (b"log", [text]) => {
            tracing::warn!("DEBUG LOG: {}", String::from_utf8_lossy(text));
            ctx.reply.ok();
        }
        (b"stringmatch-len", [length, pattern]) => {
            let length = usize::try_from(number::int(length)?).unwrap_or(0).min(1 << 26);
            let text = vec![b'a'; length];
            let fits = ferrite_commands::matches_glob(pattern, &text);
            ctx.reply.int(i64::from(fits));
        }
        (b"quicklist-packed-threshold", [size]) => {
            let mut limits = ctx.shared.limits();
            let bytes = crate::config::bytes(size).and_then(|bytes| usize::try_from(bytes).ok());
            limits.list_packed_threshold = bytes.ok_or(CommandError::text(
                "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
            ))?;
            ctx.shared.live_limits.store(limits.into());
            ctx.reply.ok();
        }
        (b"protocol", [kind]) => protocol(ctx, kind)?,
        (b"help", []) => help(ctx),
        _ => {
            let word = String::from_utf8_lossy(words[1]);
            return Err(CommandError::new(format!(
                "ERR unknown subcommand or wrong number of arguments for '{word}'. Try DEBUG HELP."
            ))
            .into());
        }
    }
    Ok(())
}

fn protocol(ctx: &mut Ctx<'_>, kind: &[u8]) -> Outcome {
    let reply = &mut ctx.reply;
    match kind.to_ascii_lowercase().as_slice() {
        b"string" => reply.text("Hello World"),
        b"integer" => reply.int(12345),
        b"double" => reply.double(3.25),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|number| reply.int(number));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|number| reply.int(number));
        }
        b"map" => {
            reply.map(3);
            for number in 0..3 {
                reply.int(number);
                reply.bool(number == 1);
            }
        }
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        b"true" => reply.bool(true),
        b"false" => reply.bool(false),
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        _ => {
            return Err(CommandError::text(
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|null|array|set|map|attrib|push|verbatim|true|false",
            )
            .into());
        }
    }
    Ok(())
}

fn help(ctx: &mut Ctx<'_>) {
    let lines = [
        ("ERROR <string>", "Answer this error."),
        ("JMAP", "Do nothing."),
        ("LOG <message>", "Write a message to the log."),
        ("PROTOCOL <type>", "Answer a value of this type."),
        ("QUICKLIST-PACKED-THRESHOLD <size>", "Keep larger elements of lists by themselves."),
        ("SLEEP <seconds>", "Hold all keys for this time."),
        ("STRINGMATCH-LEN <len> <pattern>", "Match a pattern with so many letters a."),
    ];
    help_of::help(ctx, "DEBUG", &lines);
}
