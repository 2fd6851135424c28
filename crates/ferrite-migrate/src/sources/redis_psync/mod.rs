//! Reads a server as a replica would: asks for a full synchronization and takes the RDB apart as
//! it comes off the socket. Nothing is stored on the way.
//!
//! The copy is the state of the source at one moment. The source forks, or saves to its disk
//! first, as its `repl-diskless-sync` says.

mod cluster;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use ferrite_client::replication::{AttachOptions, RdbFill, ReplicationLink};
use ferrite_client::{ClientError, Connector};
use ferrite_rdb::{Event, Format, Head, Reader, Step, ValueKind};

use super::redis_scan::source_error;
use super::{BoxFuture, Closed, Feed, OpenError, Opening, Parts, Source, SourceDescriptor};
use crate::config::{Mode, Strategy};
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::live::{HOLD_MS, hold};
use crate::model::{BatchBuilder, ElementsSink, RecordHead};
use crate::preflight::Checked;
use crate::targets::redis::library_name;

/// The entry in the list of sources.
pub const DESCRIPTOR: SourceDescriptor = SourceDescriptor {
    strategy: Strategy::Psync,
    reason: "the source allows replication: its RDB is the state of one moment",
    filters_at_server: false,
    compares: false,
    open,
};

fn open(job: Arc<Job>, checked: Arc<Checked>) -> Opening {
    if let Some(nodes) = checked.source.cluster.clone() {
        return Box::pin(cluster::open(job, checked, nodes));
    }
    Box::pin(async move {
        let connector = checked.source.connector.clone();
        let link = attach(&connector).await?;
        Ok(Box::new(PsyncSource::new(job, link, connector)) as Box<dyn Source>)
    })
}

/// Asks a server for its RDB.
async fn attach(connector: &Connector) -> Result<ReplicationLink, OpenError> {
    let options = AttachOptions { rdb_only: true, ..AttachOptions::default() };
    match ReplicationLink::attach(connector, &options).await {
        Ok((link, start)) => {
            tracing::debug!(replid = start.replid, offset = start.offset, "attached");
            Ok(link)
        }
        Err(error) if error.reply().is_some() || error.is_refusal() => {
            Err(OpenError::Refused(format!("the source refuses PSYNC: {error}")))
        }
        Err(error) => {
            Err(OpenError::Failed(source_error(connector, "attaching as a replica", &error)))
        }
    }
}

/// A source whose RDB is on its way already, for a copy that is followed; `holds` says whether
/// expiries are held.
pub fn attached(
    job: &Arc<Job>,
    link: ReplicationLink,
    connector: Connector,
    holds: bool,
) -> Box<dyn Source> {
    let mut source = PsyncSource::new(Arc::clone(job), link, connector);
    source.holds = holds;
    Box::new(source)
}

struct PsyncSource {
    job: Arc<Job>,
    link: ReplicationLink,
    connector: Connector,
    reader: Reader,
    only_db: Option<u32>,
    /// Whether expiries are held, because the target follows the source after the copy.
    holds: bool,
    /// The names of the libraries that were handed over; shared by the nodes of a cluster, which
    /// all have the same.
    libraries: Arc<Mutex<BTreeSet<Vec<u8>>>>,
    /// Keys being collected, of one database.
    batch: Option<(u32, BatchBuilder)>,
}

/// What an event leaves to be done once its bytes are let go.
enum Then {
    Function(Vec<u8>),
    Large(u32, RecordHead, Vec<u8>),
}

/// What the bytes that are there allow.
enum Next {
    Then(Then),
    NeedMore,
    BatchFull,
    End,
}

impl Source for PsyncSource {
    fn read(mut self: Box<Self>, feed: Feed) -> BoxFuture<'static, Result<(), MigrateError>> {
        Box::pin(async move { self.run(&feed).await })
    }
}

impl PsyncSource {
    fn new(job: Arc<Job>, link: ReplicationLink, connector: Connector) -> Self {
        let limit = job.config.value_limit();
        Self::with_limit(job, link, connector, limit)
    }

    /// A source that streams values above `limit` bytes.
    fn with_limit(
        job: Arc<Job>,
        mut link: ReplicationLink,
        connector: Connector,
        limit: usize,
    ) -> Self {
        link.set_max_buffer(limit * 2 + (1 << 20));
        let only_db = job.config.source_db();
        let reader = Reader::new(limit);
        let (holds, libraries, batch) = (false, Arc::default(), None);
        Self { job, link, connector, reader, only_db, holds, libraries, batch }
    }

