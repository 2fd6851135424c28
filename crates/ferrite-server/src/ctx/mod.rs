//! What a command works with: its caller, its reply, and the keys whose shards are held.
//!
//! A thread has one [`Ctx`] for its life. Before a command runs, the caller's session and reply
//! are put in and the shards of its keys are locked; afterwards they are taken out again.
//!
//! * `keys`: values under keys, with lazy expiry.
//! * `answer`: a collection and the reply at once.
//! * `changes`: what must happen when a value has changed.
//! * `fields`: fields of hashes that expire.
//! * `housekeeping`: what is done by the clock.
//! * `effects`: what replicas are told.
//! * `hashes`: the hashes of the keys that the call names.

mod answer;
mod changes;
pub mod effects;
mod fields;
pub mod hashes;
mod housekeeping;
mod keys;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

pub use housekeeping::Expiring;
pub use keys::{Kind, Text, deletion};

use crate::clients::{Address, Client};
use crate::dispatch::block::Park;
use crate::error::CommandError;
use crate::latency::Histogram;
use crate::replication::Wait;
use crate::reply::Reply;
use crate::session::Session;
use crate::shared::{Shared, unix_ms};
use crate::store::Held;
use effects::Effects;
use hashes::Hashes;

/// Why a command did not answer.
#[derive(Debug)]
pub enum Stop {
    /// It answers an error.
    Error(CommandError),
    /// It waits for keys; see [`crate::dispatch::block`].
    Park(Box<Park>),
    /// It waits for replicas.
    Replicas(Wait),
}

impl From<CommandError> for Stop {
    fn from(error: CommandError) -> Self {
        Self::Error(error)
    }
}

/// What a command returns: nothing when it has written its reply.
pub type Outcome = Result<(), Stop>;

/// Inside of what a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// By itself.
    Nothing,
    /// A transaction that is executed.
    Transaction,
    /// A script.
    Script,
    /// Run again for a client that waits.
    Retry,
}

/// Counts of one thread, which only that thread changes and everybody may read. They lie apart
/// from those of other threads in the processor's cache.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Counts {
    /// Commands executed.
    pub commands: AtomicU64,
    /// Keys found by reading commands.
    pub hits: AtomicU64,
    /// Keys not found by reading commands.
    pub misses: AtomicU64,
    /// Keys that expired.
    pub expired: AtomicU64,
    /// Keys that were evicted.
    pub evicted: AtomicU64,
    /// Clients that were disconnected because they took too much memory.
    pub evicted_clients: AtomicU64,
    /// Connections accepted.
    pub connections: AtomicU64,
    /// Connections refused.
    pub rejected: AtomicU64,
    /// Bytes read from clients.
    pub input: AtomicU64,
    /// Bytes written to clients.
    pub output: AtomicU64,
    /// Error replies.
    pub errors: AtomicU64,
    /// Reads of what clients sent.
    pub reads: AtomicU64,
    /// Writes of what they are sent.
    pub writes: AtomicU64,
    /// Rounds of waiting for events and acting on them.
    pub cycles: AtomicU64,
    /// Microseconds of these rounds, without the waiting.
    pub busy: AtomicU64,
    /// The longest round, in microseconds.
    pub longest_cycle: AtomicU64,
    /// Microseconds for what is done by the clock.
    pub clockwork: AtomicU64,
    /// The most commands of one round.
    pub commands_per_cycle: AtomicU64,
    /// Changes of keys.
    pub dirty: AtomicU64,
    /// Each command's own, by its number.
    pub calls: Calls,
}

/// Counts of one command on one thread.
#[derive(Debug, Default)]
pub struct CallCounts {
    /// How often it ran.
    pub calls: AtomicU64,
    /// Nanoseconds it took, all together.
    pub nanoseconds: AtomicU64,
    /// How often it was refused before it ran.
    pub rejected: AtomicU64,
    /// How often it answered an error.
    pub failed: AtomicU64,
    /// How long each call took (`latency-tracking`).
    pub durations: Histogram,
}

/// A place for each command.
#[derive(Debug)]
pub struct Calls(pub Box<[CallCounts]>);

impl Default for Calls {
    fn default() -> Self {
        Self((0..crate::commands::count()).map(|_| CallCounts::default()).collect())
    }
}

impl Counts {
    /// Sets what CONFIG RESETSTAT resets to zero.
    pub fn reset(&self) {
        let all = [
            &self.commands,
            &self.hits,
            &self.misses,
            &self.expired,
            &self.evicted,
            &self.evicted_clients,
            &self.connections,
            &self.rejected,
            &self.input,
            &self.output,
            &self.errors,
            &self.reads,
            &self.writes,
            &self.cycles,
            &self.busy,
            &self.longest_cycle,
            &self.clockwork,
            &self.commands_per_cycle,
        ];
        all.iter().for_each(|count| count.store(0, Ordering::Relaxed));
        for calls in &self.calls.0 {
            for count in [&calls.calls, &calls.nanoseconds, &calls.rejected, &calls.failed] {
                count.store(0, Ordering::Relaxed);
            }
            calls.durations.reset();
        }
    }
}

/// Adds to a count that only this thread changes.
pub fn count(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

/// What a command works with.
#[derive(Debug)]
pub struct Ctx<'s> {
    /// What all threads share.
    pub shared: &'s Shared,
    /// The counts of this thread.
    pub counts: &'s Counts,
    /// The shards that are held.
    pub held: Held<'s>,
    /// Who calls.
    pub session: Box<Session>,
    /// What is answered.
    pub reply: Reply,
    /// The time of this command, Unix milliseconds: the same for all it does.
    pub now: i64,
    /// What it did.
    pub effects: Effects,
    /// Inside of what it runs.
    pub within: Within,
    /// The hashes of the keys that the call names.
    pub hashes: Hashes,
    /// When the last command ended, or this thread began to work on the next: what runs now is
    /// timed from here.
    pub clock: Instant,
    /// An output that no connection uses.
    pub spare: Vec<u8>,
}

impl<'s> Ctx<'s> {
    /// What a thread works with that serves no connections of its own.
    pub fn apart(shared: &'s Shared, counts: &'s Counts) -> Self {
        let nobody = Address { thread: usize::MAX, seat: usize::MAX };
        let client = Client::new(0, nobody, String::new(), String::new(), unix_ms());
        Self {
            shared,
            counts,
            held: Held::nothing(&shared.store),
            session: Box::new(Session::new(client.into())),
            reply: Reply::default(),
            now: unix_ms(),
            effects: Effects::default(),
            within: Within::Nothing,
            hashes: Hashes::default(),
            clock: Instant::now(),
            spare: Vec::new(),
        }
    }

    /// The hash of a key.
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.hashes.of(key)
    }

    /// The database the caller has selected.
    pub fn db(&self) -> usize {
        self.session.db
    }

    /// Whether a command that finds nothing may wait for it.
    pub fn may_park(&self) -> bool {
        matches!(self.within, Within::Nothing | Within::Retry)
    }
}
