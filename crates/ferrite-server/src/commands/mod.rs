//! The commands: a folder for each family, a file for one command or a few that belong together.
//!
//! # How a command is written
//!
//! ```text
//! // commands/list/mod.rs: one line in the family's table. Arity, flags and places of keys come
//! // from the catalogue (ferrite-commands), which the name is looked up in.
//! pub(super) const COMMANDS: &[Handler] = &[handler("llen", length::llen)];
//!
//! // commands/list/length.rs
//! pub(super) fn llen(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
//!     let length = ctx.read::<List>(words[1])?.map_or(0, List::len);
//!     ctx.reply.count(length);
//!     Ok(())
//! }
//! ```
//!
//! * `words` is the whole call, its name first. Its number of words was checked: `words[n]` is
//!   there when the arity says so; everything else goes through `get`.
//! * The shards of all keys that the catalogue names are held, and no others. A command that
//!   reaches for keys it does not name says so: `handler(…).all()` holds every shard.
//! * It writes its reply, or returns an error before it has written anything:
//!   `return Err(CommandError::SYNTAX.into())`.
//! * It changes nothing before all its words are found right.
//! * Reading: [`Ctx::read`], [`Ctx::string`], [`Ctx::value`]; several keys together:
//!   [`Ctx::find`] on each, then [`Ctx::peek_as`]. Changing: [`Ctx::write`],
//!   [`Ctx::write_or_new`], [`Ctx::put`], [`Ctx::delete`], then **[`Ctx::changed`]** once for
//!   each event that Redis publishes. A collection that became empty is deleted, with the event
//!   `del` behind the command's own.
//! * A write that changed something is told to replicas in its own words, unless it says
//!   something else: [`Ctx::propagate_instead`], [`Ctx::propagate_nothing`]. Whatever depends on
//!   time or chance must be said with the outcome (SPOP as SREM, EXPIRE as PEXPIREAT).
//! * A blocking command that finds nothing, and [`Ctx::may_park`], returns
//!   `Err(Stop::Park(…))`: it is run again, from the start, when one of the keys changes. Where
//!   it may not, it answers as if its time were over.
//! * Scenarios (`.scn`, see `tests/side_by_side.rs`) stand beside the commands: each command's
//!   replies, right and wrong, compared with a real server in both protocols.
//! * No clock but `ctx.now`, no lock, nothing that waits.
//!
//! The families are listed here in the order of the documentation.

pub mod arguments;
mod bitmap;
mod cluster;
mod connection;
pub mod expiry;
mod generic;
mod geo;
mod hash;
mod hyperloglog;
mod list;
mod names;
mod persistence;
mod pubsub;
mod replication;
pub mod sample;
pub mod scan;
mod scripting;
mod server;
mod set;
mod sorted_set;
mod stream;
mod string;
mod tracking;
mod transaction;

pub use connection::REDIS_VERSION;
pub use generic::Targets;
pub use names::Names;
pub use server::{End, Switches};

use std::sync::LazyLock;

use ferrite_commands::Command;

use crate::ctx::{Ctx, Outcome};

/// What a command runs.
pub type Run = fn(&mut Ctx<'_>, &[&[u8]]) -> Outcome;

/// Which shards a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locks {
    /// Those of the keys that its words name.
    Keys,
    /// All.
    All,
    /// Those of the transaction that the caller has queued, and of the keys it watches.
    Transaction,
}

/// A line of a family's table.
#[derive(Debug, Clone, Copy)]
pub struct Handler {
    name: &'static str,
    run: Run,
    locks: Locks,
    queued: bool,
}

/// A command, or a subcommand by its full name (`config|get`), and what it runs.
pub const fn handler(name: &'static str, run: Run) -> Handler {
    Handler { name, run, locks: Locks::Keys, queued: true }
}

impl Handler {
    /// It needs all shards.
    pub const fn all(self) -> Self {
        Self { locks: Locks::All, ..self }
    }

    /// It needs the shards of the caller's transaction.
    const fn transaction(self) -> Self {
        Self { locks: Locks::Transaction, ..self }
    }

    /// It is executed at once, also between MULTI and EXEC.
    const fn at_once(self) -> Self {
        Self { queued: false, ..self }
    }
}

/// All families.
#[rustfmt::skip]
const FAMILIES: &[&[Handler]] = &[
    bitmap::COMMANDS,
    cluster::COMMANDS,
    connection::COMMANDS,
    hash::COMMANDS,
    list::COMMANDS,
    generic::COMMANDS,
    geo::COMMANDS,
    hyperloglog::COMMANDS,
    persistence::COMMANDS,
    pubsub::COMMANDS,
    replication::COMMANDS,
    scripting::COMMANDS,
    server::COMMANDS,
    set::COMMANDS,
    sorted_set::COMMANDS,
    stream::COMMANDS,
    string::COMMANDS,
    tracking::COMMANDS,
    transaction::COMMANDS,
];