    async fn run(&mut self, feed: &Feed) -> Result<(), MigrateError> {
        while !self.job.stop.is_stopped() {
            let outcome = match self.events(feed)? {
                Next::NeedMore => {
                    self.fill().await?;
                    Ok(())
                }
                Next::BatchFull => self.flush(feed).await,
                Next::Then(Then::Function(code)) if !self.is_new(&code) => Ok(()),
                Next::Then(Then::Function(code)) => feed.function(code).await,
                Next::Then(Then::Large(db, head, key)) => self.large(feed, db, head, key).await?,
                Next::End => {
                    let _ = self.flush(feed).await;
                    return Ok(());
                }
            };
            if outcome.is_err() {
                return Ok(());
            }
        }
        let _ = self.flush(feed).await;
        Ok(())
    }

    /// Takes as many events as the bytes that are there hold, until one needs to wait.
    fn events(&mut self, feed: &Feed) -> Result<Next, MigrateError> {
        let bytes = self.link.rdb_bytes();
        let mut taken = 0;
        let mut next = Next::NeedMore;
        while let Some(input) = bytes.get(taken..) {
            let step =
                self.reader.next(input).map_err(|error| bad_data(&self.connector, &error))?;
            let Step::Event { consumed, event } = step else { break };
            taken += consumed;
            let format = self.reader.format();
            match event {
                Event::Entry(entry) => {
                    let db = u32::try_from(entry.head.db).unwrap_or(u32::MAX);
                    if !wanted(feed, self.only_db, db, format, &entry.head) {
                        continue;
                    }
                    let batch = &mut self.batch;
                    let head = record_head(&entry.head, self.holds);
                    let full = collect(batch, feed, db, format, head, &entry.head.key, entry.value);
                    if full {
                        next = Next::BatchFull;
                        break;
                    }
                    continue;
                }
                Event::Large(head) => {
                    let db = u32::try_from(head.db).unwrap_or(u32::MAX);
                    let key = head.key.to_vec();
                    next = Next::Then(Then::Large(db, record_head(&head, self.holds), key));
                }
                Event::Function(code) => next = Next::Then(Then::Function(code.into_owned())),
                Event::ModuleAux { name, .. } => {
                    self.left_out("module data outside of keys", &name.to_string())
                }
                Event::SubkeyExpiry { subkey, .. } => {
                    let name = subkey.escape_ascii().to_string();
                    self.left_out("expiry of a KeyDB subkey", &name);
                    continue;
                }
                Event::Skipped { what, .. } => self.left_out(what, ""),
                Event::SelectDb(_) if self.batch.is_some() => next = Next::BatchFull,
                Event::End { .. } => next = Next::End,
                _ => continue,
            }
            if !matches!(next, Next::NeedMore) {
                break;
            }
        }
        self.link.rdb_consume(taken);
        Ok(next)
    }

    /// Whether no other node of the cluster has handed this library over.
    fn is_new(&self, code: &[u8]) -> bool {
        let mut libraries = self.libraries.lock().unwrap_or_else(PoisonError::into_inner);
        libraries.insert(library_name(code).to_vec())
    }

    fn left_out(&self, what: &str, name: &str) {
        self.job.tally(|tally| tally.leave_out(0, name.as_bytes(), what));
    }

    async fn flush(&mut self, feed: &Feed) -> Result<(), Closed> {
        match self.batch.take() {
            Some((_, batch)) => feed.batch(batch).await,
            None => Ok(()),
        }
    }

    /// Waits for more of the RDB, or for the operator.
    async fn fill(&mut self) -> Result<(), MigrateError> {
        let filled = tokio::select! {
            filled = self.link.rdb_fill() => filled,
            () = self.job.stop.stopped() => return Ok(()),
        };
        match filled {
            Ok(RdbFill::More(_)) => Ok(()),
            Ok(RdbFill::End) => Err(self.truncated()),
            Err(ClientError::TooLarge { .. }) => {
                // One element is larger than the buffer was sized for: let it grow by doubling.
                let have = self.link.rdb_bytes().len();
                self.link.set_max_buffer(have * 2);
                self.link.reserve(have * 2);
                Ok(())
            }
            Err(error) => Err(self.broken(&error)),
        }
    }

