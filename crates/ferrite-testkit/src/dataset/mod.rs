//! Data sets made by real commands, the same for the same seed, and logical pictures of servers.
//!
//! * [`Dataset::everything`] holds each type in each encoding, size class and kind of expiry.
//! * [`Dataset::mixed`] is the set that demos and benchmarks use: many ordinary keys.
//! * [`big`] makes single keys of any size.
//! * [`snapshot`] reads a whole server through its own commands into a [`Listing`], which tells its
//!   differences from another one.

pub mod big;
mod everything;
mod listing;
mod mixed;
pub(crate) mod random;
mod reader;
mod stream_facts;

use crate::client::{Client, ClientError, Reply};

pub use crate::client::PipelineError;
pub use listing::{Blob, Entry, Expiry, Listing, Value};
pub use random::Random;
pub use reader::{SnapshotError, snapshot};

/// The seed of data sets that were given no other.
pub const DEFAULT_SEED: u64 = 20_240_607;

/// 1 January 2100 in milliseconds since 1970: expiries are from here on, so that they never come.
pub const FAR_FUTURE_MS: u64 = 4_102_444_800_000;

/// A data set that can be loaded into servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    kind: Kind,
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Everything,
    Mixed { keys: u64 },
}

/// What a load has written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Keys, over all databases.
    pub keys: u64,
}

/// Why a data set could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The connection failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A pipelined command failed.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The server answered with something else than the data set needs.
    #[error("{command} answered {reply}")]
    Refused {
        /// The command, long arguments cut.
        command: String,
        /// The server's answer.
        reply: String,
    },
}

impl Dataset {
    /// Every type, encoding, size class and expiry the server knows, in databases 0, 1 and 9:
    /// about 200 keys. Functions and expiry of hash fields come along where the server has them.
    ///
    /// The server must allow CONFIG SET and have at least ten databases.
    pub fn everything() -> Dataset {
        Dataset { kind: Kind::Everything, seed: DEFAULT_SEED }
    }

    /// `keys` ordinary keys in database 0: 60 % strings of 100 bytes, 15 % hashes of 10 fields,
    /// 10 % lists, 8 % sets and 5 % sorted sets of 20 members, 2 % streams with a group; 20 % of all
    /// have an expiry, after the year 2100. A million of them makes an RDB file of about 220 MB.
    pub fn mixed(keys: u64) -> Dataset {
        Dataset { kind: Kind::Mixed { keys }, seed: DEFAULT_SEED }
    }

    /// The same set with other contents.
    #[must_use]
    pub fn seed(self, seed: u64) -> Dataset {
        Dataset { seed, ..self }
    }

    /// Writes the set into a server, on top of what is there. The client is left in database 0.
    ///
    /// # Errors
    /// [`LoadError`] about the first command that failed.
    pub fn load(&self, client: &mut Client) -> Result<Loaded, LoadError> {
        self.load_telling(client, |_| {})
    }

    /// As [`load`](Dataset::load), and calls back with the number of keys sent so far, ten times
    /// for a mixed set.
    ///
    /// # Errors
    /// [`LoadError`] about the first command that failed.
    pub fn load_telling(
        &self,
        client: &mut Client,
        tell: impl FnMut(u64),
    ) -> Result<Loaded, LoadError> {
        expect_ok(client, &["SELECT", "0"])?;
        match self.kind {
            Kind::Everything => everything::load(client, self.seed),
            Kind::Mixed { keys } => mixed::load(client, self.seed, keys, tell),
        }
    }
}

/// Sends a command that must not fail.
fn expect_ok<A: AsRef<[u8]>>(client: &mut Client, command: &[A]) -> Result<Reply, LoadError> {
    let reply = client.try_call(command)?;
    if reply.is_error() {
        let words = command.iter().map(|word| Reply::Bulk(word.as_ref().to_vec())).collect();
        let command = Reply::Array(words).to_string();
        return Err(LoadError::Refused { command, reply: reply.to_string() });
    }
    Ok(reply)
}

/// Whether the server has a command.
fn knows(client: &mut Client, command: &str) -> Result<bool, ClientError> {
    let reply = client.try_call(&["COMMAND", "INFO", command])?;
    Ok(reply.items().first().is_some_and(|item| *item != Reply::Nil))
}
