//! The progress of a job: what `status --json` prints, what `status.json` holds, and what the
//! control socket answers. Every field is always there; `null` is what is not known.

use serde::{Deserialize, Serialize};

use super::State;

/// The progress of a job at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobStatus {
    /// The job's id.
    pub id: String,
    /// Its state.
    pub state: State,
    /// What it is doing in that state.
    pub phase: Option<String>,
    /// `exact`, or `eventual` where writes can be missed until both ends are compared.
    pub consistency: Option<String>,
    /// How the source is read.
    pub strategy: Option<String>,
    /// Why so.
    pub strategy_reason: Option<String>,
    /// Address of the source, without its password.
    pub source: String,
    /// Address of the target, without its password.
    pub target: String,
    /// Whether a cutover would begin now.
    pub can_cutover: bool,
    /// Why not; or why the job is paused, failed or aborted.
    pub reasons: Vec<String>,
    /// Whether a rollback would lose nothing.
    pub can_rollback: bool,
    /// The copy of what was there at the beginning.
    pub progress: JobProgress,
    /// How far the target is behind.
    pub lag: JobLag,
    /// What has been compared.
    pub verify: JobVerify,
    /// How long writes would be held back by a cutover now, in milliseconds.
    pub projected_pause_ms: Option<u64>,
    /// Expiries that the target must not act on yet.
    pub ttl_guard: TtlGuard,
    /// Whether it goes slower than it could.
    pub throttle: Throttle,
    /// Rounds over all keys of both ends, where there is no stream to follow.
    pub rounds: Option<JobRounds>,
    /// The sources, one for each server that is read.
    pub shards: Vec<Shard>,
    /// What was left out, by reason.
    pub skipped: Vec<SkippedKeys>,
    /// When a cutover begins that was ordered for a time, in milliseconds of Unix time.
    pub scheduled_at_ms: Option<u64>,
    /// What brings the traffic back by itself after a cutover.
    pub guard: Option<JobGuard>,
    /// Commands to type next.
    pub next_steps: Vec<String>,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// When this was written, in milliseconds of Unix time.
    pub updated_at_ms: u64,
    /// The process that runs the job; `null` if none does.
    pub pid: Option<u32>,
}

/// The copy of what was there at the beginning.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobProgress {
    /// Keys that the target has acknowledged.
    pub keys_done: u64,
    /// Keys there are to copy.
    pub keys_total: Option<u64>,
    /// Whether that number is `exact` or an `estimate`.
    pub total_is: Option<String>,
    /// Bytes of names and values that the target has acknowledged.
    pub bytes_done: u64,
    /// Bytes there are to copy.
    pub bytes_total: Option<u64>,
    /// The share that is done, 0 to 100.
    pub percent: Option<f64>,
    /// Keys a second.
    pub rate_keys_s: u64,
    /// Bytes a second.
    pub rate_bytes_s: u64,
    /// Seconds since the job began.
    pub elapsed_s: u64,
    /// Seconds to the end of the copy.
    pub eta_s: Option<u64>,
    /// The same, to be right nine times of ten.
    pub eta_p90_s: Option<u64>,
}

/// Rounds over all keys of both ends, each of which copies what differs and deletes what is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobRounds {
    /// Rounds this process has completed.
    pub complete: u64,
    /// Keys of the source in the last one.
    pub keys: u64,
    /// Keys that differed in it and were copied.
    pub differing: u64,
    /// Keys of the target that were deleted in it.
    pub deleted: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// When it began, in milliseconds of Unix time: what was written since may be missing.
    pub began_at_ms: u64,
    /// Keys that this process copied between rounds, because the source named them
    /// (`notify-keyspace-events`).
    pub hinted: u64,
}

/// How far the target is behind the source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobLag {
    /// Bytes of the replication stream that have not been applied.
    pub bytes: Option<u64>,
    /// Age in seconds of the oldest of them.
    pub seconds: Option<f64>,
    /// Keys that have to be fetched again.
    pub keys_dirty: u64,
    /// Bytes of the stream that wait on this machine's disk.
    pub spool_bytes: u64,
}

/// What has been compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobVerify {
    /// Keys compared.
    pub checked: u64,
    /// Keys that differ at this moment.
    pub mismatched: u64,
    /// Keys that differed and were written again.
    pub repaired: u64,
    /// Offset of the replication stream at which the last complete comparison began.
    pub verified_offset: Option<u64>,
    /// The first keys that differ, and in what.
    pub differing: Vec<String>,
}

/// Expiries that the target must not act on before the source does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TtlGuard {
    /// How many.
    pub held: u64,
}

/// Whether the job goes slower than it could.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Throttle {
    /// Whether it does.
    pub active: bool,
    /// Why, with the figure that made it.
    pub why: Option<String>,
}

/// What the target answers after a cutover, and above which share of errors it is left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobGuard {
    /// The share of commands answered with an error, 0 to 1, above which the source becomes the
    /// one to write to again.
    pub limit: f64,
    /// The time over which they are counted, in seconds.
    pub window_s: u64,
    /// The share in the last such time.
    pub rate: f64,
    /// Commands in that time.
    pub commands: u64,
    /// Those answered with an error.
    pub errors: u64,
    /// Why it goes back, once it does.
    pub reason: Option<String>,
}

/// One server that is read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shard {
    /// Its address, `host:port`.
    pub source: String,
    /// The id of its replication history.
    pub replid: Option<String>,
    /// Offset up to which its stream was received.
    pub received: Option<u64>,
    /// Offset up to which it is on this machine's disk.
    pub spooled: Option<u64>,
    /// Offset up to which the target has it.
    pub applied: Option<u64>,
    /// The database that is selected there.
    pub db: Option<u32>,
    /// Its hash slots, such as `0-5460`; `null` outside a cluster.
    pub slots: Option<String>,
}

/// Keys that were left out for one reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SkippedKeys {
    /// Why.
    pub reason: String,
    /// Their type, where it is one.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    /// How many.
    pub count: u64,
}
