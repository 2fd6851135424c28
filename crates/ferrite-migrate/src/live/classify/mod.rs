//! What a command of the replication stream does: to which keys, and to what else.
//!
//! ```text
//! SELECT 3              Select(3)
//! SET k v               Keys   writes k, which depends on nothing else
//! SUNIONSTORE d a b     Keys   writes d, reads a and b
//! COPY a b DB 4         Keys   reads a, writes b in database 4
//! SORT l BY w_* STORE d Keys   reads l and keys it does not name, writes d
//! EVALSHA ab12… 1 k     Unknown, k as far as its sender says
//! PING                  Ignore
//! ```
//!
//! From the catalogue of `ferrite_commands` and a few names on top of it. No I/O, and nothing is
//! allocated.

mod access;
mod replay;
mod split;

#[cfg(test)]
mod servers;
#[cfg(test)]
mod tests;

pub use access::{KeyAccess, KeyUse};
pub use replay::{Replay, is_replay, unwrap};
pub use split::split;

use ferrite_commands::{Command, Flag, Group, keys, resolve};

use access::Reach;

/// Where Sentinels talk to each other through the servers they watch: of no use elsewhere.
const SENTINEL_CHANNEL: &[u8] = b"__sentinel__:hello";

/// What a managed service puts into its streams beside commands.
const SERVICE_NOISE: &[&[u8]] = &[b"OPINFO"];

/// Writes whose outcome depends on chance, on the clock or on what the connection said before.
/// Sources send what such a command did, not the command itself; should one come all the same,
/// it cannot be repeated. The same holds for commands that wait.
const NOT_REPEATABLE: &[&str] = &[
    "cl.throttle",
    "himport|set",
    "keydb.cron",
    "keydb.mvccrestore",
    "migrate",
    "spop",
    "xautoclaim",
];

/// What one command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nothing that matters to the target: keepalives, reads, scripts for the cache, what
    /// Sentinels say.
    Ignore,
    /// `REPLCONF GETACK`: the source wants to be told now how far we are.
    GetAck,
    /// What follows is for this database.
    Select(u32),
    /// What follows up to [`Class::Exec`] belongs together.
    Multi,
    /// The end of what belongs together.
    Exec,
    /// A message to subscribers (`PUBLISH`, `SPUBLISH`): no data; forwarding it is a matter of
    /// policy.
    Publish,
    /// Empties the database selected.
    FlushDb,
    /// Empties every database.
    FlushAll,
    /// Exchanges two databases.
    SwapDb(u32, u32),
    /// Deletes the keys of whole hash slots, which have moved to another shard of the source
    /// (`TRIMSLOTS` of Redis 8.4, `CLUSTER FLUSHSLOT` of Valkey 9). Must not be applied where the
    /// other shard's keys go too.
    DropSlots,
    /// Loads, deletes or restores function libraries: can be applied as it is.
    Function,
    /// Writes keys.
    Keys(KeyAccess),
    /// Nobody can say what it does, or it cannot be repeated: a command that is in no catalogue,
    /// a module's without keys, a script sent as a script (sources before Redis 7.0), malformed
    /// words. Its keys as far as they are known; there may be others.
    Unknown(KeyAccess),
}

/// Tells what a command does, `words` being its name and arguments. Words that no server would
/// have accepted are [`Class::Unknown`], never a panic.
#[must_use]
pub fn classify(words: &[&[u8]]) -> Class {
    let Some(command) = resolve(words) else { return outsider(words) };
    match command.group {
        Group::Transactions => transaction(command),
        Group::PubSub => publishing(command, words),
        Group::Scripting => scripting(command, words),
        Group::Connection if command.name == "select" => {
            database(words, 1).map_or_else(unknown, Class::Select)
        }
        Group::Server | Group::Cluster | Group::KeyDb | Group::Connection => {
            administrative(command, words)
        }
        _ => data(command, words),
    }
}

/// A command of which nothing is known.
fn unknown() -> Class {
    Class::Unknown(KeyAccess::none())
}

/// A command of no catalogue.
fn outsider(words: &[&[u8]]) -> Class {
    let Some(name) = words.first() else { return Class::Ignore };
    let is_noise = SERVICE_NOISE.iter().any(|noise| name.eq_ignore_ascii_case(noise));
    if is_noise { Class::Ignore } else { unknown() }
}

fn transaction(command: &Command) -> Class {
    match command.name {
        "multi" => Class::Multi,
        "exec" => Class::Exec,
        _ => Class::Ignore,
    }
}

fn publishing(command: &Command, words: &[&[u8]]) -> Class {
    let is_talk = words.get(1).is_some_and(|channel| *channel == SENTINEL_CHANNEL);
    match command.name {
        "publish" | "spublish" if !is_talk => Class::Publish,
        _ => Class::Ignore,
    }
}

fn scripting(command: &'static Command, words: &[&[u8]]) -> Class {
    match command.name {
        "eval" | "evalsha" | "fcall" => Class::Unknown(KeyAccess::of_script(command, words)),
        "function" => unknown(),
        _ if command.is_write() => Class::Function,
        _ => Class::Ignore,
    }
}

fn administrative(command: &'static Command, words: &[&[u8]]) -> Class {
    let asks = |word: &str| words.get(1).is_some_and(|it| it.eq_ignore_ascii_case(word.as_bytes()));
    match command.name {
        "replconf" if asks("GETACK") => Class::GetAck,
        "flushdb" => Class::FlushDb,
        "flushall" => Class::FlushAll,
        "swapdb" => match (database(words, 1), database(words, 2)) {
            (Some(one), Some(other)) => Class::SwapDb(one, other),
            _ => unknown(),
        },
        "trimslots" | "cluster|flushslot" => Class::DropSlots,
        // Wraps another command: see `replay`.
        "rreplay" => unknown(),
        _ if command.is_write() => data(command, words),
        _ => Class::Ignore,
    }
}

/// A command on data.
fn data(command: &'static Command, words: &[&[u8]]) -> Class {
    if !command.subcommands.is_empty() {
        return unknown();
    }
    // PFCOUNT is called a read, and remembers its result in the key.
    if !command.is_write() && command.name != "pfcount" {
        return Class::Ignore;
    }
    let Ok(keys) = keys(command, words) else { return unknown() };
    let Some(reach) = reach(command, words) else { return unknown() };
    let access = KeyAccess::new(command, keys, reach);
    if access.written().next().is_none() {
        // Such as SORT without STORE; a module writes something that has no key.
        return if access.module { Class::Unknown(access) } else { Class::Ignore };
    }
    let repeatable =
        !command.flags.contains(Flag::Blocking) && !NOT_REPEATABLE.contains(&command.name);
    if repeatable { Class::Keys(access) } else { Class::Unknown(access) }
}

/// In which databases the keys written are: `MOVE key db`, `COPY from to [DB db] [REPLACE]`;
/// `None` for malformed words.
fn reach(command: &Command, words: &[&[u8]]) -> Option<Reach> {
    match command.name {
        "move" => database(words, 2).map(Reach::Both),
        "copy" => {
            let is_db = |word: &&[u8]| word.eq_ignore_ascii_case(b"DB");
            match words.get(3..)?.iter().position(is_db) {
                Some(at) => database(words, at + 4).map(Reach::There),
                None => Some(Reach::Here),
            }
        }
        _ => Some(Reach::Here),
    }
}

/// A database's number.
fn database(words: &[&[u8]], at: usize) -> Option<u32> {
    std::str::from_utf8(words.get(at)?).ok()?.parse().ok()
}
