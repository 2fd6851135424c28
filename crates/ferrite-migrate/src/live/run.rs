//! The life of a live migration: attach, copy, follow, and start over from where it must.
//!
//! ```text
//!             the target knows no position            the target's position
//! start ──► attach ──► copy the RDB ──► checkpoint ──┐  │
//!   ▲                                                ▼  ▼
//!   └── a gap: backlog lost, target emptied ───── receive + apply ──► stop, cutover
//! ```
//!
//! Whether to copy or to go on is asked of the target alone (see [`checkpoint`](super::checkpoint)):
//! it is the one place that cannot disagree with the data.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_client::replication::ReplicationLink;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::abort::Aborting;
use super::again::died_cutting_over;
use super::apply::{self, Applier, Target};
use super::checkpoint::Checkpoint;
use super::clock;
use super::cutover::{READY_EVERY, Wanted};
use super::fenced::Copied;
use super::guard::Guarding;
use super::ladder::{self, Chosen};
use super::marks::Key;
use super::progress::{Progress, Side};
use super::receive::{self, Receiver};
use super::replica;
use super::rounds::Rounds;
use super::schedule::Scheduled;
use super::settle::Paused;
use super::shards::Shards;
use super::spool::{self, Reader, SpoolError, SpoolOptions, Writer};
use super::undo;
use super::verify::{Verifier, Verifying};
use crate::config::Strategy;
use crate::engine::{Job, report};
use crate::error::{ErrorKind, MigrateError};
use crate::jobs::{JobDir, JobError, State, control};
use crate::preflight::Checked;
use crate::report::{Cutover, Event, Followed, Phase, Report};
use crate::sources::redis_scan::source_error;
use crate::targets::redis::target_error;

/// How often the status is written.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// Below this lag, in ms, the target counts as following.
pub(super) const LIVE_LAG_MS: u64 = 1000;
/// Orders that wait for the applier.
pub(super) const REQUESTS_MAX: usize = 4;

/// A live migration that runs.
pub struct Live {
    /// The migration.
    pub job: Arc<Job>,
    /// Both ends.
    pub checked: Arc<Checked>,
    /// Where it is recorded.
    pub dir: JobDir,
    /// How far it is.
    pub progress: Arc<Progress>,
    /// Compares both ends meanwhile, where that was asked for.
    pub verifier: Option<Verifier>,
    /// Orders from outside.
    pub control: control::Server,
    /// Added to our clock, gives the source's, in ms.
    pub clock_skew_ms: i64,
    /// Lets the applier go on when it is dropped, while the operator asked for a pause.
    pub paused: Option<oneshot::Sender<Vec<Key>>>,
    /// Keeps the applier from going on after a cutover.
    pub applier_waits: Option<Paused>,
    /// Whether the ends have changed places after a cutover.
    pub is_reversed: bool,
    /// The job as it began: what the report counts.
    first: Arc<Job>,
    /// Comparing that goes on, in the direction of the migration.
    pub verifying: Option<Verifying>,
    /// Whether expiries on the target may have been released by a cutover that was not done.
    pub not_held: bool,
    /// Before when no expiry comes that a cutover has released on the target, if one has.
    pub released_until: Option<Instant>,
    /// Why everything has to be copied again, if it has to.
    pub copies_again: Option<String>,
    /// A cutover that begins when it can, and who asked for it.
    pub waiting: Option<(Wanted, control::Replier)>,
    /// A cutover that was ordered for a time.
    pub scheduled: Option<Scheduled>,
    /// After a cutover, what brings the traffic back by itself.
    pub guarding: Option<Guarding>,
    /// An abort that begins when everything has stopped.
    pub aborting: Option<Aborting>,
    /// How it ended in a cutover.
    pub cutover: Option<Cutover>,
    /// How keys are copied, and why.
    pub chosen: Chosen,
    /// What the rounds are, where both ends are compared instead of following a stream.
    pub rounds: Option<Rounds>,
    /// What is known of the streams, where an end is a cluster.
    pub shards: Option<Shards>,
    /// The link to the target's stream, where the way back begins with it.
    pub way_back: Option<ReplicationLink>,
    began: Instant,
    /// How long copying has taken, in ms.
    pub copy_ms: u64,
    /// Whether all keys on the target that take part are ours.
    pub target_was_empty: bool,
    /// Whether the operator knows that the source has lost its keys: counts until it is copied.
    pub may_be_emptied: bool,
    /// The sides whose trouble was told.
    told: [bool; 2],
}

