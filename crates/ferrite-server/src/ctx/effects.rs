//! What a command did, beyond its reply: how many changes, what replicas are told, who may go on.

use std::time::Duration;

use ferrite_resp::encode;

use crate::tracking::Readers;

/// What replicas are told of a command that changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Propagation {
    /// Its own words.
    #[default]
    Verbatim,
    /// What it said itself by [`Effects::propagate`], and not its words.
    Replaced,
}

/// Collected from the first command of a unit (one command, a transaction, a script) to its end.
#[derive(Debug, Default)]
pub struct Effects {
    /// Changes so far, as `rdb_changes_since_last_save` counts them.
    pub dirty: u64,
    /// How the command that is running is told on.
    pub propagation: Propagation,
    /// Whether anybody wants to know.
    pub listening: bool,
    /// Commands for replicas: their database, and their bytes.
    pub commands: Vec<(usize, Vec<u8>)>,
    /// Whether replicas may see a part of it without the rest: keys that have expired.
    pub apart: bool,
    /// Keys that changed and that somebody waits for.
    pub ready: Vec<(usize, Vec<u8>)>,
    /// Messages for the caller that stand in its reply and are sent although its replies are not.
    pub pushed: Vec<u8>,
    /// Messages for the caller that come behind its reply.
    pub own: Vec<u8>,
    /// Keys that clients are told of by prefix, and whose command changed them.
    pub broadcast: Vec<(Vec<u8>, u64)>,
    /// While keys are evicted: those that clients have read, who are told in the end. Messages
    /// need memory, for which more keys would have to go.
    pub evicted: Option<Vec<Readers>>,
    /// The words that a command which waits is run again with, where they are not its own: XREAD
    /// says `$` and means the id that was the last when it was called.
    pub retry_words: Option<Vec<Vec<u8>>>,
    /// What TIME answered: the same for a whole script or transaction.
    pub time: Option<Duration>,
}

impl Effects {
    /// Tells replicas a command besides those before.
    pub fn propagate<A: AsRef<[u8]>>(&mut self, db: usize, words: &[A]) {
        if self.listening {
            let mut bytes = Vec::new();
            encode::command(&mut bytes, words);
            self.commands.push((db, bytes));
        }
    }

    /// Forgets everything, for the next unit.
    pub fn clear(&mut self) {
        self.dirty = 0;
        self.apart = false;
        self.propagation = Propagation::Verbatim;
        self.commands.clear();
        self.ready.clear();
        self.broadcast.clear();
        self.retry_words = None;
        self.time = None;
    }
}
