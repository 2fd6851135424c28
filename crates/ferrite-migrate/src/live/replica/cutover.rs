//! Makes the target, a replica until then, the one to write to.
//!
//! ```text
//! writes held   CLIENT PAUSE … WRITE on the source; its offset; the target comes up to there;
//!               REPLICAOF NO ONE on the target; the hook moves the traffic
//! after it      the source refuses writes; its pause is lifted
//! ```
//!
//! Until the promotion, giving up costs nothing. After it the target has a history of its own,
//! which the source does not know: it can only become a replica again by a new copy.

use std::time::{Duration, Instant};

use ferrite_client::{ClientError, Connection};
use serde_json::json;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{sleep, timeout};

use super::Replica;
use super::attach::FENCE_BEFORE;
use super::compare::Work;
use super::facts::{Fact, Found};
use super::watch::Sample;
use super::way_back::WayBack;
use crate::error::MigrateError;
use crate::jobs::State;
use crate::jobs::control::Replier;
use crate::live::cutover::{GivenUp, MAX_PAUSE, PAUSE_SLACK, Wanted, micros, ms, switch};
use crate::live::fence::Fence;
use crate::live::run::journal_error;
use crate::report::{Cutover, ExitCode};
use crate::sources::redis_scan::source_error;
use crate::targets::redis::target_error;

/// What became of the part during which writes were held back.
struct Switched {
    /// The source's last offset.
    offset: u64,
    /// For how long writes were held back until the target was promoted.
    paused: Duration,
    /// How long the hook took.
    hook: Option<Duration>,
    way_back: Option<WayBack>,
}

/// How often the target is asked how far it is while writes are held back.
const DRAINED_EVERY: Duration = Duration::from_millis(1);

impl Replica {
    /// Cuts over, or tells why not.
    ///
    /// # Errors
    /// A job whose state cannot be recorded.
    pub async fn cut_over(
        &mut self,
        wanted: &Wanted,
        mut replier: Replier,
    ) -> Result<(), MigrateError> {
        let reasons = self.cutover_reasons();
        if wanted.when_ready && !wanted.dry_run && !reasons.is_empty() && self.waiting.is_none() {
            replier.step("waiting until the target has caught up").await;
            self.waiting = Some((wanted.clone(), replier));
            return Ok(());
        }
        if !reasons.is_empty() {
            replier.refuse(ExitCode::NotReady.into(), "not ready to cut over", reasons).await;
            return Ok(());
        }
        if wanted.dry_run {
            let lag_bytes = self.progress.lag_bytes();
            replier.done(json!({ "can_cutover": true, "lag_bytes": lag_bytes })).await;
            return Ok(());
        }
        self.enter(State::CuttingOver, None)?;
        match self.attempt(wanted, &mut replier).await {
            Ok((cutover, way_back)) => {
                self.cutover = Some(cutover.clone());
                match way_back {
                    Some(way_back) => self.turn(way_back)?,
                    None => {
                        self.enter(State::Completed, None)?;
                        self.job.stop.stop();
                    }
                }
                self.write_status();
                replier.done(serde_json::to_value(cutover).unwrap_or_default()).await;
            }
            Err(given_up) => self.give_up(given_up, replier).await?,
        }
        Ok(())
    }

    /// Looks from time to time whether a cutover that waits can begin; begins it.
    ///
    /// # Errors
    /// A job whose state cannot be recorded.
    pub async fn cut_over_when_ready(&mut self) -> Result<(), MigrateError> {
        self.tick()?;
        if !self.cutover_reasons().is_empty() {
            return Ok(());
        }
        match self.waiting.take() {
            Some((wanted, replier)) => self.cut_over(&wanted, replier).await,
            None => Ok(()),
        }
    }

    /// Goes on as before; a target that was promoted becomes a replica again as soon as it is
    /// looked at.
    async fn give_up(
        &mut self,
        GivenUp { why, code }: GivenUp,
        replier: Replier,
    ) -> Result<(), MigrateError> {
        let reason = format!("the switch was given up: {why}");
        let message = match self.fact {
            Fact::Attached(_) => {
                self.enter(State::Live, Some(&reason))?;
                format!("given up, the job is LIVE again: {why}")
            }
            _ => {
                // That nobody has written to the target is known here, and no more later.
                self.record(State::Attaching, Some(&reason), Fact::Attaching)?;
                self.since = Instant::now();
                format!(
                    "given up: {why}; the target had been promoted, and copies everything again \
                     before the job is LIVE"
                )
            }
        };
        replier.refuse(code.into(), message, Vec::new()).await;
        Ok(())
    }

    /// Everything from holding writes back to letting the source refuse them.
    async fn attempt(
        &mut self,
        wanted: &Wanted,
        replier: &mut Replier,
    ) -> Result<(Cutover, Option<WayBack>), GivenUp> {
        let (from, to) =
            (self.checked.source.connector.clone(), self.checked.target.connector.clone());
        let lost = |error: ClientError| source_error(&from, "holding writes back", &error);
        let source = from.connect().await.map_err(lost)?;
        let mut target = crate::targets::redis::connect(&to).await?;
        if wanted.reverse {
            self.try_way_back().await?;
        }
        let work = self.quiet().await?;
        let mut fence = Fence::new(source, self.progress.replid());
        let switched = self.switch_over(wanted, work, &mut fence, &mut target, replier).await;
        let Switched { offset, paused, hook, way_back } = match switched {
            Ok(switched) => switched,
            Err(given_up) => {
                fence.lower().await;
                return Err(given_up);
            }
        };
        let (source_fence, source_fence_before) =
            fence.leave(&self.job, wanted.reverse).await?.unzip();
        self.put_settings_back().await;
        let cutover = Cutover {
            pause_us: micros(paused),
            hook_us: hook.map(micros),
            offset,
            expiries_released: 0,
            source_fence,
            source_fence_before,
            reverse: way_back.is_some(),
        };
        Ok((cutover, way_back))
    }

