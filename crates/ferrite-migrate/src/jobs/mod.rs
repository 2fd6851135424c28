//! Jobs: migrations that outlive their process. Each has a directory; nothing else remembers it.
//!
//! ```text
//! <root>/                       0700
//!   mig_2k7…/                   0700, files 0600
//!     plan.json       what was asked for; written once, before the directory gets its name
//!     journal.jsonl   every change of state, synced before it is acted on: the truth
//!     limits.json     limits of the copy that were set later than the plan
//!     status.json     the latest progress, replaced about once a second; may be lost
//!     lock            locked (flock) by the process that runs the job, its pid inside
//!     control.sock    where that process takes orders; gone when it is
//!     control.path    where the socket is instead, if this directory's path is too long for one
//!     undo            what the target had before the first write to it
//!     spool/          what the source sent and the target does not have yet
//! ```
//!
//! Who holds the lock runs the job and alone writes here. Everybody else reads, and learns from
//! the lock whether anybody runs it: a process that was killed leaves a lock that can be taken.

pub mod control;
mod dir;
mod error;
mod files;
mod id;
mod journal;
mod lock;
mod plan;
mod record;
mod state;
mod status;
mod store;

pub use dir::JobDir;
pub use error::JobError;
pub(crate) use files::{read as read_file, replace as replace_file};
pub use journal::{JournalRecord, WrittenBy};
pub use plan::{Pattern, Plan, PlanTls};
pub use record::{JobEntry, JobRecord};
pub use state::State;
pub use status::{
    JobGuard, JobLag, JobProgress, JobRounds, JobStatus, JobVerify, Shard, SkippedKeys, Throttle,
    TtlGuard,
};
pub use store::JobStore;

#[cfg(test)]
mod tests;