/// What following needs at its beginning.
pub struct Start {
    /// The task that receives.
    pub receiving: Receiving,
    /// What it has received.
    pub reader: Reader,
}

/// The task that receives.
pub type Receiving = JoinHandle<Result<receive::Ended, MigrateError>>;

/// The task that applies.
pub struct Applying {
    /// Its end.
    pub task: JoinHandle<Result<apply::Ended, MigrateError>>,
    /// Asks it.
    pub requests: mpsc::Sender<apply::Request>,
}

/// The tasks that follow.
pub struct Following {
    /// Receives.
    pub receiving: Receiving,
    /// Applies.
    pub applying: JoinHandle<Result<apply::Ended, MigrateError>>,
    /// Asks the applier.
    pub requests: mpsc::Sender<apply::Request>,
    /// Whether the receiver has ended.
    is_received: bool,
    /// Why the source cannot continue where we are.
    lost: Option<String>,
}

impl Following {
    /// Two tasks that have begun.
    pub fn new(receiving: Receiving, applying: Applying) -> Self {
        let Applying { task, requests } = applying;
        Self { receiving, applying: task, requests, is_received: false, lost: None }
    }

    /// Ends both tasks, of which the applier waits, for two others.
    pub fn replace(&mut self, receiving: Receiving, applying: Applying) {
        self.receiving.abort();
        self.applying.abort();
        *self = Self::new(receiving, applying);
    }
}

/// How following ended.
pub(super) enum Next {
    /// Everything has to be copied again, for this reason.
    Copy(String),
    /// The run is over.
    End,
    /// The target has what the source had when an incremental run began.
    Level,
}

/// Runs a checked live migration to its end.
///
/// # Errors
/// Why it could not go on; it can be resumed then.
pub async fn run(job: Arc<Job>, checked: Checked, dir: JobDir) -> Result<Report, MigrateError> {
    if job.config.strategy == Strategy::Replica {
        return replica::run(job, checked, dir).await;
    }
    let mut live = Live::new(job, checked, dir).await?;
    let ended = live.run().await;
    let ended = live.finish_abort(ended).await;
    live.end(ended)
}

impl Live {
    async fn new(
        job: Arc<Job>,
        mut checked: Checked,
        mut dir: JobDir,
    ) -> Result<Self, MigrateError> {
        if is_switching(&dir) && !job.config.traffic_stayed {
            return Err(traffic_unknown(&job));
        }
        let connector = checked.source.connector.clone();
        let skew = clock::skew_ms(&mut checked.source.control).await;
        let clock_skew_ms =
            skew.map_err(|error| source_error(&connector, "asking for the time", &error))?;
        let known = dir
            .journal()
            .iter()
            .find_map(|record| record.detail.as_ref()?.get("target_was_empty")?.as_bool());
        let target_was_empty = known.unwrap_or_else(|| checked.target.info.keys() == 0);
        let detail = json!({ "target_was_empty": target_was_empty });
        let not_held = died_cutting_over(&dir);
        dir.transition_with(State::Attaching, None, detail).map_err(journal_error)?;
        let control = control::Server::bind(&dir).map_err(journal_error)?;
        let checked = Arc::new(checked);
        let mut live = Self::with(job, checked, dir, control, clock_skew_ms, target_was_empty);
        // Between runs nothing is held.
        live.not_held = not_held && !live.is_incremental();
        Ok(live)
    }

