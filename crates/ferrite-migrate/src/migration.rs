//! One migration, from checks to report: what a program that uses the library holds.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::{Config, Mode, OnConflict, Origin, Strategy};
use crate::engine::{Import, Job, follow, import, run};
use crate::error::{ErrorKind, MigrateError};
use crate::jobs::{JobDir, JobError, JobStore, Plan, State};
use crate::live;
use crate::report::{Aborted, Event, Phase, PreflightReport, Report, Status, VerificationReport};
use crate::verify::{Coverage, compare};
use crate::workers::{Joined, run as share};

/// A migration of one source to one target.
#[derive(Debug)]
pub struct Migration {
    job: Arc<Job>,
    events: Option<mpsc::UnboundedReceiver<Event>>,
    /// Where a live migration is recorded, until it runs.
    dir: Option<JobDir>,
    /// Whether that record is nothing but a plan of our own making.
    is_new: bool,
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
    /// Prepares a migration; nothing connects yet. A live one is recorded under
    /// [`Config::state_dir`].
    ///
    /// # Errors
    /// A directory that cannot be written.
    #[expect(clippy::unused_async, reason = "it may wait for a disk")]
    pub async fn new(config: Config) -> Result<Self, MigrateError> {
        let (events_in, events) = mpsc::unbounded_channel();
        let job = Arc::new(match &config.workers {
            None => Job::new(config, events_in),
            Some(workers) => Job::with_id(workers.job_id(), config, events_in),
        });
        let dir = match job.config.mode {
            Mode::Snapshot => None,
            _ if job.config.source.server().is_none() => None,
            mode => {
                let plan = Plan::new(&job.config, mode.name());
                Some(store(&job.config)?.create(&job.id, plan).map_err(job_error)?)
            }
        };
        Ok(Self { job, events: Some(events), dir, is_new: true, running: None })
    }

    /// Takes a live migration up where it was left; nothing connects yet. `config` is what
    /// [`Plan::configure`] gives, with the passwords where there are any, and other limits where there are to be.
    ///
    /// # Errors
    /// A migration that is not there, is running, is over, or is one of other servers.
    #[expect(clippy::unused_async, reason = "it may wait for a disk")]
    pub async fn resume(mut config: Config, id: &str) -> Result<Self, MigrateError> {
        let mut dir = store(&config)?.open(id).map_err(job_error)?;
        let refused = |cause: String| {
            let doing = format!("resuming the migration {id}");
            Err(MigrateError::new(ErrorKind::Config, doing, cause))
        };
        if dir.state().is_final() {
            return refused(format!("it is over: {}", dir.state()));
        }
        if let Some(last) = dir.journal().last().filter(|last| last.state == State::Aborting) {
            let clean = if last.is_cleaning() { " --clean" } else { "" };
            let cause = String::from("it was being aborted, and what it had copied may be gone");
            let hint = format!("finish with: ferrite-migrate abort --id {id}{clean}");
            return refused(cause).map_err(|error| error.with_hint(hint));
        }
        if let Some(cause) = other_end(&config, &dir) {
            return refused(cause);
        }
        if config.limits != dir.plan().limits {
            dir.write_limits(config.limits).map_err(job_error)?;
        }
        if live::is_on_the_way_back(dir.journal()) {
            // Whoever led there, the way back is gone by the target's stream, or streams.
            config.strategy = Strategy::Auto;
            // Nothing is compared there, so no rights are needed for that.
            (config.verify, config.only_differing) = (false, false);
        }
        // What is on the target already is our own.
        config.on_conflict = OnConflict::Replace;
        let (events_in, events) = mpsc::unbounded_channel();
        let job = Arc::new(Job::with_id(id.to_owned(), config, events_in));
        Ok(Self { job, events: Some(events), dir: Some(dir), is_new: false, running: None })
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
        match &self.job.config.source {
            Origin::Server(_) => crate::preflight::check(&self.job).await.map(|it| it.report),
            Origin::Input(_) => Import::check(&self.job).await.map(|it| it.report),
        }
    }

