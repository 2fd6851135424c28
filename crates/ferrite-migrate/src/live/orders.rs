//! What a running job is told through its control socket.

use serde_json::json;
use tokio::sync::oneshot;

use super::apply;
use super::run::{Following, Live};
use crate::error::MigrateError;
use crate::jobs::control::{Replier, Request};
use crate::report::ExitCode;

/// An order and the way to answer it.
pub type Order = (Request, Replier);

impl Live {
    /// Does what it is told before it follows: it can tell how far it is, and end.
    pub async fn order_early(&mut self, (request, replier): Order) {
        match request {
            Request::Status => replier.done(self.status_json()).await,
            Request::Stop => self.stop(replier).await,
            Request::Pause | Request::Resume | Request::Cutover { .. } => {
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
            Request::Pause => self.pause(replier, following).await,
            Request::Resume => {
                // Letting go of it lets the applier go on.
                self.paused = None;
                replier.done(json!({ "paused": false })).await;
            }
            Request::Cutover { max_pause_ms, dry_run, when_ready, hook } => {
                let wanted = super::cutover::Wanted { max_pause_ms, dry_run, when_ready, hook };
                self.cut_over(&wanted, replier, following).await?;
            }
        }
        self.write_status();
        Ok(())
    }

    fn status_json(&self) -> serde_json::Value {
        serde_json::to_value(self.status()).unwrap_or_default()
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
