//! What a migration by a replica tells about itself.

use super::watch::Seen;
use super::{REASON, Replica};
use crate::engine::now_ms;
use crate::jobs::{JobLag, JobProgress, JobStatus, Shard, State};
use crate::live::status::reasons_of;

impl Replica {
    /// Why a cutover cannot begin now; nothing if it can.
    #[must_use]
    pub fn cutover_reasons(&self) -> Vec<String> {
        let state = self.dir.state();
        let mut reasons = self.progress.trouble();
        if state != State::Live {
            reasons.push(format!("the job is {state}, not LIVE"));
        }
        reasons.extend(reasons_of(&self.progress, &self.checked));
        reasons.extend(self.comparison.iter().flat_map(|it| it.tally.reasons()));
        reasons
    }

    /// Replaces the status that others read; a disk that does not take it is no reason to stop.
    pub fn write_status(&self) {
        if let Err(error) = self.dir.write_status(&self.status()) {
            tracing::debug!(%error, "the status was not written");
        }
    }

    /// The status at this moment.
    #[must_use]
    pub fn status(&self) -> JobStatus {
        let (state, config) = (self.dir.state(), &self.job.config);
        let reasons = self.cutover_reasons();
        let id = &self.job.id;
        let can_cutover = reasons.is_empty();
        let next_steps = match can_cutover {
            true => vec![format!("ferrite-migrate cutover --id {id}")],
            false => Vec::new(),
        };
        JobStatus {
            id: id.clone(),
            state,
            phase: state.phase().map(str::to_owned),
            consistency: Some(String::from("exact")),
            strategy: Some(String::from("replica")),
            strategy_reason: Some(REASON.to_owned()),
            source: config.source.to_string(),
            target: config.target.address.to_string(),
            can_cutover,
            reasons,
            progress: self.progress_of_copy(),
            lag: JobLag {
                bytes: Some(self.progress.lag_bytes()),
                seconds: Some(self.progress.lag_ms() as f64 / 1000.0),
                ..JobLag::default()
            },
            verify: self.comparison.as_ref().map(|it| it.tally.status()).unwrap_or_default(),
            shards: vec![self.shard()],
            next_steps,
            warnings: self.job.tally(|tally| tally.warnings()),
            updated_at_ms: now_ms(),
            pid: Some(std::process::id()),
            ..JobStatus::default()
        }
    }

    /// Keys of the source, as it counted them last.
    #[must_use]
    pub fn keys_total(&self) -> u64 {
        match &*self.source.seen.borrow() {
            Seen::Told(sample) => sample.keys(),
            _ => self.checked.source.info.keys(),
        }
    }

    fn progress_of_copy(&self) -> JobProgress {
        let (status, state) = (self.job.status(), self.dir.state());
        let is_copying = state == State::Copying;
        let (bytes, bytes_total) = self.copied;
        let follows = matches!(state, State::CatchingUp | State::Live | State::CuttingOver);
        let keys_done = match (&*self.target.seen.borrow(), follows) {
            (Seen::Told(sample), true) => sample.keys(),
            _ => status.keys_done,
        };
        let share = bytes_total.map(|total| (bytes as f64 * 100.0 / total as f64).min(100.0));
        let seconds = (status.elapsed_ms as f64 / 1000.0).max(0.001);
        let rate = |done: u64| if is_copying { (done as f64 / seconds) as u64 } else { 0 };
        JobProgress {
            keys_done,
            keys_total: Some(self.keys_total()),
            total_is: Some(String::from("estimate")),
            bytes_done: bytes,
            bytes_total,
            percent: if is_copying { share } else { follows.then_some(100.0) },
            rate_keys_s: rate(status.keys_done),
            rate_bytes_s: rate(bytes),
            elapsed_s: self.began.elapsed().as_secs(),
            ..JobProgress::default()
        }
    }

    fn shard(&self) -> Shard {
        Shard {
            source: self.job.config.source.to_string(),
            replid: Some(self.progress.replid()),
            received: Some(self.progress.received()),
            applied: Some(self.progress.applied()),
            ..Shard::default()
        }
    }
}
