//! What is known of a job from its files, and what follows from nobody running it.

use std::path::PathBuf;

use super::{JobError, JobStatus, JournalRecord, Plan, State};

/// Why a job whose process was killed is not in the state it was in.
const PROCESS_ENDED: &str = "its process ended";

/// A job as its files tell of it.
#[derive(Clone, Debug)]
pub struct JobRecord {
    /// Its id.
    pub id: String,
    /// Its directory.
    pub path: PathBuf,
    /// What it was asked to do.
    pub plan: Plan,
    /// The latest change of state.
    pub last: Option<JournalRecord>,
    /// The latest progress, as it was written.
    pub saved: Option<JobStatus>,
    /// Whether a process runs it.
    pub running: bool,
    /// That process.
    pub pid: Option<u32>,
}

/// A directory among the jobs: a job, or why it cannot be read.
#[derive(Debug)]
pub struct JobEntry {
    /// The id, which is the directory's name.
    pub id: String,
    /// What is in it.
    pub record: Result<JobRecord, JobError>,
}

impl JobRecord {
    /// The state: that of the journal, but `FAILED` if a process must be at work and none is.
    #[must_use]
    pub fn state(&self) -> State {
        let state = self.last.as_ref().map_or(State::Planned, |record| record.state);
        if state.needs_process() && !self.running { State::Failed } else { state }
    }

    /// Why it is in that state, where there is a reason.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        let last = self.last.as_ref();
        if last.is_some_and(|last| last.state != self.state()) {
            let why = last.filter(|last| last.state == State::Aborting);
            return why.and_then(|last| last.reason.as_deref()).or(Some(PROCESS_ENDED));
        }
        last.and_then(|last| last.reason.as_deref())
    }

    /// The command that goes on with it, unless it runs or is over.
    #[must_use]
    pub fn resume_command(&self) -> Option<String> {
        if self.running || self.state().is_final() {
            return None;
        }
        let id = &self.id;
        let last = self.last.as_ref().filter(|last| last.state == State::Aborting);
        let Some(last) = last else {
            return Some(format!("ferrite-migrate migrate --resume {id}"));
        };
        let clean = if last.is_cleaning() { " --clean" } else { "" };
        Some(format!("ferrite-migrate abort --id {id}{clean}"))
    }

    /// The latest progress, put right by what the journal and the lock say.
    #[must_use]
    pub fn status(&self) -> JobStatus {
        let mut status = self.saved.clone().unwrap_or_default();
        let state = self.state();
        let phase = status.phase.take().filter(|_| status.state == state);
        let phase = phase.or_else(|| state.phase().map(str::to_owned));
        status.phase = phase.filter(|_| self.running);
        (status.id, status.state, status.pid) = (self.id.clone(), state, self.pid);
        (status.source, status.target) = (self.plan.source.clone(), self.plan.target.clone());
        status.strategy.get_or_insert_with(|| self.plan.strategy.clone());
        status.updated_at_ms =
            status.updated_at_ms.max(self.last.as_ref().map_or(0, |it| it.at_ms));
        if !self.running {
            self.settle(&mut status);
        }
        status
    }

    /// Takes out what is true of a job only while it runs.
    fn settle(&self, status: &mut JobStatus) {
        (status.can_cutover, status.can_rollback) = (false, false);
        status.reasons = self.reason().map(str::to_owned).into_iter().collect();
        (status.progress.rate_keys_s, status.progress.rate_bytes_s) = (0, 0);
        (status.progress.eta_s, status.progress.eta_p90_s) = (None, None);
        if !status.state.is_final() {
            (status.lag.bytes, status.lag.seconds) = (None, None);
        }
        status.projected_pause_ms = None;
        status.throttle = super::Throttle::default();
        status.next_steps = self.resume_command().into_iter().collect();
    }
}
