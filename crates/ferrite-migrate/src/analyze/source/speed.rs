//! How fast keys can be read, measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ferrite_client::{ClientError, Connection, Connector, Pipeline};
use serde::Serialize;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{LARGE, LATE_PAUSE, hold_back, lost_at};
use crate::analyze::Measure;
use crate::engine::throttle::{Reason, ping};
use crate::engine::{Job, Stop};
use crate::error::{ErrorKind, MigrateError};
use crate::fetch::{FetchError, Fetched, Fetcher, LargeStream, is_elsewhere};
use crate::preflight::Server;
use crate::scan::{Names, Scanner};

/// How long keys are read with each number of connections.
const LASTS: Duration = Duration::from_secs(1);
/// Numbers of connections that are tried.
const CONNECTIONS: [usize; 2] = [4, 8];
/// A larger number must read so much faster to be worth its load.
const WORTH: f64 = 1.1;
/// How often the source is asked how it is, where its answers are limited.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// Keys read in one transaction.
const TOGETHER: usize = 100;
/// Batches of names that wait for a reader.
const NAMES_WAITING: usize = 4;
/// Bytes of a value from which it is streamed.
const VALUE_LIMIT: usize = 1 << 20;

/// How fast keys were read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Speed {
    /// Servers that were read at the same time: all primaries of a cluster.
    pub servers: usize,
    /// Connections to each that read fastest, as far as it was worth their load.
    pub parallel: usize,
    /// Keys that they read.
    pub keys: u64,
    /// Bytes of values, as `DUMP` writes them.
    pub bytes: u64,
    /// Milliseconds it took.
    pub elapsed_ms: u64,
    /// Milliseconds that reading all keys takes at this speed; of a cluster, those of the primary
    /// that takes longest.
    pub all_ms: u64,
    /// Keys that were not read because they are larger than 16 MiB.
    pub left_out: u64,
}

impl Speed {
    /// Keys a second.
    #[must_use]
    pub fn keys_s(&self) -> f64 {
        self.keys as f64 * 1000.0 / self.elapsed_ms.max(1) as f64
    }
}

/// A server that is read.
#[derive(Clone)]
struct Node {
    connector: Connector,
    has_expiretime: bool,
    format: ferrite_rdb::Format,
    dbs: Vec<u32>,
    keys_total: u64,
    /// Whether it is one of a cluster, where a transaction has keys of one slot.
    by_slot: bool,
}

impl Node {
    fn new(job: &Job, server: &Server, by_slot: bool) -> Self {
        Self {
            connector: server.connector.clone(),
            has_expiretime: server.has_expiretime(),
            format: server.dump_format(),
            dbs: job.config.source_db().map_or_else(|| server.dbs(), |only| vec![only]),
            keys_total: server.keys_total(&job.config),
            by_slot,
        }
    }

    async fn fetcher(&self) -> Result<Fetcher, ClientError> {
        let connection = self.connector.connect().await?;
        let fetcher = Fetcher::new(connection, self.has_expiretime, VALUE_LIMIT);
        Ok(if self.by_slot { fetcher.by_slot() } else { fetcher })
    }
}

/// Reads keys for about a second with each number of connections, of all servers at once; `None`
/// where there is nothing to read, or one of them lets nobody read it so.
///
/// # Errors
/// The loss of the source.
pub async fn measure(
    job: &Arc<Job>,
    servers: &mut [&mut Server],
    is_cluster: bool,
) -> Result<Option<Speed>, MigrateError> {
    let mut best: Option<Speed> = None;
    for parallel in CONNECTIONS {
        for server in servers.iter_mut() {
            hold_back(job, server).await?;
        }
        let nodes = servers.iter().map(|server| Node::new(job, server, is_cluster));
        let Some(speed) = together(job, nodes.collect(), parallel).await? else { break };
        let is_better = best.as_ref().is_none_or(|best| speed.keys_s() > best.keys_s() * WORTH);
        // With all keys read in less than the time there is, more connections show nothing.
        let is_over = speed.elapsed_ms < LASTS.as_millis() as u64 / 2;
        if is_better {
            best = Some(speed);
        }
        if is_over {
            break;
        }
    }
    Ok(best.filter(|best| best.keys > 0))
}

