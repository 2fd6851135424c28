//! Makes the target the one to write to.
//!
//! ```text
//! follow        release the expiries that are far off, a slice at a time
//! writes held   CLIENT PAUSE … WRITE on the source; its offset; apply up to there;
//!               release the remaining expiries; the hook moves the traffic
//! after it      the source refuses writes; its pause is lifted
//! ```
//!
//! The pause ends by itself on the source when its time is up, so that a process that dies here
//! leaves nothing locked. When anything takes longer than its budget, or fails, the pause is
//! lifted and the job is LIVE again, as if nothing had been.

use std::collections::HashSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use ferrite_client::ClientError;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::oneshot;

use super::again::NOT_HELD;
use super::apply::Request;
use super::expiries::{swapped, swaps};
use super::fence::Fence;
use super::guard::Guard;
use super::marks::Key;
use super::reverse::Reverse;
use super::run::{Following, Live, journal_error};
use super::settle::{Paused, Settler, pause};
use super::verify::Work;
use crate::error::MigrateError;
use crate::jobs::State;
use crate::jobs::control::Replier;
use crate::report::{Cutover, ExitCode};
use crate::sources::redis_scan::source_error;

/// How long writes may be held back until the target has everything, unless told otherwise.
pub(super) const MAX_PAUSE: Duration = Duration::from_secs(1);
/// How long the hook may take; writes are held back meanwhile.
pub(super) const HOOK_MAX: Duration = Duration::from_secs(10);
/// What the source's pause lasts beyond what we need of it.
pub(super) const PAUSE_SLACK: Duration = Duration::from_secs(1);
/// How often it is looked whether a cutover that waits can begin.
pub const READY_EVERY: Duration = Duration::from_millis(100);
/// How often it is looked whether commands are still applied while writes are held back.
const APPLIER_LOOKED_AT_EVERY: Duration = Duration::from_millis(20);
/// Output of the hook that is shown.
const HOOK_OUTPUT_MAX: usize = 500;
/// The setting that has a server refuse writes without so many good replicas.
pub const REPLICAS_SETTING: &str = "min-replicas-to-write";
/// The number of good replicas no source has: with it, every write is refused.
pub const REPLICAS_FENCE: &str = "1000000";

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// How long writes may be held back until the target has everything, in ms.
    pub max_pause_ms: Option<u64>,
    /// Only tell whether it could be done.
    pub dry_run: bool,
    /// Wait until it can be done.
    pub when_ready: bool,
    /// A shell command that moves the traffic.
    pub hook: Option<String>,
    /// Whether the source follows the target afterwards.
    pub reverse: bool,
    /// When to go back without being told.
    pub guard: Option<Guard>,
    /// Whether its time was ordered before.
    pub is_scheduled: bool,
}

/// Why a cutover was given up; the job goes on.
#[derive(Debug)]
pub(super) struct GivenUp {
    /// What failed, or took too long.
    pub why: String,
    /// The exit code for the command that asked.
    pub code: ExitCode,
}

impl GivenUp {
    /// Something failed.
    pub fn failed(why: impl ToString) -> Self {
        Self { why: why.to_string(), code: ExitCode::Failed }
    }
}

impl From<MigrateError> for GivenUp {
    fn from(error: MigrateError) -> Self {
        Self::failed(error)
    }
}

impl Live {
    /// Cuts over, or tells why not.
    ///
    /// # Errors
    /// A job whose state cannot be recorded.
    pub async fn cut_over(
        &mut self,
        wanted: &Wanted,
        replier: Replier,
        following: &mut Following,
    ) -> Result<(), MigrateError> {
        let lag = json!({ "can_cutover": true, "lag_bytes": self.progress.lag_bytes() });
        let Some(mut replier) = self.may_begin(wanted, replier, lag).await else { return Ok(()) };
        let (before, doing) = self.cutover_states();
        self.schedule_begins(wanted)?;
        self.enter(doing, None)?;
        if let Err(error) = self.drop_record().await {
            self.keep_record_if_possible().await;
            self.enter(before, Some(&format!("the switch was given up: {error}")))?;
            replier.refuse(ExitCode::Failed.into(), error.to_string(), Vec::new()).await;
            return Ok(());
        }
        // Nothing else is compared until this is over.
        let mut work = match &self.verifier {
            Some(verifier) if !self.is_reversed => verifier.quiet().await,
            _ => None,
        };
        let attempted = match self.is_sharded() {
            true => {
                let attempted = self
                    .attempt_by_shards(wanted, work.as_deref_mut(), &mut replier, following)
                    .await;
                attempted.map(|cutover| (cutover, None))
            }
            false => self.attempt(wanted, work.as_deref_mut(), &mut replier, following).await,
        };
        match attempted {
            Ok((cutover, reverse)) => {
                self.switched(&cutover, reverse, wanted.guard.clone(), following).await?;
                replier.done(serde_json::to_value(cutover).unwrap_or_default()).await;
            }
            Err(GivenUp { why, code }) => {
                if !self.is_reversed && !self.is_sharded() {
                    self.hold_again(following).await;
                    self.keep_record_if_possible().await;
                }
                self.enter(before, Some(&format!("the switch was given up: {why}")))?;
                if self.may_have_expired() {
                    let noted = self.dir.transition_with(before, None, json!({ NOT_HELD: true }));
                    noted.map_err(journal_error)?;
                }
                self.guard_again(&why);
                if wanted.is_scheduled {
                    self.first().warn(format!("the scheduled cutover was given up: {why}"));
                }
                let message = format!("given up, the job is {before} again: {why}");
                replier.refuse(code.into(), message, Vec::new()).await;
            }
        }
        Ok(())
    }

