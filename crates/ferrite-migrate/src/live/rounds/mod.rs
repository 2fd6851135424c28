//! A live migration of a source that lets nobody follow its commands, as managed services do.
//!
//! ```text
//! round 1    copies every key                                            COPYING
//! round 2 …  compares both ends, copies what differs, deletes what is    CATCHING_UP
//!            gone from the source
//!            a round found few differences, or hardly fewer than the     LIVE
//!            one before: rounds go on, with a rest between them
//! cutover    writes held back, one more round: from here on it is exact  CUTTING_OVER
//! ```
//!
//! Between rounds the target is nearly what the source was when the last one began, and no more is
//! claimed (`eventual`). Nothing is kept of what a round has found: one that was interrupted, by
//! whatever, is followed by another that copies only what still differs. Expiries are not held,
//! because a key that expired on the target before its renewal came is copied again.

mod cutover;
mod functions;
mod hint;
mod orders;
mod round;
mod status;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_client::Backoff;
use serde_json::{Value, json};
use tokio::time::sleep;

use self::hint::{Hint, copy_hinted};
use self::round::Found;
use super::again::AWAY_MAX;
use super::cutover::READY_EVERY;
use super::ladder::Chosen;
use super::progress::Side;
use super::run::{Live, journal_error, ticks};
use crate::config::{Mode, Strategy};
use crate::error::{ErrorKind, MigrateError};
use crate::jobs::{JobDir, JournalRecord, State};
use crate::report::{Event, Verified};

/// How many times as long as a round took nothing is compared after it, once the job is LIVE.
const REST: u32 = 3;
/// The shortest such rest.
const REST_MIN: Duration = Duration::from_secs(1);
/// Differences that another round is not going to make fewer.
const FEW: u64 = 100;
/// The same as a share of the keys: one of so many.
const FEW_OF: u64 = 1000;
/// The name under which the journal has why there is no stream.
const ROUNDS: &str = "rounds";
/// The name under which the journal has the run of the source that was read last.
const SOURCE_RUN: &str = "source_run";
/// The name under which the journal has the function libraries that were copied.
const FUNCTIONS: &str = "functions";

/// What is known of the rounds.
#[derive(Debug, Default)]
pub struct Rounds {
    /// How many this process has completed.
    complete: u64,
    /// What the last one found.
    last: Option<Found>,
    /// The run of the source that was read last.
    run_id: Option<String>,
    /// Function libraries that came from the source: those may be deleted.
    libraries: BTreeSet<String>,
    /// Tells names of keys that were written to.
    hint: Option<Hint>,
    /// Keys that were copied between rounds because the source named them.
    hinted: u64,
    /// What comparing everything while writes were held back has found.
    verified: Option<Verified>,
}

/// The latest detail of this name in a journal.
fn recorded<'a>(journal: &'a [JournalRecord], name: &str) -> Option<&'a Value> {
    let details = journal.iter().rev().filter_map(|record| record.detail.as_ref());
    details.filter_map(|detail| detail.get(name)).next()
}

/// Whether a job goes by rounds, or went by them before its cutover.
#[must_use]
pub fn is_by_rounds(dir: &JobDir) -> bool {
    recorded(dir.journal(), ROUNDS).is_some()
}

/// Whether another round is not going to find clearly fewer differences than this one, `before`
/// being what the round before found.
fn is_converged(differing: u64, before: Option<u64>, keys: u64) -> bool {
    let few = FEW.max(keys / FEW_OF);
    let is_hardly_better = |before: u64| differing >= before - before / 4;
    differing <= few || before.is_some_and(is_hardly_better)
}

impl Live {
    /// Whether the job goes by rounds: because it was told to, or because the source did not let us
    /// follow it when the job began.
    #[must_use]
    pub fn goes_by_rounds(&mut self) -> bool {
        let reason = recorded(self.dir.journal(), ROUNDS).and_then(Value::as_str);
        if let Some(reason) = reason {
            self.chosen = Chosen { strategy: Strategy::Scan, reason: reason.to_owned() };
        }
        !self.is_reversed && self.chosen.strategy == Strategy::Scan
    }

