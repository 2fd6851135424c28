//! One round: every key of the source is compared with the target's, what differs is copied, and
//! what the source does not have is deleted.
//!
//! It is made in parts, between which the operator is heard; where the next part begins is known to
//! this process only. A place means something to one run of the source: where that has ended, the
//! round is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_client::server::ServerInfo;
use serde_json::json;
use tokio::sync::oneshot;

use super::SOURCE_RUN;
use crate::config::OnConflict;
use crate::engine::{Job, Tally, copy, now_ms};
use crate::error::{ErrorKind, MigrateError};
use crate::jobs::State;
use crate::live::apply::Target;
use crate::live::run::{Live, ticks};
use crate::preflight::Checked;
use crate::scan::Place;
use crate::sources::redis_scan::{Part, part, source_error};
use crate::targets::redis::target_error;

/// How long names are read until the operator is heard, at most.
const PART_LASTS_MAX: Duration = Duration::from_secs(2);
/// How long the first part takes; each one takes twice as long as the one before.
const PART_LASTS_FIRST: Duration = Duration::from_millis(200);

/// What a round found.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Whether both ends were compared; else everything was copied.
    pub compares: bool,
    /// Keys that are the same on both ends now.
    pub keys: u64,
    /// Keys that were copied.
    pub copied: u64,
    /// Keys that were deleted.
    pub deleted: u64,
    /// How long it took, without what came in between.
    pub took: Duration,
    /// When it began, in ms of Unix time.
    pub began_ms: u64,
}

impl Found {
    /// How many keys differed.
    #[must_use]
    pub fn differences(self) -> u64 {
        self.copied + self.deleted
    }
}

/// What is counted while a round goes on.
#[derive(Clone, Copy)]
struct Counts {
    copied: u64,
    deleted: u64,
    identical: u64,
}

impl Counts {
    fn of(job: &Job) -> Self {
        job.tally(|tally| Self {
            copied: tally.keys.copied,
            deleted: tally.keys.deleted,
            identical: tally.keys.identical,
        })
    }
}

/// A round that goes on.
pub struct Round {
    compares: bool,
    dbs: Vec<u32>,
    /// The source's run.
    run_id: String,
    before: Counts,
    took: Duration,
    began_ms: u64,
}

impl Round {
    /// The databases there are.
    pub fn dbs(&self) -> Vec<u32> {
        self.dbs.clone()
    }

    /// The source's run; empty where it tells none.
    pub fn run_id(&self) -> String {
        self.run_id.clone()
    }

    /// It took this much longer.
    pub fn took(&mut self, longer: Duration) {
        self.took += longer;
    }
}

/// Reads keys from a place on and writes those that differ, or all; where it goes on, unless all
/// were read.
pub async fn copy_some(
    job: Arc<Job>,
    checked: Arc<Checked>,
    (dbs, from): (Vec<u32>, Place),
    lasts: Duration,
    differing: bool,
) -> Result<Option<Place>, MigrateError> {
    let mut capabilities = checked.capabilities(&job.config, true);
    // What is there is an earlier value, or was checked to be none before the job began.
    capabilities.on_conflict = OnConflict::Replace;
    let (ended, place) = oneshot::channel();
    let (from, holds, limited) = (Some(from), false, true);
    let source = part(&job, &checked, Part { dbs, from, lasts, differing, holds, limited, ended });
    copy(&job, checked.ends(), capabilities, source).await?;
    Ok(place.await.ok().flatten())
}

/// The beginning of a source, without its functions.
pub const BEGINNING: Place = Place { db: 0, cursor: 0 };

impl Live {
    /// Makes one round; `None` if there was something else to do before its end.
    ///
    /// # Errors
    /// An end that refuses, or is away; a state that cannot be recorded.
    pub async fn round(&mut self) -> Result<Option<Found>, MigrateError> {
        let compares = !self.is_first_copy() || self.job.config.only_differing;
        let mut round = self.begin_round(compares).await?;
        self.enter_round()?;
        let began = Instant::now();
        self.level_functions().await?;
        round.took += began.elapsed();
        let (mut from, mut lasts) = (BEGINNING, PART_LASTS_FIRST);
        loop {
            let began = Instant::now();
            let next = self.part_of_round(&round, from, lasts).await?;
            round.took += began.elapsed();
            lasts = (lasts * 2).min(PART_LASTS_MAX);
            if self.job.stop.is_stopped() {
                return Ok(None);
            }
            match next {
                None => break,
                Some(_) if self.between_parts().await? => return Ok(None),
                Some(place) => from = place,
            }
            self.same_run(&round).await?;
        }
        let began = Instant::now();
        let (job, checked) = (Arc::clone(&self.job), Arc::clone(&self.checked));
        let deletes = self.deletes_gone();
        let run_id = round.run_id.clone();
        let deleting =
            async move { if deletes { delete_gone(&job, &checked, run_id).await } else { Ok(()) } };
        match self.hearing(deleting).await {
            None => return Ok(None),
            Some(deleted) => deleted?,
        }
        round.took += began.elapsed();
        if self.dir.state() == State::Copying {
            self.copy_ms += u64::try_from(round.took.as_millis()).unwrap_or(u64::MAX);
        }
        Ok(Some(self.found(&round)))
    }

