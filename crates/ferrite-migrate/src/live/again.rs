//! A copy that loses an end goes on or begins anew by itself, as following goes on by itself.
//!
//! ```text
//!   ┌────────────── an end was lost: wait, longer each time ◄──┐
//!   ▼                                                          │
//! attach ──► clear the target of the last attempt ──► copy ────┴──► follow
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_client::{Backoff, Connector};
use tokio::sync::mpsc;

use super::apply::Target;
use super::checkpoint::Checkpoint;
use super::fenced::Copied;
use super::links::{AttachError, Links, attach};
use super::progress::Side;
use super::run::{Live, ticks};
use super::settle::{Pass, Settler};
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::jobs::{JobDir, State};
use crate::preflight::Checked;
use crate::sources::redis_scan::source_error;
use crate::targets::redis::target_error;

/// How long an end may be away before the job stops (and can be resumed).
pub(super) const AWAY_MAX: Duration = Duration::from_secs(3600);
/// How many copies may be begun and lost before the job stops: whatever ends them, it is not going
/// to be another time that helps, and each has the source make an RDB.
const LOST_MAX: u32 = 10;

/// How often copying has failed.
pub(super) struct Failures {
    /// Attempts since the last copy that began.
    attempts: u32,
    /// Since when.
    since: Instant,
    /// Copies that began and were lost.
    lost: u32,
}

impl Failures {
    /// None yet.
    pub fn new() -> Self {
        Self { attempts: 0, since: Instant::now(), lost: 0 }
    }

    /// One more, of a copy that had begun or of an attempt to begin one; how long to wait before
    /// the next, if there is to be one.
    pub fn wait(&mut self, had_begun: bool) -> Option<Duration> {
        if had_begun {
            self.lost += 1;
            (self.attempts, self.since) = (0, Instant::now());
        }
        self.attempts += 1;
        let backoff = Backoff { attempts: u32::MAX, total: AWAY_MAX, ..Backoff::default() };
        let wait = backoff.wait(self.attempts, self.since.elapsed());
        wait.filter(|_| self.lost < LOST_MAX)
    }
}

impl Live {
    /// Copies everything, again as often as an end is lost meanwhile: from where the target says it
    /// is, else from the beginning.
    ///
    /// # Errors
    /// A failure that does not pass, or has not passed for too long.
    pub async fn copy_patiently(
        &mut self,
        goes_on: Option<Checkpoint>,
        again: Option<&str>,
    ) -> Result<Copied, MigrateError> {
        let mut failures = Failures::new();
        let mut again = again.map(str::to_owned);
        let mut last = None;
        let mut copied = self.copy(goes_on, again.as_deref()).await;
        let mut was_asked = true;
        loop {
            let error = match copied {
                Err(error) if error.may_pass => error,
                ended => return ended,
            };
            let had_begun = was_asked && self.dir.state() == State::Copying;
            let Some(wait) = failures.wait(had_begun) else { return Err(error) };
            let side = if error.kind == ErrorKind::Source { Side::Source } else { Side::Target };
            let why = match had_begun {
                true => format!("the copy was lost: {error}"),
                false => error.to_string(),
            };
            self.progress.set_trouble(side, Some(why.clone()));
            if self.meanwhile(tokio::time::sleep(wait)).await.is_none() {
                return Ok(Copied::Stopped);
            }
            again = Some(why);
            let place = self.ask_target().await;
            was_asked = place.is_ok();
            copied = match place {
                Ok(place) => {
                    // One that is not of a copy is from before it, and untrue.
                    let goes_on = place.filter(|place| place.copying.is_some());
                    if goes_on.is_some() && goes_on != last {
                        // It has come further.
                        failures.lost = 0;
                    }
                    last.clone_from(&goes_on);
                    self.copy(goes_on, again.as_deref()).await
                }
                Err(error) => Err(error),
            };
        }
    }

    /// Holds expiries that a cutover has released which was not made, before anything is applied:
    /// keys may have expired on the target meanwhile, and be renewed at the source. What was made of
    /// them since is not known, so that everything is to be copied again after this. Whether the
    /// job goes on.
    ///
    /// # Errors
    /// A failure that does not pass, or has not passed for too long.
    pub async fn hold_patiently(&mut self) -> Result<bool, MigrateError> {
        let mut failures = Failures::new();
        while let Err(error) = self.hold_alone().await {
            let wait = failures.wait(false).filter(|_| error.may_pass);
            let Some(wait) = wait else { return Err(error) };
            self.progress.set_trouble(Side::Target, Some(error.to_string()));
            if self.meanwhile(tokio::time::sleep(wait)).await.is_none() {
                return Ok(false);
            }
        }
        self.progress.set_trouble(Side::Target, None);
        (self.not_held, self.released_until) = (false, None);
        Ok(true)
    }