/// Reads all of them at once; what they read together.
async fn together(
    job: &Arc<Job>,
    nodes: Vec<Node>,
    parallel: usize,
) -> Result<Option<Speed>, MigrateError> {
    let mut reading = JoinSet::new();
    for node in nodes {
        let job = Arc::clone(job);
        reading.spawn(async move { read(&job, &node, parallel).await });
    }
    let mut all: Option<Speed> = None;
    while let Some(ended) = reading.join_next().await {
        let Some(one) = ended.map_err(panicked)?? else { return Ok(None) };
        all = Some(match all {
            None => one,
            Some(all) => Speed {
                servers: all.servers + one.servers,
                parallel,
                keys: all.keys + one.keys,
                bytes: all.bytes + one.bytes,
                elapsed_ms: all.elapsed_ms.max(one.elapsed_ms),
                all_ms: all.all_ms.max(one.all_ms),
                left_out: all.left_out + one.left_out,
            },
        });
    }
    Ok(all)
}

fn panicked(panic: tokio::task::JoinError) -> MigrateError {
    MigrateError::new(ErrorKind::Internal, "measuring the source", panic)
}

#[derive(Debug, Default)]
struct Counts {
    keys: u64,
    bytes: u64,
    left_out: u64,
}

async fn read(
    job: &Arc<Job>,
    source: &Node,
    parallel: usize,
) -> Result<Option<Speed>, MigrateError> {
    let failed = |error: ClientError| lost_at(&source.connector, &error);
    let (names, waiting) = mpsc::channel(NAMES_WAITING);
    let waiting = Arc::new(Mutex::new(waiting));
    let stop = Arc::new(Stop::default());
    let late = Arc::new(AtomicBool::new(false));
    let mut watching = JoinSet::new();
    if let Some(limit) = job.config.limits.latency(Reason::Source) {
        let connection = source.connector.connect().await.map_err(failed)?;
        watching.spawn(watch(connection, limit, Arc::clone(&late)));
    }
    let mut reading = JoinSet::new();
    for _ in 0..parallel {
        let sizes = source.connector.connect().await.map_err(failed)?;
        let reader = Reader {
            fetcher: source.fetcher().await.map_err(failed)?,
            sizes,
            db: None,
            format: source.format,
            counts: Counts::default(),
            late: Arc::clone(&late),
        };
        reading.spawn(reader.run(Arc::clone(&waiting), Arc::clone(&stop)));
    }
    drop(waiting);
    let mut scanner = Scanner::connect(&source.connector, &job.config).await.map_err(failed)?;
    let began = Instant::now();
    let is_enough = || began.elapsed() >= LASTS;
    let scanned = scanner.some(&source.dbs, None, is_enough, |found| names.send(found)).await;
    drop(names);
    if is_enough() {
        stop.stop();
    }
    let mut all = Counts::default();
    while let Some(ended) = reading.join_next().await {
        match ended.map_err(panicked)? {
            Ok(counts) => {
                all.keys += counts.keys;
                all.bytes += counts.bytes;
                all.left_out += counts.left_out;
            }
            // The checks say which command it refuses.
            Err(error) if error.is_refusal() => return Ok(None),
            Err(error) => return Err(failed(error)),
        }
    }
    scanned.map_err(failed)?;
    let elapsed_ms = (began.elapsed().as_millis() as u64).max(1);
    let left = source.keys_total as f64 / all.keys.max(1) as f64;
    let all_ms = (elapsed_ms as f64 * left.max(1.0)) as u64;
    let Counts { keys, bytes, left_out } = all;
    Ok(Some(Speed { servers: 1, parallel, keys, bytes, elapsed_ms, all_ms, left_out }))
}

