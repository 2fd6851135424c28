//! Makes the target of a migration by rounds the one to write to: one more round while writes are
//! held back, after which both ends are the same.
//!
//! The pause lasts as long as a round, so it is held in short leases that are renewed: a process
//! that dies here leaves the source locked for no longer than one of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_client::ClientError;
use ferrite_client::replication::{Position, ReplicationLink};
use serde_json::json;
use tokio::time::{interval, sleep};

use super::round::{BEGINNING, copy_some, delete_gone};
use crate::engine::Limits;
use crate::error::MigrateError;
use crate::jobs::State;
use crate::jobs::control::Replier;
use crate::live::apply::home;
use crate::live::cutover::{
    GivenUp, MAX_PAUSE, PAUSE_SLACK, Wanted, micros, ms, no_way_back, switch,
};
use crate::live::fence::Fence;
use crate::live::links::{attach_now, resume};
use crate::live::reverse::recorded;
use crate::live::run::{Live, journal_error};
use crate::live::settle::Settler;
use crate::preflight::Checked;
use crate::report::{Cutover, ExitCode, Verified};
use crate::sources::redis_scan::source_error;
use crate::targets::redis::target_error;
use crate::verify::{Coverage, compare_checked};

/// For how long writes are held back at a time.
const LEASE: Duration = Duration::from_secs(5);
/// How often that is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(1);
/// Keys that differ and are named.
const EXAMPLES_MAX: usize = 3;

/// Where the target's own history goes on, and the link to its stream from there.
struct WayBack {
    position: Position,
    db: u32,
    link: ReplicationLink,
}

impl Live {
    /// How long writes would be held back: for a round, and for comparing once more where that was
    /// asked for.
    #[must_use]
    pub fn projected_pause_ms(&self) -> Option<u64> {
        let took = self.rounds.as_ref()?.last?.took;
        let took = if self.job.config.verify { took * 2 } else { took };
        u64::try_from(took.as_millis()).ok()
    }

    /// The `--max-pause` that a cutover needs, where the usual one is too short.
    #[must_use]
    pub fn wanted_pause(&self) -> Option<String> {
        let projected = Duration::from_millis(self.projected_pause_ms()?);
        (projected > MAX_PAUSE).then(|| {
            let enough = projected * 3 / 2;
            format!("{}s", enough.as_secs() + 1)
        })
    }

    /// Why a cutover would be given up for lack of time.
    fn too_slow(&self, wanted: &Wanted) -> Option<String> {
        let most = wanted.max_pause_ms.map_or(MAX_PAUSE, Duration::from_millis);
        let projected = Duration::from_millis(self.projected_pause_ms()?);
        (projected > most).then(|| {
            format!(
                "a round over all keys takes {}, and writes may be held back for {} (--max-pause): \
                 ferrite-migrate cutover --id {} --max-pause {}s",
                ms(projected),
                ms(most),
                self.job.id,
                (projected * 3 / 2).as_secs() + 1
            )
        })
    }

    /// Takes note of a cutover that can begin, or waits until it can; else tells why not.
    pub async fn take_cutover(&mut self, wanted: Wanted, replier: Replier) {
        let not_ready: u8 = ExitCode::NotReady.into();
        if self.waiting.is_some() && !wanted.dry_run {
            let cancel = format!("ferrite-migrate cutover --cancel --id {}", self.job.id);
            return replier.refuse(not_ready, "another cutover waits already", vec![cancel]).await;
        }
        let answer = json!({
            "can_cutover": true,
            "projected_pause_ms": self.projected_pause_ms(),
        });
        let Some(replier) = self.may_begin(&wanted, replier, answer).await else { return };
        match self.too_slow(&wanted) {
            Some(why) => replier.refuse(not_ready, "not ready to cut over", vec![why]).await,
            None => self.waiting = Some((wanted, replier)),
        }
    }

    /// Begins a cutover that waits, if it can.
    ///
    /// # Errors
    /// A job whose state cannot be recorded.
    pub async fn cut_over_if_ready(&mut self) -> Result<(), MigrateError> {
        if self.waiting.is_none() || !self.cutover_reasons().is_empty() {
            return Ok(());
        }
        let Some((wanted, replier)) = self.waiting.take() else { return Ok(()) };
        let Some(why) = self.too_slow(&wanted) else {
            return self.cut_over_by_round(&wanted, replier).await;
        };
        self.schedule_begins(&wanted)?;
        if wanted.is_scheduled {
            self.job.warn(format!("the scheduled cutover was given up: {why}"));
        }
        replier.refuse(ExitCode::NotReady.into(), "not ready to cut over", vec![why]).await;
        Ok(())
    }