    pub(super) fn with(
        job: Arc<Job>,
        checked: Arc<Checked>,
        dir: JobDir,
        control: control::Server,
        clock_skew_ms: i64,
        target_was_empty: bool,
    ) -> Self {
        let may_be_emptied = job.config.source_emptied;
        let progress = Progress::default();
        progress.set_clock_skew_ms(clock_skew_ms);
        let progress = Arc::new(progress);
        job.follow(Arc::clone(&progress));
        let chosen = ladder::choose(&job.config, &checked);
        let verifier = Verifier::new(&job, &checked, &progress, clock_skew_ms, target_was_empty);
        Self {
            progress,
            is_reversed: false,
            first: Arc::clone(&job),
            job,
            checked,
            verifier,
            dir,
            control,
            clock_skew_ms,
            chosen,
            rounds: None,
            shards: None,
            began: Instant::now(),
            copy_ms: 0,
            target_was_empty,
            may_be_emptied,
            paused: None,
            applier_waits: None,
            verifying: None,
            waiting: None,
            scheduled: None,
            guarding: None,
            aborting: None,
            not_held: false,
            released_until: None,
            copies_again: None,
            cutover: None,
            way_back: None,
            told: [false; 2],
        }
    }

    pub(super) async fn run(&mut self) -> Result<(), MigrateError> {
        self.recover_schedule()?;
        if self.is_sharded() {
            return self.by_shards().await;
        }
        self.find_direction().await?;
        self.keep_record().await?;
        if self.goes_by_rounds() && !self.by_rounds().await? {
            return Ok(());
        }
        let mut again = None;
        while !self.job.stop.is_stopped() {
            if self.not_held && !self.is_reversed {
                if !self.hold_patiently().await? {
                    return Ok(());
                }
                let why = "keys may have expired on the target since a cutover that was not made";
                if again.is_none() {
                    self.job.warn(format!("copying everything again: {why}"));
                }
                again = again.or_else(|| Some(String::from(why)));
            }
            let checkpoint = match &again {
                None => self.ask_target().await?,
                Some(_) => None,
            };
            let copied = match checkpoint {
                Some(checkpoint) if checkpoint.copying.is_none() => {
                    Copied::Whole(self.go_on(&checkpoint).await?)
                }
                None if self.is_reversed => return Err(self.way_back_lost(again.as_deref())?),
                checkpoint => match self.copy_patiently(checkpoint, again.as_deref()).await {
                    Err(error) if self.leaves_stream(&error) => match self.by_rounds().await? {
                        true => continue,
                        false => return Ok(()),
                    },
                    copied => copied?,
                },
            };
            let why = match copied {
                Copied::Stopped => return Ok(()),
                Copied::Lost(why) => why,
                Copied::Whole(start) => {
                    if again.is_some() {
                        self.keep_record_if_possible().await;
                    }
                    match self.follow(start).await? {
                        Next::End => return Ok(()),
                        Next::Level if self.rest().await? => {
                            again = None;
                            continue;
                        }
                        Next::Level => return Ok(()),
                        Next::Copy(why) => why,
                    }
                }
            };
            self.job.warn(format!("copying everything again: {why}"));
            again = Some(why);
        }
        Ok(())
    }

    /// Copies everything, or what is left of it when the target knows a place.
    ///
    /// # Errors
    /// An end that refuses, or is lost.
    pub async fn copy(
        &mut self,
        goes_on: Option<Checkpoint>,
        again: Option<&str>,
    ) -> Result<Copied, MigrateError> {
        let Chosen { strategy, reason } = &self.chosen;
        self.job.emit(Event::Strategy { strategy: strategy.name(), reason: reason.clone() });
        // A second copy finds most of it on the target.
        let repairs = !self.is_first_copy() && self.checked.scannable;
        if goes_on.is_some() || *strategy == Strategy::Fenced || repairs {
            return self.copy_keys(goes_on, again).await;
        }
        let copied = self.copy_all(again).await?;
        Ok(copied.map_or(Copied::Stopped, Copied::Whole))
    }

    /// Whether nothing has been copied yet.
    #[must_use]
    pub fn is_first_copy(&self) -> bool {
        !self.dir.journal().iter().any(|record| record.state == State::Copying)
    }