    /// Whether a job that could not begin to follow the source goes by rounds instead.
    pub fn leaves_stream(&mut self, error: &MigrateError) -> bool {
        let config = &self.job.config;
        let may = config.strategy == Strategy::Auto && config.mode == Mode::Live;
        // One that has followed before does not become less exact by itself.
        let followed = |state| matches!(state, State::CatchingUp | State::Live);
        let has_followed = self.dir.journal().iter().any(|record| followed(record.state));
        if !(may && error.is_no_stream && self.checked.readable && !has_followed) {
            return false;
        }
        let reason = format!(
            "not fenced, not psync: the source does not let us follow its commands ({}); both ends \
             are compared, round after round, and what differs is copied",
            error.cause
        );
        self.chosen = Chosen { strategy: Strategy::Scan, reason };
        true
    }

    /// Goes by rounds until the job ends, or has a way back to go: whether it has.
    ///
    /// # Errors
    /// An end that refuses, or is away for too long; a state that cannot be recorded.
    pub async fn by_rounds(&mut self) -> Result<bool, MigrateError> {
        self.begin_rounds()?;
        if !self.keep_undo().await? {
            return Ok(false);
        }
        let (mut failed, mut since) = (0, Instant::now());
        while !self.is_over() {
            match self.round().await {
                Ok(Some(found)) => {
                    (failed, since) = (0, Instant::now());
                    self.went(found)?;
                    self.rest_after(found.took).await?;
                }
                Ok(None) => {}
                Err(error) if error.may_pass => {
                    failed += 1;
                    if failed == 1 {
                        since = Instant::now();
                    }
                    self.wait_for_ends(error, failed, since).await?;
                }
                Err(error) => return Err(error),
            }
        }
        self.known().hint = None;
        let has_way_back = self.dir.state() == State::CutOver;
        if has_way_back {
            self.find_direction().await?;
        }
        Ok(has_way_back)
    }

    /// Records that there is no stream, and what is known from earlier processes.
    fn begin_rounds(&mut self) -> Result<(), MigrateError> {
        // Comparing at offsets of a stream is not for a job without one.
        self.verifier = None;
        self.job.follows_nothing();
        let Chosen { strategy, reason } = self.chosen.clone();
        self.job.emit(Event::Strategy { strategy: strategy.name(), reason: reason.clone() });
        let journal = self.dir.journal();
        let run_id = recorded(journal, SOURCE_RUN).and_then(Value::as_str).map(str::to_owned);
        let libraries = recorded(journal, FUNCTIONS).cloned().unwrap_or_default();
        let libraries = serde_json::from_value(libraries).unwrap_or_default();
        let is_new = recorded(journal, ROUNDS).is_none();
        let hint = Some(Hint::listen(&self.job, &self.checked));
        self.rounds = Some(Rounds { run_id, libraries, hint, ..Rounds::default() });
        if is_new { self.note(json!({ ROUNDS: reason })) } else { Ok(()) }
    }

    /// Puts a detail into the journal; the state stays as it is.
    fn note(&mut self, detail: Value) -> Result<(), MigrateError> {
        self.dir.transition_with(self.dir.state(), None, detail).map_err(journal_error)
    }

    fn known(&mut self) -> &mut Rounds {
        self.rounds.get_or_insert_default()
    }

    /// Whether there is nothing more to do here.
    fn is_over(&self) -> bool {
        self.job.stop.is_stopped() || self.dir.state() == State::CutOver
    }

    /// A round is complete.
    fn went(&mut self, found: Found) -> Result<(), MigrateError> {
        self.may_be_emptied = false;
        for side in Side::ALL {
            self.progress.set_trouble(side, None);
        }
        let known = self.known();
        let before = known.last.filter(|last| last.compares).map(Found::differences);
        known.complete += 1;
        known.last = Some(found);
        if self.dir.state() == State::Copying {
            self.enter(State::CatchingUp, None)?;
        }
        let is_converged = is_converged(found.differences(), before, found.keys);
        if found.compares && is_converged && self.dir.state() == State::CatchingUp {
            self.enter(State::Live, None)?;
        }
        self.look();
        Ok(())
    }

