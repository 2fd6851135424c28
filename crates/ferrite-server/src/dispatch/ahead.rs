//! Requests that were received together, looked at before the first of them is executed: which
//! command each is, the hash of its key, and its key's place in memory on its way to the processor.
//!
//! ```text
//! input   GET a │ SET b x │ GET c │ … one that has not come whole
//! words   GET a   SET b x   GET c         slices of the input
//! calls   0..2    2..5      5..7
//! ```
//!
//! A lookup reads two places of memory, one behind the other: a bucket of the index, and the item
//! that the bucket leads to. Fetched for all calls together they cost little more than for one.

use std::time::Instant;

use ferrite_store::table;
use smallvec::SmallVec;

use crate::commands::{Entry, Names};
use crate::ctx::Ctx;
use crate::store::{Touch, shard_of};

/// Requests that are looked at together.
pub const MOST: usize = 32;

/// Words that cost no allocation.
const WORDS: usize = 3 * MOST;

/// A request whose words are among those of its [`Ahead`].
#[derive(Debug, Clone, Copy)]
struct Call {
    from: usize,
    to: usize,
    entry: Option<&'static Entry>,
    /// The hash of its key, where it names exactly one.
    hash: Option<u64>,
    /// Bytes of the input it took.
    used: usize,
}

/// Requests that were received together.
#[derive(Debug, Default)]
pub struct Ahead<'i> {
    words: SmallVec<[&'i [u8]; WORDS]>,
    calls: SmallVec<[Call; MOST]>,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a, 'i> {
    /// Its words.
    pub words: &'a [&'i [u8]],
    /// The command that its first word names, without its subcommand.
    pub entry: Option<&'static Entry>,
    /// The hash of its key, where it names exactly one.
    pub hash: Option<u64>,
    /// Bytes of the input it took.
    pub used: usize,
}

impl<'a, 'i> Request<'a, 'i> {
    /// A request by itself.
    pub fn alone(names: &Names, words: &'a [&'i [u8]], used: usize) -> Self {
        let entry = words.first().and_then(|name| names.lookup(name));
        Self { words, entry, hash: None, used }
    }
}

impl<'i> Ahead<'i> {
    /// Adds a request.
    pub fn add(&mut self, names: &Names, words: impl Iterator<Item = &'i [u8]>, used: usize) {
        let from = self.words.len();
        self.words.extend(words);
        let own = self.words.get(from..).unwrap_or_default();
        let entry = own.first().and_then(|name| names.lookup(name));
        let key = own.get(1).filter(|_| entry.is_some_and(|entry| entry.single_key));
        let hash = key.map(|key| table::hash(key));
        self.calls.push(Call { from, to: self.words.len(), entry, hash, used });
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// All of them in order.
    pub fn requests(&self) -> impl Iterator<Item = Request<'_, 'i>> {
        self.calls.iter().map(|call| Request {
            words: self.words.get(call.from..call.to).unwrap_or_default(),
            entry: call.entry,
            hash: call.hash,
            used: call.used,
        })
    }
}

impl Ctx<'_> {
    /// Has the places in memory of the keys of several requests fetched.
    pub fn fetch(&mut self, ahead: &Ahead<'_>) {
        let db = self.session.db;
        for touch in [Touch::Bucket, Touch::Item] {
            for hash in ahead.calls.iter().filter_map(|call| call.hash) {
                self.shared.store.touch(hash, db, touch);
            }
        }
        self.clock = Instant::now();
    }

    /// The same for the keys of one call, whose shards are held.
    pub(super) fn fetch_keys(&mut self) {
        let db = self.session.db;
        for touch in [Touch::Bucket, Touch::Item] {
            for hash in self.hashes.all() {
                self.held.shard(shard_of(hash)).touch(hash, db, touch);
            }
        }
    }
}