    /// How far the target is, by what it says; `None` if it does not say so.
    ///
    /// # Errors
    /// A target that cannot be asked.
    pub async fn ask_target(&self) -> Result<Option<Checkpoint>, MigrateError> {
        let checkpoint = Target::new(&self.job, &self.checked).checkpoint().await;
        let connector = &self.checked.target.connector;
        checkpoint.map_err(|error| target_error("asking how far it is", connector, &error))
    }

    /// Records a state, then enters it.
    pub fn enter(&mut self, state: State, reason: Option<&str>) -> Result<(), MigrateError> {
        self.dir.transition(state, reason).map_err(journal_error)?;
        let phase = match state {
            State::Attaching => Phase::Attaching,
            State::Copying => Phase::Copying,
            State::CatchingUp => Phase::CatchingUp,
            State::Live => Phase::Live,
            State::CuttingOver | State::RollingBack => Phase::CuttingOver,
            State::CutOver => Phase::Live,
            _ => Phase::Finished,
        };
        self.first.begin(phase, self.checked.source.keys_total(&self.job.config));
        Ok(())
    }

    /// Where the commands of this direction are kept.
    #[must_use]
    pub fn spool_options(&self) -> SpoolOptions {
        let name = if self.is_reversed { "back" } else { "forth" };
        SpoolOptions::new(self.dir.spool_dir().join(name), self.job.config.spool_limit)
    }

    /// Goes on from where the target is: with what is kept on disk, else from the source.
    ///
    /// # Errors
    /// A disk that cannot be read or written.
    pub async fn go_on(&mut self, checkpoint: &Checkpoint) -> Result<Start, MigrateError> {
        let (options, from) = (self.spool_options(), checkpoint.offset);
        let opened =
            tokio::task::spawn_blocking(move || match spool::open(options.clone(), from)? {
                Some(spool) => Ok(spool),
                None => spool::create(options, from),
            });
        let (writer, reader) = opened.await.map_err(internal)?.map_err(spool_error)?;
        self.progress.restart(&checkpoint.replid, checkpoint.offset);
        self.progress.set_received(writer.end());
        self.progress.set_trouble(Side::Source, Some(String::from(receive::CONNECTING)));
        tracing::debug!(offset = from, kept = writer.end() - from, "going on");
        let link = self.way_back.take().filter(|link| link.offset() == writer.end());
        let receiving = self.receive(writer, link);
        Ok(Start { receiving, reader })
    }

    /// Begins to receive.
    pub fn receive(&self, writer: Writer, link: Option<ReplicationLink>) -> Receiving {
        self.progress.set_spool(writer.gauge());
        let receiver = Receiver {
            job: Arc::clone(&self.job),
            connector: self.checked.source.connector.clone(),
            writer,
            progress: Arc::clone(&self.progress),
            clock_skew_ms: self.clock_skew_ms,
        };
        tokio::spawn(receiver.run(link))
    }

    /// Writes a position to the target.
    ///
    /// # Errors
    /// A target that cannot be written.
    pub async fn store(&self, checkpoint: &Checkpoint) -> Result<(), MigrateError> {
        let target = Target::new(&self.job, &self.checked);
        let connector = &self.checked.target.connector;
        let stored = target.store(checkpoint).await;
        stored.map_err(|error| target_error("writing the checkpoint", connector, &error))
    }

    /// Follows the source until the run is over or has to start over.
    async fn follow(&mut self, start: Start) -> Result<Next, MigrateError> {
        if !self.is_reversed {
            self.enter(State::CatchingUp, None)?;
        }
        let applying = self.apply(start.reader);
        let requests = &applying.requests;
        let verifier = self.verifier.as_ref().filter(|_| !self.is_reversed);
        self.verifying = verifier.map(|verifier| verifier.start(requests));
        let mut following = Following::new(start.receiving, applying);
        let next = match self.run_ends_at().await {
            Ok(until) => self.watch(&mut following, until.map(|offset| vec![offset])).await,
            Err(error) => Err(error),
        };
        self.verifying = None;
        if !matches!(next, Ok(Next::End)) {
            end(&mut following.receiving).await;
            end(&mut following.applying).await;
        }
        next
    }

