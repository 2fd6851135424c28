//! From the words of a request to its reply.
//!
//! ```text
//! words ─► entry ─► arity, rights, state ─► queued in MULTI, or:
//!          locks of its shards ─► run ─► log of writes, waiting clients ─► reply
//! ```

pub mod ahead;
pub mod block;
pub mod locks;
mod observe;
mod serve;
mod unit;

use std::sync::atomic::Ordering;
use std::time::Instant;

use ferrite_commands::Flag;

use smallvec::SmallVec;

use ahead::Request;

use crate::commands::{self, Entry};
use crate::ctx::{Ctx, Stop, Within, count};
use crate::error::CommandError;
use crate::replication::Wait;
use crate::session::{Muted, Queued};
use crate::store::ShardSet;

/// How many bytes of a call's words an error about an unknown command shows, as in Redis.
const SHOWN_ARGUMENTS: usize = 128;

/// What the connection does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The reply is written; the next command may come.
    Go,
    /// The command waits; no further command is executed.
    Parked,
    /// The command was not executed: it must be given again when the pause is over.
    Paused,
}

/// What a command waits for.
#[derive(Debug)]
pub enum Parked {
    /// Keys.
    Keys(Box<block::Park>),
    /// Replicas.
    Replicas(Wait),
}

impl Ctx<'_> {
    /// Executes one call of the session that is put in.
    pub fn execute(&mut self, request: &Request<'_, '_>) -> Next {
        let (muted, begin) = (self.session.muted, self.reply.len());
        if let (Some(hash), Some(key)) = (request.hash, request.words.get(1)) {
            self.hashes.know(key, hash);
        }
        let next = self.execute_aloud(request.words, request.entry);
        self.hashes.forget();
        if muted != Muted::No && self.session.muted == muted {
            self.reply.truncate(begin);
            if muted == Muted::Once {
                self.session.muted = Muted::No;
            }
        }
        next
    }

    fn execute_aloud(&mut self, words: &[&[u8]], entry: Option<&'static Entry>) -> Next {
        count(&self.counts.commands, 1);
        let entry = match self.admit(words, entry) {
            Ok(entry) => entry,
            Err(error) => {
                self.refuse(&error);
                return Next::Go;
            }
        };
        if self.must_pause(entry) {
            return Next::Paused;
        }
        if let Err(error) = self.make_room_for(entry) {
            self.refuse(&error);
            return Next::Go;
        }
        if entry.queued && self.session.transaction.is_some() {
            if !entry.spec.flags.contains(Flag::AllowBusy) && self.shared.scripting.is_busy() {
                self.refuse(&self.shared.scripting.busy_error());
                return Next::Go;
            }
            self.queue(entry, words);
            return Next::Go;
        }
        if self.shared.replicas.too_few(self.now) && self.writes(entry) {
            self.refuse(&CommandError::text("NOREPLICAS Not enough good replicas to write."));
            return Next::Go;
        }
        let wanted = match locks::wanted(self, entry, words) {
            Ok(wanted) => wanted,
            Err(error) => {
                self.refuse(&error);
                return Next::Go;
            }
        };
        if !self.acquire_unless_busy(entry, wanted) {
            return Next::Go;
        }
        if self.hashes.all().len() > 1 {
            self.fetch_keys();
        }
        if self.held.has_waited() {
            self.clock = Instant::now();
        }
        self.begin_unit(Within::Nothing);
        let parked = self.call(entry, words);
        self.end_unit();
        if self.session.client.tracks_reads.load(Ordering::Relaxed) {
            self.end_caching(entry);
        }
        match parked {
            None => Next::Go,
            Some(Parked::Keys(park)) => {
                self.wait(entry, words, *park);
                Next::Parked
            }
            Some(Parked::Replicas(wait)) => {
                self.wait_for_replicas(wait);
                Next::Parked
            }
        }
    }

    /// CLIENT CACHING is for one command, or one transaction.
    fn end_caching(&mut self, entry: &Entry) {
        if entry.spec.name == "client|caching" || self.session.transaction.is_some() {
            return;
        }
        if let Some(mode) = self.session.client.tracking.lock().as_mut() {
            mode.caching = false;
        }
    }

    /// Holds the shards of a command; where a script has held them for too long, or holds any of
    /// them while the command is of those that must not go on then, it is refused instead.
    fn acquire_unless_busy(&mut self, entry: &Entry, wanted: ShardSet) -> bool {
        let scripting = &self.shared.scripting;
        let free = match entry.spec.flags.contains(Flag::AllowBusy) {
            true => self.held.acquire_unless(wanted, || false),
            false => {
                !scripting.is_busy() && self.held.acquire_unless(wanted, || scripting.is_busy())
            }
        };
        if !free {
            self.refuse(&scripting.busy_error());
        }
        free
    }

    /// Runs a command inside of a unit: its reply is written, and what it did is noted. A
    /// command that must wait is returned.
    pub fn call(&mut self, entry: &'static Entry, words: &[&[u8]]) -> Option<Parked> {
        let begin = self.reply.len();
        let run = entry.run?;
        let began = self.clock;
        let outcome = self.in_call(entry, words, run);
        let failed = matches!(outcome, Err(Stop::Error(_)));
        // The end of one command is the begin of the next: one look at the clock for each.
        self.clock = Instant::now();
        self.observe(entry, words, self.clock - began, failed);
        match outcome {
            Ok(()) => None,
            Err(Stop::Park(park)) => {
                self.reply.truncate(begin);
                Some(Parked::Keys(park))
            }
            Err(Stop::Replicas(wait)) => Some(Parked::Replicas(wait)),
            Err(Stop::Error(error)) => {
                self.reply.truncate(begin);
                count(&self.counts.errors, 1);
                self.observe_error(&error);
                self.reply.error(&error);
                None
            }
        }
    }

    /// The entry of a call, when it may be executed.
    fn admit(
        &mut self,
        words: &[&[u8]],
        entry: Option<&'static Entry>,
    ) -> Result<&'static Entry, CommandError> {
        let name = words.first().copied().unwrap_or_default();
        let entry = entry.ok_or_else(|| unknown(words))?;
        let entry = match (entry.subcommands.is_empty(), words.get(1)) {
            (true, _) => entry,
            (false, Some(word)) => match commands::subcommand(entry, word) {
                Some(entry) => entry,
                None if entry.run.is_some() => entry,
                None => return Err(unknown_subcommand(name, word)),
            },
            (false, None) => entry,
        };
        if entry.run.is_none() || !entry.spec.accepts(words.len()) {
            return Err(CommandError::arity(entry.spec.name));
        }
        let queued = entry.queued && self.session.transaction.is_some();
        if queued && entry.spec.flags.contains(Flag::NoMulti) {
            return Err(CommandError::text("ERR Command not allowed inside a transaction"));
        }
        self.permit(entry.spec, words)?;
        self.session.client.last_command.store(entry.number, Ordering::Relaxed);
        let listens_only = !self.session.resp3 && self.session.is_subscribed();
        if listens_only && !may_be_called_while_subscribed(entry.spec.name) {
            return Err(CommandError::new(format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
                entry.spec.name
            )));
        }
        Ok(entry)
    }

    /// Answers an error before a command was run; a transaction that is being queued fails.
    fn refuse(&mut self, error: &CommandError) {
        if let Some(transaction) = &mut self.session.transaction {
            transaction.refused = true;
        }
        count(&self.counts.errors, 1);
        self.observe_error(error);
        self.reply.error(error);
    }

    fn queue(&mut self, entry: &'static Entry, words: &[&[u8]]) {
        let words = words.iter().map(|word| word.to_vec()).collect();
        if let Some(transaction) = &mut self.session.transaction {
            transaction.queued.push(Queued { entry, words });
        }
        self.reply.simple("QUEUED");
    }
}

