//! Reads keys by `SCAN`, then their values and expiries by [`crate::fetch`].
//!
//! ```text
//! SCAN ──names──►  fetchers (one connection each)  ──batches──► feed
//! ```
//!
//! Every key is exact, but different keys are read at different moments. Works with whatever
//! allows `SCAN` and `DUMP`; nothing is forked on the source, and a pattern is applied there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_client::topology::Cluster;
use ferrite_client::{ClientError, Connector};
use ferrite_commands::slot;
use ferrite_rdb::{ErrorKind as RdbErrorKind, ValueKind, dump};
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use super::{BoxFuture, Closed, Feed, Missed, Moved, OpenError, Opening, Source, SourceDescriptor};
use crate::cluster::{KeyReader, SlotSet};
use crate::config::Strategy;
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::fetch::{FetchError, Fetched, LargeStream, is_elsewhere};
use crate::live::{HOLD_MS, hold};
use crate::model::{BatchBuilder, ElementsSink, RecordHead};
use crate::preflight::Checked;
use crate::report::key_text;
use crate::scan::{Names, Place, Scanner};
use crate::targets::redis::libraries;
use crate::verify::Comparer;

/// The entry in the list of sources.
pub const DESCRIPTOR: SourceDescriptor = SourceDescriptor {
    strategy: Strategy::Scan,
    reason: "keys are read one by one: needs only SCAN and DUMP, and no fork on the source",
    filters_at_server: true,
    compares: true,
    open,
};

/// Batches of names that wait for a fetcher.
const NAMES_MAX: usize = 8;
/// Keys read in one transaction: the source answers nobody else meanwhile.
const TRANSACTION_KEYS_MAX: usize = 100;

fn open(job: Arc<Job>, checked: Arc<Checked>) -> Opening {
    if !checked.scannable {
        let refused = String::from("the source refuses a command that reads keys one by one");
        return Box::pin(async { Err(OpenError::Refused(refused)) });
    }
    Box::pin(async move { Ok(Box::new(ScanSource::of(job, checked)) as Box<dyn Source>) })
}

/// What is read at a time in a copy that is followed.
#[derive(Debug)]
pub struct Part {
    /// The databases, in ascending order.
    pub dbs: Vec<u32>,
    /// Where it begins; `None` for the beginning, where the functions are.
    pub from: Option<Place>,
    /// How long names are read.
    pub lasts: Duration,
    /// Whether the target has most of it: only keys that differ there are read.
    pub differing: bool,
    /// Whether expiries are held.
    pub holds: bool,
    /// Whether reading keys that are the same on both ends is held back by the limits, too.
    pub limited: bool,
    /// Told where the next part begins, if there is one.
    pub ended: oneshot::Sender<Option<Place>>,
}

/// A part of the source, for a copy that is followed.
#[must_use]
pub fn part(job: &Arc<Job>, checked: &Arc<Checked>, part: Part) -> Box<dyn Source> {
    let (job, checked) = (Arc::clone(job), Arc::clone(checked));
    let (dbs, differing) = (part.dbs.clone(), part.differing);
    Box::new(ScanSource { part: Some(part), dbs, differing, ..ScanSource::of(job, checked) })
}

/// All of these databases of the source, or what differs there.
#[must_use]
pub fn whole(
    job: &Arc<Job>,
    checked: &Arc<Checked>,
    dbs: Vec<u32>,
    differing: bool,
) -> Box<dyn Source> {
    let (job, checked) = (Arc::clone(job), Arc::clone(checked));
    Box::new(ScanSource { dbs, differing, ..ScanSource::of(job, checked) })
}

/// The keys of some slots; of a server without slots, those whose keys would be in them. The
/// functions as well, if told so.
#[must_use]
pub fn slots(
    job: &Arc<Job>,
    checked: &Arc<Checked>,
    slots: SlotSet,
    functions: bool,
) -> Box<dyn Source> {
    let (job, checked) = (Arc::clone(job), Arc::clone(checked));
    let slots = Some(Arc::new(slots));
    Box::new(ScanSource { slots, functions, ..ScanSource::of(job, checked) })
}

