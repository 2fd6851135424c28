//! What is told of a job that several machines share.

use serde::{Deserialize, Serialize};

/// What one worker did, or does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerShare {
    /// Its name: machine, process, lease.
    pub name: String,
    /// Partitions it has done to the end.
    pub partitions: u64,
    /// Keys it copied in them.
    pub keys: u64,
    /// Bytes of names and values it copied in them.
    pub bytes: u64,
}

/// A job that several machines shared, in the report of each of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SharedReport {
    /// Where its machines met.
    pub workers_from: String,
    /// The worker whose report it is.
    pub worker: String,
    /// Partitions of the job.
    pub partitions: u64,
    /// Those that are done.
    pub done: u64,
    /// Who did them, in the order of the names.
    pub workers: Vec<WorkerShare>,
}

/// A partition that is being copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartitionStatus {
    /// Its number, from 0.
    pub partition: usize,
    /// Who copies it.
    pub worker: String,
    /// Keys that are copied of it.
    pub keys: u64,
    /// Bytes that are copied of it.
    pub bytes: u64,
}

/// A job that several machines share, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SharedStatus {
    /// The job's name.
    pub id: String,
    /// Its source.
    pub source: String,
    /// Its target.
    pub target: String,
    /// Partitions of the job.
    pub partitions: u64,
    /// Those that are done.
    pub done: u64,
    /// Keys in them, and in those that are being copied.
    pub keys: u64,
    /// Bytes likewise.
    pub bytes: u64,
    /// Workers that are alive.
    pub alive: Vec<String>,
    /// What they copy now.
    pub copying: Vec<PartitionStatus>,
    /// Who did what is done.
    pub workers: Vec<WorkerShare>,
}

impl SharedStatus {
    /// Whether all is done.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.done >= self.partitions
    }
}