    /// Whether keys may be gone from the target that the source has renewed, since a cutover that
    /// was not made: expiries are not held yet, or came to be held too late.
    pub(super) fn may_have_expired(&self) -> bool {
        self.not_held || self.copies_again.is_some()
    }

    async fn hold_alone(&self) -> Result<(), MigrateError> {
        // No applier has to pause.
        let (nobody, _) = mpsc::channel(1);
        let mut settler = Settler::connect(&self.job, &self.checked).await?;
        settler.pass(Pass::Hold, &nobody).await.map(|_| ())
    }

    /// What has to be done before a copy can begin.
    #[must_use]
    pub fn beginning(&self, clears: bool) -> Beginning {
        Beginning {
            job: Arc::clone(&self.job),
            checked: Arc::clone(&self.checked),
            refuses_emptied: clears && !self.may_be_emptied,
            clears,
        }
    }

    /// Does what it is told while something is under way; `None` if that is to end it.
    pub async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(work);
        let job = Arc::clone(&self.job);
        let mut ticks = ticks();
        loop {
            tokio::select! {
                done = &mut work => return Some(done),
                () = job.stop.stopped() => return None,
                _ = ticks.tick() => {
                    self.tell_trouble();
                    self.write_status();
                }
                Some(order) = self.control.next() => self.order_early(order).await,
            }
        }
    }
}

/// What the journal says of a job that is LIVE after a cutover that was given up, and has not held
/// expiries again, or not in time.
pub(super) const NOT_HELD: &str = "not_held";

/// Whether the last process to run the job died in a cutover, and none has held expiries since.
/// After the cutover, on the way back, none are held.
pub(super) fn died_cutting_over(dir: &JobDir) -> bool {
    let mut records = dir.journal().iter().rev();
    let last = records
        .find(|record| matches!(record.state, State::Live | State::CuttingOver | State::CutOver));
    last.is_some_and(|last| {
        let detail = last.detail.as_ref();
        last.state == State::CuttingOver || detail.is_some_and(|it| it.get(NOT_HELD).is_some())
    })
}

/// What is done before a copy can begin.
pub struct Beginning {
    /// The migration.
    pub job: Arc<Job>,
    /// Both ends.
    pub checked: Arc<Checked>,
    /// Whether a source that has lost its keys is refused.
    pub refuses_emptied: bool,
    /// Whether the keys of an earlier copy are deleted: one that is not in the RDB would live on,
    /// and be written to should it be made anew.
    pub clears: bool,
}

impl Beginning {
    /// Makes the target ready, and attaches to the source.
    ///
    /// # Errors
    /// An end that refuses, or is away.
    pub async fn attach(self) -> Result<Links, MigrateError> {
        if self.refuses_emptied {
            self.refuse_emptied_source().await?;
        }
        self.forget().await?;
        let connector = &self.checked.source.connector;
        attach(connector).await.map_err(|error| attach_error(connector, error))
    }

    /// Takes the position away that the target has, before the copy makes it untrue, and the
    /// keys if they all are ours.
    ///
    /// # Errors
    /// A target that cannot be written.
    pub async fn forget(&self) -> Result<(), MigrateError> {
        let mut target = Target::new(&self.job, &self.checked);
        let forgotten = async {
            target.forget().await?;
            if self.clears { target.clear().await } else { Ok(()) }
        };
        let connector = &self.checked.target.connector;
        forgotten.await.map_err(|error| target_error("deleting an earlier copy", connector, &error))
    }
}

/// A source that does not let us follow it, as the end of the job.
pub fn attach_error(connector: &Connector, error: AttachError) -> MigrateError {
    match error {
        AttachError::Client(error) => {
            let is_refused = error.reply().is_some() || error.is_refusal();
            let mut failed = source_error(connector, "attaching as a replica", &error);
            failed.is_no_stream = error.is_refusal();
            match is_refused {
                true => failed.with_hint(
                    "a live migration reads the replication stream: ACL SETUSER <user> +psync \
                     +replconf on the source; where that cannot be, --strategy scan",
                ),
                false => failed,
            }
        }
        AttachError::NoBacklog => {
            let doing = format!("attaching as a replica of the source {}", connector.address());
            let cause = "its backlog turns over faster than a replica can attach";
            MigrateError::new(ErrorKind::Source, doing, cause)
                .with_hint("CONFIG SET repl-backlog-size 64mb on the source, then try again")
        }
    }
}