    /// Begins to apply.
    pub fn apply(&self, reader: Reader) -> Applying {
        let (requests, asked) = mpsc::channel(REQUESTS_MAX);
        let progress = Arc::clone(&self.progress);
        let mut applier = Applier::new(&self.job, &self.checked, progress, reader, asked);
        if self.is_reversed || self.is_incremental() {
            applier = applier.holding_nothing(&self.checked);
        }
        Applying { task: tokio::spawn(applier.run()), requests }
    }

    /// Watches the tasks and does what it is told, until the target has come to an offset of each
    /// stream, if they are given.
    pub(super) async fn watch(
        &mut self,
        following: &mut Following,
        until: Option<Vec<u64>>,
    ) -> Result<Next, MigrateError> {
        let progress = Arc::clone(&self.progress);
        let mut ticks = ticks();
        loop {
            tokio::select! {
                applied = &mut following.applying => {
                    return match applied.map_err(internal)?? {
                        apply::Ended::Lost(why) => Ok(Next::Copy(why)),
                        apply::Ended::Stopped if following.is_received => {
                            Ok(following.lost.take().map_or(Next::End, Next::Copy))
                        }
                        // The receiver's end, which was the reason, is told here.
                        apply::Ended::Stopped => {
                            match (&mut following.receiving).await.map_err(internal)?? {
                                receive::Ended::Lost(why) => Ok(Next::Copy(why)),
                                receive::Ended::Stopped => Ok(Next::End),
                            }
                        }
                    };
                }
                // The applier ends by itself when it has applied what was received.
                received = &mut following.receiving, if !following.is_received => {
                    following.is_received = true;
                    if let receive::Ended::Lost(why) = received.map_err(internal)?? {
                        self.progress.set_trouble(Side::Source, Some(why.clone()));
                        following.lost = Some(why);
                    }
                }
                _ = ticks.tick() => {
                    self.look_at_schedule();
                    self.tick()?;
                    if self.not_held && self.progress.trouble().is_empty() {
                        self.hold_again(following).await;
                    }
                    if let Some(why) = self.copies_again.take() {
                        return Ok(Next::Copy(why));
                    }
                }
                () = progress.reaches_all(until.as_deref().unwrap_or_default()), if until.is_some() => {
                    return Ok(Next::Level);
                }
                () = tokio::time::sleep(READY_EVERY), if self.waiting.is_some() => {
                    self.cut_over_when_ready(following).await?;
                }
                reason = Guarding::trips(&mut self.guarding) => {
                    self.guard_trips(reason, following).await?;
                }
                Some(order) = self.control.next() => self.order(order, following).await?,
            }
        }
    }

    /// The job as it began: what the report counts.
    #[must_use]
    pub fn first(&self) -> &Job {
        &self.first
    }

    /// Has the job's status tell of the progress in this direction.
    pub fn follow_in_status(&self) {
        self.first.follow(Arc::clone(&self.progress));
    }