    /// Makes the checks and begins to copy; the copy goes on in the background.
    ///
    /// # Errors
    /// [`ErrorKind::Blocked`] if a check found a blocker: nothing was written then, and a live
    /// migration that is new is not recorded any more.
    pub async fn start(&mut self) -> Result<(), MigrateError> {
        let job = Arc::clone(&self.job);
        if let Origin::Input(_) = job.config.source {
            let checked = Import::check(&job).await?;
            self.allow(&checked.report)?;
            self.running = Some(match job.config.mode {
                Mode::Live => tokio::spawn(follow(job, checked)),
                Mode::Snapshot | Mode::Incremental => tokio::spawn(import(job, checked)),
            });
            return Ok(());
        }
        if let Some(workers) = &self.job.config.workers {
            let joined = Joined::join(&job, workers).await?;
            match self.check().await {
                Ok(checked) => self.running = Some(tokio::spawn(share(job, checked, joined))),
                Err(error) => {
                    joined.leave().await;
                    return Err(error);
                }
            }
            return Ok(());
        }
        let checked = self.check().await.inspect_err(|_| self.forget())?;
        self.running = Some(match (self.job.config.mode, self.dir.take()) {
            (_, Some(dir)) => tokio::spawn(live::run(job, checked, dir)),
            (Mode::Snapshot, None) => tokio::spawn(run(job, checked)),
            (Mode::Live | Mode::Incremental, None) => {
                let cause = "its record is gone: it was started before";
                return Err(MigrateError::new(ErrorKind::Config, "starting", cause));
            }
        });
        Ok(())
    }

    async fn check(&self) -> Result<crate::preflight::Checked, MigrateError> {
        let checked = crate::preflight::check(&self.job).await?;
        self.allow(&checked.report)?;
        Ok(checked)
    }

    /// Tells what the checks found, and whether that lets it begin.
    fn allow(&self, report: &PreflightReport) -> Result<(), MigrateError> {
        self.job.emit(Event::Preflight(report.clone()));
        match report.is_blocked() {
            true => Err(MigrateError::blocked(report.clone())),
            false => Ok(()),
        }
    }

    /// Takes back the record of a migration that never began.
    fn forget(&mut self) {
        let Some(dir) = self.dir.take_if(|_| self.is_new) else { return };
        // It can only be removed by somebody who could take its lock.
        drop(dir);
        let removed = store(&self.job.config).map(|store| store.remove(&self.job.id));
        if let Ok(Err(error)) = removed {
            tracing::debug!(%error, "the record of a migration that never began is left");
        }
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
        if let Origin::Input(input) = &self.job.config.source {
            let compared = input.kind().compare_by_key(Arc::clone(&self.job), coverage).await;
            self.job.begin(Phase::Finished, 0);
            return compared;
        }
        compare(&self.job, coverage).await
    }
}

/// Aborts a live migration that no process runs: it cannot be resumed then. With `clean` the target
/// becomes again what it was before. `config` is what [`Plan::configure`] gives, with the passwords
/// where there are any.
///
/// # Errors
/// A migration that is not there, is running, is over, has been cut over, or is one of other
/// servers; a target that cannot be cleaned: that can be done again.
pub async fn abort(config: Config, id: &str, clean: bool) -> Result<Aborted, MigrateError> {
    let dir = store(&config)?.open(id).map_err(job_error)?;
    if let Some(cause) = other_end(&config, &dir) {
        let doing = format!("aborting the migration {id}");
        return Err(MigrateError::new(ErrorKind::Config, doing, cause));
    }
    let (events, _) = mpsc::unbounded_channel();
    let job = Arc::new(Job::with_id(id.to_owned(), config, events));
    live::abort(job, dir, clean).await
}

/// Which end of a job is not the one that was planned.
fn other_end(config: &Config, dir: &JobDir) -> Option<String> {
    let plan = dir.plan();
    let ends = [
        ("source", config.source.to_string(), &plan.source),
        ("target", config.target.address.to_string(), &plan.target),
    ];
    let other = ends.into_iter().find(|(_, given, planned)| given != *planned);
    other.map(|(end, given, planned)| format!("its {end} is {planned}, not {given}"))
}

/// Where the jobs of a configuration are.
fn store(config: &Config) -> Result<JobStore, MigrateError> {
    let missing =
        || MigrateError::new(ErrorKind::Config, "looking for jobs", "no state_dir is given");
    config.state_dir.as_ref().map(JobStore::at).ok_or_else(missing)
}

pub(crate) fn job_error(error: JobError) -> MigrateError {
    let failed = MigrateError::new(ErrorKind::Config, "opening the job", &error);
    match error.hint() {
        Some(hint) => failed.with_hint(hint),
        None => failed,
    }
}
