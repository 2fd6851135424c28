//! Compares every key of both ends while the source is written to (`--verify`). A replica is never
//! written to, so what differs is told and not made good.
//!
//! A pass over all keys begins when the target follows closely; the next one a while after its
//! end. A cutover waits for the first pass and for every difference to be gone; keys that are
//! written to at each look are compared while writes are held back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_client::ClientError;
use ferrite_client::server::ServerInfo;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::look::{Look, Looker};
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::live::apply::Target;
use crate::live::marks::Key;
use crate::live::progress::Progress;
use crate::live::verify::Tally;
use crate::preflight::Checked;
use crate::scan::Scanner;
use crate::sources::redis_scan::source_error;
use crate::targets::redis::target_error;
use crate::verify::Verdict;

/// Keys that are compared together.
const BATCH_KEYS: usize = 200;
/// Keys that are written to at each look; with more of them a pass is given up.
const MOVING_MAX: usize = 10_000;
/// How often keys that move are looked at again at the end of a pass.
const LOOKS: u32 = 5;
/// How long they are left alone before each.
const BEFORE_ANOTHER_LOOK: Duration = Duration::from_millis(50);
/// The shortest time between two passes.
const PASS_EVERY: Duration = Duration::from_secs(60);
/// How many times as long as a pass took nothing is compared after it.
const REST: u32 = 4;
/// How often keys that differ are looked at again between passes.
const DIFFERING_EVERY: Duration = Duration::from_secs(2);
/// How long to wait after an end could not be read.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Above this lag, in ms, nothing is compared: the target has enough to do.
const LAG_MAX_MS: u64 = 800;
/// How often it is looked whether the target follows closely.
const CALM_EVERY: Duration = Duration::from_millis(50);
/// How long a cutover waits for the batch that is being compared.
const QUIET_MAX: Duration = Duration::from_secs(10);

/// Compares one source with its replica.
pub struct Comparison {
    job: Arc<Job>,
    checked: Arc<Checked>,
    progress: Arc<Progress>,
    /// What was found.
    pub tally: Tally,
    work: Arc<Mutex<Work>>,
}

/// What compares, and what it has not decided.
pub struct Work {
    looker: Looker,
    moving: Vec<Key>,
}

/// Comparing that goes on until this is dropped.
pub struct Comparing(AbortHandle);

impl Drop for Comparing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Comparison {
    /// For a job, where it is to compare.
    #[must_use]
    pub fn new(job: &Arc<Job>, checked: &Arc<Checked>, progress: &Arc<Progress>) -> Option<Self> {
        job.config.verify.then(|| Self {
            job: Arc::clone(job),
            checked: Arc::clone(checked),
            progress: Arc::clone(progress),
            tally: Tally::default(),
            work: Arc::new(Mutex::new(Work {
                looker: Looker::new(job, checked),
                moving: Vec::new(),
            })),
        })
    }

    /// Begins to compare: nothing is known of the target yet.
    #[must_use]
    pub fn start(self: &Arc<Self>) -> Comparing {
        self.tally.reset();
        let comparison = Arc::clone(self);
        Comparing(tokio::spawn(async move { comparison.run().await }).abort_handle())
    }

    /// Has nothing compared as long as the returned value lives; `None` if what is being compared
    /// takes too long.
    pub async fn quiet(&self) -> Option<OwnedMutexGuard<Work>> {
        timeout(QUIET_MAX, Arc::clone(&self.work).lock_owned()).await.ok()
    }

    /// Compares, while nothing is written, what could not be decided before.
    ///
    /// # Errors
    /// What differs, in words.
    pub async fn last_look(&self, work: &mut Work) -> Result<(), String> {
        work.moving.extend(self.tally.differing());
        for _ in 0..LOOKS {
            work.look_again(&self.tally).await.map_err(|error| error.to_string())?;
            if work.moving.is_empty() {
                break;
            }
        }
        let differing = self.tally.differing().len() + work.moving.len();
        if differing == 0 {
            return Ok(());
        }
        let why = self.tally.reasons().join("; ");
        Err(format!("{differing} keys differ while nothing is written: {why}"))
    }