    /// Seconds since this process took the job up.
    #[must_use]
    pub fn elapsed_s(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    /// Once a second: looks where it is, and writes it down.
    ///
    /// # Errors
    /// A state that cannot be recorded.
    pub fn tick(&mut self) -> Result<(), MigrateError> {
        self.tell_trouble();
        let is_level = self.progress.lag_ms() < LIVE_LAG_MS && self.progress.trouble().is_empty();
        if is_level && self.dir.state() == State::CatchingUp && !self.is_incremental() {
            self.enter(State::Live, None)?;
        }
        self.write_status();
        Ok(())
    }

    /// Tells of a side that has trouble, once, and once when that is over.
    pub fn tell_trouble(&mut self) {
        for side in Side::ALL {
            let reason = self.progress.trouble_of(side);
            let told = &mut self.told[side as usize];
            if *told != reason.is_some() {
                *told = reason.is_some();
                self.job.emit(Event::Trouble { side: side.name(), reason });
            }
        }
    }

    /// Records how it ended.
    pub(super) fn end(mut self, ended: Result<(), MigrateError>) -> Result<Report, MigrateError> {
        let is_idle = ended.is_ok() && self.dir.state() == State::Idle;
        let is_over = self.dir.state().is_final();
        let is_aborting = self.dir.state() == State::Aborting;
        if is_idle || is_aborting {
            tracing::debug!("what is left to do is told by the journal");
        } else if !is_over {
            let (state, reason) = match &ended {
                Ok(()) => (State::Paused, String::from("stopped")),
                Err(error) => (State::Failed, error.to_string()),
            };
            self.dir.transition(state, Some(&reason)).map_err(journal_error)?;
        } else {
            if let Err(error) = std::fs::remove_dir_all(self.dir.spool_dir()) {
                tracing::debug!(%error, "the spool stays");
            }
            if self.dir.state() != State::Aborted {
                undo::remove(self.dir.path());
            }
        }
        self.write_status();
        self.first.begin(Phase::Finished, 0);
        let copied = self.first.tally(|tally| tally.keys.copied);
        let id = self.job.id.clone();
        ended.map_err(|mut error| {
            error.keys_copied = copied;
            if is_over || is_aborting {
                return error;
            }
            let resume = format!("ferrite-migrate migrate --resume {id}");
            error.hint = Some(match error.hint {
                // What is said of a copy that would be made again does not hold here.
                Some(hint) if !hint.contains("--on-conflict") => format!("{hint}; then {resume}"),
                _ => resume,
            });
            error
        })?;
        let mut report = self.report();
        report.interrupted = !is_over && !is_idle;
        Ok(report)
    }

    /// Everything that was done in this process.
    fn report(&self) -> Report {
        let Chosen { strategy, reason } = self.chosen.clone();
        let checked = &self.checked;
        let mut report =
            report(&self.first, &checked.report, strategy.name(), reason, self.copy_ms, None);
        report.live = Some(self.summary());
        report
    }

    fn summary(&self) -> Followed {
        Followed {
            state: self.dir.state().name(),
            commands: self.progress.commands(),
            refetched: self.progress.refetched(),
            applied_offset: self.progress.applied(),
            cutover: self.cutover.clone(),
            verified: self.verified(),
            rounds: self.rounds.as_ref().and_then(Rounds::told),
        }
    }
}

/// Ends a task and waits until it is gone: its spool and its connections are free then.
pub async fn end<T>(task: &mut JoinHandle<T>) {
    task.abort();
    if !task.is_finished() {
        let _ = task.await;
    }
}

/// Why a job is not taken up whose process ended while the hook of a cutover ran.
pub(super) fn traffic_unknown(job: &Job) -> MigrateError {
    let doing = format!("resuming the migration {}", job.id);
    let cause = "its process ended while the hook of a cutover moved the traffic: nobody \
                 knows which server the application writes to";
    MigrateError::new(ErrorKind::Config, doing, cause).with_hint(format!(
        "if it is the target, the migration is done; if it is still the source: \
         ferrite-migrate migrate --resume {} --traffic-stayed",
        job.id
    ))
}

/// Whether the process ended while the hook of a cutover ran.
pub(super) fn is_switching(dir: &JobDir) -> bool {
    let last = dir.journal().last().and_then(|record| record.detail.as_ref());
    last.is_some_and(|detail| detail.get("switching").is_some())
}

/// Ticks that do not come in heaps after a long wait.
#[must_use]
pub fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(STATUS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// A task that panicked, as the end of the job.
pub fn internal(panic: tokio::task::JoinError) -> MigrateError {
    MigrateError::new(ErrorKind::Internal, "following the source", panic)
}

/// A spool that cannot be used, as the end of the job.
pub fn spool_error(error: SpoolError) -> MigrateError {
    MigrateError::new(ErrorKind::Internal, "keeping the source's commands on disk", error)
        .with_hint("--state-dir chooses another disk")
}

/// A job's directory that cannot be written, as the end of the job.
pub fn journal_error(error: JobError) -> MigrateError {
    let failed = MigrateError::new(ErrorKind::Internal, "recording the job's state", &error);
    match error.hint() {
        Some(hint) => failed.with_hint(hint),
        None => failed,
    }
}