    /// Looks where it is, and writes it down.
    fn look(&mut self) {
        self.tell_trouble();
        self.write_status();
    }

    /// After a round that took so long.
    async fn rest_after(&mut self, took: Duration) -> Result<(), MigrateError> {
        let rest = match self.dir.state() {
            State::Live => (took * REST).max(REST_MIN),
            _ => Duration::ZERO,
        };
        self.rest_for(rest).await
    }

    /// Does what it is told for so long.
    async fn rest_for(&mut self, rest: Duration) -> Result<(), MigrateError> {
        let began = Instant::now();
        let mut ticks = ticks();
        while !self.between_parts().await? && began.elapsed() < rest {
            self.follow_hint().await?;
            let stop = Arc::clone(&self.job.stop);
            tokio::select! {
                () = sleep(READY_EVERY.min(rest.saturating_sub(began.elapsed()))) => {}
                () = stop.stopped() => {}
                _ = ticks.tick() => self.look(),
                Some(order) = self.control.next() => self.order_by_rounds(order).await,
            }
        }
        Ok(())
    }

    /// Copies the keys that the source has named, once the rest is on the target.
    async fn follow_hint(&mut self) -> Result<(), MigrateError> {
        if self.dir.state() != State::Live {
            return Ok(());
        }
        let names = self.known().hint.as_ref().map(Hint::take).unwrap_or_default();
        let run_id = self.known().run_id.clone();
        if names.is_empty() {
            return Ok(());
        }
        let deletes = run_id.filter(|_| self.deletes_gone());
        let (job, checked) = (Arc::clone(&self.job), Arc::clone(&self.checked));
        let copying = async move { copy_hinted(&job, &checked, names, deletes).await };
        match self.hearing(copying).await {
            Some(Ok(count)) => self.known().hinted += count,
            // The next round tells, and finds what was not copied.
            Some(Err(error)) => tracing::debug!(%error, "keys that were named are not copied"),
            None => {}
        }
        Ok(())
    }

    /// While nothing is read: begins a cutover that waits, and holds still as long as the operator
    /// wants it; whether there is nothing more to do here.
    async fn between_parts(&mut self) -> Result<bool, MigrateError> {
        let mut ticks = ticks();
        loop {
            self.look_at_schedule();
            self.cut_over_if_ready().await?;
            if self.is_over() || self.paused.is_none() {
                return Ok(self.is_over());
            }
            let stop = Arc::clone(&self.job.stop);
            tokio::select! {
                () = stop.stopped() => {}
                _ = ticks.tick() => self.look(),
                Some(order) = self.control.next() => self.order_by_rounds(order).await,
            }
        }
    }

    /// A round was lost with an end: waits for it.
    async fn wait_for_ends(
        &mut self,
        error: MigrateError,
        failed: u32,
        since: Instant,
    ) -> Result<(), MigrateError> {
        let backoff = Backoff { attempts: u32::MAX, total: AWAY_MAX, ..Backoff::default() };
        let Some(wait) = backoff.wait(failed, since.elapsed()) else { return Err(error) };
        let side = if error.kind == ErrorKind::Source { Side::Source } else { Side::Target };
        self.progress.set_trouble(side, Some(format!("a round was lost: {error}")));
        self.look();
        self.rest_for(wait).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_converge_when_another_one_does_not_help() {
        assert!(is_converged(0, None, 0) && is_converged(100, None, 10));
        assert!(!is_converged(101, None, 10), "nothing is known of the pace");
        assert!(is_converged(1000, None, 1_000_000), "one of a thousand");
        assert!(!is_converged(700, Some(1000), 10), "another round helps");
        assert!(is_converged(750, Some(1000), 10) && is_converged(2000, Some(1000), 10));
        assert!(is_converged(u64::MAX, Some(u64::MAX), 10));
    }
}
