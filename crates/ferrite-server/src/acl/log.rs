//! ACL LOG: what was refused lately, equal refusals together.

use std::collections::VecDeque;

/// Refusals of the same kind within this many milliseconds are one entry.
const GROUPING_MS: i64 = 60_000;

/// How many of the latest entries are compared with a new one.
const COMPARED: usize = 10;

/// Why something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The command.
    Command,
    /// A key.
    Key,
    /// A channel.
    Channel,
    /// The password or the user.
    Auth,
}

impl Reason {
    /// The word of ACL LOG.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Key => "key",
            Self::Channel => "channel",
            Self::Auth => "auth",
        }
    }
}

/// Where a command came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// A client.
    TopLevel,
    /// A transaction.
    Multi,
    /// A script or function.
    Lua,
}

impl Context {
    /// The word of ACL LOG.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TopLevel => "toplevel",
            Self::Multi => "multi",
            Self::Lua => "lua",
        }
    }
}

/// One refusal, or several equal ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 0.
    pub id: u64,
    /// How often.
    pub count: u64,
    /// Why.
    pub reason: Reason,
    /// Where the command came from.
    pub context: Context,
    /// The command, key or channel.
    pub object: Vec<u8>,
    /// The user.
    pub user: Vec<u8>,
    /// The client, as CLIENT LIST has it, at the last time.
    pub client: Vec<u8>,
    /// When first, in milliseconds since 1970.
    pub created: i64,
    /// When last.
    pub updated: i64,
}

/// The entries, the latest first.
#[derive(Debug, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
    next: u64,
}

impl Log {
    /// Adds a refusal, whose number and count do not matter, and forgets what is over the limit.
    pub fn add(&mut self, mut entry: Entry, limit: usize) {
        let known = self.entries.iter().take(COMPARED).position(|known| {
            known.reason == entry.reason
                && known.context == entry.context
                && entry.updated - known.updated <= GROUPING_MS
                && known.object == entry.object
                && known.user == entry.user
        });
        match known.and_then(|at| self.entries.remove(at)) {
            Some(mut known) => {
                known.count += 1;
                known.updated = entry.updated;
                known.client = entry.client;
                self.entries.push_front(known);
            }
            None => {
                entry.id = self.next;
                entry.count = 1;
                self.next += 1;
                self.entries.push_front(entry);
            }
        }
        self.trim(limit);
    }

    /// Forgets what is over the limit.
    pub fn trim(&mut self, limit: usize) {
        self.entries.truncate(limit);
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.entries.clear();
    }

    /// The entries, the latest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
}
