//! A job that we run: its directory, with the lock held.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::journal::Journal;
use super::lock::Lock;
use super::{JobError, JobStatus, JournalRecord, Plan, State, files};
use crate::engine::Limits;

/// The name of the file with the plan.
pub const PLAN: &str = "plan.json";
/// The name of the file with the latest progress.
pub const STATUS: &str = "status.json";
/// The name of the file with the limits of the copy, once they are others than planned.
pub const LIMITS: &str = "limits.json";

/// A job that this process runs, until this is dropped. Nobody else writes to its directory.
#[derive(Debug)]
pub struct JobDir {
    id: String,
    path: PathBuf,
    plan: Plan,
    journal: Journal,
    _lock: Lock,
}

impl JobDir {
    pub(super) fn new(id: &str, path: PathBuf, plan: Plan, lock: Lock) -> Result<Self, JobError> {
        let journal = Journal::open(&path)?;
        Ok(Self { id: id.to_owned(), path, plan, journal, _lock: lock })
    }

    /// The job's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the spool keeps its files; whoever needs it makes it.
    #[must_use]
    pub fn spool_dir(&self) -> PathBuf {
        self.path.join("spool")
    }

    /// What the job was asked to do.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Every state so far, the oldest first.
    #[must_use]
    pub fn journal(&self) -> &[JournalRecord] {
        self.journal.records()
    }

    /// The latest state.
    #[must_use]
    pub fn state(&self) -> State {
        self.journal().last().map_or(State::Planned, |record| record.state)
    }

    /// Records a change of state: it is on the disk when this returns, and may be acted on then
    /// and not before.
    ///
    /// # Errors
    /// A disk that does not take it: the state has not changed.
    pub fn transition(&mut self, state: State, reason: Option<&str>) -> Result<(), JobError> {
        self.journal.append(JournalRecord::now(state, reason, None))
    }

    /// As [`transition`](Self::transition), with what will be needed to resume from there.
    ///
    /// # Errors
    /// As [`transition`](Self::transition).
    pub fn transition_with(
        &mut self,
        state: State,
        reason: Option<&str>,
        detail: Value,
    ) -> Result<(), JobError> {
        self.journal.append(JournalRecord::now(state, reason, Some(detail)))
    }

    /// Replaces the limits of the plan, for whoever resumes the job. Not synced: after a loss of
    /// power those before may count again.
    ///
    /// # Errors
    /// A disk that does not take them: those before count.
    pub fn write_limits(&mut self, limits: Limits) -> Result<(), JobError> {
        let path = self.path.join(LIMITS);
        let bytes = serde_json::to_vec(&limits).map_err(|error| JobError::damaged(&path, error))?;
        files::replace(&path, &bytes)?;
        self.plan.limits = limits;
        Ok(())
    }

    /// Replaces the progress that others read. Not synced: it may be lost, the journal is not.
    ///
    /// # Errors
    /// A disk that does not take it.
    pub fn write_status(&self, status: &JobStatus) -> Result<(), JobError> {
        let path = self.path.join(STATUS);
        let bytes = serde_json::to_vec(status).map_err(|error| JobError::damaged(&path, error))?;
        files::replace(&path, &bytes)
    }
}
