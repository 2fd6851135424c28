//! Compares every key of both ends while the source is written to, exactly, and makes good what
//! differs.
//!
//! ```text
//! SCAN of the source ──► Work ──► Looker: both ends, at one offset of the stream
//! SCAN of the target ──►  │
//!     (keys only there)   └──► the applier reads what differs again
//! ```
//!
//! A pass over all keys begins when the target follows closely; the next one a while after its
//! end. Nothing but names is kept between looks. A cutover waits for the first pass and for every
//! difference to be made good, see [`reasons`](Verifier::reasons).

mod looker;
mod tally;
mod watched;
mod work;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_client::{ClientError, Value};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use self::looker::Looker;
pub use self::tally::{Tally, grouped};
pub use self::watched::Watched;
pub use self::work::Work;
use self::work::{BATCH_KEYS, SUSPECTS_MAX};
use super::apply::Request;
use super::checkpoint;
use super::progress::Progress;
use crate::cluster::Asker;
use crate::engine::Job;
use crate::error::MigrateError;
use crate::jobs::JobVerify;
use crate::preflight::Checked;
use crate::report::Verified;
use crate::scan::{Names, Scanner};
use crate::sources::redis_scan::source_error;
use crate::targets::redis::target_error;

/// The shortest time between two passes.
const PASS_EVERY: Duration = Duration::from_secs(60);
/// How many times as long as a pass took nothing is compared after it.
const REST: u32 = 4;
/// How often keys that differ are looked at again between passes.
const DIFFERING_EVERY: Duration = Duration::from_secs(2);
/// How long keys are left alone before they are looked at again.
const BEFORE_ANOTHER_LOOK: Duration = Duration::from_millis(50);
/// How long to wait after an end could not be read.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Above this lag, in ms, nothing is compared: the target has enough to do.
const LAG_MAX_MS: u64 = 500;
/// How often it is looked whether the target follows closely.
const CALM_EVERY: Duration = Duration::from_millis(50);
/// How long a cutover waits for the batch that is being compared.
const QUIET_MAX: Duration = Duration::from_secs(10);

/// Compares one source with one target.
#[derive(Clone)]
pub struct Verifier {
    job: Arc<Job>,
    checked: Arc<Checked>,
    progress: Arc<Progress>,
    tally: Arc<Tally>,
    work: Arc<Mutex<Work>>,
    /// Whether keys that are on the target only are ours to delete.
    deletes: bool,
}

/// Comparing that goes on until this is dropped.
pub struct Verifying {
    task: AbortHandle,
    watched: Arc<Watched>,
}

impl Drop for Verifying {
    fn drop(&mut self) {
        self.task.abort();
        self.watched.end();
    }
}

impl Verifier {
    /// For a job, where it is to compare; `deletes` if the target held nothing when it began, so
    /// that what is only there is not somebody else's.
    #[must_use]
    pub fn new(
        job: &Arc<Job>,
        checked: &Arc<Checked>,
        progress: &Arc<Progress>,
        clock_skew_ms: i64,
        deletes: bool,
    ) -> Option<Self> {
        job.config.verify.then(|| Self {
            job: Arc::clone(job),
            checked: Arc::clone(checked),
            progress: Arc::clone(progress),
            tally: Arc::default(),
            work: Arc::new(Mutex::new(Work::new(Looker::new(
                job,
                checked,
                progress,
                clock_skew_ms,
            )))),
            deletes,
        })
    }

    /// Begins to compare: nothing is known of the target yet.
    #[must_use]
    pub fn start(&self, requests: &mpsc::Sender<Request>) -> Verifying {
        self.tally.reset();
        let (verifier, requests) = (self.clone(), requests.clone());
        let task = tokio::spawn(async move { verifier.run(&requests).await });
        Verifying { task: task.abort_handle(), watched: Arc::clone(&self.progress.watched) }
    }