    /// Whether a cutover can begin: gives back who is to be told of it. Otherwise it has been
    /// refused, waits, or was only asked about, which `answer` answers.
    pub(super) async fn may_begin(
        &mut self,
        wanted: &Wanted,
        mut replier: Replier,
        answer: Value,
    ) -> Option<Replier> {
        if let Some(why) = self.guard_refused(wanted.guard.as_ref(), wanted.reverse) {
            replier.refuse(ExitCode::Usage.into(), why, Vec::new()).await;
            return None;
        }
        let reasons = self.cutover_reasons();
        if wanted.when_ready && !wanted.dry_run && !reasons.is_empty() && self.waiting.is_none() {
            replier.step("waiting until the target has caught up").await;
            self.waiting = Some((wanted.clone(), replier));
            return None;
        }
        if !reasons.is_empty() {
            replier.refuse(ExitCode::NotReady.into(), "not ready to cut over", reasons).await;
            return None;
        }
        if wanted.dry_run {
            replier.done(answer).await;
            return None;
        }
        Some(replier)
    }

    /// The traffic has moved: follows in the other direction, or ends.
    async fn switched(
        &mut self,
        cutover: &Cutover,
        reverse: Option<Reverse>,
        guard: Option<Guard>,
        following: &mut Following,
    ) -> Result<(), MigrateError> {
        self.cutover = Some(cutover.clone());
        if let Some(back) = self.take_back() {
            self.turn_shards(back, guard.as_ref(), following).await?;
            self.start_guard(guard);
            return Ok(());
        }
        if let Some(reverse) = reverse {
            self.turn(reverse, guard.as_ref(), following).await?;
            self.start_guard(guard);
            return Ok(());
        }
        let state = if self.is_reversed { State::RolledBack } else { State::Completed };
        self.enter(state, None)?;
        // Not before that is recorded: without it, a job that is taken up again copies
        // everything over what the target has been given since.
        self.forget_position().await;
        self.write_status();
        self.job.stop.stop();
        Ok(())
    }

    /// Nothing will follow any more: takes away what the target says of how far it is.
    pub(super) async fn forget_position(&self) {
        // Between clusters that is not kept there.
        if !self.is_sharded()
            && let Ok(settler) = Settler::connect(&self.job, &self.checked).await
        {
            settler.forget(&self.job).await;
        }
    }

    /// Looks from time to time whether a cutover that waits can begin; begins it.
    ///
    /// # Errors
    /// A job whose state cannot be recorded.
    pub async fn cut_over_when_ready(
        &mut self,
        following: &mut Following,
    ) -> Result<(), MigrateError> {
        self.tick()?;
        if !self.cutover_reasons().is_empty() {
            return Ok(());
        }
        match self.waiting.take() {
            Some((wanted, replier)) => self.cut_over(&wanted, replier, following).await,
            None => Ok(()),
        }
    }