/// The words of a kept command as slices.
pub fn slices(words: &[Vec<u8>]) -> SmallVec<[&[u8]; 8]> {
    words.iter().map(Vec::as_slice).collect()
}

fn may_be_called_while_subscribed(name: &str) -> bool {
    let all = ["ping", "quit", "reset"];
    name.ends_with("subscribe") || all.contains(&name)
}

fn shown(word: &[u8], most: usize) -> String {
    String::from_utf8_lossy(word.get(..most).unwrap_or(word)).into_owned()
}

fn unknown(words: &[&[u8]]) -> CommandError {
    let mut arguments = String::new();
    for word in words.iter().skip(1) {
        if arguments.len() >= SHOWN_ARGUMENTS {
            break;
        }
        let room = SHOWN_ARGUMENTS - arguments.len();
        arguments.push_str(&format!("'{}' ", shown(word, room)));
    }
    let name = shown(words.first().copied().unwrap_or_default(), SHOWN_ARGUMENTS);
    let text = format!("ERR unknown command '{name}', with args beginning with: {arguments}");
    CommandError::new(text)
}

fn unknown_subcommand(name: &[u8], word: &[u8]) -> CommandError {
    let container = String::from_utf8_lossy(name).to_uppercase();
    let word = shown(word, SHOWN_ARGUMENTS);
    CommandError::new(format!("ERR unknown subcommand '{word}'. Try {container} HELP."))
}
