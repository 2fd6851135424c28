//! Why a run could not go on, told so that the operator knows what to do next.

use std::fmt;

use crate::config::ConfigError;
use crate::report::{ExitCode, PreflightReport};

/// The kinds of failure, by what the operator has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration cannot be used.
    Config,
    /// A check before the run found a blocker; nothing was written.
    Blocked,
    /// It is not the time for it; nothing was changed.
    NotReady,
    /// The source could not be reached, or refused, or was lost.
    Source,
    /// The target could not be reached, or refused, or was lost.
    Target,
    /// The etcd where workers meet could not be reached, or refused, or holds something else.
    Coordinator,
    /// What the source sent cannot be understood.
    Data,
    /// A worker ended without saying why: a defect of this program.
    Internal,
}

/// A run that could not go on: what was being done, why it failed, what to do next.
#[derive(Debug)]
pub struct MigrateError {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// What was being done, to which address or key.
    pub doing: String,
    /// Why it failed.
    pub cause: String,
    /// What to do next: a sentence, or a command to type.
    pub hint: Option<String>,
    /// Keys the target had acknowledged by then.
    pub keys_copied: u64,
    /// The checks, where they are what stopped the run.
    pub preflight: Option<PreflightReport>,
    /// Whether the same may work in a while by itself: an end was lost, or is starting.
    pub may_pass: bool,
    /// Whether any of the keys that were copied may be wrong: the bytes they came from have changed,
    /// and nobody knows where.
    pub is_doubtful: bool,
    /// Whether the source does not let anybody like us follow its commands.
    pub(crate) is_no_stream: bool,
}

impl MigrateError {
    /// A failure while `doing` something.
    pub fn new(kind: ErrorKind, doing: impl Into<String>, cause: impl fmt::Display) -> Self {
        Self {
            kind,
            doing: doing.into(),
            cause: cause.to_string(),
            hint: None,
            keys_copied: 0,
            preflight: None,
            may_pass: false,
            is_doubtful: false,
            is_no_stream: false,
        }
    }

    /// The same failure, which may pass.
    #[must_use]
    pub(crate) fn passing(mut self, may_pass: bool) -> Self {
        self.may_pass = may_pass;
        self
    }

    /// The same failure, after which keys that were copied may be wrong.
    #[must_use]
    pub(crate) fn doubtful(mut self, is_doubtful: bool) -> Self {
        self.is_doubtful = is_doubtful;
        self
    }

    /// The same failure with what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn blocked(report: PreflightReport) -> Self {
        let blockers = report
            .checks
            .iter()
            .filter(|check| check.status == crate::report::CheckStatus::Block)
            .map(|check| format!("{}: {}", check.name, check.detail))
            .collect::<Vec<_>>()
            .join("; ");
        let mut error = Self::new(ErrorKind::Blocked, "the checks before the run", blockers);
        error.preflight = Some(report);
        error
    }

    /// The exit code that says how it went.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self.kind {
            ErrorKind::Config => ExitCode::Usage,
            ErrorKind::Blocked => ExitCode::Blocked,
            ErrorKind::NotReady => ExitCode::NotReady,
            _ => ExitCode::Failed,
        }
    }
}

impl fmt::Display for MigrateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.cause)
    }
}

impl std::error::Error for MigrateError {}

impl From<ConfigError> for MigrateError {
    fn from(error: ConfigError) -> Self {
        Self::new(ErrorKind::Config, "the configuration cannot be used", error)
    }
}
