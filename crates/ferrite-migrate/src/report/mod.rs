//! What a run tells: progress while it goes on, a report at its end. These types are the
//! machine-readable interface (`--json`); the text a person reads is made from them elsewhere.

mod aborted;
mod exit;
mod preflight;
mod status;
mod summary;
mod verification;
mod workers;

pub use aborted::Aborted;
pub use exit::ExitCode;
pub use preflight::{Check, CheckStatus, PreflightReport};
pub use status::{Event, Following, Phase, Status};
pub use summary::{Cutover, Followed, KeyCounts, Replayed, Report, Skip, Throttled, TypeCount};
pub use verification::{Difference, DifferenceKind, VerificationReport, Verified};
pub use workers::{PartitionStatus, SharedReport, SharedStatus, WorkerShare};

use serde::{Serialize, Serializer};

/// A key name as JSON text: UTF-8 as it is, other bytes as `\xNN`.
pub fn key_text(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => key.escape_ascii().to_string(),
    }
}

/// A name that serializes by [`key_text`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName(pub Vec<u8>);

impl std::fmt::Display for KeyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&key_text(&self.0))
    }
}

impl Serialize for KeyName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&key_text(&self.0))
    }
}
