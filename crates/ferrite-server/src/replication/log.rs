//! The one log of writes: what replicas are sent, in the order in which it happened.
//!
//! A unit (a command, a transaction, a script) is appended while the locks of its shards are
//! held, so that the order of the log is one in which the same commands on the same keys give
//! the same values.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ferrite_resp::encode;
use parking_lot::Mutex;

/// Someone who is told every write, in order. Called under locks: it only copies.
pub trait Follower: Send + Sync + std::fmt::Debug {
    /// More bytes of the log, behind those of the last call.
    fn append(&self, bytes: &[u8]);
}

/// The log.
#[derive(Debug, Default)]
pub struct Log {
    listening: AtomicBool,
    offset: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The database the log selected last.
    db: Option<usize>,
    followers: Vec<(u64, std::sync::Arc<dyn Follower>)>,
    next: u64,
    scratch: Vec<u8>,
}

impl Log {
    /// Whether anybody is told.
    pub fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Relaxed)
    }

    /// How many bytes the log has had.
    pub fn offset(&self) -> u64 {
        self.offset.load(Ordering::Relaxed)
    }

    /// Tells `follower` everything from now on; the next unit selects its database again.
    /// Returns the number to end it with, and the offset it begins at.
    pub fn follow(&self, follower: std::sync::Arc<dyn Follower>) -> (u64, u64) {
        let mut inner = self.inner.lock();
        inner.next += 1;
        let number = inner.next;
        inner.followers.push((number, follower));
        inner.db = None;
        self.listening.store(true, Ordering::Relaxed);
        (number, self.offset())
    }

    /// Ends what [`Log::follow`] began.
    pub fn unfollow(&self, number: u64) {
        let mut inner = self.inner.lock();
        inner.followers.retain(|(its, _)| *its != number);
        self.listening.store(!inner.followers.is_empty(), Ordering::Relaxed);
    }

    /// Appends a unit: its commands, wrapped in MULTI and EXEC where they belong together.
    pub fn append(&self, commands: &[(usize, Vec<u8>)], wrap: bool) {
        let Some((first, _)) = commands.first() else { return };
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        inner.scratch.clear();
        let mut select = |bytes: &mut Vec<u8>, db: usize| {
            if inner.db != Some(db) {
                encode::command(bytes, &["SELECT", &db.to_string()]);
                inner.db = Some(db);
            }
        };
        select(&mut inner.scratch, *first);
        if wrap {
            encode::command(&mut inner.scratch, &["MULTI"]);
        }
        for (db, bytes) in commands {
            select(&mut inner.scratch, *db);
            inner.scratch.extend_from_slice(bytes);
        }
        if wrap {
            encode::command(&mut inner.scratch, &["EXEC"]);
        }
        self.offset.fetch_add(inner.scratch.len() as u64, Ordering::Relaxed);
        for (_, follower) in &inner.followers {
            follower.append(&inner.scratch);
        }
    }
}