    /// Why what was compared holds a cutover back.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        self.tally.reasons()
    }

    /// The numbers for the status.
    #[must_use]
    pub fn status(&self) -> JobVerify {
        self.tally.status()
    }

    /// Numbers and names for the report.
    #[must_use]
    pub fn report(&self) -> Verified {
        self.tally.report()
    }

    /// Has nothing compared as long as the returned value lives; `None` if what is being compared
    /// takes too long.
    pub async fn quiet(&self) -> Option<OwnedMutexGuard<Work>> {
        timeout(QUIET_MAX, Arc::clone(&self.work).lock_owned()).await.ok()
    }

    /// Makes good before a cutover what can be while everything is written to: less is left for
    /// [`last_look`](Self::last_look).
    pub async fn look_ahead(&self, work: &mut Work, requests: &mpsc::Sender<Request>) {
        if let Err(error) = work.look_ahead(&self.tally, requests).await {
            tracing::debug!(%error, "not compared before writes are held back");
        }
    }

    /// Compares, while nothing is written, what could not be decided before.
    ///
    /// # Errors
    /// What differs, in words.
    pub async fn last_look(
        &self,
        work: &mut Work,
        requests: &mpsc::Sender<Request>,
    ) -> Result<(), String> {
        work.last_look(&self.tally, requests).await
    }

    async fn run(&self, requests: &mpsc::Sender<Request>) {
        while !self.job.stop.is_stopped() {
            let began = Instant::now();
            match self.pass(requests).await {
                Ok(()) => {
                    let numbers = self.tally.status();
                    tracing::debug!(?numbers, elapsed = ?began.elapsed(), "compared every key");
                    let rest = (began.elapsed() * REST).max(PASS_EVERY);
                    while began.elapsed() < rest && !self.job.stop.is_stopped() {
                        sleep(DIFFERING_EVERY).await;
                        if self.look_at_differing(requests).await.is_err() {
                            sleep(AFTER_FAILURE).await;
                        }
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "comparing was interrupted");
                    self.tally.interrupted(format!("comparing was interrupted: {error}"));
                    sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    /// Compares every key of both ends.
    async fn pass(&self, requests: &mpsc::Sender<Request>) -> Result<(), MigrateError> {
        self.calm().await;
        let offset = self.progress.applied();
        self.work.lock().await.begin();
        self.source_keys(requests).await?;
        if self.deletes {
            self.target_keys(requests).await?;
        }
        self.work.lock().await.suspect_moving();
        self.decide(requests).await?;
        let moving = self.work.lock().await.moving();
        self.tally.complete(offset, moving);
        Ok(())
    }

    /// Waits until the target follows closely.
    async fn calm(&self) {
        while self.progress.lag_ms() > LAG_MAX_MS || !self.progress.trouble().is_empty() {
            sleep(CALM_EVERY).await;
        }
    }

    /// Compares the keys of the source.
    async fn source_keys(&self, requests: &mpsc::Sender<Request>) -> Result<(), MigrateError> {
        let source = &self.checked.source;
        let lost = |error: ClientError| source_error(&source.connector, "listing keys", &error);
        let info = source.info_now().await.map_err(lost)?;
        let only = self.job.config.source_db();
        let dbs = info.keyspace.iter().filter(|(db, _)| only.is_none_or(|only| only == **db));
        let dbs: Vec<(u32, u64)> = dbs.map(|(db, keyspace)| (*db, keyspace.keys)).collect();
        self.tally.begin(dbs.iter().map(|(_, keys)| keys).sum());
        for connector in source.shards() {
            let scanner = Scanner::connect(&connector, &self.job.config).await;
            let mut scanner = scanner.map_err(lost)?;
            for (db, _) in &dbs {
                scanner.select(*db).await.map_err(lost)?;
                let mut cursor = b"0".to_vec();
                loop {
                    let (next, names) = scanner.step(*db, &cursor).await.map_err(lost)?;
                    self.compare(*db, &self.wanted(&names), requests).await?;
                    cursor = next;
                    if cursor == b"0" {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Compares the keys that only the target has.
    async fn target_keys(&self, requests: &mpsc::Sender<Request>) -> Result<(), MigrateError> {
        let (source, target) = (&self.checked.source, &self.checked.target);
        let lost = |error: ClientError| target_error("listing keys", &target.connector, &error);
        let lost_source =
            |error: ClientError| source_error(&source.connector, "listing keys", &error);
        let info = target.info_now().await.map_err(lost)?;
        let pairs = self.checked.pairs_of(&self.job.config, &info);
        let mut asker = Asker::connect(source).await.map_err(lost_source)?;
        for connector in target.shards() {
            let scanner = Scanner::connect(&connector, &self.job.config).await;
            let mut scanner = scanner.map_err(lost)?;
            for (db, target_db) in &pairs {
                scanner.select(*target_db).await.map_err(lost)?;
                let mut cursor = b"0".to_vec();
                loop {
                    let (next, names) = scanner.step(*db, &cursor).await.map_err(lost)?;
                    let keys = self.wanted(&names);
                    let there = asker.each(*db, b"EXISTS", &keys).await.map_err(lost_source)?;
                    let missing = keys.iter().zip(there).filter(|(_, is)| *is == Value::Integer(0));
                    let missing: Vec<&[u8]> = missing.map(|(key, _)| *key).collect();
                    self.compare(*db, &missing, requests).await?;
                    cursor = next;
                    if cursor == b"0" {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn wanted<'n>(&self, names: &'n Names) -> Vec<&'n [u8]> {
        let filter = &self.job.config.filter;
        let is_wanted = |key: &&[u8]| filter.accepts(key) && !key.starts_with(checkpoint::PREFIX);
        names.iter().filter(is_wanted).collect()
    }

    /// Compares keys of one database; after the first pass, no more than half of the time.
    async fn compare(
        &self,
        db: u32,
        keys: &[&[u8]],
        requests: &mpsc::Sender<Request>,
    ) -> Result<(), MigrateError> {
        for some in keys.chunks(BATCH_KEYS) {
            self.calm().await;
            let began = Instant::now();
            let mut work = self.work.lock().await;
            work.check(db, some, &self.tally).await?;
            let is_full = work.suspects() >= SUSPECTS_MAX;
            drop(work);
            if is_full {
                self.decide(requests).await?;
            }
            if self.tally.is_complete() {
                sleep(began.elapsed()).await;
            }
        }
        Ok(())
    }

    /// Looks at what is undecided until nothing is.
    async fn decide(&self, requests: &mpsc::Sender<Request>) -> Result<(), MigrateError> {
        while self.work.lock().await.suspects() > 0 {
            sleep(BEFORE_ANOTHER_LOOK).await;
            self.calm().await;
            self.work.lock().await.look_again(&self.tally, requests).await?;
        }
        Ok(())
    }

    /// Looks at the keys that differ: they may not any more.
    async fn look_at_differing(
        &self,
        requests: &mpsc::Sender<Request>,
    ) -> Result<(), MigrateError> {
        let differing = self.tally.differing();
        if differing.is_empty() {
            return Ok(());
        }
        self.work.lock().await.suspect(differing);
        self.decide(requests).await
    }
}
