//! Where a run is at this moment.

use serde::Serialize;

use super::{PreflightReport, SharedStatus};
use crate::jobs::Throttle;

/// The stages of a run, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Phase {
    /// Checks; nothing is written.
    Preflight,
    /// Waiting for the source to begin to send.
    Attaching,
    /// The target loads a file itself, as our replica: it has all of it in the end, or nothing.
    Loading,
    /// Keys are on their way.
    Copying,
    /// What was written to the source during the copy is on its way (live).
    CatchingUp,
    /// The target follows the source (live).
    Live,
    /// Writes to the source are about to be held back, or are (live).
    CuttingOver,
    /// Both ends are compared.
    Verifying,
    /// Over, well or not.
    Finished,
}

/// Progress at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// The run's name.
    pub id: String,
    /// The stage it is in.
    pub phase: Phase,
    /// Keys the target has acknowledged (or, when verifying, keys compared).
    pub keys_done: u64,
    /// Keys the source holds, as it counts them itself; filters are not taken into account.
    pub keys_total: u64,
    /// Bytes of keys and values acknowledged by the target.
    pub bytes_done: u64,
    /// Milliseconds since the stage began.
    pub elapsed_ms: u64,
    /// How far the target is behind, while it follows the source.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub following: Option<Following>,
    /// Whether the copy goes slower than it could, and why.
    pub throttle: Throttle,
    /// The job, where several machines share it; `keys_done` and `bytes_done` are of all of them
    /// then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedStatus>,
}

/// How far a target is behind the source it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Following {
    /// Bytes of the source's stream that were received and are not on the target.
    pub lag_bytes: u64,
    /// How long the oldest of them has been waiting, in milliseconds.
    pub lag_ms: u64,
    /// Commands the target has acknowledged.
    pub commands: u64,
}

/// Something that happened during a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The run has a name.
    Started {
        /// The name.
        id: String,
    },
    /// The checks are through.
    Preflight(PreflightReport),
    /// A stage began.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// A strategy was chosen, or left for the next one.
    Strategy {
        /// Its name.
        strategy: &'static str,
        /// Why it was chosen or left.
        reason: String,
    },
    /// Something the operator should know.
    Warning {
        /// What.
        message: String,
    },
    /// The target can no longer follow the source, or can again; it is being tried all the while.
    Trouble {
        /// `source` or `target`: who keeps it from following.
        side: &'static str,
        /// Why; `None` when it is over.
        reason: Option<String>,
    },
}
