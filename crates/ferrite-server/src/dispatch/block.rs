//! Clients that wait for keys: BLPOP and its kin.
//!
//! A command that finds nothing says so by [`Park`]. It is then kept, words and all, with the
//! shards of the keys it waits for, and its connection takes no further commands. Whoever
//! changes one of the keys runs the kept command again, under the locks of all its keys, before
//! its own locks are released: first come, first served. The reply goes to the connection's
//! thread by mail. Giving up (a timeout, a client that goes away) happens under the same locks,
//! so that a command is either served or given up, never both.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clients::Client;
use crate::commands::Entry;
use crate::reply::Reply;
use crate::session::Session;
use crate::store::ShardSet;

/// What a command that cannot be answered yet waits for.
#[derive(Debug)]
pub struct Park {
    /// The keys whose change runs the command again.
    pub keys: Vec<Vec<u8>>,
    /// When it gives up, in Unix milliseconds; never, where there is none.
    pub deadline: Option<i64>,
    /// What it answers then.
    pub timeout: fn(&mut Reply),
    /// Whether an error of a later run is answered (XREADGROUP whose group is gone); otherwise
    /// the command goes on waiting (BLPOP whose key became a string).
    pub answers_errors: bool,
}

/// A command that waits.
pub struct Waiter {
    /// Whose command it is.
    pub client: Arc<Client>,
    /// What is to be run.
    pub entry: &'static Entry,
    /// Its words.
    pub words: Vec<Vec<u8>>,
    /// What it waits for.
    pub park: Park,
    /// All shards of its keys, destinations too.
    pub shards: ShardSet,
    /// The database it was called in.
    pub db: usize,
    /// Who calls, as far as a command needs it.
    pub session: Session,
    done: AtomicBool,
}

impl std::fmt::Debug for Waiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiter").field("client", &self.client.id).finish_non_exhaustive()
    }
}

impl Waiter {
    /// A command of `session` that was run and must wait.
    pub fn new(
        session: &Session,
        entry: &'static Entry,
        words: &[&[u8]],
        park: Park,
        shards: ShardSet,
    ) -> Self {
        Self {
            client: Arc::clone(&session.client),
            entry,
            words: words.iter().map(|word| word.to_vec()).collect(),
            park,
            shards,
            db: session.db,
            session: session.detached(),
            done: AtomicBool::new(false),
        }
    }

    /// Whether it was served or given up. Certain only under the locks of its shards.
    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }

    /// It was served or given up; only under the locks of its shards.
    pub fn finish(&self) {
        self.done.store(true, Ordering::Relaxed);
    }
}

/// The waiting commands of one shard's keys, the longest waiting first.
#[derive(Debug, Default)]
pub struct Waiting {
    keys: HashMap<(usize, Vec<u8>), VecDeque<Arc<Waiter>>>,
}

impl Waiting {
    /// Whether nobody waits: then a change costs nothing here.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys somebody waits for.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Those of them that somebody waits for who is told when they are gone (XREADGROUP).
    pub fn keys_of_groups(&self) -> usize {
        let of_groups = |waiter: &Arc<Waiter>| waiter.entry.spec.name == "xreadgroup";
        self.keys.values().filter(|queue| queue.iter().any(of_groups)).count()
    }

    /// Whether somebody waits for this key.
    pub fn has(&self, db: usize, key: &[u8]) -> bool {
        !self.is_empty() && self.keys.contains_key(&(db, key.to_vec()))
    }

    /// The keys somebody waits for in a database.
    pub fn keys(&self, db: usize) -> impl Iterator<Item = &[u8]> {
        self.keys.keys().filter(move |(its, _)| *its == db).map(|(_, key)| key.as_slice())
    }

    /// Puts a command at the end of a key's queue.
    pub fn add(&mut self, db: usize, key: &[u8], waiter: &Arc<Waiter>) {
        let queue = self.keys.entry((db, key.to_vec())).or_default();
        if !queue.iter().any(|other| Arc::ptr_eq(other, waiter)) {
            queue.push_back(Arc::clone(waiter));
        }
    }

    /// Takes a command out of a key's queue.
    pub fn remove(&mut self, db: usize, key: &[u8], waiter: &Arc<Waiter>) {
        let place = (db, key.to_vec());
        if let Some(queue) = self.keys.get_mut(&place) {
            queue.retain(|other| !Arc::ptr_eq(other, waiter));
            if queue.is_empty() {
                self.keys.remove(&place);
            }
        }
    }

    /// The command at a place of a key's queue.
    pub fn at(&self, db: usize, key: &[u8], index: usize) -> Option<Arc<Waiter>> {
        self.keys.get(&(db, key.to_vec()))?.get(index).cloned()
    }
}
