//! What a migration by rounds is told through its control socket.

use serde_json::json;
use tokio::sync::oneshot;

use crate::jobs::control::Request;
use crate::live::cutover::Wanted;
use crate::live::orders::Order;
use crate::live::run::Live;
use crate::report::ExitCode;

impl Live {
    /// Does what it is told; a cutover is taken note of, and begins between two parts of a round.
    pub async fn order_by_rounds(&mut self, (request, replier): Order) {
        match request {
            Request::Pause => {
                self.paused.get_or_insert_with(|| oneshot::channel().0);
                replier.done(json!({ "paused": true })).await;
            }
            Request::Resume => {
                self.paused = None;
                replier.done(json!({ "paused": false })).await;
            }
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
                self.take_cutover(wanted, replier).await;
            }
            Request::Rollback { max_pause_ms: None, hook: None } => {
                self.begin_abort(true, replier).await;
            }
            Request::Rollback { .. } | Request::Complete => {
                let reasons = vec![format!("the job is {}, not CUT_OVER", self.dir.state())];
                let code = ExitCode::NotReady.into();
                replier.refuse(code, "there has been no cutover", reasons).await;
            }
            other => self.order_early((other, replier)).await,
        }
        self.write_status();
    }
}