    /// The part during which writes are held back.
    async fn switch_over(
        &mut self,
        wanted: &Wanted,
        mut work: Option<OwnedMutexGuard<Work>>,
        fence: &mut Fence,
        target: &mut Connection,
        replier: &mut Replier,
    ) -> Result<Switched, GivenUp> {
        let max_pause = wanted.max_pause_ms.map_or(MAX_PAUSE, Duration::from_millis);
        let connector = self.checked.source.connector.clone();
        let lost = |error: ClientError| source_error(&connector, "holding writes back", &error);
        let fence_before = fence.replicas_to_write().await;
        let began = Instant::now();
        let offset = fence.raise(max_pause + PAUSE_SLACK).await.map_err(lost)?;
        let left = max_pause.saturating_sub(began.elapsed());
        let run_id = match timeout(left, self.level(target, offset, work.as_deref_mut())).await {
            Ok(drained) => drained?,
            Err(_) => {
                return Err(GivenUp::failed(format!(
                    "the target did not have everything after {} ms, which is the most writes may \
                     be held back (--max-pause)",
                    max_pause.as_millis()
                )));
            }
        };
        fence.check()?;
        let promoted = self.promote(target, run_id, &fence_before).await?;
        let way_back = match wanted.reverse {
            true => Some(self.way_back(&promoted).await?),
            false => None,
        };
        let paused = began.elapsed();
        fence.check()?;
        replier.step(format!("everything has arrived; writes held back for {}", ms(paused))).await;
        let Some(hook) = &wanted.hook else {
            return Ok(Switched { offset, paused, hook: None, way_back });
        };
        // From here on it is not known where the traffic goes until the hook has ended well.
        self.record(State::CuttingOver, None, Fact::Switching).map_err(GivenUp::failed)?;
        let took = switch(hook, &self.job.id, fence, max_pause, replier).await?;
        Ok(Switched { offset, paused, hook: Some(took), way_back })
    }

    /// Has nothing compared as long as the returned value lives, where anything is.
    async fn quiet(&self) -> Result<Option<OwnedMutexGuard<Work>>, GivenUp> {
        let Some(comparison) = &self.comparison else { return Ok(None) };
        let late = || GivenUp::failed("a comparison of keys has not ended in time");
        comparison.quiet().await.map(Some).ok_or_else(late)
    }

    /// Waits until the target has everything, and compares what could not be before; the id of its
    /// process.
    async fn level(
        &self,
        target: &mut Connection,
        offset: u64,
        work: Option<&mut Work>,
    ) -> Result<String, GivenUp> {
        let run_id = self.drained(target, offset).await?;
        if let (Some(comparison), Some(work)) = (&self.comparison, work) {
            let compared = comparison.last_look(work).await;
            compared.map_err(|why| GivenUp { why, code: ExitCode::Mismatch })?;
        }
        Ok(run_id)
    }

    /// Waits until the target has applied everything up to the source's offset; the id of its
    /// process.
    async fn drained(&self, target: &mut Connection, offset: u64) -> Result<String, GivenUp> {
        let place = self.source_place()?;
        let connector = &self.checked.target.connector;
        let lost = |error: ClientError| target_error("asking how far it is", connector, &error);
        loop {
            let sample = Sample::ask(target).await.map_err(lost)?;
            if sample.found(place) != Found::Ours {
                return Err(GivenUp::failed("the target is no replica of the source any more"));
            }
            let is_same = sample.replid() == self.progress.replid();
            if is_same && sample.is_linked() && sample.applied() >= offset {
                self.progress.set_applied(sample.applied(), sample.asked_ms);
                return Ok(sample.run_id());
            }
            sleep(DRAINED_EVERY).await;
        }
    }

    /// Makes the target a master; how it is then.
    async fn promote(
        &mut self,
        target: &mut Connection,
        run_id: String,
        fence_before: &str,
    ) -> Result<Sample, GivenUp> {
        let fact = Fact::Promoting(run_id);
        let mut detail = fact.detail();
        if let Some(detail) = detail.as_object_mut() {
            detail.insert(FENCE_BEFORE.to_owned(), fence_before.into());
        }
        let recorded = self.dir.transition_with(State::CuttingOver, None, detail);
        recorded.map_err(journal_error)?;
        self.fact = fact;
        let connector = &self.checked.target.connector;
        let lost = |error: ClientError| target_error("promoting it", connector, &error);
        target.call(&["REPLICAOF", "NO", "ONE"]).await.map_err(lost)?;
        let sample = Sample::ask(target).await.map_err(lost)?;
        self.since = Instant::now();
        match sample.found(self.source_place()?) {
            Found::Master { .. } => Ok(sample),
            _ => Err(GivenUp::failed("the target is still a replica after REPLICAOF NO ONE")),
        }
    }
}
