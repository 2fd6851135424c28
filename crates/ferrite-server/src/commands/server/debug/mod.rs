//! DEBUG: what tests need. It is closed unless `enable-debug-command` opens it.

mod digest;
mod keys;
mod reload;
mod switches;

use std::time::Duration;

pub use switches::Switches;

use super::{configuration, help as help_of};
use crate::config::Config;
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
        (b"config-rewrite-force-all", []) => configuration::write(ctx, Config::rewrite_all)?,
        // A client that has nothing to be sent has no buffer, whatever is asked for.
        (b"replybuffer", [word, _]) if word.eq_ignore_ascii_case(b"resizing") => ctx.reply.ok(),
        (b"digest", []) => digest::of_all(ctx),
        (b"digest-value", values) => digest::of_values(ctx, values)?,
        (b"listpack", [key]) => keys::listpack(ctx, key)?,
        (b"object", [key]) => keys::object(ctx, key)?,
        // What is there of a file must not be written over it.
        (b"populate" | b"reload", _) if ctx.shared.persistence.progress.is_loading() => {
            return Err(CommandError::LOADING.into());
        }
        (b"populate", [_] | [_, _] | [_, _, _]) => keys::populate(ctx, rest)?,
        (b"reload", options) => reload::reload(ctx, options)?,
        (b"pause-cron", [on]) => switches::pause_cron(ctx, on)?,
        (b"set-active-expire", [on]) => switches::active_expire(ctx, on)?,
        (b"set-disable-deny-scripts", [on]) => switches::let_scripts(ctx, on)?,
        (b"set-skip-checksum-validation", [on]) => switches::skip_checksums(ctx, on)?,
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

#[expect(clippy::approx_constant, reason = "the number that Redis answers")]
fn protocol(ctx: &mut Ctx<'_>, kind: &[u8]) -> Outcome {
    let reply = &mut ctx.reply;
    match kind.to_ascii_lowercase().as_slice() {
        b"string" => reply.text("Hello World"),
        b"integer" => reply.int(12345),
        b"double" => reply.double(3.141),
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
        b"attrib" => {
            if reply.resp3() {
                reply.attribute(1);
                reply.text("key-popularity");
                reply.array(2);
                reply.text("key:123");
                reply.int(90);
            }
            // An attribute comes before a reply and is none.
            reply.text("Some real reply following the attribute");
        }
        b"push" => {
            if !reply.resp3() {
                let text = "ERR RESP2 is not supported by this command";
                return Err(CommandError::text(text).into());
            }
            reply.push(2);
            reply.text("server-cpu-usage");
            reply.int(42);
            reply.text("Some real reply following the push reply");
        }
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
        ("CONFIG-REWRITE-FORCE-ALL", "As CONFIG REWRITE, also with what has its default."),
        ("DIGEST", "Answer a digest of all keys, as Redis 7.2 computes it."),
        ("DIGEST-VALUE <key> [<key> ...]", "Answer the digest of the value of each key."),
        ("ERROR <string>", "Answer this error."),
        ("JMAP", "Do nothing."),
        ("LISTPACK <key>", "Write the bytes of a listpack to the log."),
        ("LOG <message>", "Write a message to the log."),
        ("OBJECT <key>", "Answer where a key is and how its value is kept."),
        ("PAUSE-CRON <0|1>", "Do nothing by the clock: expire and evict no keys, save nothing."),
        ("POPULATE <count> [<prefix> [<size>]]", "Make keys with strings, unknown to replicas."),
        ("PROTOCOL <type>", "Answer a value of this type."),
        ("QUICKLIST-PACKED-THRESHOLD <size>", "Keep larger elements of lists by themselves."),
        ("RELOAD [MERGE] [NOFLUSH] [NOSAVE]", "Save, forget all keys, and load what was saved."),
        ("REPLYBUFFER RESIZING <0|1>", "Do nothing: no client keeps a buffer for replies."),
        ("SET-ACTIVE-EXPIRE <0|1>", "With 0 keys expire only when a command meets them."),
        ("SET-DISABLE-DENY-SCRIPTS <0|1>", "With 1 scripts may call any command."),
        ("SET-SKIP-CHECKSUM-VALIDATION <0|1>", "With 1 RESTORE does not look at checksums."),
        ("SLEEP <seconds>", "Hold all keys for this time."),
        ("STRINGMATCH-LEN <len> <pattern>", "Match a pattern with so many letters a."),
    ];
    help_of::help(ctx, "DEBUG", &lines);
}