    fn broken(&self, error: &ClientError) -> MigrateError {
        let failed = source_error(&self.connector, "receiving the RDB", error);
        if self.job.gate.throttled().is_empty() {
            return failed;
        }
        let held_back = "the copy was held back, and the source may have given it up after its \
                         repl-timeout: CONFIG SET repl-timeout 600 there, or a higher --rate";
        failed.with_hint(match self.job.config.mode {
            Mode::Live | Mode::Incremental => held_back.to_owned(),
            Mode::Snapshot => {
                format!("{held_back}; then run the same command with --on-conflict replace")
            }
        })
    }

    fn truncated(&self) -> MigrateError {
        let doing = format!("receiving the RDB from the source {}", self.connector.address());
        let cause = format!("it ends early, after {} bytes", self.link.rdb_received());
        MigrateError::new(ErrorKind::Source, doing, cause)
            .passing(true)
            .with_hint("see the source's log, then run the same command with --on-conflict replace")
    }

    /// Hands over a large key in parts.
    async fn large(
        &mut self,
        feed: &Feed,
        db: u32,
        head: RecordHead,
        key: Vec<u8>,
    ) -> Result<Result<(), Closed>, MigrateError> {
        let format = self.reader.format();
        let named = self.only_db.is_none_or(|only| only == db) && feed.accepts(&key);
        let wanted = named && feed.accepts_type(format, head.type_byte);
        if named && !wanted {
            feed.filtered(1);
        }
        let mut parts = None;
        if wanted && ValueKind::of(format, head.type_byte) == Some(ValueKind::Module) {
            let reason = "module value above the memory limit: raise --memory-limit";
            self.job.tally(|tally| tally.skip(db, &key, reason));
        } else if wanted {
            match feed.large(db, format, head, key).await {
                Ok(channel) => parts = Some(channel),
                Err(Closed) => return Ok(Err(Closed)),
            }
        }
        self.parts(parts.as_ref()).await
    }

    async fn parts(&mut self, parts: Option<&Parts>) -> Result<Result<(), Closed>, MigrateError> {
        let mut sink = ElementsSink::default();
        let mut window = ElementsSink::WINDOW;
        loop {
            if self.job.stop.is_stopped() {
                return Ok(Ok(()));
            }
            let bytes = self.link.rdb_bytes();
            let all = window >= bytes.len();
            let part = self.reader.next_part(bytes.get(..window).unwrap_or(bytes), &mut sink);
            let part = part.map_err(|error| bad_data(&self.connector, &error))?;
            self.link.rdb_consume(part.consumed);
            window = if part.consumed > 0 { ElementsSink::WINDOW } else { window * 2 };
            if part.done || sink.is_full() {
                let mut elements = sink.take();
                elements.last = part.done;
                if let Some(parts) = parts
                    && parts.send(elements).await.is_err()
                {
                    return Ok(Err(Closed));
                }
            }
            if part.done {
                return Ok(Ok(()));
            }
            if part.consumed == 0 && all {
                self.fill().await?;
            }
        }
    }
}

/// Whether a key takes part; counts it if not. Keys of other databases do not count at all.
fn wanted(feed: &Feed, only: Option<u32>, db: u32, format: Format, head: &Head<'_>) -> bool {
    if only.is_some_and(|only| only != db) {
        return false;
    }
    if !feed.accepts(&head.key) {
        return false;
    }
    let wanted = feed.accepts_type(format, head.type_byte);
    if !wanted {
        feed.filtered(1);
    }
    wanted
}

/// Adds a key to the batch; whether the batch has to go before the next key comes. A key of
/// another database or format finds its batch gone already, because both end a batch.
fn collect(
    batch: &mut Option<(u32, BatchBuilder)>,
    feed: &Feed,
    db: u32,
    format: Format,
    head: RecordHead,
    key: &[u8],
    value: &[u8],
) -> bool {
    let max_keys = feed.job.config.batch_size;
    let (_, batch) = batch.get_or_insert_with(|| (db, BatchBuilder::new(db, format, max_keys)));
    batch.push(head, key, value);
    batch.is_full()
}

fn record_head(head: &Head<'_>, holds: bool) -> RecordHead {
    let held = |at| if holds { hold(at, HOLD_MS) } else { at };
    RecordHead {
        type_byte: head.type_byte,
        expires_at_ms: head.expires_at_ms.map(held),
        idle_s: head.idle_s,
        freq: head.freq,
    }
}

fn bad_data(connector: &Connector, error: &ferrite_rdb::Error) -> MigrateError {
    let doing = format!("reading the RDB of the source {}", connector.address());
    MigrateError::new(ErrorKind::Data, doing, error).with_hint(
        "run the same command with --strategy scan --on-conflict replace, which reads key by key",
    )
}
