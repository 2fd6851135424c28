//! The logical contents of a server, and how two servers differ.
//!
//! Encodings, order within sets and hashes, and anything else a client cannot see are not part of
//! it: two servers with equal listings answer reads alike.

mod blob;
mod diff;

use std::collections::{BTreeMap, BTreeSet};

pub use blob::Blob;

/// Everything a server holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// Keys by database; databases without keys are absent.
    pub databases: BTreeMap<u32, BTreeMap<Vec<u8>, Entry>>,
    /// Libraries of functions by name: engine and code. `None` where the server has no functions.
    pub functions: Option<BTreeMap<String, Blob>>,
}

/// One key.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its value.
    pub value: Value,
    /// When it expires, if it does.
    pub expiry: Option<Expiry>,
}

/// A moment read from a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// How far off that may be: zero where the server tells moments, more where it only tells the
    /// time left (before Redis 7.0).
    pub tolerance_ms: i64,
}

impl Expiry {
    /// Whether both may be the same moment.
    pub fn agrees(self, other: Expiry) -> bool {
        (self.at_ms - other.at_ms).abs() <= self.tolerance_ms + other.tolerance_ms
    }
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// GET.
    String(Blob),
    /// LRANGE.
    List(Vec<Blob>),
    /// SMEMBERS.
    Set(BTreeSet<Blob>),
    /// HGETALL, and the moment each field expires in milliseconds since 1970.
    Hash(BTreeMap<Blob, (Blob, Option<i64>)>),
    /// ZRANGE WITHSCORES. Zeros of both signs count as equal, as servers themselves do not keep
    /// the sign everywhere.
    SortedSet(BTreeMap<Blob, f64>),
    /// XINFO STREAM FULL, taken apart: what is told, and how it is answered.
    Stream(BTreeMap<String, Blob>),
    /// A type this kit does not know, by the bytes of DUMP.
    Other(String, Blob),
}

impl Value {
    /// The type's name, as TYPE tells it.
    pub fn kind(&self) -> &str {
        match self {
            Value::String(_) => "string",
            Value::List(_) => "list",
            Value::Set(_) => "set",
            Value::Hash(_) => "hash",
            Value::SortedSet(_) => "zset",
            Value::Stream(_) => "stream",
            Value::Other(kind, _) => kind,
        }
    }
}

impl Listing {
    /// Number of keys over all databases.
    pub fn len(&self) -> usize {
        self.databases.values().map(BTreeMap::len).sum()
    }

    /// Whether the server holds no keys.
    pub fn is_empty(&self) -> bool {
        self.databases.is_empty()
    }

    /// The entry of a key.
    pub fn get(&self, database: u32, key: &[u8]) -> Option<&Entry> {
        self.databases.get(&database)?.get(key)
    }

    /// How the two differ, one readable line for each difference, at most about a hundred; empty
    /// when they are equal.
    ///
    /// Left out are the moments consumers of streams were last seen, which no command can set (see
    /// [`diff_strict`](Listing::diff_strict)), and what only one of the two servers can tell at all
    /// (counters of streams before Redis 7.0, functions).
    pub fn diff(&self, other: &Listing) -> Vec<String> {
        diff::differences(self, other, false)
    }

    /// As [`diff`](Listing::diff), with all keys that differ: for those who sort some out.
    pub fn diff_all(&self, other: &Listing) -> Vec<String> {
        diff::all(self, other, false)
    }

    /// As [`diff`](Listing::diff), and compares when consumers were last seen and active too.
    pub fn diff_strict(&self, other: &Listing) -> Vec<String> {
        diff::differences(self, other, true)
    }
}
