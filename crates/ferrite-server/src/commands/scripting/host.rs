//! The server as a script sees it: commands are executed under the locks that the script holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::commands::{self, Entry, Names};
use crate::ctx::{Ctx, Within, count};
use crate::dispatch::tells_replicas;
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

/// The command that words call.
fn find(names: &Names, words: &[&[u8]]) -> Option<&'static Entry> {
    let entry = names.lookup(words.first()?)?;
    match words.get(1) {
        Some(word) if !entry.subcommands.is_empty() => {
            commands::subcommand(entry, word).or(entry.run.is_some().then_some(entry))
        }
        _ => Some(entry),
    }
}

impl ScriptHost<'_, '_> {
    fn allowed(&mut self, words: &[&[u8]]) -> Result<&'static Entry, CommandError> {
        let entry = find(&self.ctx.shared.names, words)
            .ok_or(CommandError::text("ERR Unknown Redis command called from script"))?;
        self.check(entry, words).inspect_err(|_| self.ctx.observe_refused(entry))?;
        Ok(entry)
    }

    fn check(&mut self, entry: &'static Entry, words: &[&[u8]]) -> Result<(), CommandError> {
        if entry.run.is_none() || !entry.spec.accepts(words.len()) {
            return Err(CommandError::text(
                "ERR Wrong number of args calling Redis command from script",
            ));
        }
        let denied = entry.spec.flags.contains(Flag::NoScript);
        if denied && !self.ctx.shared.switches.lets_scripts() {
            return Err(CommandError::text("ERR This Redis command is not allowed from script"));
        }
        self.ctx.permit(entry.spec, words).map_err(|error| {
            let line = error.line();
            let text = line.split_once(' ').map_or(line, |(_, text)| text);
            CommandError::new(format!("ERR ACL failure in script: {text}"))
        })?;
        if self.read_only && (entry.spec.is_write() || tells_replicas(entry)) {
            return Err(CommandError::text(
                "ERR Write commands are not allowed from read-only scripts.",
            ));
        }
        // What has been begun is brought to its end.
        let begun = self.wrote.load(Ordering::Relaxed);
        if entry.spec.is_write() && !begun && self.ctx.shared.replicas.too_few(self.ctx.now) {
            return Err(CommandError::NO_REPLICAS);
        }
        if self.out_of_memory && !begun && entry.spec.flags.contains(Flag::DenyOom) {
            return Err(CommandError::OUT_OF_MEMORY);
        }
        Ok(())
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
                self.ctx.observe_error(error.line());
                self.ctx.reply.error(&error);
            }
        }
        self.ctx.within = within;
        *reply = std::mem::replace(&mut self.ctx.reply, outer).into_bytes();
    }

    fn answers_error(&mut self, text: &[u8]) {
        count(&self.ctx.counts.errors, 1);
        self.ctx.observe_error(&String::from_utf8_lossy(text));
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
        let entry = find(&self.ctx.shared.names, words).ok_or(AccessProblem::UnknownCommand)?;
        if entry.run.is_none() || !entry.spec.accepts(words.len()) {
            return Err(AccessProblem::WrongArity);
        }
        let Some(account) = self.ctx.session.account.clone() else { return Ok(false) };
        let id = self.ctx.shared.acl.commands().id(entry.spec);
        Ok(id.is_none_or(|id| account.check(entry.spec, id, words).is_ok()))
    }
}
