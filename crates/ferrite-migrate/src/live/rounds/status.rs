//! What a migration by rounds tells about itself.

use super::Rounds;
use crate::engine::now_ms;
use crate::jobs::{JobLag, JobRounds, JobStatus, Shard, State};
use crate::live::run::Live;
use crate::live::verify::Verifier;
use crate::report::Verified;

impl Rounds {
    /// The last complete round.
    #[must_use]
    pub fn told(&self) -> Option<JobRounds> {
        let last = self.last?;
        Some(JobRounds {
            complete: self.complete,
            keys: last.keys,
            differing: if last.compares { last.copied } else { 0 },
            deleted: last.deleted,
            took_ms: u64::try_from(last.took.as_millis()).unwrap_or(u64::MAX),
            began_at_ms: last.began_ms,
            hinted: self.hinted,
        })
    }
}

impl Live {
    /// What comparing found, where that was asked for.
    #[must_use]
    pub fn verified(&self) -> Option<Verified> {
        let by_rounds = self.rounds.as_ref().and_then(|rounds| rounds.verified.clone());
        by_rounds.or_else(|| self.verifier.as_ref().map(Verifier::report))
    }

    /// The status of a job that goes by rounds says so; others are as they are.
    #[must_use]
    pub fn with_rounds(&self, mut status: JobStatus) -> JobStatus {
        let Some(rounds) = self.rounds.as_ref().filter(|_| !self.is_reversed) else {
            return status;
        };
        let is_done = matches!(status.state, State::Completed);
        let consistency = if is_done { "exact" } else { "eventual" };
        status.consistency = Some(consistency.to_owned());
        status.rounds = rounds.told();
        let source = self.job.config.source.to_string();
        status.shards = vec![Shard { source, ..Shard::default() }];
        let now = self.job.status();
        let (progress, last) = (&mut status.progress, rounds.told());
        progress.keys_total = Some(now.keys_total);
        progress.keys_done = last.map_or(now.keys_done, |last| last.keys);
        progress.percent = match last {
            Some(_) => Some(100.0),
            None if now.keys_total == 0 => None,
            None => Some((now.keys_done as f64 * 100.0 / now.keys_total as f64).min(100.0)),
        };
        let Some(last) = last else { return status };
        let age_ms = if is_done { 0 } else { now_ms().saturating_sub(last.began_at_ms) };
        status.lag = JobLag {
            bytes: None,
            seconds: Some(age_ms as f64 / 1000.0),
            keys_dirty: 0,
            spool_bytes: 0,
        };
        status.projected_pause_ms = self.projected_pause_ms().filter(|_| status.can_cutover);
        if status.can_cutover && self.scheduled.is_none() {
            let max_pause = self.wanted_pause().map(|pause| format!(" --max-pause {pause}"));
            let max_pause = max_pause.unwrap_or_default();
            status.next_steps =
                vec![format!("ferrite-migrate cutover --id {}{max_pause}", self.job.id)];
        }
        status
    }
}