    /// Everything from the first expiry to the last.
    async fn attempt(
        &mut self,
        wanted: &Wanted,
        mut work: Option<&mut Work>,
        replier: &mut Replier,
        following: &mut Following,
    ) -> Result<(Cutover, Option<Reverse>), GivenUp> {
        self.compare_ahead(work.as_deref_mut(), replier, following).await?;
        let mut settler = Settler::connect(&self.job, &self.checked).await?;
        let mut reverse = self.way_back(wanted).await?;
        let (mut held, before) = self.release_far(&mut settler, replier, following).await?;
        let connector = self.checked.source.connector.clone();
        let lost = |error: &ClientError| source_error(&connector, "holding writes back", error);
        let source = connector.connect().await.map_err(|error| lost(&error))?;
        let mut fence = Fence::new(source, self.progress.replid());
        let max_pause = wanted.max_pause_ms.map_or(MAX_PAUSE, Duration::from_millis);
        let began = Instant::now();
        let fenced = async {
            let offset = fence.raise(max_pause + PAUSE_SLACK).await.map_err(|e| lost(&e))?;
            let drained = self.drain(offset, work, before, &mut held, following);
            let mut applier_waits = in_time(drained, max_pause, began, following).await?;
            self.released_in_time()?;
            // From here on these keys may expire on the target before a renewal comes: nothing is
            // applied until the switch is made, and if it is given up they are read again. What has
            // been begun here is not broken off: it would be done after that.
            applier_waits.read_again.extend(held.iter().cloned());
            let released = settler.release(&held).await?;
            match began.elapsed() < max_pause {
                true => Ok((offset, released, applier_waits)),
                false => Err(late(max_pause)),
            }
        };
        let fenced = fenced.await;
        // What the source still sends (keys that expire there) is not the target's any more.
        // Dropped when this is given up, which lets the applier go on.
        let (offset, expiries_released, mut applier_waits) = match fenced {
            Ok(drained) => drained,
            Err(given_up) => {
                fence.lower().await;
                return Err(given_up);
            }
        };
        let paused = began.elapsed();
        replier.step(format!("everything has arrived; writes held back for {}", ms(paused))).await;
        let hook =
            match self.hand_over(wanted, &mut fence, &mut settler, &mut reverse, replier).await {
                Ok(took) => took,
                Err(given_up) => {
                    fence.lower().await;
                    return Err(given_up);
                }
            };
        let source_fence = fence.leave(&self.job, reverse.is_some()).await?;
        applier_waits.read_again.clear();
        self.released_until = None;
        self.applier_waits = Some(applier_waits);
        let (source_fence, source_fence_before) = source_fence.unzip();
        let cutover = Cutover {
            pause_us: micros(paused),
            hook_us: hook.map(micros),
            offset,
            expiries_released,
            source_fence,
            source_fence_before,
            reverse: reverse.is_some(),
        };
        Ok((cutover, reverse))
    }

    /// Everything has arrived: marks where others begin to write, and moves the traffic. How long
    /// the hook took, if there is one.
    async fn hand_over(
        &mut self,
        wanted: &Wanted,
        fence: &mut Fence,
        settler: &mut Settler,
        reverse: &mut Option<Reverse>,
        replier: &mut Replier,
    ) -> Result<Option<Duration>, GivenUp> {
        if let Some(reverse) = reverse {
            reverse.from = settler.mark(&self.job).await?;
        }
        let Some(hook) = &wanted.hook else { return Ok(None) };
        // From here on it is not known where the traffic goes until the hook has ended well.
        let detail = json!({ "switching": true });
        let recorded = self.dir.transition_with(self.dir.state(), None, detail);
        recorded.map_err(GivenUp::failed)?;
        let max_pause = wanted.max_pause_ms.map_or(MAX_PAUSE, Duration::from_millis);
        switch(hook, &self.job.id, fence, max_pause, replier).await.map(Some)
    }

    /// Prepares the way back, where one is wanted.
    async fn way_back(&mut self, wanted: &Wanted) -> Result<Option<Reverse>, GivenUp> {
        match wanted.reverse && !self.is_reversed {
            true => self.prepare_reverse().await.map(Some).map_err(no_way_back),
            false => Ok(None),
        }
    }

    /// Compares before writes are held back what can be compared then.
    pub(super) async fn compare_ahead(
        &self,
        work: Option<&mut Work>,
        replier: &mut Replier,
        following: &Following,
    ) -> Result<(), GivenUp> {
        let verifier = self.verifier.as_ref().filter(|_| !self.is_reversed);
        let Some(verifier) = verifier else { return Ok(()) };
        let late = || GivenUp::failed("a comparison of keys has not ended in time");
        let work = work.ok_or_else(late)?;
        replier.step("comparing streams with groups once more").await;
        verifier.look_ahead(work, &following.requests).await;
        Ok(())
    }

    /// Brings the target to the offset at which writes were held back, and has the applier wait
    /// there, if no databases have changed places since expiries were released. Adds the keys that
    /// came to be held since.
    async fn drain(
        &self,
        offset: u64,
        work: Option<&mut Work>,
        before: u64,
        held: &mut HashSet<Key>,
        following: &Following,
    ) -> Result<Paused, GivenUp> {
        self.progress.reaches(offset).await;
        if self.is_reversed {
            return Ok(pause(&following.requests).await);
        }
        self.last_look(work, following).await?;
        let (answer, answered) = oneshot::channel();
        let gone = || GivenUp::failed("nothing is being applied any more");
        following.requests.send(Request::Held(answer)).await.map_err(|_| gone())?;
        held.extend(answered.await.map_err(|_| gone())?);
        if swaps(following).await? != before {
            return Err(swapped());
        }
        Ok(pause(&following.requests).await)
    }

