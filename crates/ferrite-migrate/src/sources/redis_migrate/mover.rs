//! Has the source send the keys whose names are waiting, and sets their expiries on the target.

use std::sync::Arc;
use std::time::Duration;

use ferrite_client::{ClientError, Connection, Pipeline, ReplyError, Value};
use tokio::sync::{Mutex, mpsc};

use super::batch::{Expiry, KEYS_MAX, Sent, Sized, Way, groups, request, sent, sizes};
use crate::config::{Config, OnConflict};
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::preflight::Checked;
use crate::report::DifferenceKind;
use crate::scan::Names;
use crate::sources::redis_scan::source_error;
use crate::targets::redis::{self, ALREADY_THERE, conflict, target_error};
use crate::verify::{Comparer, Verdict};

/// How long the source may take for one batch: it waits for the target with every part of it.
const SENDS_WITHIN: Duration = Duration::from_secs(1800);
/// Why a key is not counted that the source says it has sent.
const NOT_THERE: &str = "the target has not got it although the source has sent it";

/// How often the source may lose the target with the same keys.
const LOST_MAX: u32 = 3;
/// How long to wait after the first such loss; twice and three times as long after the others.
const AFTER_LOSS: Duration = Duration::from_millis(200);

/// What became of keys that were sent.
enum Went {
    /// They are on the target, and counted.
    Arrived,
    /// At least one was there.
    Conflict,
    /// The source lost the target; some may have arrived.
    Lost(ReplyError),
}

/// Moves keys over a connection to each end.
pub struct Mover {
    job: Arc<Job>,
    checked: Arc<Checked>,
    way: Way,
    source: Connection,
    target: Connection,
    source_db: Option<u32>,
    target_db: Option<u32>,
    /// Compares keys that are on the target already; connected when it is first needed.
    comparer: Option<Comparer>,
}

/// How the source reaches the target and logs in there.
fn way(config: &Config) -> Way {
    let (host, port) = config.migrates_to().unwrap_or_default();
    let address = &config.target.address;
    let password = address.password().map(|password| password.expose().to_vec());
    let auth = match (address.username(), password) {
        (Some(user), Some(password)) => {
            vec![b"AUTH2".to_vec(), user.as_bytes().to_vec(), password]
        }
        (None, Some(password)) => vec![b"AUTH".to_vec(), password],
        (_, None) => Vec::new(),
    };
    Way { host: host.to_owned(), port: port.to_string(), auth }
}

impl Mover {
    /// Connects a mover.
    ///
    /// # Errors
    /// An end that cannot be reached.
    pub async fn connect(job: &Arc<Job>, checked: &Arc<Checked>) -> Result<Self, MigrateError> {
        let connector = &checked.source.connector;
        let connected = connector.connect().await;
        let mut source =
            connected.map_err(|error| source_error(connector, "connecting a mover", &error))?;
        source.set_timeout(Some(SENDS_WITHIN));
        let target = redis::connect(&checked.target.connector).await?;
        let (job, checked) = (Arc::clone(job), Arc::clone(checked));
        let way = way(&job.config);
        let (source_db, target_db, comparer) = (None, None, None);
        Ok(Self { job, checked, way, source, target, source_db, target_db, comparer })
    }

    /// Moves until there are no more names.
    ///
    /// # Errors
    /// An end that is lost or refuses; a key that must not be there.
    pub async fn run(
        mut self,
        waiting: Arc<Mutex<mpsc::Receiver<Names>>>,
    ) -> Result<(), MigrateError> {
        loop {
            let Some(names) = waiting.lock().await.recv().await else { return Ok(()) };
            let filter = &self.job.config.filter;
            let mut keys: Vec<&[u8]> = names.iter().filter(|key| filter.accepts(key)).collect();
            let filtered = (names.len() - keys.len()) as u64;
            self.job.tally(|tally| tally.keys.filtered += filtered);
            // SCAN may give a name twice.
            keys.sort_unstable();
            keys.dedup();
            for keys in keys.chunks(KEYS_MAX) {
                if self.job.stop.is_stopped() {
                    return Ok(());
                }
                self.move_keys(names.db, keys).await?;
            }
        }
    }

