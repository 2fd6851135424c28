//! A server that speaks the Redis protocol, as a target.
//!
//! Each worker owns a connection and keeps it busy: while the replies of one batch are read, the
//! next is on its way.
//!
//! ```text
//! items ──► worker ──commands──► target
//!             │ what each reply answers
//!             ▼
//!          replies ◄──────────── target ──► tally
//! ```
//!
//! Keys too large for a batch, and keys a target without `RESTORE` must be given by commands, are
//! built under a temporary name by [`large`].

mod commands;
mod encode;
mod functions;
mod large;
mod replies;
mod worker;

use ferrite_client::Connector;
use ferrite_rdb::transcode::Target;

use crate::config::OnConflict;
use crate::error::{ErrorKind, MigrateError};

pub use commands::Dialect;
pub use encode::{Encoded, Encoder, Expect, LeftOut, data_error};
pub use functions::{libraries, library_name, load};
pub use large::KeyWriter;
pub use replies::{ALREADY_THERE, conflict, count};
pub use worker::{Item, Items, work};

/// What the target can do and how we are to use it.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// Which values it can hold, in which format.
    pub values: Target,
    /// Whether we may use `RESTORE`.
    pub restore: bool,
    /// Whether `RESTORE` takes `ABSTTL`, `IDLETIME` and `FREQ` (Redis 5.0 on).
    pub restore_absttl: bool,
    /// Whether we may use `SET`, `MSET` and `MSETNX`.
    pub set: bool,
    /// Whether `SET` takes `PXAT` (Redis 6.2 on).
    pub set_pxat: bool,
    /// Whether it has functions (Redis 7.0 on).
    pub functions: bool,
    /// Which commands build a stream.
    pub dialect: Dialect,
    /// What happens to keys that are already there.
    pub on_conflict: OnConflict,
    /// Whether a key that is already there with the same value counts as copied: `SCAN` may
    /// return a key twice.
    pub may_repeat: bool,
    /// Whether it is a cluster, where one command may only touch keys of one slot.
    pub by_slot: bool,
    /// The database everything goes to; the one it comes from, if there is none.
    pub db: Option<u32>,
}

impl Capabilities {
    /// The same target, which follows a source: the expiries of hash fields are held.
    #[must_use]
    pub fn holding_fields(mut self, hold_ms: u64) -> Self {
        self.values.hold_fields_ms = hold_ms;
        self.dialect.hold_fields_ms = hold_ms;
        self
    }
}

/// A client error at the target, as the end of the run.
pub fn target_error(
    doing: impl Into<String>,
    connector: &Connector,
    error: &ferrite_client::ClientError,
) -> MigrateError {
    let doing = format!("{} on the target {}", doing.into(), connector.address());
    let failure = MigrateError::new(ErrorKind::Target, doing, error).passing(error.is_transient());
    match error.reply().map(|reply| reply.code.as_str()) {
        Some(code) => failure.with_hint(hint(code)),
        None => failure.with_hint(AGAIN),
    }
}

/// What to do after a failure that may pass.
pub const AGAIN: &str =
    "see that the target is up, then run the same command with --on-conflict replace";

/// What to do about an error reply, by its code.
pub fn hint(code: &str) -> &'static str {
    match code {
        "OOM" => {
            "the target has reached its maxmemory: raise it (CONFIG SET maxmemory …), then run \
             the same command with --on-conflict replace"
        }
        "READONLY" => {
            "the target is a replica: write to its primary, or make it one with REPLICAOF NO ONE"
        }
        "MISCONF" => {
            "the target refuses writes because it cannot save to its disk: free space there, or \
             CONFIG SET stop-writes-on-bgsave-error no, then run the same command with \
             --on-conflict replace"
        }
        "NOPERM" => "give the user of the target's address the command: ACL SETUSER … +<command>",
        "LOADING" | "BUSY" | "MASTERDOWN" | "CLUSTERDOWN" | "NOREPLICAS" => AGAIN,
        _ => "see the target's log; then run the same command with --on-conflict replace",
    }
}

/// Connects a worker.
///
/// # Errors
/// Why the target cannot be reached.
pub async fn connect(connector: &Connector) -> Result<ferrite_client::Connection, MigrateError> {
    connector
        .connect()
        .await
        .map_err(|error| target_error("connecting a worker", connector, &error))
}
