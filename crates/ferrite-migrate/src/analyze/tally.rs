//! Everything that is counted of keys, wherever they come from.

use std::collections::BTreeMap;

use serde::Serialize;

use super::biggest::{BigKey, Biggest};
use super::expiries::{Expiries, ExpiryBucket};
use super::patterns::{PatternCount, Patterns};
use super::{KeyFacts, Size};

/// Patterns and biggest keys that can be asked for.
pub const TOP_MAX: usize = 10_000;
/// Databases that are counted one by one.
const DATABASES_MAX: usize = 4096;

/// Keys of one database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatabaseCount {
    /// Its number; the highest one also counts the keys of those beyond the 4,096th.
    pub db: u64,
    /// How many keys.
    pub keys: u64,
    /// Bytes of names and values, unpacked.
    pub bytes: u64,
}

/// Keys of one type and encoding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypeShare {
    /// As `TYPE` prints it.
    #[serde(rename = "type")]
    pub type_name: &'static str,
    /// How many keys.
    pub keys: u64,
    /// Bytes of names and values, unpacked.
    pub bytes: u64,
    /// Items, members, fields or entries; 1 for each string.
    pub elements: u64,
    /// How many keys of each encoding, as `OBJECT ENCODING` names them.
    pub encodings: BTreeMap<&'static str, u64>,
}

/// What was counted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Analysis {
    /// All keys.
    pub keys: u64,
    /// Bytes of names and values, unpacked; what a server needs besides is not in it.
    pub bytes: u64,
    /// By database.
    pub databases: Vec<DatabaseCount>,
    /// By type, most bytes first.
    pub types: Vec<TypeShare>,
    /// The most frequent patterns of names.
    pub patterns: Vec<PatternCount>,
    /// The biggest keys.
    pub biggest: Vec<BigKey>,
    /// By the time they have left, soonest first, keys that do not expire last.
    pub expiries: Vec<ExpiryBucket>,
}

/// Counts keys.
#[derive(Debug)]
pub struct Tally {
    top: usize,
    keys: u64,
    bytes: u64,
    databases: BTreeMap<u64, (u64, u64)>,
    types: Vec<TypeShare>,
    patterns: Patterns,
    biggest: Biggest,
    expiries: Expiries,
}

impl Tally {
    /// No keys yet. `top` patterns and keys are kept, [`TOP_MAX`] at most; times that are left
    /// count from `now_ms`, Unix time in milliseconds.
    #[must_use]
    pub fn new(top: usize, now_ms: u64) -> Self {
        let top = top.min(TOP_MAX);
        Self {
            top,
            keys: 0,
            bytes: 0,
            databases: BTreeMap::new(),
            types: Vec::new(),
            patterns: Patterns::default(),
            biggest: Biggest::new(top),
            expiries: Expiries::new(now_ms),
        }
    }

    /// Counts a key.
    pub fn add(&mut self, facts: &KeyFacts<'_>) {
        let bytes = facts.bytes();
        self.keys += 1;
        self.bytes += bytes;
        self.database(facts.db, bytes);
        let share = self.share(facts.kind.name());
        share.keys += 1;
        share.bytes += bytes;
        let Size { elements, .. } = facts.size;
        share.elements += elements;
        *share.encodings.entry(facts.encoding).or_default() += 1;
        self.patterns.add(facts.key, bytes);
        self.biggest.add(facts);
        self.expiries.add(facts.expires_at_ms);
    }

    fn database(&mut self, db: u64, bytes: u64) {
        let is_full = self.databases.len() >= DATABASES_MAX && !self.databases.contains_key(&db);
        let last = self.databases.last_key_value().map_or(db, |(last, _)| *last);
        let count = self.databases.entry(if is_full { last } else { db }).or_default();
        count.0 += 1;
        count.1 += bytes;
    }

    /// The counts of a type, of which there are seven.
    fn share(&mut self, type_name: &'static str) -> &mut TypeShare {
        let at = self.types.iter().position(|share| share.type_name == type_name);
        let at = at.unwrap_or_else(|| {
            let (keys, bytes, elements, encodings) = (0, 0, 0, BTreeMap::new());
            self.types.push(TypeShare { type_name, keys, bytes, elements, encodings });
            self.types.len() - 1
        });
        &mut self.types[at]
    }

    /// How many keys were counted.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// What was counted.
    #[must_use]
    pub fn finish(self) -> Analysis {
        let count = |(db, (keys, bytes))| DatabaseCount { db, keys, bytes };
        let mut types = self.types;
        types.sort_by_key(|share| std::cmp::Reverse(share.bytes));
        Analysis {
            keys: self.keys,
            bytes: self.bytes,
            databases: self.databases.into_iter().map(count).collect(),
            types,
            patterns: self.patterns.finish(self.top),
            biggest: self.biggest.finish(),
            expiries: self.expiries.buckets(),
        }
    }
}
