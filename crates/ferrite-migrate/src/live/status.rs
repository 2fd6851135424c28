//! What a running live migration tells about itself.

use super::guard::Guarding;
use super::progress::Progress;
use super::run::Live;
use super::verify::Verifier;
use crate::engine::now_ms;
use crate::jobs::{JobLag, JobProgress, JobStatus, Shard, SkippedKeys, State};
use crate::preflight::Checked;

/// Above this lag, in ms, a cutover would hold writes back for too long.
const CUTOVER_LAG_MS: u64 = 1000;

/// Why two servers cannot change places now, however one follows the other.
pub fn reasons_of(progress: &Progress, checked: &Checked) -> Vec<String> {
    let mut reasons = Vec::new();
    let lag_ms = progress.lag_ms();
    if lag_ms > CUTOVER_LAG_MS {
        let (lag, most) = (lag_ms as f64 / 1000.0, CUTOVER_LAG_MS as f64 / 1000.0);
        reasons.push(format!("the target is {lag:.1} s behind (at most {most:.1} s)"));
    }
    if !checked.source.can_pause_writes() {
        reasons.push(String::from(
            "the source cannot hold writes back: CLIENT PAUSE … WRITE came with Redis 6.2",
        ));
    }
    reasons
}

impl Live {
    /// Why a cutover cannot begin now; nothing if it can.
    #[must_use]
    pub fn cutover_reasons(&self) -> Vec<String> {
        let state = self.dir.state();
        let mut reasons = self.progress.trouble();
        if self.is_incremental() {
            reasons.push(String::from(
                "an incremental migration follows from time to time: begin one with --mode live",
            ));
        }
        let ready = if self.is_reversed { State::CutOver } else { State::Live };
        if state != ready {
            reasons.push(format!("the job is {state}, not {ready}"));
        }
        if self.paused.is_some() {
            reasons.push(format!("it is paused: ferrite-migrate resume --id {}", self.job.id));
        }
        reasons.extend(reasons_of(&self.progress, &self.checked));
        reasons.extend(self.verifier.iter().flat_map(Verifier::reasons));
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
        let (state, config) = (self.dir.state(), &self.first().config);
        let reasons = self.cutover_reasons();
        let id = &self.job.id;
        let next_steps = match state {
            _ if self.scheduled.is_some() => {
                vec![format!("ferrite-migrate cutover --cancel --id {id}")]
            }
            State::Live if reasons.is_empty() => vec![format!("ferrite-migrate cutover --id {id}")],
            State::CutOver => vec![
                format!("ferrite-migrate complete --id {id}"),
                format!("ferrite-migrate rollback --id {id}"),
            ],
            _ => Vec::new(),
        };
        let status = JobStatus {
            id: self.job.id.clone(),
            state,
            phase: state.phase().map(str::to_owned),
            consistency: Some(String::from("exact")),
            strategy: Some(self.chosen.strategy.name().to_owned()),
            strategy_reason: Some(self.chosen.reason.clone()),
            source: config.source.to_string(),
            target: config.target.address.to_string(),
            can_cutover: reasons.is_empty() && !self.is_reversed,
            can_rollback: reasons.is_empty() && self.is_reversed,
            reasons,
            progress: self.progress_of_copy(),
            lag: JobLag {
                bytes: Some(self.progress.lag_bytes()),
                seconds: Some(self.progress.lag_ms() as f64 / 1000.0),
                keys_dirty: self.progress.dirty(),
                spool_bytes: self.progress.spool_bytes(),
            },
            verify: self.verifier.as_ref().map(Verifier::status).unwrap_or_default(),
            projected_pause_ms: None,
            ttl_guard: Default::default(),
            throttle: self.job.gate.status(),
            rounds: None,
            shards: self.shards_told().unwrap_or_else(|| vec![self.shard()]),
            skipped: self.first().tally(|tally| tally.skipped()).into_iter().map(skipped).collect(),
            scheduled_at_ms: self.scheduled.as_ref().map(|scheduled| scheduled.at_ms),
            guard: self.guarding.as_ref().map(Guarding::status),
            next_steps,
            warnings: self.first().tally(|tally| tally.warnings()),
            updated_at_ms: now_ms(),
            pid: Some(std::process::id()),
        };
        self.with_rounds(status)
    }

    fn progress_of_copy(&self) -> JobProgress {
        let status = self.job.status();
        let is_copying = self.dir.state() == State::Copying;
        let (mut keys, bytes) = self.first().tally(|tally| (tally.keys.copied, tally.bytes));
        if keys == 0 && !is_copying && self.follows() {
            // Copied by an earlier process, which has counted them.
            keys = self.checked.target.keys_total(&self.job.config);
        }
        let total = self.checked.source.keys_total(&self.job.config);
        let percent = match total {
            _ if !is_copying && keys > 0 => 100.0,
            0 => 0.0,
            total => (keys as f64 * 100.0 / total as f64).min(100.0),
        };
        let seconds = (status.elapsed_ms as f64 / 1000.0).max(0.001);
        let rate = |done: u64| if is_copying { (done as f64 / seconds) as u64 } else { 0 };
        let left = total.saturating_sub(keys);
        let eta = (is_copying && keys > 0).then(|| (left as f64 / keys as f64 * seconds) as u64);
        JobProgress {
            keys_done: keys,
            keys_total: Some(total),
            total_is: Some(String::from("estimate")),
            bytes_done: bytes,
            bytes_total: None,
            percent: Some(percent),
            rate_keys_s: rate(keys),
            rate_bytes_s: rate(bytes),
            elapsed_s: self.elapsed_s(),
            eta_s: eta,
            eta_p90_s: None,
        }
    }

    /// Whether the target has what was there at the beginning.
    fn follows(&self) -> bool {
        let state = self.dir.state();
        matches!(state, State::CatchingUp | State::Live | State::CuttingOver | State::CutOver)
    }

    fn shard(&self) -> Shard {
        let received = self.progress.received();
        Shard {
            source: self.job.config.source.to_string(),
            replid: Some(self.progress.replid()),
            received: Some(received),
            spooled: Some(received),
            applied: Some(self.progress.applied()),
            db: None,
            slots: None,
        }
    }
}

fn skipped(skip: crate::report::Skip) -> SkippedKeys {
    SkippedKeys { reason: skip.reason, type_name: None, count: skip.count }
}
