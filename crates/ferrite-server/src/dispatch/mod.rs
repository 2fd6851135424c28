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

use crate::clients::{Caller, Mark};
use crate::commands::{self, Entry};
use crate::ctx::{Ctx, Stop, Within, count};
use crate::error::CommandError;
use crate::replication::Wait;
use crate::session::{Muted, Queued};
use crate::store::{SHARDS, ShardSet};

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
        // A command that waits is muted when its reply comes.
        if muted != Muted::No && next == Next::Go && self.session.muted == muted {
            self.reply.truncate(begin);
            self.reply.raw(&std::mem::take(&mut self.effects.pushed));
            self.session.mute_once();
        }
        if !self.effects.own.is_empty() {
            self.reply.raw(&std::mem::take(&mut self.effects.own));
        }
        next
    }

    fn execute_aloud(&mut self, words: &[&[u8]], entry: Option<&'static Entry>) -> Next {
        count(&self.counts.commands, 1);
        let entry = match find(words, entry) {
            Ok(entry) => entry,
            Err(error) => {
                self.refuse(None, words, &error);
                return Next::Go;
            }
        };
        if self.shared.tracking.clients() > 0 {
            self.give_up_tracked();
        }
        let admitted = match self.admit(entry, words) {
            Ok(()) if self.must_pause(entry, words) => return Next::Paused,
            Ok(()) => {
                let made = match self.shared.persistence.progress.is_loading() {
                    true => Ok(()),
                    false => self.make_room_for(entry),
                };
                if !self.effects.own.is_empty() {
                    self.push_own();
                }
                made.and_then(|()| self.check_state(entry))
            }
            Err(error) => Err(error),
        };
        if let Err(error) = admitted {
            self.refuse(Some(entry), words, &error);
            return Next::Go;
        }
        if entry.queued && self.session.transaction.is_some() {
            self.queue(entry, words);
            return Next::Go;
        }
        let held = locks::wanted(self, entry, words)
            .and_then(|wanted| self.acquire_unless_busy(entry, wanted));
        if let Err(error) = held {
            self.refuse(Some(entry), words, &error);
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

    /// Gives up keys that clients are told of, where more are remembered than may be.
    fn give_up_tracked(&mut self) {
        let (shared, id) = (self.shared, self.session.client.id);
        for shard in 0..SHARDS as u8 {
            let busy = || shared.scripting.is_busy();
            if !shared.tracking.has_too_many(shared)
                || !self.held.acquire_unless(ShardSet::of_shard(shard), busy)
            {
                break;
            }
            let mut caller = Caller { id, own: &mut self.effects.own };
            let tracked = &mut self.held.shard_mut(shard).tracked;
            shared.tracking.give_up(shared, tracked, &mut caller);
        }
        self.push_own();
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
    fn acquire_unless_busy(&mut self, entry: &Entry, wanted: ShardSet) -> Result<(), CommandError> {
        let scripting = &self.shared.scripting;
        let free = match entry.spec.flags.contains(Flag::AllowBusy) {
            true => self.held.acquire_unless(wanted, || false),
            false => {
                !scripting.is_busy() && self.held.acquire_unless(wanted, || scripting.is_busy())
            }
        };
        if free { Ok(()) } else { Err(scripting.busy_error()) }
    }

    /// Whether the state of the server lets a command be executed or queued.
    fn check_state(&self, entry: &Entry) -> Result<(), CommandError> {
        let queued = entry.queued && self.session.transaction.is_some();
        let scripting = &self.shared.scripting;
        if queued && !entry.spec.flags.contains(Flag::AllowBusy) && scripting.is_busy() {
            return Err(scripting.busy_error());
        }
        if self.shared.replicas.too_few(self.now) && self.writes(entry) {
            return Err(CommandError::NO_REPLICAS);
        }
        Ok(())
    }

    /// Runs a command inside of a unit: its reply is written, and what it did is noted. A
    /// command that must wait is returned.
    pub fn call(&mut self, entry: &'static Entry, words: &[&[u8]]) -> Option<Parked> {
        let begin = self.reply.len();
        let run = entry.run?;
        let began = self.clock;
        let outcome = self.in_call(entry, words, run);
        // The end of one command is the begin of the next: one look at the clock for each.
        self.clock = Instant::now();
        // A command that waits counts when it is through.
        if !matches!(outcome, Err(Stop::Park(_))) {
            let failed = matches!(outcome, Err(Stop::Error(_))) || self.reply.is_error_at(begin);
            self.observe(entry, words, self.clock - began, failed);
        }
        if self.shared.monitors.any() && !entry.spec.flags.contains(Flag::SkipMonitor) {
            self.show(entry, words);
        }
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
                self.observe_error(error.line());
                self.reply.error(&error);
                None
            }
        }
    }

    /// Whether a call may be executed.
    fn admit(&mut self, entry: &'static Entry, words: &[&[u8]]) -> Result<(), CommandError> {
        if entry.run.is_none() || !entry.spec.accepts(words.len()) {
            return Err(CommandError::arity(entry.spec.name));
        }
        let queued = entry.queued && self.session.transaction.is_some();
        if queued && entry.spec.flags.contains(Flag::NoMulti) {
            return Err(CommandError::text("ERR Command not allowed inside a transaction"));
        }
        self.session.client.last_command.store(entry.number, Ordering::Relaxed);
        self.permit(entry.spec, words)?;
        let listens_only = !self.session.resp3 && self.session.is_subscribed();
        if listens_only && !may_be_called_while_subscribed(entry.spec.name) {
            return Err(CommandError::new(format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
                entry.spec.name
            )));
        }
        if self.session.client.has(Mark::Monitor) && touches_keys(entry) {
            return Err(CommandError::text("ERR Replica can't interact with the keyspace"));
        }
        let loading = self.shared.persistence.progress.is_loading();
        if loading && !entry.spec.flags.contains(Flag::Loading) {
            return Err(CommandError::LOADING);
        }
        Ok(())
    }

    /// Answers an error before a command was run; a transaction that is being queued fails.
    fn refuse(&mut self, entry: Option<&Entry>, words: &[&[u8]], error: &CommandError) {
        if let Some(transaction) = &mut self.session.transaction {
            transaction.refused = true;
        }
        if let Some(entry) = entry {
            self.observe_refused(entry);
        }
        let aborted = entry.filter(|entry| entry.spec.name == "exec").map(|exec| {
            // What was queued is not kept for another EXEC.
            self.unwatch();
            self.session.transaction = None;
            self.session.note_transaction();
            if self.shared.monitors.any() {
                self.show(exec, words);
            }
            let why = error.line();
            let why = why.strip_prefix("ERR ").unwrap_or(why);
            CommandError::new(format!("EXECABORT Transaction discarded because of: {why}"))
        });
        let error = aborted.as_ref().unwrap_or(error);
        count(&self.counts.errors, 1);
        self.observe_error(error.line());
        self.reply.error(error);
    }

    fn queue(&mut self, entry: &'static Entry, words: &[&[u8]]) {
        let bytes: usize = words.iter().map(|word| word.len() + size_of::<Vec<u8>>()).sum();
        let words = words.iter().map(|word| word.to_vec()).collect();
        if let Some(transaction) = &mut self.session.transaction {
            transaction.queued.push(Queued { entry, words });
            self.session.client.queued_memory.fetch_add(bytes, Ordering::Relaxed);
            self.session.client.queued.fetch_add(1, Ordering::Relaxed);
        }
        self.reply.simple("QUEUED");
    }
}

/// The words of a kept command as slices.
pub fn slices(words: &[Vec<u8>]) -> SmallVec<[&[u8]; 8]> {
    words.iter().map(Vec::as_slice).collect()
}

/// The entry that the words of a call name.
fn find(words: &[&[u8]], entry: Option<&'static Entry>) -> Result<&'static Entry, CommandError> {
    let name = words.first().copied().unwrap_or_default();
    let entry = entry.ok_or_else(|| unknown(words))?;
    match (entry.subcommands.is_empty(), words.get(1)) {
        (false, Some(word)) => match commands::subcommand(entry, word) {
            Some(entry) => Ok(entry),
            None if entry.run.is_some() => Ok(entry),
            None => Err(unknown_subcommand(name, word)),
        },
        _ => Ok(entry),
    }
}

/// Whether a command that is no write may tell replicas something.
pub fn tells_replicas(entry: &Entry) -> bool {
    unit::MAY_REPLICATE.contains(&entry.spec.name)
}

/// Whether a command reads or writes keys, or replicas may be told something because of it.
fn touches_keys(entry: &Entry) -> bool {
    let spec = entry.spec;
    spec.is_write() || spec.flags.contains(Flag::ReadOnly) || tells_replicas(entry)
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