    /// Compares, while nothing is written, what could not be decided before.
    pub(super) async fn last_look(
        &self,
        work: Option<&mut Work>,
        following: &Following,
    ) -> Result<(), GivenUp> {
        let (Some(verifier), Some(work)) = (&self.verifier, work) else { return Ok(()) };
        let compared = verifier.last_look(work, &following.requests).await;
        compared.map_err(|why| GivenUp { why, code: ExitCode::Mismatch })
    }
}

/// Runs the hook that moves the traffic; how long it took.
pub(super) async fn switch(
    hook: &str,
    job_id: &str,
    fence: &mut Fence,
    max_pause: Duration,
    replier: &mut Replier,
) -> Result<Duration, GivenUp> {
    replier.step(format!("running the hook: {hook}")).await;
    fence.check()?;
    let lost = |error: ClientError| GivenUp::failed(format!("holding writes back: {error}"));
    fence.raise(HOOK_MAX + max_pause + PAUSE_SLACK).await.map_err(lost)?;
    run_hook(hook, job_id).await
}

/// Runs a hook; how long it took.
pub(super) async fn run_hook(hook: &str, job_id: &str) -> Result<Duration, GivenUp> {
    let began = Instant::now();
    let running = Command::new("sh")
        .args(["-c", hook])
        .env("FERRITE_JOB", job_id)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = match tokio::time::timeout(HOOK_MAX, running).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(GivenUp::failed(format!("the hook cannot run: {error}"))),
        Err(_) => {
            let most = HOOK_MAX.as_secs();
            return Err(GivenUp::failed(format!("the hook took more than {most} s")));
        }
    };
    if output.status.success() {
        return Ok(began.elapsed());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said.trim().chars().take(HOOK_OUTPUT_MAX).collect();
    Err(GivenUp::failed(format!("the hook failed ({}): {said}", output.status)))
}

pub(super) fn no_way_back(error: MigrateError) -> GivenUp {
    GivenUp::failed(format!(
        "the way back cannot be prepared: {error}; without --reverse none is needed"
    ))
}

/// What is done while writes are held back, unless that takes longer than `max_pause` from when it
/// `began`, or nothing is being applied any more.
pub(super) async fn in_time<T>(
    work: impl Future<Output = Result<T, GivenUp>>,
    max_pause: Duration,
    began: Instant,
    following: &Following,
) -> Result<T, GivenUp> {
    let has_ended = async {
        while !following.applying.is_finished() {
            tokio::time::sleep(APPLIER_LOOKED_AT_EVERY).await;
        }
    };
    tokio::select! {
        done = tokio::time::timeout(max_pause.saturating_sub(began.elapsed()), work) => {
            done.unwrap_or_else(|_| Err(GivenUp::failed(format!(
                "the target did not have everything after {} ms, which is the most writes may be \
                 held back (--max-pause)",
                max_pause.as_millis()
            ))))
        }
        () = has_ended => Err(GivenUp::failed(
            "the source's commands cannot be applied any more; status and log say what comes next",
        )),
    }
}

fn late(max_pause: Duration) -> GivenUp {
    GivenUp::failed(format!(
        "the target did not have everything after {} ms, which is the most writes may be held back \
         (--max-pause)",
        max_pause.as_millis()
    ))
}

pub(super) fn lapsed() -> GivenUp {
    GivenUp::failed("writes went through again before everything was done")
}

pub(super) fn ms(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::apply::Ended;
    use super::super::run::Applying;
    use super::*;

    #[tokio::test]
    async fn writes_are_not_held_back_for_commands_that_are_not_applied_any_more() {
        let (requests, _kept) = tokio::sync::mpsc::channel(1);
        let task = tokio::spawn(async { Ok(Ended::Lost("SWAPDB".to_owned())) });
        let receiving = tokio::spawn(std::future::pending());
        let following = Following::new(receiving, Applying { task, requests });
        let an_hour = Duration::from_secs(3600);
        let drained = std::future::pending::<Result<(), GivenUp>>();
        let given_up = in_time(drained, an_hour, Instant::now(), &following).await.unwrap_err();
        assert!(given_up.why.contains("cannot be applied any more"), "{}", given_up.why);
    }
}