    async fn move_keys(&mut self, db: u32, keys: &[&[u8]]) -> Result<(), MigrateError> {
        let known = self.sizes(db, keys).await?;
        let vanished = (keys.len() - known.len()) as u64;
        let types = &self.job.config.types;
        let is_wanted = |sized: &Sized<'_>| {
            let named = |name: &str| types.iter().any(|wanted| wanted.name() == name);
            types.is_empty() || sized.kind.is_some_and(|kind| named(kind.name()))
        };
        let (mut wanted, unwanted): (Vec<_>, Vec<_>) = known.into_iter().partition(is_wanted);
        self.job.tally(|tally| {
            tally.keys.vanished += vanished;
            tally.keys.filtered += unwanted.len() as u64;
        });
        if self.job.config.on_conflict != OnConflict::Replace {
            wanted = self.without_those_there(db, wanted).await?;
        }
        for group in groups(&wanted) {
            if self.job.stop.is_stopped() {
                return Ok(());
            }
            self.send_group(db, group).await?;
        }
        Ok(())
    }

    /// Has the source send keys, again where it loses the target.
    async fn send_group(&mut self, db: u32, keys: &[Sized<'_>]) -> Result<(), MigrateError> {
        let mut lost = 0;
        loop {
            let error = match self.send(db, keys).await? {
                Went::Arrived => return Ok(()),
                Went::Conflict => return self.one_by_one(db, keys).await,
                Went::Lost(error) => error,
            };
            self.wait_for_target(&mut lost, &error).await?;
            if self.job.config.on_conflict != OnConflict::Replace {
                // A part of them may have arrived.
                return self.one_by_one(db, keys).await;
            }
        }
    }

    /// Types and sizes, as the source tells them.
    async fn sizes<'k>(
        &mut self,
        db: u32,
        keys: &[&'k [u8]],
    ) -> Result<Vec<Sized<'k>>, MigrateError> {
        self.select_source(db).await?;
        let mut pipeline = Pipeline::new();
        for key in keys {
            pipeline.push(&[&b"TYPE"[..], key]);
            pipeline.push(&[&b"MEMORY"[..], b"USAGE", key, b"SAMPLES", b"5"]);
        }
        let replies = self.source.pipeline(&pipeline).await;
        let replies = replies.map_err(|error| self.source_lost("reading keys", &error))?;
        Ok(sizes(keys, &replies))
    }

    /// Has the source send keys once.
    async fn send(&mut self, db: u32, keys: &[Sized<'_>]) -> Result<Went, MigrateError> {
        let bytes: u64 = keys.iter().map(|sized| sized.bytes).sum();
        let weight = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.job.gate.pass(weight, &self.job.stop).await;
        self.select_source(db).await?;
        let target_db = self.job.config.target_db().unwrap_or(db);
        let has_expiretime = self.checked.source.has_expiretime();
        let mut pipeline = Pipeline::new();
        let how = (target_db, has_expiretime, self.job.config.on_conflict);
        request(&mut pipeline, &self.way, keys, how);
        let replies = self.source.pipeline(&pipeline).await;
        let replies = replies.map_err(|error| self.source_lost("moving keys", &error))?;
        // The first refusal says why EXEC was, too.
        if let Some(error) = replies.iter().find_map(|reply| reply.as_ref().err()) {
            return Err(self.refused(error));
        }
        let reply = replies.last().and_then(|reply| reply.as_ref().ok());
        match reply.and_then(|reply| sent(reply, keys.len(), has_expiretime)) {
            Some(Sent::Done(expiries)) => {
                self.expire(db, keys, &expiries).await?;
                Ok(Went::Arrived)
            }
            Some(Sent::Conflict) => Ok(Went::Conflict),
            Some(Sent::Lost(error)) => Ok(Went::Lost(error)),
            Some(Sent::Refused(error)) => Err(self.refused(&error)),
            None => {
                let cause = "the source gave an unexpected answer to MIGRATE";
                Err(MigrateError::new(ErrorKind::Source, self.moving(), cause))
            }
        }
    }

    /// Sets the absolute expiries, and counts what is on the target.
    async fn expire(
        &mut self,
        db: u32,
        keys: &[Sized<'_>],
        expiries: &[Expiry],
    ) -> Result<(), MigrateError> {
        let mut pipeline = Pipeline::new();
        for (sized, expiry) in keys.iter().zip(expiries) {
            match expiry {
                Expiry::At(at) => {
                    pipeline.push(&[&b"PEXPIREAT"[..], sized.key, at.to_string().as_bytes()]);
                }
                Expiry::Never | Expiry::Gone => {
                    pipeline.push(&[&b"EXISTS"[..], sized.key]);
                }
            }
        }
        let replies = self.ask_target(db, &pipeline).await?;
        let mut done = (0, 0);
        for ((sized, expiry), reply) in keys.iter().zip(expiries).zip(replies) {
            let reply = reply.map_err(|error| self.target_refused(&error))?;
            let is_there = reply == Value::Integer(1);
            self.job.tally(|tally| match expiry {
                Expiry::Gone => tally.keys.vanished += 1,
                Expiry::At(_) if !is_there => tally.keys.expired += 1,
                Expiry::Never if !is_there => tally.skip(db, sized.key, NOT_THERE),
                Expiry::At(_) | Expiry::Never => {
                    done = (done.0 + 1, done.1 + sized.bytes);
                    match sized.kind {
                        Some(kind) => tally.copied(kind, 1, sized.bytes),
                        None => {
                            (tally.keys.copied, tally.bytes) =
                                (tally.keys.copied + 1, tally.bytes + sized.bytes)
                        }
                    }
                }
            });
        }
        self.job.progress(done.0, done.1);
        Ok(())
    }

    /// The keys that are not on the target; what becomes of the others is decided.
    async fn without_those_there<'k>(
        &mut self,
        db: u32,
        keys: Vec<Sized<'k>>,
    ) -> Result<Vec<Sized<'k>>, MigrateError> {
        let mut pipeline = Pipeline::new();
        for sized in &keys {
            pipeline.push(&[&b"EXISTS"[..], sized.key]);
        }
        let replies = self.ask_target(db, &pipeline).await?;
        let mut absent = Vec::with_capacity(keys.len());
        for (sized, reply) in keys.into_iter().zip(replies) {
            match reply.map_err(|error| self.target_refused(&error))? {
                Value::Integer(0) => absent.push(sized),
                _ => self.is_there(db, &sized, false).await?,
            }
        }
        Ok(absent)
    }

    /// A key is on the target. `may_be_ours` if it may have come with the batch just now: its expiry
    /// is not right then.
    async fn is_there(
        &mut self,
        db: u32,
        sized: &Sized<'_>,
        may_be_ours: bool,
    ) -> Result<(), MigrateError> {
        let verdict = self.compare(db, sized.key).await?;
        match verdict {
            Verdict::Equal | Verdict::Differs(DifferenceKind::Expiry, _) if may_be_ours => {
                let expiry = self.expiry(sized.key).await?;
                self.expire(db, std::slice::from_ref(sized), &[expiry]).await
            }
            // SCAN may have given its name before.
            Verdict::Equal => {
                self.job.tally(|tally| tally.keys.identical += 1);
                self.job.progress(1, 0);
                Ok(())
            }
            _ if self.job.config.on_conflict == OnConflict::Skip => {
                self.job.tally(|tally| tally.skip(db, sized.key, ALREADY_THERE));
                self.job.progress(1, 0);
                Ok(())
            }
            _ => Err(conflict(&self.checked.target.connector, sized.key)),
        }
    }

    /// Which of a batch is on the target is not told: each by itself.
    async fn one_by_one(&mut self, db: u32, keys: &[Sized<'_>]) -> Result<(), MigrateError> {
        for sized in keys {
            let mut lost = 0;
            loop {
                let mut pipeline = Pipeline::new();
                pipeline.push(&[&b"EXISTS"[..], sized.key]);
                let replies = self.ask_target(db, &pipeline).await?;
                let is_absent = matches!(replies.first(), Some(Ok(Value::Integer(0))));
                if !is_absent {
                    self.is_there(db, sized, true).await?;
                    break;
                }
                match self.send(db, std::slice::from_ref(sized)).await? {
                    Went::Arrived => break,
                    Went::Conflict => {
                        self.is_there(db, sized, true).await?;
                        break;
                    }
                    Went::Lost(error) => self.wait_for_target(&mut lost, &error).await?,
                }
            }
        }
        Ok(())
    }

    /// The source has lost the target that many times: waits before it is tried again.
    async fn wait_for_target(
        &self,
        lost: &mut u32,
        error: &ReplyError,
    ) -> Result<(), MigrateError> {
        *lost += 1;
        if *lost > LOST_MAX {
            return Err(self.target_lost(error));
        }
        tokio::time::sleep(AFTER_LOSS * *lost).await;
        Ok(())
    }

    async fn compare(&mut self, db: u32, key: &[u8]) -> Result<Verdict, MigrateError> {
        // A source that refuses DUMP cannot be compared with.
        if !self.checked.scannable {
            return Ok(Verdict::NotComparable);
        }
        if self.comparer.is_none() {
            let comparer = Comparer::connect(&self.job, &self.checked, Arc::default()).await?;
            self.comparer = Some(comparer);
        }
        let Some(comparer) = &mut self.comparer else { return Ok(Verdict::NotComparable) };
        let verdicts = comparer.look(db, &[key]).await?;
        Ok(verdicts.into_iter().next().unwrap_or(Verdict::NotComparable))
    }

    /// When a key expires on the source.
    async fn expiry(&mut self, key: &[u8]) -> Result<Expiry, MigrateError> {
        let asked =
            crate::fetch::expiry_of(&mut self.source, key, self.checked.source.has_expiretime());
        let asked = asked.await;
        let time = asked.map_err(|error| self.source_lost("reading keys", &error))?;
        Ok(time.map_or(Expiry::Never, Expiry::At))
    }

    async fn select_source(&mut self, db: u32) -> Result<(), MigrateError> {
        if self.source_db != Some(db) {
            let selected = self.source.call(&["SELECT", &db.to_string()]).await;
            selected.map_err(|error| self.source_lost("reading keys", &error))?;
            self.source_db = Some(db);
        }
        Ok(())
    }

    async fn ask_target(
        &mut self,
        db: u32,
        pipeline: &Pipeline,
    ) -> Result<Vec<Result<Value, ReplyError>>, MigrateError> {
        let connector = &self.checked.target.connector;
        let lost = |error: ClientError| target_error("setting expiries", connector, &error);
        let db = self.job.config.target_db().unwrap_or(db);
        if self.target_db != Some(db) {
            self.target.call(&["SELECT", &db.to_string()]).await.map_err(lost)?;
            self.target_db = Some(db);
        }
        self.target.pipeline(pipeline).await.map_err(lost)
    }

    fn moving(&self) -> String {
        let (from, to) = (&self.job.config.source, &self.job.config.target.address);
        format!("having the source {from} send keys to the target {to} (MIGRATE)")
    }

    fn source_lost(&self, doing: &str, error: &ClientError) -> MigrateError {
        source_error(&self.checked.source.connector, doing, error)
    }

    fn target_refused(&self, error: &ReplyError) -> MigrateError {
        let doing = format!("setting expiries on the target {}", self.job.config.target.address);
        MigrateError::new(ErrorKind::Target, doing, error).with_hint(redis::hint(&error.code))
    }

    /// One of the two servers does not want it.
    fn refused(&self, error: &ReplyError) -> MigrateError {
        let failed = MigrateError::new(ErrorKind::Target, self.moving(), error);
        failed.with_hint(redis::hint(&error.code))
    }

    /// The source has lost the target, or never reached it.
    fn target_lost(&self, error: &ReplyError) -> MigrateError {
        let Way { host, port, .. } = &self.way;
        MigrateError::new(ErrorKind::Target, self.moving(), error).with_hint(format!(
            "see that the target is up and the source reaches it at {host}:{port} (else: \
             --migrate-target HOST:PORT), then run the same command with --on-conflict replace"
        ))
    }
}