/// A command as the server executes it.
#[derive(Debug)]
pub struct Entry {
    /// What it is.
    pub spec: &'static Command,
    /// What it runs; nothing for a container that wants a subcommand.
    pub run: Option<Run>,
    /// Which shards it needs.
    pub locks: Locks,
    /// Whether it waits for EXEC between MULTI and EXEC.
    pub queued: bool,
    /// The subcommands of a container.
    pub subcommands: Vec<Entry>,
    /// Its number among all commands and subcommands, from 0.
    pub number: usize,
    /// Whether its only key is its first word behind the name: what most calls are.
    pub single_key: bool,
}

/// Places of the table of names: a power of two, several times the commands.
const PLACES: usize = 2048;

static TABLE: LazyLock<Table> = LazyLock::new(Table::build);

struct Table {
    entries: Vec<Entry>,
    places: Vec<u16>,
    count: usize,
}

impl Table {
    fn build() -> Self {
        let handlers: Vec<&Handler> = FAMILIES.iter().copied().flatten().collect();
        let mut number = 0;
        let mut entries = Vec::new();
        for spec in ferrite_commands::all() {
            let of = |spec: &Command| handlers.iter().find(|handler| handler.name == spec.name);
            let own = of(spec);
            let subcommands: Vec<_> =
                spec.subcommands.iter().filter_map(|sub| Some((sub, *of(sub)?))).collect();
            if own.is_none() && subcommands.is_empty() {
                continue;
            }
            let mut entry = Entry::new(spec, own.copied(), &mut number);
            entry.subcommands = subcommands
                .iter()
                .map(|(sub, run)| Entry::new(sub, Some(run), &mut number))
                .collect();
            entries.push(entry);
        }
        let mut places = vec![u16::MAX; PLACES];
        for (index, entry) in entries.iter().enumerate() {
            let mut place = name_hash(entry.spec.name.as_bytes());
            while places[place % PLACES] != u16::MAX {
                place += 1;
            }
            places[place % PLACES] = u16::try_from(index).unwrap_or(u16::MAX);
        }
        Self { entries, places, count: number }
    }
}

impl Entry {
    fn new(spec: &'static Command, handler: Option<&Handler>, number: &mut usize) -> Self {
        let single_key = spec.keys.len() == 1 && {
            use ferrite_commands::Place;
            matches!(spec.keys[0].place, Place::Range { first: 1, last: 1, step: 1 })
        };
        *number += 1;
        Self {
            spec,
            run: handler.map(|handler| handler.run),
            locks: handler.map_or(Locks::Keys, |handler| handler.locks),
            queued: handler.is_none_or(|handler| handler.queued),
            subcommands: Vec::new(),
            number: *number - 1,
            single_key,
        }
    }
}

/// FNV-1a over the lower-case letters.
fn name_hash(name: &[u8]) -> usize {
    let sum = name.iter().fold(0x811c_9dc5_u32, |sum, byte| {
        (sum ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    });
    (sum ^ (sum >> 16)) as usize
}

/// The entry of a command by its own name in any case; of a container, not of its subcommand.
/// What a client calls is found by [`Names`].
pub fn lookup(name: &[u8]) -> Option<&'static Entry> {
    let table = &*TABLE;
    let mut place = name_hash(name);
    loop {
        let index = *table.places.get(place % PLACES)?;
        let entry = table.entries.get(usize::from(index))?;
        if entry.spec.name.as_bytes().eq_ignore_ascii_case(name) {
            return Some(entry);
        }
        place += 1;
    }
}

/// The subcommand of a container that a word names.
pub fn subcommand(container: &'static Entry, word: &[u8]) -> Option<&'static Entry> {
    container.subcommands.iter().find(|entry| {
        let short = entry.spec.name.split_once('|').map_or("", |(_, short)| short);
        short.as_bytes().eq_ignore_ascii_case(word)
    })
}

/// All entries, containers with their subcommands inside.
pub fn all() -> &'static [Entry] {
    &TABLE.entries
}

/// Whether there is a command or subcommand of this full name.
pub fn knows(name: &str) -> bool {
    let container = name.split_once('|').map_or(name, |(container, _)| container);
    lookup(container.as_bytes()).is_some_and(|entry| {
        container.len() == name.len() || entry.subcommands.iter().any(|sub| sub.spec.name == name)
    })
}

/// The full name of the command with this number.
pub fn name(number: usize) -> Option<&'static str> {
    let mut entries =
        all().iter().flat_map(|entry| std::iter::once(entry).chain(&entry.subcommands));
    entries.find(|entry| entry.number == number).map(|entry| entry.spec.name)
}

/// How many numbers entries have; see [`Entry::number`].
pub fn count() -> usize {
    TABLE.count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_handler_is_a_command_of_the_catalogue_and_there_once() {
        let mut names: Vec<&str> = FAMILIES.iter().copied().flatten().map(|one| one.name).collect();
        names.sort_unstable();
        let many = names.len();
        names.dedup();
        assert_eq!(names.len(), many);
        for name in names {
            assert!(ferrite_commands::lookup(name.as_bytes()).is_some(), "{name}");
        }
        assert_eq!(lookup(b"gEt").unwrap().spec.name, "get");
        assert!(lookup(b"no such command").is_none());
    }
}
