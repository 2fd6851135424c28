//! Cutovers that begin at a time.
//!
//! ```text
//! order ──► in the journal ──► the time comes ──► waits until it can be done ──► cutover
//!              │                    ▲
//!              └── another process ─┘ takes it up; a time that passed meanwhile is only told
//! ```
//!
//! The journal has the order as `"scheduled": {…}`, and `"scheduled": null` when it is done with.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::cutover::Wanted;
use super::guard::Guard;
use super::run::{Live, journal_error};
use crate::engine::now_ms;
use crate::error::MigrateError;
use crate::jobs::JournalRecord;
use crate::jobs::control::Replier;
use crate::report::ExitCode;
use crate::time::rfc3339;

/// A cutover that was ordered for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    /// When, in ms of Unix time.
    pub at_ms: u64,
    /// How long writes may be held back, in ms.
    pub max_pause_ms: Option<u64>,
    /// A shell command that moves the traffic.
    pub hook: Option<String>,
    /// Whether the source follows the target afterwards.
    pub reverse: bool,
    /// What brings the traffic back by itself.
    pub guard: Option<Guard>,
}

impl Scheduled {
    /// The one that the journal has and that is not done with.
    fn of(journal: &[JournalRecord]) -> Option<Self> {
        let details = journal.iter().rev().filter_map(|record| record.detail.as_ref());
        let latest = details.filter_map(|detail| detail.get("scheduled")).next()?;
        serde_json::from_value(latest.clone()).ok()
    }

    fn wanted(self) -> Wanted {
        let Self { max_pause_ms, hook, reverse, guard, .. } = self;
        let (dry_run, when_ready, is_scheduled) = (false, true, true);
        Wanted { max_pause_ms, dry_run, when_ready, hook, reverse, guard, is_scheduled }
    }
}

impl Live {
    /// Takes note of a cutover that begins at a time; one that was noted before is replaced.
    pub async fn schedule(&mut self, scheduled: Scheduled, replier: Replier) {
        let not_ready = ExitCode::NotReady.into();
        if scheduled.at_ms <= now_ms() {
            let message = format!("{} has passed", rfc3339(scheduled.at_ms));
            return replier.refuse(ExitCode::Usage.into(), message, Vec::new()).await;
        }
        if self.waiting.is_some() {
            let reasons = vec![self.cancel_command()];
            return replier.refuse(not_ready, "a cutover waits until it can begin", reasons).await;
        }
        if let Some(why) = self.guard_refused(scheduled.guard.as_ref(), scheduled.reverse) {
            return replier.refuse(ExitCode::Usage.into(), why, Vec::new()).await;
        }
        if let Err(error) = self.record_schedule(Some(&scheduled)) {
            return replier.refuse(ExitCode::Failed.into(), error.to_string(), Vec::new()).await;
        }
        let at_ms = scheduled.at_ms;
        let replaced = self.scheduled.replace(scheduled).map(|before| before.at_ms);
        replier.done(json!({ "scheduled_at_ms": at_ms, "replaced_at_ms": replaced })).await;
    }

    fn record_schedule(&mut self, scheduled: Option<&Scheduled>) -> Result<(), MigrateError> {
        let detail = json!({ "scheduled": scheduled });
        self.dir.transition_with(self.dir.state(), None, detail).map_err(journal_error)
    }

    fn cancel_command(&self) -> String {
        format!("ferrite-migrate cutover --cancel --id {}", self.job.id)
    }

    /// Another cutover cannot be ordered while there is one for a time.
    pub async fn refuse_second(&self, replier: Replier) {
        let at_ms = self.scheduled.as_ref().map_or(0, |scheduled| scheduled.at_ms);
        let message = format!("a cutover is scheduled for {}", rfc3339(at_ms));
        let code = ExitCode::NotReady.into();
        replier.refuse(code, message, vec![self.cancel_command()]).await;
    }

    /// Takes back a cutover that waits, for its time or until it can begin.
    pub async fn cancel(&mut self, replier: Replier) {
        let scheduled = self.scheduled.as_ref().map(|scheduled| scheduled.at_ms);
        let is_waiting = self.waiting.is_some();
        if scheduled.is_none() && !is_waiting {
            let code = ExitCode::NotReady.into();
            return replier.refuse(code, "there is no cutover to take back", Vec::new()).await;
        }
        if let Err(error) = self.record_schedule(None) {
            return replier.refuse(ExitCode::Failed.into(), error.to_string(), Vec::new()).await;
        }
        self.scheduled = None;
        if let Some((_, waiting)) = self.waiting.take() {
            let code = ExitCode::NotReady.into();
            waiting.refuse(code, "the cutover was taken back", Vec::new()).await;
        }
        replier.done(json!({ "scheduled_at_ms": scheduled, "was_waiting": is_waiting })).await;
    }

    /// Takes up what an earlier process was told. A time that has passed is only told: nobody
    /// expects a cutover then.
    ///
    /// # Errors
    /// A state that cannot be recorded.
    pub fn recover_schedule(&mut self) -> Result<(), MigrateError> {
        let Some(scheduled) = Scheduled::of(self.dir.journal()) else { return Ok(()) };
        if scheduled.at_ms > now_ms() {
            self.scheduled = Some(scheduled);
            return Ok(());
        }
        self.record_schedule(None)?;
        self.job.warn(format!(
            "the cutover scheduled for {} was not done, because the migration did not run then: \
             ferrite-migrate cutover --id {}",
            rfc3339(scheduled.at_ms),
            self.job.id
        ));
        Ok(())
    }

    /// Has a cutover whose time has come begin as soon as it can.
    pub fn look_at_schedule(&mut self) {
        let due = self.scheduled.take_if(|scheduled| scheduled.at_ms <= now_ms());
        if let Some(due) = due {
            tracing::info!("the time of the cutover has come");
            self.waiting = Some((due.wanted(), Replier::nobody()));
        }
    }

    /// A cutover that was scheduled begins: it is done with, however it ends.
    ///
    /// # Errors
    /// A state that cannot be recorded.
    pub fn schedule_begins(&mut self, wanted: &Wanted) -> Result<(), MigrateError> {
        if wanted.is_scheduled { self.record_schedule(None) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::jobs::State;

    #[test]
    fn the_journal_tells_which_one_is_left() {
        let (hook, guard) = (Some(String::from("./move.sh")), None);
        let one = Scheduled { at_ms: 7, max_pause_ms: None, hook, reverse: true, guard };
        let record = |detail: Value| JournalRecord::now(State::Live, None, Some(detail));
        let mut journal = vec![record(json!({ "scheduled": one }))];
        journal.push(record(json!({ "other": 1 })));
        assert_eq!(Scheduled::of(&journal), Some(one));
        journal.push(record(json!({ "scheduled": null })));
        assert_eq!(Scheduled::of(&journal), None);
        assert_eq!(Scheduled::of(&[]), None);
    }
}
