//! What is said through the socket.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::live::Guard;

/// An order to a job that runs. Fields that are not known are refused, not ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Request {
    /// Tell the progress: done is a [`JobStatus`](crate::JobStatus).
    Status,
    /// Stop applying until [`Resume`](Self::Resume); what the source sends is kept meanwhile.
    Pause,
    /// Go on.
    Resume,
    /// End the process in order; the job can be resumed.
    Stop,
    /// Make the target the one to write to.
    Cutover {
        /// How long writes may be held back, in milliseconds; by default as the job decides.
        #[serde(default)]
        max_pause_ms: Option<u64>,
        /// Only tell whether it could be done.
        #[serde(default)]
        dry_run: bool,
        /// Wait until it can be done.
        #[serde(default)]
        when_ready: bool,
        /// A shell command that moves the traffic, run while writes are held back.
        #[serde(default)]
        hook: Option<String>,
        /// Whether the source follows the target afterwards, so that there is a way back.
        #[serde(default)]
        reverse: bool,
        /// With a way back: when to take it without being told.
        #[serde(default)]
        guard: Option<Guard>,
    },
    /// Make the target the one to write to at a time, or as soon after it as can be. Done at once;
    /// one that was ordered before is replaced.
    Schedule {
        /// When, in milliseconds of Unix time.
        at_ms: u64,
        /// As for [`Cutover`](Self::Cutover).
        #[serde(default)]
        max_pause_ms: Option<u64>,
        /// As for [`Cutover`](Self::Cutover).
        #[serde(default)]
        hook: Option<String>,
        /// As for [`Cutover`](Self::Cutover).
        #[serde(default)]
        reverse: bool,
        /// As for [`Cutover`](Self::Cutover).
        #[serde(default)]
        guard: Option<Guard>,
    },
    /// Take back a cutover that waits, for its time or until it can begin.
    Cancel,
    /// After a cutover: make the source the one to write to again. Nothing that was written to
    /// the target is lost.
    Rollback {
        /// How long writes may be held back, in milliseconds; by default as the job decides.
        #[serde(default)]
        max_pause_ms: Option<u64>,
        /// A shell command that moves the traffic back, run while writes are held back.
        #[serde(default)]
        hook: Option<String>,
    },
    /// After a cutover: give the way back up, and end.
    Complete,
    /// Before a cutover: end the job for good. Done is an [`Aborted`](crate::Aborted).
    Abort {
        /// Whether the target becomes again what it was before the migration.
        #[serde(default)]
        clean: bool,
    },
}

/// A line of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reply {
    /// What is being done; more follows.
    Step {
        /// For people.
        step: String,
    },
    /// It was done.
    Done {
        /// The result.
        done: Value,
    },
    /// It was not.
    Refused {
        /// Why.
        error: String,
        /// In detail.
        #[serde(default)]
        reasons: Vec<String>,
        /// The exit code for the command that asked.
        code: u8,
    },
}

impl Reply {
    /// Whether nothing follows.
    pub fn is_last(&self) -> bool {
        !matches!(self, Self::Step { .. })
    }
}
