//! Keys, values and moments for the commands of one writer.
//!
//! Keys are named `type:number`, and most commands use keys of their own type only. The ids of
//! entries, payloads of DUMP and moments of expiry that later commands refer to are remembered here.

use std::collections::{BTreeSet, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use super::words::{Command, command};
use crate::dataset::random::Random;

/// First parts of key names: what commands expect under them.
pub(super) const TYPES: [&str; 12] = [
    "string", "number", "float", "bits", "list", "set", "zset", "hash", "stream", "hll", "session",
    "restored",
];
/// Different members of sets and sorted sets, elements of lists.
const MEMBERS: u64 = 200;
/// Different fields of hashes.
const FIELDS: u64 = 50;
/// Most arguments that are repeated in one command.
const MAX_REPEATED: u64 = 8;
/// Shortest and longest life of keys that are meant to expire soon, in milliseconds.
const SHORT_MS: (u64, u64) = (50, 3000);
/// Shortest and longest life of the others: an hour, a hundred days.
const LONG_MS: (u64, u64) = (3_600_000, 8_640_000_000);
/// Time before a key's end within which it is renewed, in milliseconds.
const RENEW_WITHIN_MS: u64 = 25;
/// Entries and payloads remembered.
const REMEMBERED: usize = 128;
/// So many times more short-lived keys than others: they must come to their end between writes.
const SHORT_LIVED: u64 = 20;
/// One in so many short-lived keys is renewed, and the most that are waited for.
const RENEW_ONE_IN: u64 = 8;
const MAX_ENDS: usize = 1024;
/// Largest payload that is remembered.
const MAX_PAYLOAD: usize = 64 * 1024;

/// What one writer's commands are made from.
#[derive(Debug)]
pub(super) struct Maker {
    /// The source of everything that varies.
    pub random: Random,
    keys: u64,
    databases: Vec<u32>,
    /// The place of the current database among them.
    database: usize,
    entries: VecDeque<(String, Vec<u8>)>,
    payloads: VecDeque<Vec<u8>>,
    ends: BTreeSet<End>,
}

/// When a key that lives shortly will expire.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    at_ms: u64,
    database: usize,
    key: String,
}

impl Maker {
    pub(super) fn new(seed: u64, keys: u64, databases: &[u32]) -> Maker {
        Maker {
            random: Random::new(seed),
            keys,
            databases: databases.to_vec(),
            database: 0,
            entries: VecDeque::new(),
            payloads: VecDeque::new(),
            ends: BTreeSet::new(),
        }
    }

    /// Chooses the database of the commands to come: the first in half of all cases.
    pub(super) fn choose_database(&mut self) -> u32 {
        let first = self.random.below(2) == 0;
        self.database = if first { 0 } else { self.below(self.databases.len()) };
        self.database()
    }

    /// The current database.
    pub(super) fn database(&self) -> u32 {
        self.databases.get(self.database).copied().unwrap_or_default()
    }

    /// Whether the current database is the one that holds the counters.
    pub(super) fn in_first_database(&self) -> bool {
        self.database == 0
    }

    /// Databases that are not the first, two different ones if there are as many.
    pub(super) fn two_others(&mut self) -> (u32, u32) {
        let others = self.databases.get(1..).unwrap_or_default();
        let count = others.len().max(1);
        let one = self.random.below(count as u64) as usize;
        let at = |place: usize| others.get(place % count).copied().unwrap_or_default();
        (at(one), at(one + 1))
    }