/// Tells while the source answers later than it may.
async fn watch(mut connection: Connection, limit: Duration, late: Arc<AtomicBool>) {
    while let Ok(took) = ping(&mut connection).await {
        late.store(took > limit, Ordering::Relaxed);
        sleep(ASK_EVERY).await;
    }
}

type Waiting = Arc<Mutex<mpsc::Receiver<Names>>>;

struct Reader {
    fetcher: Fetcher,
    /// Asks how large values are before they are read.
    sizes: Connection,
    db: Option<u32>,
    format: ferrite_rdb::Format,
    counts: Counts,
    /// Whether the source answers later than it may.
    late: Arc<AtomicBool>,
}

impl Reader {
    /// Reads what waits, until there is no more or it is enough.
    async fn run(mut self, waiting: Waiting, stop: Arc<Stop>) -> Result<Counts, ClientError> {
        loop {
            let Some(names) = waiting.lock().await.recv().await else { break };
            let names_of = names.db;
            let names: Vec<&[u8]> = names.iter().collect();
            for keys in names.chunks(TOGETHER) {
                if stop.is_stopped() {
                    return Ok(self.counts);
                }
                if self.late.load(Ordering::Relaxed) {
                    sleep(LATE_PAUSE).await;
                }
                let keys = self.small(names_of, keys).await?;
                if !self.read(names_of, &keys).await? {
                    return Ok(self.counts);
                }
            }
        }
        Ok(self.counts)
    }

    /// Those of the keys that are not too large to be read.
    async fn small<'k>(
        &mut self,
        db: u32,
        keys: &[&'k [u8]],
    ) -> Result<Vec<&'k [u8]>, ClientError> {
        let mut pipeline = Pipeline::new();
        let is_other = self.db.replace(db) != Some(db);
        if is_other {
            pipeline.push(&[&b"SELECT"[..], db.to_string().as_bytes()]);
        }
        for key in keys {
            pipeline.push(&[&b"MEMORY"[..], b"USAGE", key, b"SAMPLES", b"1"]);
        }
        let replies = self.sizes.pipeline(&pipeline).await?;
        let replies = replies.iter().skip(usize::from(is_other));
        let is_small = |reply: &Result<ferrite_client::Value, _>| {
            let told = reply.as_ref().ok().and_then(ferrite_client::Value::as_int);
            told.is_none_or(|bytes| bytes < LARGE as i64)
        };
        let small: Vec<&[u8]> = keys
            .iter()
            .zip(replies)
            .filter(|(_, told)| is_small(told))
            .map(|(key, _)| *key)
            .collect();
        self.counts.left_out += (keys.len() - small.len()) as u64;
        Ok(small)
    }

    /// Reads keys; whether more can be read over this connection.
    async fn read(&mut self, db: u32, keys: &[&[u8]]) -> Result<bool, ClientError> {
        if keys.is_empty() {
            return Ok(true);
        }
        self.fetcher.request(db, keys.iter().copied()).await?;
        for _ in keys {
            self.counts.keys += 1;
            let next = match self.fetcher.next().await {
                // Its slot is with another node by now, which reads it or does not.
                Err(error) if error.reply().is_some_and(is_elsewhere) => continue,
                next => next?,
            };
            match next {
                Fetched::Missing => {}
                Fetched::Small { .. } => self.counts.bytes += self.fetcher.payload().len() as u64,
                Fetched::Large { type_byte, .. } => {
                    let mut measure = Measure::default();
                    // Behind a value that cannot be understood, nothing can be.
                    let Ok(mut stream) = LargeStream::new(self.format, type_byte) else {
                        return Ok(false);
                    };
                    loop {
                        match self.fetcher.stream(&mut stream, &mut measure).await {
                            Ok(true) => break,
                            Ok(false) => {}
                            Err(FetchError::Client(error)) => return Err(error),
                            Err(FetchError::Value(_)) => return Ok(false),
                        }
                    }
                    self.counts.bytes += measure.take().bytes;
                }
            }
        }
        Ok(true)
    }
}
