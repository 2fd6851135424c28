//! The result of comparing two servers.

use serde::Serialize;

use super::{ExitCode, KeyName};

/// In what a key differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// It is on the target only.
    MissingSource,
    /// It is on the source only.
    MissingTarget,
    /// The types differ.
    Type,
    /// The values differ.
    Value,
    /// The expiries differ.
    Expiry,
}

impl DifferenceKind {
    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MissingSource => "missing on the source",
            Self::MissingTarget => "missing on the target",
            Self::Type => "type differs",
            Self::Value => "value differs",
            Self::Expiry => "expiry differs",
        }
    }
}

/// One key that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The database.
    pub db: u32,
    /// The key.
    pub key: KeyName,
    /// In what.
    pub kind: DifferenceKind,
    /// What each end has, where that can be said in a few words.
    pub detail: String,
}

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerificationReport {
    /// Whether everything that was compared is equal.
    pub success: bool,
    /// Keys of the source that were compared.
    pub compared: u64,
    /// Keys equal in type, value and expiry.
    pub matching: u64,
    /// Keys on both ends that differ.
    pub mismatched: u64,
    /// Keys on the target only.
    pub missing_source: u64,
    /// Keys on the source only.
    pub missing_target: u64,
    /// Keys that could not be compared: the target cannot hold them, or they are a module's own
    /// data, of which only the module can say whether other bytes are another value.
    pub not_comparable: u64,
    /// Keys on the source when only a sample was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampled_from: Option<u64>,
    /// The first differences, at most [`VerificationReport::DIFFERENCES_MAX`].
    pub differences: Vec<Difference>,
    /// Milliseconds it took.
    pub elapsed_ms: u64,
    /// Whether the operator stopped it before its end.
    pub interrupted: bool,
}

impl VerificationReport {
    /// How many differences are named.
    pub const DIFFERENCES_MAX: usize = 100;

    /// Whether nothing differs.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.mismatched == 0 && self.missing_source == 0 && self.missing_target == 0
    }

    /// The exit code that says how it went.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match () {
            () if self.interrupted => ExitCode::Interrupted,
            () if !self.is_verified() => ExitCode::Mismatch,
            () if self.not_comparable > 0 => ExitCode::Skipped,
            () => ExitCode::Done,
        }
    }
}

/// What comparing both ends found while the target followed the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Keys compared in the last complete pass, or in the first one if it was not completed.
    pub checked: u64,
    /// Keys that differ although they were written again.
    pub mismatched: u64,
    /// How often a key that differed was written again.
    pub repaired: u64,
    /// Keys that were written to each time they were looked at: they are compared at the cutover.
    pub moving: u64,
    /// Keys of which nobody can say whether they are equal, as
    /// [`VerificationReport::not_comparable`].
    pub not_comparable: u64,
    /// The offset in the source's stream at which the last complete pass began.
    pub verified_offset: Option<u64>,
    /// The keys that differ, at most [`Verified::NAMES_MAX`].
    pub differences: Vec<Difference>,
    /// The first keys that were written again, at most [`Verified::NAMES_MAX`].
    pub repairs: Vec<Difference>,
}

impl Verified {
    /// How many keys are named in each list.
    pub const NAMES_MAX: usize = 100;
}
