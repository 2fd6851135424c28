//! MIGRATE: keys to another server, and away from here once that has them.
//!
//! The keys are written down under their locks; sending them is another thread's work, while the
//! client waits and everybody else goes on. What changed meanwhile is sent once more, and in the
//! last round while its shards are held: so a key is deleted here only as it is there. Inside of
//! a transaction or script, where nothing may wait, everything is done at once under the locks.

mod run;
mod target;

use std::time::Duration;

use super::is;
use crate::ctx::{Ctx, Outcome, Stop};
use crate::dispatch::block::Park;
use crate::error::CommandError;
use crate::number;

pub use target::Targets;

/// How long each step may take where nothing is said, in milliseconds.
const TIMEOUT: i64 = 1000;

/// What a call asks for.
#[derive(Debug)]
struct Call {
    /// The other server.
    address: String,
    /// The database there.
    db: i64,
    /// How long each step may take.
    timeout: Duration,
    /// The keys stay here.
    copy: bool,
    /// Keys that are there already are replaced.
    replace: bool,
    /// What AUTH is called with, if it is.
    auth: Vec<Vec<u8>>,
    /// The keys.
    keys: Vec<Vec<u8>>,
}

impl Call {
    /// `MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH password]
    /// [AUTH2 user password] [KEYS key …]`
    fn parse(words: &[&[u8]]) -> Result<Self, CommandError> {
        let owned = |words: &[&[u8]]| words.iter().map(|word| word.to_vec()).collect();
        let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
        let (mut copy, mut replace) = (false, false);
        let (mut auth, mut keys) = (Vec::new(), owned(words.get(3..4).unwrap_or_default()));
        let mut rest = words.get(6..).unwrap_or_default();
        loop {
            rest = match rest {
                [] => break,
                [word, rest @ ..] if is(word, "copy") => {
                    copy = true;
                    rest
                }
                [word, rest @ ..] if is(word, "replace") => {
                    replace = true;
                    rest
                }
                [word, password, rest @ ..] if is(word, "auth") => {
                    auth = owned(&[password]);
                    rest
                }
                [word, user, password, rest @ ..] if is(word, "auth2") => {
                    auth = owned(&[user, password]);
                    rest
                }
                [word, rest @ ..] if is(word, "keys") => {
                    if !words[3].is_empty() {
                        return Err(CommandError::text(
                            "ERR When using MIGRATE KEYS option, the key argument must be set to \
                             the empty string",
                        ));
                    }
                    keys = owned(rest);
                    break;
                }
                _ => return Err(CommandError::SYNTAX),
            };
        }
        let timeout = number::int(words[5])?;
        let timeout = if timeout <= 0 { TIMEOUT } else { timeout }.unsigned_abs();
        let db = number::int(words[4])?;
        let host = text(words[1]);
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let address = format!("{host}:{}", text(words[2]));
        Ok(Self { address, db, timeout: Duration::from_millis(timeout), copy, replace, auth, keys })
    }
}

pub(super) fn migrate(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let call = Call::parse(words)?;
    if !call.keys.iter().any(|key| ctx.find(key).is_some()) {
        ctx.reply.simple("NOKEY");
        return Ok(());
    }
    ctx.propagate_nothing();
    if !ctx.may_park() {
        run::at_once(ctx, &call)?;
        ctx.reply.ok();
        return Ok(());
    }
    run::in_background(ctx, call, words)?;
    Err(Stop::Park(Box::new(Park {
        keys: Vec::new(),
        deadline: None,
        timeout: |reply| reply.null(),
        answers_errors: false,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_says_where_what_and_how() {
        let parse = |line: &str| {
            let words: Vec<&[u8]> =
                line.split(' ').map(|word| word.trim_matches('"').as_bytes()).collect();
            Call::parse(&words)
        };
        let call =
            parse("MIGRATE host 1 \"\" 2 0 COPY AUTH2 KEYS secret REPLACE KEYS a b").unwrap();
        assert_eq!((call.address.as_str(), call.db, call.timeout.as_millis()), ("host:1", 2, 1000));
        assert!(call.copy && call.replace);
        assert_eq!(call.auth, [b"KEYS".to_vec(), b"secret".to_vec()]);
        assert_eq!(call.keys, [b"a".to_vec(), b"b".to_vec()]);
        assert_eq!(parse("MIGRATE ::1 1 k 0 5").unwrap().address, "[::1]:1");
        assert!(parse("MIGRATE host 1 k 0 5 KEYS a").unwrap_err().line().contains("empty string"));
        assert!(parse("MIGRATE host 1 k 0 5 AUTH").is_err());
    }
}
