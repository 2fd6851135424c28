//! The result of a run.

use serde::{Deserialize, Serialize};

use crate::jobs::{JobRounds, State};

use super::{ExitCode, KeyName, PreflightReport, SharedReport, VerificationReport, Verified};

/// Where the keys of the source ended up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCounts {
    /// Written to the target and acknowledged.
    pub copied: u64,
    /// Already on the target with the same value and expiry.
    pub identical: u64,
    /// Left out; [`Report::skipped`] says why.
    pub skipped: u64,
    /// Expired before they were written.
    pub expired: u64,
    /// Deleted on the source between being listed and being read.
    pub vanished: u64,
    /// Not selected by name or type.
    pub filtered: u64,
    /// Deleted on the target, because the source does not have them.
    pub deleted: u64,
}

impl KeyCounts {
    /// Adds what others counted.
    pub fn add(&mut self, others: &Self) {
        self.copied += others.copied;
        self.identical += others.identical;
        self.skipped += others.skipped;
        self.expired += others.expired;
        self.vanished += others.vanished;
        self.filtered += others.filtered;
        self.deleted += others.deleted;
    }
}

/// Keys of one type that were copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypeCount {
    /// As `TYPE` prints it.
    #[serde(rename = "type")]
    pub type_name: &'static str,
    /// How many.
    pub keys: u64,
    /// Their names and values as the source stores them, in bytes.
    pub bytes: u64,
}

/// Keys that were left out for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skip {
    /// Why.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The first of them, at most [`Skip::EXAMPLES_MAX`], with their databases.
    pub examples: Vec<(u32, KeyName)>,
}

impl Skip {
    /// How many keys are named for one reason.
    pub const EXAMPLES_MAX: usize = 10;
}

/// The result of a run that reached its end.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The run's name.
    pub id: String,
    /// How the data moved.
    pub mode: &'static str,
    /// How keys were read.
    pub strategy: &'static str,
    /// Why that strategy.
    pub strategy_reason: String,
    /// Whether nothing was written because the run was a rehearsal.
    pub dry_run: bool,
    /// Whether the operator stopped it before its end.
    pub interrupted: bool,
    /// What the checks found.
    pub preflight: PreflightReport,
    /// Where the keys ended up.
    pub keys: KeyCounts,
    /// Bytes of names and values that were copied, as the source stores them.
    pub bytes: u64,
    /// Functions (libraries) that were copied.
    pub functions: u64,
    /// Copied keys by type.
    pub types: Vec<TypeCount>,
    /// What was left out, by reason.
    pub skipped: Vec<Skip>,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// Milliseconds of copying.
    pub copy_ms: u64,
    /// How much of that the copy was held back, by each limit that did.
    pub throttled: Vec<Throttled>,
    /// The comparison of both ends, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<VerificationReport>,
    /// What became of the source's commands, in a live migration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Followed>,
    /// What became of the commands of an append-only file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replayed: Option<Replayed>,
    /// The job, where several machines shared it: all counts are of all of them then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedReport>,
    /// Rounds over a source that is no server, where it was followed: `eventual`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounds: Option<JobRounds>,
}

/// What became of the commands of an append-only file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Files it is made of.
    pub files: u64,
    /// Commands that were applied, those of transactions included.
    pub commands: u64,
    /// Transactions that were applied.
    pub transactions: u64,
    /// Commands whose keys are not selected, all or some of them.
    pub filtered: u64,
    /// Commands before `--after`.
    pub outside: u64,
    /// Transactions without an end, of which nothing was applied.
    pub discarded: u64,
    /// Places of damage that were gone past.
    pub gaps: u64,
    /// The first time the file tells, as RFC 3339; none where it tells none.
    pub first_time: Option<String>,
    /// The last time up to which commands were applied.
    pub last_time: Option<String>,
    /// Expiries that were given back at the end; what was due by then has expired.
    pub expiries_released: u64,
}

/// How long a copy was held back by one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Throttled {
    /// The limit: `rate`, `max-source-latency` or `max-target-latency`.
    pub by: &'static str,
    /// Milliseconds.
    pub ms: u64,
}

/// What became of the source's commands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Followed {
    /// The state the job ended in.
    pub state: &'static str,
    /// Commands that were applied to the target.
    pub commands: u64,
    /// Keys that were read again, because no command could be applied to them.
    pub refetched: u64,
    /// Offset in the source's stream up to which the target has it.
    pub applied_offset: u64,
    /// The cutover, where there was one.
    pub cutover: Option<Cutover>,
    /// What comparing both ends meanwhile found, where that was asked for.
    pub verified: Option<Verified>,
    /// Rounds over all keys, where there was no stream to follow.
    pub rounds: Option<JobRounds>,
}

/// How the target became the one to write to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cutover {
    /// How long writes to the source were held back until the target had everything, in
    /// microseconds.
    pub pause_us: u64,
    /// How long the hook that moves the traffic took, in microseconds; writes were held back
    /// meanwhile.
    pub hook_us: Option<u64>,
    /// The source's offset at which nothing more was written to it.
    pub offset: u64,
    /// Keys whose expiry was released while writes were held back.
    pub expiries_released: u64,
    /// The setting that keeps the source from being written to after the switch, and its value;
    /// `None` if nothing does.
    pub source_fence: Option<String>,
    /// The same setting with the value it had, which lets the source be written to again.
    pub source_fence_before: Option<String>,
    /// Whether the source follows the target from here on, so that there is a way back.
    pub reverse: bool,
}

impl Report {
    fn is_rolled_back(&self) -> bool {
        let over = [State::RolledBack.name(), State::Aborted.name()];
        self.live.as_ref().is_some_and(|followed| over.contains(&followed.state))
    }

    /// The exit code that says how it went.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        let verified = self.live.as_ref().and_then(|followed| followed.verified.as_ref());
        let differs = self.verification.as_ref().is_some_and(|report| !report.is_verified())
            || verified.is_some_and(|verified| verified.mismatched > 0);
        match () {
            () if self.preflight.is_blocked() => ExitCode::Blocked,
            () if self.interrupted => ExitCode::Interrupted,
            () if self.is_rolled_back() => ExitCode::RolledBack,
            () if differs => ExitCode::Mismatch,
            () if !self.skipped.is_empty() => ExitCode::Skipped,
            () => ExitCode::Done,
        }
    }
}
