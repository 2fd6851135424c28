//! The states of a job.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a job is in its life.
///
/// ```text
/// PLANNED → ATTACHING → COPYING → CATCHING_UP → LIVE → CUTTING_OVER → CUT_OVER → COMPLETED
/// any of them → PAUSED, FAILED (both can be resumed)
/// an incremental job: … → CATCHING_UP → IDLE, until its next run
/// before the cutover → ABORTING → ABORTED   after it → ROLLING_BACK → ROLLED_BACK
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// It is known what to do; nothing has been connected.
    #[default]
    Planned,
    /// Becoming a replica of the source.
    Attaching,
    /// The keys that were there at the beginning are on their way.
    Copying,
    /// They have arrived; what was written meanwhile is being applied.
    CatchingUp,
    /// The target follows the source.
    Live,
    /// Writes to the source are held back; the rest is being applied and compared.
    CuttingOver,
    /// The target is the one to write to; the source follows it where that is possible.
    CutOver,
    /// Over, and nothing runs any more.
    Completed,
    /// The target has what the source had, until the next run of an incremental job.
    Idle,
    /// Stopped on request; it can be resumed.
    Paused,
    /// Stopped by a failure; it can be resumed.
    Failed,
    /// Being given up before the cutover, and the target brought back where that was asked for.
    Aborting,
    /// Given up before the cutover.
    Aborted,
    /// Writes to the target are being brought back to the source.
    RollingBack,
    /// The source is the one to write to again.
    RolledBack,
}

impl State {
    /// As it is written in JSON and shown to people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Planned => "PLANNED",
            Self::Attaching => "ATTACHING",
            Self::Copying => "COPYING",
            Self::CatchingUp => "CATCHING_UP",
            Self::Live => "LIVE",
            Self::CuttingOver => "CUTTING_OVER",
            Self::CutOver => "CUT_OVER",
            Self::Completed => "COMPLETED",
            Self::Idle => "IDLE",
            Self::Paused => "PAUSED",
            Self::Failed => "FAILED",
            Self::Aborting => "ABORTING",
            Self::Aborted => "ABORTED",
            Self::RollingBack => "ROLLING_BACK",
            Self::RolledBack => "ROLLED_BACK",
        }
    }

    /// Whether a process must be at work for it to be true.
    #[must_use]
    pub const fn needs_process(self) -> bool {
        match self {
            Self::Attaching
            | Self::Copying
            | Self::CatchingUp
            | Self::Live
            | Self::CuttingOver
            | Self::CutOver
            | Self::Aborting
            | Self::RollingBack => true,
            Self::Planned
            | Self::Completed
            | Self::Idle
            | Self::Paused
            | Self::Failed
            | Self::Aborted
            | Self::RolledBack => false,
        }
    }

    /// Whether the job is over for good: there is nothing to resume.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Aborted | Self::RolledBack)
    }

    /// The phase that belongs to it, where it is one of working.
    #[must_use]
    pub const fn phase(self) -> Option<&'static str> {
        match self {
            Self::Attaching => Some("ATTACH"),
            Self::Copying => Some("INITIAL_SYNC"),
            Self::CatchingUp => Some("CATCH_UP"),
            Self::Live => Some("LIVE_SYNC"),
            Self::CuttingOver => Some("CUTOVER"),
            Self::CutOver => Some("REVERSE_SYNC"),
            Self::Aborting => Some("ABORT"),
            Self::RollingBack => Some("ROLLBACK"),
            _ => None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [State; 15] = [
        State::Planned,
        State::Attaching,
        State::Copying,
        State::CatchingUp,
        State::Live,
        State::CuttingOver,
        State::CutOver,
        State::Completed,
        State::Idle,
        State::Paused,
        State::Failed,
        State::Aborting,
        State::Aborted,
        State::RollingBack,
        State::RolledBack,
    ];

    #[test]
    fn the_name_is_what_json_says() {
        for state in ALL {
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(json, format!("\"{state}\""));
            assert_eq!(serde_json::from_str::<State>(&json).unwrap(), state);
        }
    }

    #[test]
    fn what_is_over_needs_no_process_and_has_no_phase() {
        for state in ALL {
            assert!(!(state.is_final() && state.needs_process()), "{state}");
            assert_eq!(state.phase().is_some(), state.needs_process(), "{state}");
        }
    }
}
