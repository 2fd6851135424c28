//! Runs that bring the target to what the source has, one after the other.
//!
//! ```text
//! run 1   copy ──► read again what was written meanwhile ──► IDLE at offset P
//! run 2   the source's commands from P on ──► read their keys again ──► IDLE at offset Q
//!         (without them: compare every key, copy what differs)
//! ```
//!
//! Commands are never applied as they are: between two runs keys expire on the target by
//! themselves, so that what a command finds there may not be what it found on the source. The keys
//! they write are read again, each once however often it was written.

use std::time::Duration;

use super::run::Live;
use crate::config::Mode;
use crate::engine::now_ms;
use crate::error::MigrateError;
use crate::jobs::State;
use crate::time::rfc3339;

/// How often the clock is looked at while the next run is waited for.
const LOOK_EVERY: Duration = Duration::from_secs(10);

impl Live {
    /// Whether commands are only told by the keys they write, and a run ends by itself.
    #[must_use]
    pub fn is_incremental(&self) -> bool {
        self.job.config.mode == Mode::Incremental
    }

    /// Where a run ends that begins now: where the source is. Others do not end there.
    ///
    /// # Errors
    /// A source that cannot be asked.
    pub async fn run_ends_at(&self) -> Result<Option<u64>, MigrateError> {
        match self.is_incremental() {
            true => self.source_offset().await.map(Some),
            false => Ok(None),
        }
    }

    /// The target has everything: says so, and waits for the next run; whether there is one in this
    /// process.
    ///
    /// # Errors
    /// A state that cannot be recorded.
    pub async fn rest(&mut self) -> Result<bool, MigrateError> {
        let id = &self.job.id;
        let offset = self.progress.applied();
        let Some(every) = self.job.config.every else {
            let next = format!("ferrite-migrate migrate --resume {id}");
            let reason = format!("the target is at offset {offset}; the next run: {next}");
            self.enter(State::Idle, Some(&reason))?;
            return Ok(false);
        };
        let next_ms = now_ms() + u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        let at = rfc3339(next_ms);
        let reason = format!("the target is at offset {offset}; the next run is at {at}");
        self.enter(State::Idle, Some(&reason))?;
        self.write_status();
        // By the clock on the wall: a machine that slept does not wait longer.
        while now_ms() < next_ms && !self.job.stop.is_stopped() {
            let left = Duration::from_millis(next_ms.saturating_sub(now_ms()));
            tokio::select! {
                () = tokio::time::sleep(left.min(LOOK_EVERY)) => {}
                () = self.job.stop.stopped() => {}
                Some(order) = self.control.next() => self.order_early(order).await,
            }
        }
        Ok(!self.job.stop.is_stopped())
    }
}