    async fn run(&self) {
        while !self.job.stop.is_stopped() {
            let began = Instant::now();
            match self.pass().await {
                Ok(()) => self.rest(began).await,
                Err(error) => {
                    tracing::debug!(%error, "comparing was interrupted");
                    self.tally.interrupted(format!("comparing was interrupted: {error}"));
                    sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    /// Between two passes, of which one began then: looks at what differs or moves.
    async fn rest(&self, began: Instant) {
        let rest = (began.elapsed() * REST).max(PASS_EVERY);
        while began.elapsed() < rest && !self.job.stop.is_stopped() {
            sleep(DIFFERING_EVERY).await;
            self.calm().await;
            let mut work = self.work.lock().await;
            work.moving.extend(self.tally.differing());
            if work.look_again(&self.tally).await.is_err() {
                drop(work);
                sleep(AFTER_FAILURE).await;
            }
        }
    }

    /// Compares every key of both ends.
    async fn pass(&self) -> Result<(), MigrateError> {
        self.calm().await;
        let offset = self.progress.applied();
        self.work.lock().await.moving.clear();
        self.source_keys().await?;
        self.target_keys().await?;
        for _ in 0..LOOKS {
            sleep(BEFORE_ANOTHER_LOOK).await;
            self.work.lock().await.look_again(&self.tally).await?;
        }
        let moving = self.work.lock().await.moving.len() as u64;
        self.tally.complete(offset, moving);
        Ok(())
    }

    /// Waits until the target follows closely.
    async fn calm(&self) {
        while self.progress.lag_ms() > LAG_MAX_MS || !self.progress.trouble().is_empty() {
            sleep(CALM_EVERY).await;
        }
    }

    async fn source_keys(&self) -> Result<(), MigrateError> {
        let connector = &self.checked.source.connector;
        let lost = |error: ClientError| source_error(connector, "listing keys", &error);
        let mut connection = connector.connect().await.map_err(lost)?;
        let info = ServerInfo::probe(&mut connection).await.map_err(lost)?;
        self.tally.begin(info.keys());
        let mut scanner = Scanner::connect(connector, &self.job.config).await.map_err(lost)?;
        for db in info.keyspace.into_keys() {
            scanner.select(db).await.map_err(lost)?;
            let mut cursor = b"0".to_vec();
            loop {
                let (next, names) = scanner.step(db, &cursor).await.map_err(lost)?;
                self.check(db, &names.iter().collect::<Vec<_>>()).await?;
                cursor = next;
                if cursor == b"0" {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Compares the keys that only the target has.
    async fn target_keys(&self) -> Result<(), MigrateError> {
        let (source, target) = (&self.checked.source.connector, &self.checked.target.connector);
        let lost = |error: ClientError| target_error("listing keys", target, &error);
        let mut ends = Target::new(&self.job, &self.checked);
        for (target_db, db) in ends.dbs(None).await.map_err(lost)? {
            let mut scanner = ends.scanner(target_db).await.map_err(lost)?;
            let mut cursor = b"0".to_vec();
            loop {
                let (next, names) = scanner.step(db, &cursor).await.map_err(lost)?;
                let missing = ends.missing_at_source(db, names.iter().collect()).await;
                let missing =
                    missing.map_err(|error| source_error(source, "listing keys", &error))?;
                self.check(db, &missing).await?;
                cursor = next;
                if cursor == b"0" {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Compares keys of one database; after the first pass, no more than half of the time.
    async fn check(&self, db: u32, keys: &[&[u8]]) -> Result<(), MigrateError> {
        for some in keys.chunks(BATCH_KEYS) {
            self.calm().await;
            let began = Instant::now();
            self.work.lock().await.look(db, some, &self.tally).await?;
            if self.tally.is_complete() {
                sleep(began.elapsed()).await;
            }
        }
        Ok(())
    }
}

impl Work {
    async fn look(&mut self, db: u32, keys: &[&[u8]], tally: &Tally) -> Result<(), MigrateError> {
        let looks = self.looker.look(db, keys).await?;
        for (key, look) in keys.iter().zip(looks) {
            let key = (db, key.to_vec());
            match look {
                Look::Sure(Verdict::Equal) => tally.equal(&key),
                Look::Sure(Verdict::Gone | Verdict::Filtered) => {
                    tally.gone(&key);
                }
                Look::Sure(Verdict::NotComparable) => {
                    tally.gone(&key);
                    tally.not_comparable();
                }
                Look::Sure(Verdict::Differs(kind, detail)) => tally.differs(key, kind, detail),
                Look::Moving => self.moving.push(key),
            }
        }
        if self.moving.len() > MOVING_MAX {
            let cause = format!("more than {MOVING_MAX} keys are written to at each look");
            return Err(MigrateError::new(ErrorKind::Source, "comparing keys", cause));
        }
        Ok(())
    }

    /// Looks at the keys that moved.
    async fn look_again(&mut self, tally: &Tally) -> Result<(), MigrateError> {
        let mut moving = std::mem::take(&mut self.moving);
        moving.sort_unstable();
        moving.dedup();
        for group in moving.chunk_by(|(one, _), (other, _)| one == other) {
            for some in group.chunks(BATCH_KEYS) {
                let db = some.first().map_or(0, |(db, _)| *db);
                let keys: Vec<&[u8]> = some.iter().map(|(_, key)| key.as_slice()).collect();
                self.look(db, &keys, tally).await?;
            }
        }
        Ok(())
    }
}
