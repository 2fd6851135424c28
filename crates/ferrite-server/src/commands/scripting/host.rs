//! The server as a script sees it: commands are executed under the locks that the script holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::commands::{self, Entry};
use crate::ctx::{Ctx, Within, count};
use crate::error::CommandError;
use crate::reply::Reply;
use crate::scripting::{AccessProblem, Destinations, Host, LogLevel, Protocol};
use ferrite_commands::Flag;

/// The host of one run.
pub(super) struct ScriptHost<'c, 's> {
    pub(super) ctx: &'c mut Ctx<'s>,
    /// Whether commands that write are refused.
    pub(super) read_only: bool,
    /// Whether commands that may need more memory are refused, until one has written.
    pub(super) out_of_memory: bool,
    /// Raised by the first command that writes.
    pub(super) wrote: Arc<AtomicBool>,
    /// Whether replicas are told of effects, where anybody wants to know.
    pub(super) listening: bool,
}

/// The command that words call, if a script may call it so.
fn admit(words: &[&[u8]]) -> Result<&'static Entry, AccessProblem> {
    let name = words.first().copied().unwrap_or_default();
    let entry = commands::lookup(name).ok_or(AccessProblem::UnknownCommand)?;
    let entry = match words.get(1) {
        Some(word) if !entry.subcommands.is_empty() => match commands::subcommand(entry, word) {
            Some(entry) => entry,
            None if entry.run.is_some() => entry,
            None => return Err(AccessProblem::UnknownCommand),
        },
        _ => entry,
    };
    if entry.run.is_none() || !entry.spec.accepts(words.len()) {
        return Err(AccessProblem::WrongArity);
    }
    Ok(entry)
}

impl ScriptHost<'_, '_> {
    fn allowed(&mut self, words: &[&[u8]]) -> Result<&'static Entry, CommandError> {
        let entry = admit(words).map_err(|problem| {
            CommandError::text(match problem {
                AccessProblem::UnknownCommand => "ERR Unknown Redis command called from script",
                AccessProblem::WrongArity => {
                    "ERR Wrong number of args calling Redis command from script"
                }
            })
        })?;
        let denied = entry.spec.flags.contains(Flag::NoScript);
        if denied && !self.ctx.shared.switches.lets_scripts() {
            return Err(CommandError::text("ERR This Redis command is not allowed from script"));
        }
        self.ctx.permit(entry.spec, words).map_err(|error| {
            let line = error.line();
            let text = line.split_once(' ').map_or(line, |(_, text)| text);
            CommandError::new(format!("ERR ACL failure in script: {text}"))
        })?;
        if entry.spec.is_write() {
            if self.read_only {
                return Err(CommandError::text(
                    "ERR Write commands are not allowed from read-only scripts.",
                ));
            }
            if self.ctx.shared.replicas.too_few(self.ctx.now) {
                return Err(CommandError::text("NOREPLICAS Not enough good replicas to write."));
            }
        }
        // What has been begun is brought to its end.
        let begun = self.wrote.load(Ordering::Relaxed);
        if self.out_of_memory && !begun && entry.spec.flags.contains(Flag::DenyOom) {
            return Err(CommandError::OUT_OF_MEMORY);
        }
        Ok(entry)
    }
}

impl Host for ScriptHost<'_, '_> {
    fn call(&mut self, words: &[&[u8]], protocol: Protocol, reply: &mut Vec<u8>) {
        let resp3 = protocol == Protocol::Three;
        let own = Reply::onto(std::mem::take(reply), resp3);
        let outer = std::mem::replace(&mut self.ctx.reply, own);
        let within = std::mem::replace(&mut self.ctx.within, Within::Script);
        match self.allowed(words) {
            Ok(entry) => {
                if entry.spec.is_write() {
                    self.wrote.store(true, Ordering::Release);
                }
                count(&self.ctx.counts.commands, 1);
                self.ctx.call(entry, words);
            }
            Err(error) => {
                count(&self.ctx.counts.errors, 1);
                self.ctx.reply.error(&error);
            }
        }
        self.ctx.within = within;
        *reply = std::mem::replace(&mut self.ctx.reply, outer).into_bytes();
    }

    fn log(&mut self, level: LogLevel, message: &[u8]) {
        let message = String::from_utf8_lossy(message);
        match level {
            LogLevel::Debug => tracing::trace!("{message}"),
            LogLevel::Verbose => tracing::debug!("{message}"),
            LogLevel::Notice => tracing::info!("{message}"),
            LogLevel::Warning => tracing::warn!("{message}"),
        }
    }

    fn replicate_to(&mut self, destinations: Destinations) {
        // There is one log for replicas and the file: it is told, or not.
        let told = destinations.append_only_file || destinations.replicas;
        self.ctx.effects.listening = self.listening && told;
    }

    fn may_execute(&mut self, words: &[&[u8]]) -> Result<bool, AccessProblem> {
        let entry = admit(words)?;
        let Some(account) = self.ctx.session.account.clone() else { return Ok(false) };
        let id = self.ctx.shared.acl.commands().id(entry.spec);
        Ok(id.is_none_or(|id| account.check(entry.spec, id, words).is_ok()))
    }
}
