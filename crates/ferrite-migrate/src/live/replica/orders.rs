//! What a migration by a replica is told through its control socket.

use serde_json::json;

use super::Replica;
use crate::error::MigrateError;
use crate::jobs::control::{Replier, Request};
use crate::live::cutover::Wanted;
use crate::report::ExitCode;

impl Replica {
    /// Does what it is told.
    ///
    /// # Errors
    /// A failure that ends the job; that an order cannot be followed is told to whoever gave it.
    pub async fn order(
        &mut self,
        (request, replier): (Request, Replier),
    ) -> Result<(), MigrateError> {
        match request {
            Request::Status => {
                replier.done(serde_json::to_value(self.status()).unwrap_or_default()).await;
            }
            Request::Stop => {
                self.job.stop.stop();
                let resume = format!("ferrite-migrate migrate --resume {}", self.job.id);
                replier.done(json!({ "stopping": true, "next_steps": [resume] })).await;
            }
            Request::Resume => replier.done(json!({ "paused": false })).await,
            Request::Cutover { guard: Some(_), .. } => {
                let why = "its way back is another one: roll back by an order";
                refuse(replier, "it does not go back by itself", why).await;
            }
            Request::Cutover { max_pause_ms, dry_run, when_ready, hook, reverse, guard: None } => {
                let guard = None;
                let wanted = Wanted {
                    max_pause_ms,
                    dry_run,
                    when_ready,
                    hook,
                    reverse,
                    guard,
                    is_scheduled: false,
                };
                self.cut_over(&wanted, replier).await?;
            }
            Request::Pause => {
                let why = "a target that is a replica reads the source by itself";
                refuse(replier, "it cannot be paused", why).await;
            }
            Request::Schedule { .. } | Request::Cancel => {
                let why = "order it at its time: ferrite-migrate cutover --when-ready";
                refuse(replier, "it has no schedule", why).await;
            }
            Request::Throttle { .. } => {
                let why = "a target that is a replica reads the source by itself";
                refuse(replier, "it cannot be held back", why).await;
            }
            Request::Abort { .. } => {
                let why = format!(
                    "the target is a replica: ferrite-migrate stop --id {}, then REPLICAOF NO ONE \
                     on the target; what it had before is gone",
                    self.job.id
                );
                refuse(replier, "it cannot be aborted", &why).await;
            }
            Request::Rollback { .. } | Request::Complete => {
                let why = format!("the job is {}, not CUT_OVER", self.dir.state());
                refuse(replier, "there has been no cutover", &why).await;
            }
        }
        self.write_status();
        Ok(())
    }
}

async fn refuse(replier: Replier, message: &str, why: &str) {
    replier.refuse(ExitCode::NotReady.into(), message, vec![why.to_owned()]).await;
}
