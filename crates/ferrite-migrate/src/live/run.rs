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

use ferrite_client::Connector;
use ferrite_client::replication::{Position, ReplicationLink};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::apply::{self, Applier, Target};
use super::checkpoint::Checkpoint;
use super::clock;
use super::control::{Control, Order};
use super::links::{AttachError, attach};
use super::progress::Progress;
use super::receive::{self, Receiver};
use super::spool::{self, Reader, SpoolError, SpoolOptions, Writer};
use crate::config::{OnConflict, Strategy};
use crate::engine::{Job, copy, report};
use crate::error::{ErrorKind, MigrateError};
use crate::jobs::{JobDir, JobError, State};
use crate::preflight::Checked;
use crate::report::{Cutover, Phase, Report};
use crate::sources::redis_psync;
use crate::sources::redis_scan::source_error;

/// How often the status is written.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// Below this lag, in ms, the target counts as following.
const LIVE_LAG_MS: u64 = 1000;
/// Orders that wait for the applier.
const REQUESTS_MAX: usize = 4;

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
    /// Orders from outside.
    pub control: Control,
    /// Added to our clock, gives the source's, in ms.
    pub clock_skew_ms: i64,
    began: Instant,
    copy_ms: u64,
    target_was_empty: bool,
    /// Whether the operator asked for a pause.
    pub paused: bool,
    cutover: Option<Cutover>,
}

/// What following needs at its beginning.
struct Start {
    link: Option<ReplicationLink>,
    writer: Writer,
    reader: Reader,
    /// Whether keys may be on the target that were deleted while nobody followed.
    drops_missing: bool,
}

/// The tasks that follow.
pub struct Following {
    receiving: JoinHandle<Result<(receive::Ended, Writer), MigrateError>>,
    applying: JoinHandle<Result<(apply::Ended, Reader), MigrateError>>,
    /// Asks the applier.
    pub requests: mpsc::Sender<apply::Request>,
}

/// How following ended.
enum Next {
    /// Everything has to be copied again, for this reason.
    Copy(String),
    /// The run is over.
    End,
}

/// Runs a checked live migration to its end.
///
/// # Errors
/// Why it could not go on; it can be resumed then.
pub async fn run(job: Arc<Job>, checked: Checked, dir: JobDir) -> Result<Report, MigrateError> {
    let mut live = Live::new(job, checked, dir).await?;
    let ended = live.run().await;
    live.end(ended)
}

impl Live {
    async fn new(job: Arc<Job>, mut checked: Checked, mut dir: JobDir) -> Result<Self, MigrateError> {
        let connector = checked.source.connector.clone();
        let skew = clock::skew_ms(&mut checked.source.control).await;
        let clock_skew_ms =
            skew.map_err(|error| source_error(&connector, "asking for the time", &error))?;
        let known = dir.journal().iter().find_map(|record| {
            record.detail.as_ref()?.get("target_was_empty")?.as_bool()
        });
        let target_was_empty = known.unwrap_or_else(|| checked.target.info.keys() == 0);
        let detail = json!({ "target_was_empty": target_was_empty });
        dir.transition_with(State::Attaching, None, detail).map_err(journal_error)?;
        let control = Control::open(&dir).map_err(journal_error)?;
        Ok(Self {
            progress: Arc::new(Progress::default()),
            job,
            checked: Arc::new(checked),
            dir,
            control,
            clock_skew_ms,
            began: Instant::now(),
            copy_ms: 0,
            target_was_empty,
            paused: false,
            cutover: None,
        })
    }

    async fn run(&mut self) -> Result<(), MigrateError> {
        let mut again = None;
        while !self.job.stop.is_stopped() {
            let checkpoint = match &again {
                None => self.ask_target().await?,
                Some(_) => None,
            };
            let start = match checkpoint {
                Some(checkpoint) => self.go_on(&checkpoint).await?,
                None => self.copy_all(again.as_deref()).await?,
            };
            let Some(start) = start else { return Ok(()) };
            match self.follow(start).await? {
                Next::End => return Ok(()),
                Next::Copy(why) => {
                    self.job.warn(format!("copying everything again: {why}"));
                    again = Some(why);
                }
            }
        }
        Ok(())
    }