struct ScanSource {
    job: Arc<Job>,
    checked: Arc<Checked>,
    /// What to read, if not everything.
    part: Option<Part>,
    /// The slots to read, if not all.
    slots: Option<Arc<SlotSet>>,
    /// Whether functions are read, too, where it begins at the beginning.
    functions: bool,
    /// The databases to read where everything is read.
    dbs: Vec<u32>,
    /// Whether only keys are read that differ on the target.
    differing: bool,
}

impl Source for ScanSource {
    fn read(self: Box<Self>, feed: Feed) -> BoxFuture<'static, Result<(), MigrateError>> {
        Box::pin(self.run(feed))
    }
}

/// Reads the keys of some slots of a cluster, wherever they are by now.
///
/// # Errors
/// As reading everything.
pub async fn read_slots(
    job: &Arc<Job>,
    checked: &Arc<Checked>,
    feed: &Feed,
    slots: &SlotSet,
    missed: &Missed,
) -> Result<(), MigrateError> {
    let (names, waiting) = mpsc::channel::<Names>(NAMES_MAX);
    let waiting = Arc::new(Mutex::new(waiting));
    let mut tasks = JoinSet::new();
    for _ in 0..job.config.parallel {
        let mut reader = Reader::connect(checked, feed.clone()).await?;
        reader.missed = Some(missed.clone());
        tasks.spawn(reader.run(Arc::clone(&waiting)));
    }
    drop(waiting);
    let dbs = checked.source_dbs(&job.config);
    for connector in checked.source.shards() {
        let scanning = async {
            let mut scanner = Scanner::connect(&connector, &job.config).await?;
            scanner.all(&dbs, &job.stop, |found| names.send(found.in_slots(slots))).await
        };
        match scanning.await {
            Err(error) if passes(&error) => missed.add(slots),
            scanned => scanned.map_err(|error| source_error(&connector, "scanning", &error))?,
        }
    }
    drop(names);
    ended(tasks).await
}

/// Reads single keys.
#[must_use]
pub fn keys(job: &Arc<Job>, checked: &Arc<Checked>, keys: Vec<(u32, Vec<u8>)>) -> Box<dyn Source> {
    Box::new(KeysSource { job: Arc::clone(job), checked: Arc::clone(checked), keys })
}

struct KeysSource {
    job: Arc<Job>,
    checked: Arc<Checked>,
    keys: Vec<(u32, Vec<u8>)>,
}

impl Source for KeysSource {
    fn read(self: Box<Self>, feed: Feed) -> BoxFuture<'static, Result<(), MigrateError>> {
        Box::pin(async move {
            let mut reader = Reader::connect(&self.checked, feed).await?;
            for (db, key) in self.keys.iter().filter(|_| !self.job.stop.is_stopped()) {
                if reader.transaction(*db, &[key]).await?.is_err() {
                    break;
                }
            }
            Ok(())
        })
    }
}

/// Whether a shard may be read after all, from another node or a little later.
fn passes(error: &ClientError) -> bool {
    error.is_transient() || error.reply().is_some_and(is_elsewhere)
}

/// Waits for all tasks; the first failure ends them.
async fn ended(mut tasks: JoinSet<Result<(), MigrateError>>) -> Result<(), MigrateError> {
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap_or_else(|panic| {
            Err(MigrateError::new(ErrorKind::Internal, "reading keys from the source", panic))
        })?;
    }
    Ok(())
}

type SharedNames = Arc<Mutex<mpsc::Receiver<Names>>>;

/// The names in these slots, if only some are wanted.
fn within(names: Names, slots: Option<&SlotSet>) -> Names {
    match slots {
        Some(slots) => names.in_slots(slots),
        None => names,
    }
}

impl ScanSource {
    /// Reads everything.
    fn of(job: Arc<Job>, checked: Arc<Checked>) -> Self {
        let (dbs, differing) = (checked.source_dbs(&job.config), job.config.only_differing);
        Self { job, checked, part: None, dbs, differing, slots: None, functions: true }
    }

