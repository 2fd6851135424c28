//! How a run ended, as one number: part of the published interface.

/// Exit codes of `ferrite-migrate`. Numbers never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Done, and verified where verification was asked for.
    Done = 0,
    /// The command line or configuration cannot be used.
    Usage = 1,
    /// The run failed; nothing is half-written, and it can be run again.
    Failed = 2,
    /// A check before the run found something that must be changed first; nothing was written.
    Blocked = 3,
    /// Source and target differ.
    Mismatch = 4,
    /// Done, but some keys were left out; the report names them.
    Skipped = 5,
    /// Not ready for what was asked; nothing was changed.
    NotReady = 6,
    /// Rolled back: the source is the one to write to again.
    RolledBack = 7,
    /// Interrupted by the operator; it can be run again.
    Interrupted = 130,
}

impl From<ExitCode> for u8 {
    fn from(code: ExitCode) -> Self {
        code as Self
    }
}