    async fn ask_target(&self) -> Result<Option<Checkpoint>, MigrateError> {
        let mut target = Target::new(&self.job, &self.checked);
        let connected = target.connect().await;
        connected.map(|(_, checkpoint)| checkpoint).map_err(|error| {
            let doing = format!("asking the target {} how far it is", target.address());
            MigrateError::new(ErrorKind::Target, doing, error)
        })
    }

    /// Records a state, then enters it.
    pub fn enter(&mut self, state: State, reason: Option<&str>) -> Result<(), MigrateError> {
        self.dir.transition(state, reason).map_err(journal_error)?;
        let phase = match state {
            State::Attaching => Phase::Attaching,
            State::Copying => Phase::Copying,
            State::CatchingUp => Phase::CatchingUp,
            State::Live => Phase::Live,
            State::CuttingOver => Phase::CuttingOver,
            _ => Phase::Finished,
        };
        self.job.begin(phase, self.checked.source.keys_total(&self.job.config));
        Ok(())
    }

    fn spool_options(&self) -> SpoolOptions {
        SpoolOptions::new(self.dir.spool_dir(), self.job.config.spool_limit)
    }

    /// Goes on from where the target is: with what is kept on disk, else from the source.
    async fn go_on(&mut self, checkpoint: &Checkpoint) -> Result<Option<Start>, MigrateError> {
        let (options, from) = (self.spool_options(), checkpoint.offset);
        let opened = tokio::task::spawn_blocking(move || match spool::open(options.clone(), from)? {
            Some(spool) => Ok(spool),
            None => spool::create(options, from),
        });
        let (writer, reader) = opened.await.map_err(internal)?.map_err(spool_error)?;
        self.progress.restart(&checkpoint.replid, checkpoint.offset);
        self.progress.set_received(writer.end());
        tracing::debug!(offset = from, kept = writer.end() - from, "going on");
        Ok(Some(Start { link: None, writer, reader, drops_missing: false }))
    }

    /// Copies everything; `None` if that was stopped.
    async fn copy_all(&mut self, again: Option<&str>) -> Result<Option<Start>, MigrateError> {
        let is_first = again.is_none() && self.dir.journal().iter().all(|record| {
            record.state != State::Copying
        });
        self.enter(State::Attaching, again)?;
        let stopped = Arc::clone(&self.job);
        let connector = self.checked.source.connector.clone();
        let links = tokio::select! {
            links = attach(&connector) => links.map_err(|error| attach_error(&connector, error))?,
            () = stopped.stop.stopped() => return Ok(None),
        };
        let Position { replid, offset } = links.position;
        let (writer, reader) = spool::create(self.spool_options(), offset).map_err(spool_error)?;
        self.progress.restart(&replid, offset);
        let receiving = tokio::spawn(self.receiver(writer).run(Some(links.stream)));

        self.enter(State::Copying, None)?;
        let config = &self.job.config;
        let mut capabilities = self.checked.capabilities(config, false);
        if !is_first {
            capabilities.on_conflict = OnConflict::Replace;
        }
        let began = Instant::now();
        let source = redis_psync::attached(&self.job, links.rdb, connector);
        let copied = self.watch_copy(capabilities, source).await;
        self.copy_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if copied.is_err() || self.job.stop.is_stopped() {
            receiving.abort();
            return copied.map(|()| None);
        }
        let checkpoint =
            Checkpoint { replid, offset, fence: offset, db: 0, pending: Vec::new() };
        let target = Target::new(&self.job, &self.checked);
        target.store(&checkpoint).await.map_err(|error| {
            let doing = format!("writing the checkpoint to the target {}", target.address());
            MigrateError::new(ErrorKind::Target, doing, error)
        })?;
        if !is_first && !self.target_was_empty {
            self.job.warn(
                "keys that were deleted on the source meanwhile may still be on the target, which \
                 had keys of its own: run `ferrite-migrate verify`",
            );
        }
        self.copied.replace(receiving);
        Ok(Some(Start { link: None, writer: None, reader, drops_missing: !is_first && self.target_was_empty }))
    }
}
