//! What is said through the socket.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::Limits;
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
    /// Change how fast keys are copied at most, or tell it: done is
    /// [`Limits`](crate::Limits), as they are from then on.
    Throttle {
        /// Bytes a second; 0 lifts the limit, without it that stays as it is.
        #[serde(default)]
        rate: Option<u64>,
        /// How long the source may take to answer, in milliseconds; likewise.
        #[serde(default)]
        max_source_latency_ms: Option<u64>,
        /// How long the target may take to answer, in milliseconds; likewise.
        #[serde(default)]
        max_target_latency_ms: Option<u64>,
    },
}

impl Request {
    /// The limits there are after a [`Throttle`](Self::Throttle), if these were there before.
    #[must_use]
    pub fn limits(&self, before: Limits) -> Limits {
        let Self::Throttle { rate, max_source_latency_ms, max_target_latency_ms } = *self else {
            return before;
        };
        let set = |given: Option<u64>, before: Option<u64>| match given {
            None => before,
            Some(0) => None,
            given => given,
        };
        Limits {
            rate: set(rate, before.rate),
            max_source_latency_ms: set(max_source_latency_ms, before.max_source_latency_ms),
            max_target_latency_ms: set(max_target_latency_ms, before.max_target_latency_ms),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_set_lifted_or_left() {
        let read = |text: &str| serde_json::from_str::<Request>(text).unwrap();
        let before = Limits {
            rate: Some(1 << 20),
            max_source_latency_ms: Some(2),
            max_target_latency_ms: None,
        };
        let request = read(r#"{"do":"throttle","rate":0,"max_target_latency_ms":5}"#);
        let after = Limits { rate: None, max_target_latency_ms: Some(5), ..before };
        assert_eq!(request.limits(before), after);
        assert_eq!(read(r#"{"do":"throttle"}"#).limits(before), before);
        assert_eq!(Request::Status.limits(before), before);
    }
}