    /// Asks the source what there is, and sees to it that it has not lost its keys.
    pub async fn begin_round(&mut self, compares: bool) -> Result<Round, MigrateError> {
        let info = self.source_info().await?;
        let run_id = info.info.get("run_id").unwrap_or_default().to_owned();
        let is_known = self.known().run_id.as_ref() == Some(&run_id);
        if !is_known || run_id.is_empty() {
            let beginning = self.beginning(self.deletes_gone() && !self.is_first_copy());
            if beginning.refuses_emptied {
                beginning.refuse_emptied_source().await?;
            }
        }
        if !is_known {
            self.note(json!({ SOURCE_RUN: run_id }))?;
            self.known().run_id = Some(run_id.clone());
        }
        let config = &self.job.config;
        let (dbs, keys) = match config.source_db() {
            Some(only) => (vec![only], info.keyspace.get(&only).map_or(0, |space| space.keys)),
            None => (info.keyspace.keys().copied().collect(), info.keys()),
        };
        self.job.tally(Tally::look_again);
        self.job.count_anew(keys);
        let before = Counts::of(&self.job);
        let began_ms = now_ms();
        Ok(Round { compares, dbs, run_id, before, took: Duration::ZERO, began_ms })
    }

    /// What a round that is complete has found.
    pub fn found(&self, round: &Round) -> Found {
        let now = Counts::of(&self.job);
        let copied = now.copied.saturating_sub(round.before.copied);
        let identical = now.identical.saturating_sub(round.before.identical);
        let deleted = now.deleted.saturating_sub(round.before.deleted);
        let Round { compares, took, began_ms, .. } = *round;
        Found { compares, keys: copied + identical, copied, deleted, took, began_ms }
    }

    /// The state that belongs to the round that begins.
    fn enter_round(&mut self) -> Result<(), MigrateError> {
        let states = self.dir.journal().iter().map(|record| record.state);
        let mut states = states.filter(|state| *state == State::CatchingUp);
        let wanted = if states.next().is_some() { State::CatchingUp } else { State::Copying };
        let state = self.dir.state();
        if state == wanted || state == State::Live { Ok(()) } else { self.enter(wanted, None) }
    }

    async fn source_info(&self) -> Result<ServerInfo, MigrateError> {
        let connector = &self.checked.source.connector;
        let asked = async {
            let mut connection = connector.connect().await?;
            ServerInfo::probe(&mut connection).await
        };
        asked.await.map_err(|error| source_error(connector, "asking for keys", &error))
    }

    /// Fails where the source is another run than the round began with.
    async fn same_run(&self, round: &Round) -> Result<(), MigrateError> {
        let info = self.source_info().await?;
        if info.info.get("run_id").unwrap_or_default() == round.run_id {
            return Ok(());
        }
        let doing = format!("reading keys from the source {}", self.job.config.source);
        let error = MigrateError::new(ErrorKind::Source, doing, "it was restarted meanwhile");
        Err(error.passing(true))
    }

    async fn part_of_round(
        &mut self,
        round: &Round,
        from: Place,
        lasts: Duration,
    ) -> Result<Option<Place>, MigrateError> {
        let (job, checked) = (Arc::clone(&self.job), Arc::clone(&self.checked));
        let copying = copy_some(job, checked, (round.dbs.clone(), from), lasts, round.compares);
        // Ends in order by itself when the job is stopped.
        tokio::pin!(copying);
        let mut ticks = ticks();
        loop {
            tokio::select! {
                place = &mut copying => return place,
                _ = ticks.tick() => self.write_status(),
                Some(order) = self.control.next() => self.order_by_rounds(order).await,
            }
        }
    }

    /// Does what it is told while something is under way; `None` if that is to end it.
    pub(super) async fn hearing<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(work);
        let job = Arc::clone(&self.job);
        let mut ticks = ticks();
        loop {
            tokio::select! {
                done = &mut work => return Some(done),
                () = job.stop.stopped() => return None,
                _ = ticks.tick() => self.write_status(),
                Some(order) = self.control.next() => self.order_by_rounds(order).await,
            }
        }
    }

    /// Whether keys of the target that the source does not have are deleted: if they are ours.
    pub fn deletes_gone(&self) -> bool {
        let deletes = self.target_was_empty || self.job.config.delete_missing;
        if !deletes && !self.is_first_copy() {
            self.job.warn(
                "the target had keys of its own: keys that are deleted on the source after they \
                 were copied stay there",
            );
        }
        deletes
    }
}

/// Deletes keys of the target that take part and that this run of the source does not have.
///
/// # Errors
/// An end that is away.
pub async fn delete_gone(
    job: &Arc<Job>,
    checked: &Checked,
    run_id: String,
) -> Result<(), MigrateError> {
    let mut target = Target::new(job, checked);
    if !run_id.is_empty() {
        target = target.asking_run(run_id);
    }
    let connector = &checked.target.connector;
    let lost = |error| target_error("deleting what the source does not have", connector, &error);
    let deleted = target.clear_missing().await.map_err(lost)?;
    job.tally(|tally| tally.keys.deleted += deleted);
    Ok(())
}