    async fn cut_over_by_round(
        &mut self,
        wanted: &Wanted,
        mut replier: Replier,
    ) -> Result<(), MigrateError> {
        self.schedule_begins(wanted)?;
        self.enter(State::CuttingOver, None)?;
        match self.attempt_by_round(wanted, &mut replier).await {
            Ok((cutover, way_back)) => {
                self.cutover = Some(cutover.clone());
                self.has_switched(wanted, way_back).await?;
                replier.done(serde_json::to_value(cutover).unwrap_or_default()).await;
            }
            Err(GivenUp { why, code }) => {
                self.enter(State::Live, Some(&format!("the switch was given up: {why}")))?;
                if wanted.is_scheduled {
                    self.job.warn(format!("the scheduled cutover was given up: {why}"));
                }
                self.forget_mark(wanted).await;
                self.keep_record_if_possible().await;
                let message = format!("given up, the job is LIVE again: {why}");
                replier.refuse(code.into(), message, Vec::new()).await;
            }
        }
        Ok(())
    }

    /// The traffic has moved: goes the way back, or ends.
    async fn has_switched(
        &mut self,
        wanted: &Wanted,
        way_back: Option<WayBack>,
    ) -> Result<(), MigrateError> {
        match way_back {
            Some(WayBack { position, db, link }) => {
                let mut detail = recorded(&position.replid, position.offset, db);
                detail["guard"] = json!(wanted.guard);
                self.dir.transition_with(State::CutOver, None, detail).map_err(journal_error)?;
                self.forget_mark(wanted).await;
                self.way_back = Some(link);
            }
            None => {
                self.enter(State::Completed, None)?;
                self.job.stop.stop();
            }
        }
        self.write_status();
        Ok(())
    }

    /// Takes away what marked our last write to the target.
    async fn forget_mark(&self, wanted: &Wanted) {
        if wanted.reverse
            && let Ok(settler) = Settler::connect(&self.job, &self.checked).await
        {
            settler.forget(&self.job).await;
        }
    }

    /// Everything from holding writes back to letting the source refuse them.
    async fn attempt_by_round(
        &mut self,
        wanted: &Wanted,
        replier: &mut Replier,
    ) -> Result<(Cutover, Option<WayBack>), GivenUp> {
        self.drop_record().await?;
        let connector = self.checked.source.connector.clone();
        let lost = |error: ClientError| source_error(&connector, "holding writes back", &error);
        // Kept open: with it, the target keeps its stream.
        let follows = if wanted.reverse { Some(self.try_way_back().await?) } else { None };
        let mut source = connector.connect().await.map_err(lost)?;
        let info = ferrite_client::server::ServerInfo::probe(&mut source).await.map_err(lost)?;
        let replid = info.replication_id.unwrap_or_default();
        let mut fence = Fence::of_rounds(source, replid);
        let limits = self.job.gate.limits();
        self.job.gate.set(Limits::default());
        let switched = self.switch_by_round(wanted, follows, &mut fence, replier).await;
        self.job.gate.set(limits);
        let (mut cutover, way_back) = match switched {
            Ok(switched) => switched,
            Err(given_up) => {
                fence.lower().await;
                return Err(given_up);
            }
        };
        let left = fence.leave(&self.job, way_back.is_some()).await?;
        (cutover.source_fence, cutover.source_fence_before) = left.unzip();
        Ok((cutover, way_back))
    }

    /// The part during which writes are held back.
    async fn switch_by_round(
        &mut self,
        wanted: &Wanted,
        follows: Option<(ReplicationLink, Position)>,
        fence: &mut Fence,
        replier: &mut Replier,
    ) -> Result<(Cutover, Option<WayBack>), GivenUp> {
        let max_pause = wanted.max_pause_ms.map_or(MAX_PAUSE, Duration::from_millis);
        let connector = self.checked.source.connector.clone();
        let lost = |error: ClientError| source_error(&connector, "holding writes back", &error);
        replier.step("comparing all keys while writes are held back").await;
        let began = Instant::now();
        let lease = LEASE.min(max_pause + PAUSE_SLACK);
        let offset = fence.raise(lease).await.map_err(lost)?;
        self.under_fence(fence, max_pause, began).await?;
        let way_back = match &follows {
            Some((_, position)) => Some(self.way_back_from(position.replid.clone()).await?),
            None => None,
        };
        fence.renew(lease).await?;
        let paused = began.elapsed();
        replier.step(format!("everything has arrived; writes held back for {}", ms(paused))).await;
        let hook = match &wanted.hook {
            None => None,
            Some(hook) => {
                // From here on it is not known where the traffic goes until the hook has ended well.
                let detail = json!({ "switching": true });
                let recorded = self.dir.transition_with(self.dir.state(), None, detail);
                recorded.map_err(GivenUp::failed)?;
                // Not the whole of --max-pause, which may be long: the hook has its own time.
                Some(switch(hook, &self.job.id, fence, MAX_PAUSE, replier).await?)
            }
        };
        let cutover = Cutover {
            pause_us: micros(paused),
            hook_us: hook.map(micros),
            offset,
            expiries_released: 0,
            source_fence: None,
            source_fence_before: None,
            reverse: way_back.is_some(),
        };
        Ok((cutover, way_back))
    }