    async fn run(mut self, feed: Feed) -> Result<(), MigrateError> {
        let only = self.slots.as_deref().cloned();
        let moved = Moved::begin(&self.job, &self.checked, only).await?;
        let connector = self.checked.source.connector.clone();
        let holds = self.part.as_ref().is_some_and(|part| part.holds);
        let is_first = self.part.as_ref().is_none_or(|part| part.from.is_none());
        if is_first && self.functions && functions(&self.checked, &feed).await?.is_err() {
            return Ok(());
        }
        let (mut names, waiting) = mpsc::channel(NAMES_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut tasks = JoinSet::new();
        if self.differing {
            names = self.compare(names, &mut tasks).await?;
        }
        let missed = moved.as_ref().map(Moved::missed);
        for _ in 0..self.job.config.parallel {
            let mut reader = Reader::connect(&self.checked, feed.clone()).await?;
            reader.holds = holds;
            reader.missed.clone_from(&missed);
            tasks.spawn(reader.run(Arc::clone(&waiting)));
        }
        drop(waiting);
        let dbs = self.dbs.clone();
        match (&self.checked.source.cluster, missed) {
            (Some(cluster), Some(missed)) => {
                self.scan_shards(cluster, &dbs, &names, &missed, &mut tasks);
            }
            _ => self.scan(connector, dbs, names.clone(), &mut tasks).await?,
        }
        drop(names);
        ended(tasks).await?;
        match moved {
            Some(moved) => moved.read_again(feed).await,
            None => Ok(()),
        }
    }

    /// Lists the names of one server.
    async fn scan(
        &mut self,
        connector: Connector,
        dbs: Vec<u32>,
        names: mpsc::Sender<Names>,
        tasks: &mut JoinSet<Result<(), MigrateError>>,
    ) -> Result<(), MigrateError> {
        let scanner = Scanner::connect(&connector, &self.job.config).await;
        let mut scanner = scanner.map_err(|error| source_error(&connector, "scanning", &error))?;
        let stop = Arc::clone(&self.job.stop);
        let (part, slots) = (self.part.take(), self.slots.clone());
        tasks.spawn(async move {
            let scanned = match part {
                None => {
                    let found = |found| names.send(within(found, slots.as_deref()));
                    scanner.all(&dbs, &stop, found).await
                }
                Some(Part { dbs, from, lasts, ended, .. }) => {
                    let began = Instant::now();
                    let is_enough = || stop.is_stopped() || began.elapsed() >= lasts;
                    let found = |found| names.send(found);
                    scanner.some(&dbs, from, is_enough, found).await.map(|place| {
                        let _ = ended.send(place);
                    })
                }
            };
            scanned.map_err(|error| source_error(&connector, "scanning", &error))
        });
        Ok(())
    }

    /// Lists the names of the primaries of a cluster, several at a time. The slots of one that is
    /// lost are read again when another has taken over.
    fn scan_shards(
        &self,
        cluster: &Cluster,
        dbs: &[u32],
        names: &mpsc::Sender<Names>,
        missed: &Missed,
        tasks: &mut JoinSet<Result<(), MigrateError>>,
    ) {
        let at_once = Arc::new(Semaphore::new(self.job.config.parallel));
        let is_read = |ranges| self.slots.as_ref().is_none_or(|slots| slots.overlaps(ranges));
        for shard in cluster.map().shards().iter().filter(|shard| is_read(&shard.slots)) {
            let connector = cluster.connector(&shard.primary);
            let only = self.slots.clone();
            let (job, dbs, names) = (Arc::clone(&self.job), dbs.to_vec(), names.clone());
            let (at_once, missed, slots) =
                (Arc::clone(&at_once), missed.clone(), shard.slots.clone());
            tasks.spawn(async move {
                let _permit = at_once.acquire().await;
                let scanning = async {
                    let mut scanner = Scanner::connect(&connector, &job.config).await?;
                    let found = |found| names.send(within(found, only.as_deref()));
                    scanner.all(&dbs, &job.stop, found).await
                };
                match scanning.await {
                    Err(error) if passes(&error) => {
                        tracing::debug!(%error, "lost a shard while scanning it");
                        missed.add_ranges(&slots);
                        Ok(())
                    }
                    scanned => {
                        scanned.map_err(|error| source_error(&connector, "scanning", &error))
                    }
                }
            });
        }
    }

    /// Puts comparers before the readers: the channel they take names from.
    async fn compare(
        &self,
        differing: mpsc::Sender<Names>,
        tasks: &mut JoinSet<Result<(), MigrateError>>,
    ) -> Result<mpsc::Sender<Names>, MigrateError> {
        let (names, waiting) = mpsc::channel(NAMES_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..self.job.config.parallel {
            let findings = Arc::default();
            let comparer = Comparer::connect(&self.job, &self.checked, findings).await?;
            let part = self.part.as_ref();
            let holds = part.is_some_and(|part| part.holds);
            let mut comparer = comparer.handing_over(differing.clone(), holds);
            if part.is_some_and(|part| part.limited) {
                comparer = comparer.limited();
            }
            tasks.spawn(comparer.run(Arc::clone(&waiting)));
        }
        Ok(names)
    }
}

/// Hands over the function libraries.
///
/// # Errors
/// A source that is lost.
pub async fn functions(checked: &Checked, feed: &Feed) -> Result<Result<(), Closed>, MigrateError> {
    if !checked.source.has_functions() {
        return Ok(Ok(()));
    }
    let connector = &checked.source.connector;
    let read = async {
        let mut connection = connector.connect().await?;
        libraries(&mut connection).await
    };
    match read.await {
        Ok(codes) => {
            for code in codes {
                if feed.function(code).await.is_err() {
                    return Ok(Err(Closed));
                }
            }
        }
        Err(error) if error.is_refusal() => {
            feed.job.warn(format!("function libraries are not copied: {error}"));
        }
        Err(error) => return Err(source_error(connector, "reading functions", &error)),
    }
    Ok(Ok(()))
}

/// Reads the keys whose names are waiting.
struct Reader {
    fetcher: KeyReader,
    connector: Connector,
    feed: Feed,
    checked: Arc<Checked>,
    /// Whether expiries are held, because the target follows the source after the copy.
    holds: bool,
    /// Of a cluster: slots of which keys could not be read to the end.
    missed: Option<Missed>,
}

impl Reader {
    async fn connect(checked: &Arc<Checked>, feed: Feed) -> Result<Self, MigrateError> {
        let (server, limit) = (&checked.source, feed.job.config.fetch_limit());
        let fetcher = KeyReader::connect(server, limit)
            .await
            .map_err(|error| source_error(&server.connector, "connecting a reader", &error))?;
        let (connector, checked) = (server.connector.clone(), Arc::clone(checked));
        Ok(Self { fetcher, connector, feed, checked, holds: false, missed: None })
    }

    async fn run(mut self, waiting: SharedNames) -> Result<(), MigrateError> {
        loop {
            let Some(names) = waiting.lock().await.recv().await else { return Ok(()) };
            let keys: Vec<&[u8]> = names.iter().filter(|key| self.feed.accepts(key)).collect();
            for keys in keys.chunks(TRANSACTION_KEYS_MAX) {
                if self.feed.job.stop.is_stopped() {
                    return Ok(());
                }
                if self.transaction(names.db, keys).await?.is_err() {
                    return Ok(());
                }
            }
        }
    }

    async fn transaction(
        &mut self,
        db: u32,
        keys: &[&[u8]],
    ) -> Result<Result<(), Closed>, MigrateError> {
        let asked = self.fetcher.request(db, keys).await;
        asked.map_err(|error| self.lost(&error))?;
        let max_keys = self.feed.job.config.batch_size;
        let mut batch = BatchBuilder::new(db, self.checked.source.dump_format(), max_keys);
        let mut vanished = 0;
        for key in keys {
            match self.fetcher.next().await.map_err(|error| self.lost_key(key, &error))? {
                Fetched::Missing => vanished += 1,
                Fetched::Small { expires_at_ms } => self.small(&mut batch, key, expires_at_ms)?,
                Fetched::Large { expires_at_ms, type_byte } => {
                    let head = self.head(type_byte, expires_at_ms);
                    if self.large(db, key, head).await?.is_err() {
                        return Ok(Err(Closed));
                    }
                }
            }
            if batch.is_full() {
                let format = self.checked.source.dump_format();
                let full = std::mem::replace(&mut batch, BatchBuilder::new(db, format, max_keys));
                if self.feed.batch(full).await.is_err() {
                    return Ok(Err(Closed));
                }
            }
        }
        self.feed.job.tally(|tally| tally.keys.vanished += vanished);
        Ok(self.feed.batch(batch).await)
    }

    fn small(
        &self,
        batch: &mut BatchBuilder,
        key: &[u8],
        expires_at_ms: Option<u64>,
    ) -> Result<(), MigrateError> {
        let payload = self.fetcher.payload();
        let Some(&type_byte) = payload.first().filter(|_| payload.len() > dump::FOOTER_LEN) else {
            let kind = RdbErrorKind::Truncated("a DUMP payload");
            return Err(self.bad_value(key, &ferrite_rdb::Error::new(kind, 0)));
        };
        if self.feed.accepts_type(self.checked.source.dump_format(), type_byte) {
            batch.push_payload(self.head(type_byte, expires_at_ms), key, payload);
        } else {
            self.feed.filtered(1);
        }
        Ok(())
    }

    async fn large(
        &mut self,
        db: u32,
        key: &[u8],
        head: RecordHead,
    ) -> Result<Result<(), Closed>, MigrateError> {
        let format = self.checked.source.dump_format();
        let wanted = self.feed.accepts_type(format, head.type_byte);
        let module = ValueKind::of(format, head.type_byte) == Some(ValueKind::Module);
        if !wanted {
            self.feed.filtered(1);
        }
        let stream = LargeStream::new(format, head.type_byte);
        let mut stream = stream.map_err(|error| self.bad_value(key, &error))?;
        let mut parts = None;
        if wanted && module {
            let reason = "module value above the memory limit: raise --memory-limit";
            self.feed.job.tally(|tally| tally.skip(db, key, reason));
        } else if wanted {
            match self.feed.large(db, format, head, key.to_vec()).await {
                Ok(channel) => parts = Some(channel),
                Err(Closed) => return Ok(Err(Closed)),
            }
        }
        let mut sink = ElementsSink::default();
        loop {
            let streamed = self.fetcher.stream(&mut stream, &mut sink).await;
            if let (Err(FetchError::Client(error)), Some(missed)) = (&streamed, &self.missed)
                && passes(error)
            {
                // Nothing of the key is seen; its slot is read again.
                missed.add_slot(slot(key));
                return Ok(Ok(()));
            }
            let done = streamed.map_err(|error| match error {
                FetchError::Client(error) => self.lost(&error),
                FetchError::Value(error) => self.bad_value(key, &error),
            })?;
            if done || sink.is_full() {
                let mut elements = sink.take();
                elements.last = done;
                if let Some(parts) = &parts
                    && parts.send(elements).await.is_err()
                {
                    return Ok(Err(Closed));
                }
            }
            if done {
                return Ok(Ok(()));
            }
        }
    }

    fn head(&self, type_byte: u8, expires_at_ms: Option<u64>) -> RecordHead {
        let held = |at| if self.holds { hold(at, HOLD_MS) } else { at };
        RecordHead { type_byte, expires_at_ms: expires_at_ms.map(held), idle_s: None, freq: None }
    }

    fn lost(&self, error: &ClientError) -> MigrateError {
        source_error(&self.connector, "reading keys", error)
    }

    /// Names the shard that cannot be read.
    fn lost_key(&self, key: &[u8], error: &ClientError) -> MigrateError {
        let map = self.checked.source.cluster.as_ref().map(|cluster| cluster.map());
        let shard = map.as_ref().and_then(|map| map.shards().get(map.owner(slot(key))?));
        let Some(shard) = shard else { return self.lost(error) };
        let slots = crate::cluster::describe(&shard.slots, 3);
        let doing = format!("reading keys of the slots {slots}, which {} owns,", shard.primary);
        source_error(&self.connector, &doing, error)
    }

    fn bad_value(&self, key: &[u8], error: &ferrite_rdb::Error) -> MigrateError {
        let address = self.connector.address();
        let doing = format!("reading key \"{}\" from the source {address}", key_text(key));
        MigrateError::new(ErrorKind::Data, doing, error)
            .with_hint("--exclude leaves the key out; DEBUG OBJECT on the source shows more")
    }
}

/// A client error at the source, as the end of the run.
pub fn source_error(connector: &Connector, doing: &str, error: &ClientError) -> MigrateError {
    let doing = format!("{doing} on the source {}", connector.address());
    let failure = MigrateError::new(ErrorKind::Source, doing, error).passing(error.is_transient());
    failure.with_hint(
        "see that the source is up, then run the same command with --on-conflict replace",
    )
}
