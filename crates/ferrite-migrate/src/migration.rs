//! One migration, from checks to report: what a program that uses the library holds.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::engine::{Job, run};
use crate::error::{ErrorKind, MigrateError};
use crate::report::{Event, PreflightReport, Report, Status, VerificationReport};
use crate::verify::{Coverage, compare};

/// A migration of one source to one target.
#[derive(Debug)]
pub struct Migration {
    job: Arc<Job>,
    events: Option<mpsc::UnboundedReceiver<Event>>,
    running: Option<JoinHandle<Result<Report, MigrateError>>>,
}

/// Stops a [`Migration`] from elsewhere, for example from a signal handler.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Job>);

impl Stopper {
    /// Asks the run to end in order: what is on its way arrives, nothing more is read.
    pub fn stop(&self) {
        self.0.stop.stop();
    }
}

impl Migration {
    /// Prepares a migration; nothing connects yet.
    ///
    /// # Errors
    /// None today; the signature leaves room for state that must be opened first.
    #[expect(clippy::unused_async, reason = "opening a job's journal will wait for a disk")]
    pub async fn new(config: Config) -> Result<Self, MigrateError> {
        let (events_in, events) = mpsc::unbounded_channel();
        let job = Arc::new(Job::new(config, events_in));
        Ok(Self { job, events: Some(events), running: None })
    }

    /// The name of the run, `mig_` and twelve letters and digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.job.id
    }

    /// What happens, in order, from now to the end; can be taken once.
    pub fn events(&mut self) -> Option<mpsc::UnboundedReceiver<Event>> {
        self.events.take()
    }

    /// Where the run is at this moment.
    #[must_use]
    pub fn status(&self) -> Status {
        self.job.status()
    }

    /// A handle that stops the run.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.job))
    }

    /// Makes the checks that come before a run, and nothing else.
    ///
    /// # Errors
    /// An end that cannot be asked at all. A check that fails is a line of the report.
    pub async fn preflight(&self) -> Result<PreflightReport, MigrateError> {
        crate::preflight::check(&self.job).await.map(|checked| checked.report)
    }

    /// Makes the checks and begins to copy; the copy goes on in the background.
    ///
    /// # Errors
    /// [`ErrorKind::Blocked`] if a check found a blocker: nothing was written then.
    pub async fn start(&mut self) -> Result<(), MigrateError> {
        let checked = crate::preflight::check(&self.job).await?;
        self.job.emit(Event::Preflight(checked.report.clone()));
        if checked.report.is_blocked() {
            return Err(MigrateError::blocked(checked.report));
        }
        self.running = Some(tokio::spawn(run(Arc::clone(&self.job), checked)));
        Ok(())
    }

    /// Waits for the end of the copy, and of the verification where one was configured.
    ///
    /// Giving up the wait (in `tokio::select!`, to look at [`status`](Self::status)) loses nothing:
    /// the copy goes on, and it can be waited for again.
    ///
    /// # Errors
    /// Why the run could not go on. Keys the target has acknowledged by then are complete; none
    /// is half-written.
    pub async fn wait(&mut self) -> Result<Report, MigrateError> {
        let Some(running) = self.running.as_mut() else {
            return Err(MigrateError::new(ErrorKind::Config, "waiting", "it was not started"));
        };
        let ended = running.await;
        self.running = None;
        ended.unwrap_or_else(|ended| {
            Err(MigrateError::new(ErrorKind::Internal, "copying", format!("a task ended: {ended}")))
        })
    }

    /// Compares every key of both ends.
    ///
    /// # Errors
    /// An end that cannot be read. Differences are not errors: they are in the report.
    pub async fn verify(&self) -> Result<VerificationReport, MigrateError> {
        self.verify_coverage(Coverage::Full).await
    }

    /// Compares as many keys as `coverage` says.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub async fn verify_coverage(
        &self,
        coverage: Coverage,
    ) -> Result<VerificationReport, MigrateError> {
        compare(&self.job, coverage).await
    }
}