    /// A database that is not the current one.
    pub(super) fn other_database(&mut self) -> u32 {
        let steps = 1 + self.below(self.databases.len().saturating_sub(1).max(1));
        let place = (self.database + steps) % self.databases.len().max(1);
        self.databases.get(place).copied().unwrap_or_default()
    }

    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.random.below(limit as u64) as usize
    }

    /// True once in `times`.
    pub(super) fn once_in(&mut self, times: u64) -> bool {
        self.random.below(times) == 0
    }

    /// One of several.
    pub(super) fn one_of(&mut self, choices: &[&'static str]) -> &'static str {
        let place = self.below(choices.len());
        choices.get(place).copied().unwrap_or_default()
    }

    /// A key that is meant to hold the type.
    pub(super) fn key(&mut self, kind: &str) -> String {
        format!("{kind}:{}", self.random.below(self.keys))
    }

    /// A key of any type.
    pub(super) fn any_key(&mut self) -> String {
        let kind = self.one_of(&TYPES);
        self.key(kind)
    }

    /// Two keys, most often of the same type.
    pub(super) fn any_two_keys(&mut self) -> (String, String) {
        let kind = self.one_of(&TYPES);
        let other = if self.once_in(16) { self.one_of(&TYPES) } else { kind };
        (self.key(kind), self.key(other))
    }

    /// How often to repeat an argument.
    pub(super) fn count(&mut self) -> u64 {
        1 + self.random.below(MAX_REPEATED)
    }

    /// A number of either sign.
    pub(super) fn number(&mut self) -> i64 {
        let wide = self.once_in(8);
        let limit = if wide { 1_000_000_000_000 } else { 1000 };
        self.random.below(limit) as i64 - (limit / 2) as i64
    }

    /// A number with a fraction.
    pub(super) fn fraction(&mut self) -> f64 {
        self.number() as f64 / 64.0
    }

    /// A value of any kind and size: numbers, text, bytes, nothing at all; few are long.
    pub(super) fn value(&mut self) -> Vec<u8> {
        match self.random.below(1000) {
            0..200 => self.number().to_string().into_bytes(),
            200..800 => self.text(100),
            800..970 => self.bytes(60),
            970..990 => self.text(2000),
            990..998 => Vec::new(),
            _ => self.bytes(30_000),
        }
    }

    fn text(&mut self, limit: usize) -> Vec<u8> {
        let length = 1 + self.below(limit);
        self.random.text(length)
    }

    fn bytes(&mut self, limit: usize) -> Vec<u8> {
        let length = 1 + self.below(limit);
        self.random.bytes(length)
    }

    /// A member that other commands use as well.
    pub(super) fn member(&mut self) -> Vec<u8> {
        let number = self.random.below(MEMBERS);
        if number.is_multiple_of(4) {
            return number.to_string().into_bytes();
        }
        format!("member:{number}").into_bytes()
    }

    /// A field that other commands use as well.
    pub(super) fn field(&mut self) -> String {
        format!("field:{}", self.random.below(FIELDS))
    }

    /// Now, in milliseconds since 1970.
    pub(super) fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// A life that ends soon, in milliseconds.
    pub(super) fn short_ms(&mut self) -> u64 {
        SHORT_MS.0 + self.random.below(SHORT_MS.1 - SHORT_MS.0)
    }

    /// A life of any length, in milliseconds: one in four is short.
    pub(super) fn any_ms(&mut self) -> u64 {
        if self.once_in(4) {
            return self.short_ms();
        }
        LONG_MS.0 + self.random.below(LONG_MS.1 - LONG_MS.0)
    }

    /// A key that is meant to live shortly.
    pub(super) fn session(&mut self) -> String {
        format!("session:{}", self.random.below(self.keys.saturating_mul(SHORT_LIVED)))
    }

    /// A key about to get a short life of the given milliseconds; some are renewed before its end.
    pub(super) fn short_lived(&mut self) -> (String, u64) {
        let (key, life) = (self.session(), self.short_ms());
        if self.once_in(RENEW_ONE_IN) && self.ends.len() < MAX_ENDS {
            let at_ms = self.now_ms() + life;
            self.ends.insert(End { at_ms, database: self.database, key: key.clone() });
        }
        (key, life)
    }

    /// A command that gives a key more time, if one of this database is about to expire.
    pub(super) fn renewal(&mut self) -> Option<Command> {
        let now = self.now_ms();
        if self.ends.first()?.at_ms > now + RENEW_WITHIN_MS {
            return None;
        }
        let end = self.ends.pop_first()?;
        if end.at_ms <= now || end.database != self.database {
            return None;
        }
        let life = self.short_ms();
        Some(match self.random.below(4) {
            0 => command!["PEXPIRE", end.key, life],
            1 => command!["PEXPIREAT", end.key, end.at_ms + life],
            2 => command!["SET", end.key, self.value(), "PX", life],
            _ => command!["PERSIST", end.key],
        })
    }

    /// A stream and the id of an entry that was added to it.
    pub(super) fn entry(&mut self) -> (String, Vec<u8>) {
        let place = self.below(self.entries.len().max(1));
        self.entries.get(place).cloned().unwrap_or_else(|| (self.key("stream"), b"1-1".to_vec()))
    }

    /// Remembers an entry for [`entry`](Maker::entry).
    pub(super) fn remember_entry(&mut self, stream: String, id: &[u8]) {
        remember(&mut self.entries, (stream, id.to_vec()));
    }

    /// What a server's DUMP gave.
    pub(super) fn payload(&mut self) -> Option<Vec<u8>> {
        let place = self.below(self.payloads.len().max(1));
        self.payloads.get(place).cloned()
    }

    /// Remembers a payload for [`payload`](Maker::payload).
    pub(super) fn remember_payload(&mut self, payload: &[u8]) {
        if payload.len() <= MAX_PAYLOAD {
            remember(&mut self.payloads, payload.to_vec());
        }
    }

    /// Forgets what another server has told: payloads are of its version.
    pub(super) fn forget(&mut self) {
        self.payloads.clear();
        self.entries.clear();
    }
}

fn remember<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == REMEMBERED {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn short_lived_keys_are_renewed_shortly_before_their_end() {
        let mut maker = Maker::new(1, 10, &[0]);
        while maker.ends.is_empty() {
            maker.short_lived();
        }
        let end_ms = maker.ends.first().map(|end| end.at_ms).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while maker.renewal().is_none() {
            assert!(!maker.ends.is_empty() && Instant::now() < deadline);
        }
        let now_ms = maker.now_ms();
        assert!(now_ms <= end_ms && now_ms + RENEW_WITHIN_MS >= end_ms, "{now_ms} {end_ms}");
    }
}
