//! What a running job is told through its control socket.

use serde_json::json;
use tokio::sync::oneshot;

use super::apply;
use super::cutover::Wanted;
use super::run::{Following, Live};
use super::schedule::Scheduled;
use crate::error::MigrateError;
use crate::jobs::State;
use crate::jobs::control::{Replier, Request};
use crate::report::ExitCode;

/// An order and the way to answer it.
pub type Order = (Request, Replier);

impl Live {
    /// Does what it is told before it follows: it can tell how far it is, take note of a cutover
    /// that is to begin when it can, and end.
    pub async fn order_early(&mut self, (request, mut replier): Order) {
        match request {
            Request::Status => replier.done(self.status_json()).await,
            Request::Stop => self.stop(replier).await,
            request @ Request::Throttle { .. } => self.throttle(&request, replier).await,
            Request::Abort { clean } => self.begin_abort(clean, replier).await,
            Request::Rollback { max_pause_ms: None, hook: None } => {
                self.begin_abort(true, replier).await;
            }
            Request::Schedule { at_ms, max_pause_ms, hook, reverse, guard } => {
                let scheduled = Scheduled { at_ms, max_pause_ms, hook, reverse, guard };
                self.schedule(scheduled, replier).await;
            }
            Request::Cancel => self.cancel(replier).await,
            Request::Cutover { dry_run: false, .. } if self.scheduled.is_some() => {
                self.refuse_second(replier).await;
            }
            Request::Cutover {
                max_pause_ms,
                dry_run: false,
                when_ready: true,
                hook,
                reverse,
                guard,
            } if self.waiting.is_none() => {
                if let Some(why) = self.guard_refused(guard.as_ref(), reverse) {
                    return replier.refuse(ExitCode::Usage.into(), why, Vec::new()).await;
                }
                replier.step("waiting until everything has been copied").await;
                let when_ready = true;
                let wanted =
                    Wanted { max_pause_ms, when_ready, hook, reverse, guard, ..Wanted::default() };
                self.waiting = Some((wanted, replier));
            }
            _ => {
                let reasons = self.cutover_reasons();
                replier.refuse(ExitCode::NotReady.into(), "not while it copies", reasons).await;
            }
        }
    }

    /// Does what it is told.
    ///
    /// # Errors
    /// A failure that ends the job; that an order cannot be followed is told to whoever gave it.
    pub async fn order(
        &mut self,
        (request, replier): Order,
        following: &mut Following,
    ) -> Result<(), MigrateError> {
        match request {
            Request::Status => replier.done(self.status_json()).await,
            Request::Stop => self.stop(replier).await,
            request @ Request::Throttle { .. } => self.throttle(&request, replier).await,
            Request::Pause => self.pause(replier, following).await,
            Request::Resume => {
                // Letting go of it lets the applier go on.
                self.paused = None;
                replier.done(json!({ "paused": false })).await;
            }
            Request::Cutover { .. } | Request::Schedule { .. } if self.is_reversed => {
                let reasons = vec![format!("the job is {}", self.dir.state())];
                let code = ExitCode::NotReady.into();
                replier.refuse(code, "the target is the one to write to already", reasons).await;
            }
            Request::Schedule { at_ms, max_pause_ms, hook, reverse, guard } => {
                let scheduled = Scheduled { at_ms, max_pause_ms, hook, reverse, guard };
                self.schedule(scheduled, replier).await;
            }
            Request::Cancel => self.cancel(replier).await,
            Request::Cutover { dry_run: false, .. } if self.scheduled.is_some() => {
                self.refuse_second(replier).await;
            }
            Request::Cutover { max_pause_ms, dry_run, when_ready, hook, reverse, guard } => {
                let is_scheduled = false;
                let wanted = Wanted {
                    max_pause_ms,
                    dry_run,
                    when_ready,
                    hook,
                    reverse,
                    guard,
                    is_scheduled,
                };
                self.cut_over(&wanted, replier, following).await?;
            }
            Request::Abort { clean } => self.begin_abort(clean, replier).await,
            // There is nothing to move back: what is left to do is to clean up.
            Request::Rollback { max_pause_ms: None, hook: None } if !self.is_reversed => {
                self.begin_abort(true, replier).await;
            }
            Request::Rollback { .. } | Request::Complete if !self.is_reversed => {
                let reasons = vec![format!("the job is {}, not CUT_OVER", self.dir.state())];
                let code = ExitCode::NotReady.into();
                replier.refuse(code, "there has been no cutover", reasons).await;
            }
            Request::Rollback { max_pause_ms, hook } => {
                let wanted = Wanted { max_pause_ms, hook, ..Wanted::default() };
                self.cut_over(&wanted, replier, following).await?;
            }
            Request::Complete => self.complete(replier).await?,
        }
        self.write_status();
        Ok(())
    }

    /// Gives the way back up: the old source keeps what it has.
    async fn complete(&mut self, replier: Replier) -> Result<(), MigrateError> {
        self.enter(State::Completed, None)?;
        self.job.stop.stop();
        self.forget_position().await;
        replier.done(json!({ "completed": true })).await;
        Ok(())
    }

    /// The status as it is told.
    #[must_use]
    pub fn status_json(&self) -> serde_json::Value {
        serde_json::to_value(self.status()).unwrap_or_default()
    }

    /// Sets the limits of the copy that are given, and tells those there are then.
    async fn throttle(&mut self, request: &Request, replier: Replier) {
        let before = self.job.gate.limits();
        let limits = request.limits(before);
        if let Err(error) = limits.check() {
            let code = ExitCode::Usage.into();
            return replier.refuse(code, error.to_string(), Vec::new()).await;
        }
        if limits != before {
            self.job.gate.set(limits);
            if let Err(error) = self.dir.write_limits(limits) {
                self.job.warn(format!("these limits will not outlive the process: {error}"));
            }
            self.write_status();
        }
        replier.done(serde_json::to_value(limits).unwrap_or_default()).await;
    }

    async fn stop(&mut self, replier: Replier) {
        self.job.stop.stop();
        let resume = format!("ferrite-migrate migrate --resume {}", self.job.id);
        replier.done(json!({ "stopping": true, "next_steps": [resume] })).await;
    }

    async fn pause(&mut self, replier: Replier, following: &Following) {
        if self.paused.is_none() {
            let (release, released) = oneshot::channel();
            let (done, is_done) = oneshot::channel();
            let request = apply::Request::Pause(done, released);
            if following.requests.send(request).await.is_ok() && is_done.await.is_ok() {
                self.paused = Some(release);
            }
        }
        replier.done(json!({ "paused": self.paused.is_some() })).await;
    }
}