    /// The last round, while the pause is renewed.
    async fn under_fence(
        &mut self,
        fence: &mut Fence,
        max_pause: Duration,
        began: Instant,
    ) -> Result<(), GivenUp> {
        let lease = LEASE.min(max_pause + PAUSE_SLACK);
        let left = max_pause.saturating_sub(began.elapsed());
        let spent = || {
            GivenUp::failed(format!(
                "the last round was not complete after {} ms, which is the most writes may be held \
                 back (--max-pause)",
                max_pause.as_millis()
            ))
        };
        let round = self.last_round(left);
        tokio::pin!(round);
        let budget = sleep(left);
        tokio::pin!(budget);
        let mut renewals = interval(RENEW_EVERY);
        loop {
            tokio::select! {
                ended = &mut round => {
                    // What differs then was written meanwhile.
                    fence.check()?;
                    return if ended? { Ok(()) } else { Err(spent()) };
                }
                () = &mut budget => return Err(spent()),
                _ = renewals.tick() => fence.renew(lease).await?,
            }
        }
    }

    /// Compares everything, copies what differs and deletes what is gone, within this time; whether
    /// that was enough.
    async fn last_round(&mut self, budget: Duration) -> Result<bool, GivenUp> {
        let mut round = self.begin_round(true).await?;
        let began = Instant::now();
        self.level_functions().await?;
        let (job, checked) = (Arc::clone(&self.job), Arc::clone(&self.checked));
        let all = (round.dbs(), BEGINNING);
        let left = copy_some(Arc::clone(&job), Arc::clone(&checked), all, budget, true).await?;
        if job.stop.is_stopped() {
            return Err(GivenUp::failed("the migration is being stopped"));
        }
        if left.is_some() {
            return Ok(false);
        }
        if self.deletes_gone() {
            delete_gone(&job, &checked, round.run_id()).await?;
        }
        round.took(began.elapsed());
        let found = self.found(&round);
        let known = self.known();
        known.complete += 1;
        known.last = Some(found);
        if self.job.config.verify {
            self.compare_once_more().await?;
        }
        Ok(true)
    }

    /// Compares both ends, which are to be the same now.
    async fn compare_once_more(&mut self) -> Result<(), GivenUp> {
        let checked = Checked::connect(&self.job).await?;
        let report = compare_checked(&self.job, &checked, Coverage::Full).await?;
        let strangers = if self.deletes_gone() { report.missing_source } else { 0 };
        let verified = Verified {
            checked: report.compared,
            mismatched: report.mismatched + report.missing_target + strangers,
            not_comparable: report.not_comparable,
            differences: report.differences,
            ..Verified::default()
        };
        let mismatched = verified.mismatched;
        self.known().verified = Some(verified);
        if mismatched == 0 {
            return Ok(());
        }
        let differences = self.known().verified.iter().flat_map(|found| &found.differences);
        let examples = differences.take(EXAMPLES_MAX);
        let examples = examples.map(|one| format!("\"{}\" ({})", one.key, one.kind.name()));
        let why = format!(
            "{mismatched} keys differ while nothing is written, such as {}",
            examples.collect::<Vec<_>>().join(", ")
        );
        Err(GivenUp { why, code: ExitCode::Mismatch })
    }

    /// Attaches to the target's stream before writes are held back: makes sure that it can be done,
    /// and has the target keep its stream.
    async fn try_way_back(&self) -> Result<(ReplicationLink, Position), GivenUp> {
        let connector = &self.checked.target.connector;
        let attached = attach_now(connector).await;
        attached
            .map_err(|error| no_way_back(target_error("attaching as a replica", connector, &error)))
    }

    /// Marks where others begin to write to the target, and attaches to its stream from there.
    async fn way_back_from(&self, replid: String) -> Result<WayBack, GivenUp> {
        let mut settler = Settler::connect(&self.job, &self.checked).await?;
        let offset = settler.mark(&self.job).await?;
        let position = Position { replid, offset };
        match resume(&self.checked.target.connector, &position).await {
            Ok(Some((link, _))) => Ok(WayBack { position, db: home(&self.job.config), link }),
            Ok(None) => Err(GivenUp::failed("the target does not continue from our last write")),
            Err(error) => Err(GivenUp::failed(format!("attaching to the target: {error}"))),
        }
    }
}
