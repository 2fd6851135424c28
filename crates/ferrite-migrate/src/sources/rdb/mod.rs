//! Takes an RDB apart as its bytes come, whoever sends them: a primary, a file.
//!
//! ```text
//! supply ──bytes──► reader ──records──► batches ──► feed
//! ```
//!
//! Nothing is stored on the way, and no value larger than the limit is held whole.

mod members;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use ferrite_rdb::{Event, Format, Head, Reader, Step, ValueKind};

use self::members::Members;
use super::{BoxFuture, Closed, Feed, Parts, Source};
use crate::engine::Job;
use crate::error::MigrateError;
use crate::key_template::KeyTemplate;
use crate::live::{HOLD_MS, hold};
use crate::model::{BatchBuilder, ElementsSink, RecordHead};
use crate::targets::redis::library_name;

/// Where the bytes of an RDB come from.
pub trait Supply: Send + 'static {
    /// The bytes that are there and were not consumed.
    fn bytes(&self) -> &[u8];

    /// Lets go of the first `count` of them.
    fn consume(&mut self, count: usize);

    /// Waits until there are more.
    ///
    /// # Errors
    /// It broke off, or ended: whoever asks needs more.
    fn fill(&mut self) -> impl Future<Output = Result<(), MigrateError>> + Send;

    /// The RDB is over: whether that is all there was.
    ///
    /// # Errors
    /// Something stands behind it that would be left out.
    fn end(&mut self) -> impl Future<Output = Result<(), MigrateError>> + Send {
        async { Ok(()) }
    }

    /// Whether the keys in front of an error are still handed over: they will not come again.
    fn keeps_what_came(&self) -> bool {
        false
    }

    /// Bytes that are no RDB, as the end of the run.
    fn bad_data(&self, error: &ferrite_rdb::Error) -> MigrateError;
}

/// The room for bytes that a supply needs, for values up to `limit` bytes held whole.
#[must_use]
pub const fn buffer_limit(limit: usize) -> usize {
    limit * 2 + (1 << 20)
}

/// An RDB that is being read.
#[derive(Debug)]
pub struct RdbSource<S> {
    job: Arc<Job>,
    supply: S,
    reader: Reader,
    only_db: Option<u32>,
    /// Whether expiries are held, because the target follows the source after the copy.
    pub holds: bool,
    /// Other names for the keys; filters are about those they have in the RDB.
    pub rename: Option<KeyTemplate>,
    /// The other name of one key.
    renamed: Vec<u8>,
    /// The names of the libraries that were handed over; shared by the nodes of a cluster, which
    /// all have the same.
    pub libraries: Arc<Mutex<BTreeSet<Vec<u8>>>>,
    /// Keys being collected, of one database.
    batch: Option<(u32, BatchBuilder)>,
    /// Whether the batch has to go before the next key comes.
    full: bool,
    /// What came last.
    last: Last,
    /// Expiries of members of the last key of the batch.
    members: Members,
}

/// The begin of an auxiliary field, which may belong to the key before it.
const AUX: u8 = 250;

/// The key that came last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// It does not take part, or there was none.
    None,
    /// A hash, which is the last of the batch.
    Hash,
    /// Something else.
    Other,
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

impl<S: Supply> Source for RdbSource<S> {
    fn read(mut self: Box<Self>, feed: Feed) -> BoxFuture<'static, Result<(), MigrateError>> {
        Box::pin(async move { self.run(&feed).await })
    }
}

impl<S: Supply> RdbSource<S> {
    /// An RDB that has not begun.
    #[must_use]
    pub fn new(job: Arc<Job>, supply: S) -> Self {
        let limit = job.config.value_limit();
        Self::with_limit(job, supply, limit)
    }

    /// An RDB of which values above `limit` bytes are streamed.
    #[must_use]
    pub fn with_limit(job: Arc<Job>, supply: S, limit: usize) -> Self {
        let reader = Reader::new(limit);
        let only_db = job.config.source_db();
        let (holds, rename, renamed, libraries) = (false, None, Vec::new(), Arc::default());
        let (full, last, members) = (false, Last::None, Members::default());
        let batch = None;
        Self {
            job,
            supply,
            reader,
            only_db,
            holds,
            rename,
            renamed,
            libraries,
            batch,
            full,
            last,
            members,
        }
    }

    /// Reads it to its end.
    ///
    /// # Errors
    /// What is no RDB, or ends early.
    pub async fn run(&mut self, feed: &Feed) -> Result<(), MigrateError> {
        let ended = self.keys(feed).await;
        if ended.is_err() && self.supply.keeps_what_came() {
            let _ = self.flush(feed).await;
        }
        ended
    }

    async fn keys(&mut self, feed: &Feed) -> Result<(), MigrateError> {
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
                    return self.supply.end().await;
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
        let bytes = self.supply.bytes();
        let mut taken = 0;
        let mut next = Next::NeedMore;
        while let Some(input) = bytes.get(taken..) {
            let is_due = self.full || !self.members.is_empty();
            if is_due && input.first().is_some_and(|byte| *byte != AUX) {
                next = Next::BatchFull;
                break;
            }
            let step = self.reader.next(input).map_err(|error| self.supply.bad_data(&error))?;
            let Step::Event { consumed, event } = step else { break };
            taken += consumed;
            let format = self.reader.format();
            match event {
                Event::Entry(entry) => {
                    let db = u32::try_from(entry.head.db).unwrap_or(u32::MAX);
                    self.last = Last::None;
                    if !wanted(feed, self.only_db, db, format, &entry.head) {
                        continue;
                    }
                    let kind = ValueKind::of(format, entry.head.type_byte);
                    self.last =
                        if kind == Some(ValueKind::Hash) { Last::Hash } else { Last::Other };
                    let batch = &mut self.batch;
                    let head = record_head(&entry.head, self.holds);
                    let mut key = &*entry.head.key;
                    if let Some(template) = &self.rename {
                        template.apply(key, &mut self.renamed);
                        key = &self.renamed;
                    }
                    self.full = collect(batch, feed, db, format, head, key, entry.value);
                    continue;
                }
                Event::Large(head) => {
                    let db = u32::try_from(head.db).unwrap_or(u32::MAX);
                    let key = head.key.to_vec();
                    self.last = Last::Other;
                    next = Next::Then(Then::Large(db, record_head(&head, self.holds), key));
                }
                Event::Function(code) => next = Next::Then(Then::Function(code.into_owned())),
                Event::ModuleAux { name, .. } => {
                    self.left_out("module data outside of keys", &name.to_string())
                }
                Event::SubkeyExpiry { subkey, expires_at_ms } => {
                    let can = feed.field_expiry && self.last == Last::Hash;
                    if self.last != Last::None && !(can && self.members.add(&subkey, expires_at_ms))
                    {
                        let name = subkey.escape_ascii().to_string();
                        self.left_out("expiry of a KeyDB subkey", &name);
                    }
                    continue;
                }
                Event::Skipped { what, .. } => self.left_out(what, ""),
                Event::SelectDb(_) if self.batch.is_some() => next = Next::BatchFull,
                Event::End { .. } => next = Next::End,
                _ if is_due => next = Next::BatchFull,
                _ => continue,
            }
            if !matches!(next, Next::NeedMore) {
                break;
            }
        }
        self.supply.consume(taken);
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

    /// Hands the keys over that were collected, the last one by itself if its fields expire.
    async fn flush(&mut self, feed: &Feed) -> Result<(), Closed> {
        self.full = false;
        let members = std::mem::take(&mut self.members);
        let Some((db, mut batch)) = self.batch.take() else { return Ok(()) };
        let hash = if members.is_empty() { None } else { members.apply(db, &mut batch) };
        feed.batch(batch).await?;
        match hash {
            Some(hash) => feed.batch(hash).await,
            None => Ok(()),
        }
    }

    /// Waits for more of the RDB, or for the operator.
    async fn fill(&mut self) -> Result<(), MigrateError> {
        tokio::select! {
            filled = self.supply.fill() => filled,
            () = self.job.stop.stopped() => Ok(()),
        }
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
            let key = match &self.rename {
                Some(template) => {
                    template.apply(&key, &mut self.renamed);
                    self.renamed.clone()
                }
                None => key,
            };
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
            let bytes = self.supply.bytes();
            let all = window >= bytes.len();
            let part = self.reader.next_part(bytes.get(..window).unwrap_or(bytes), &mut sink);
            let part = part.map_err(|error| self.supply.bad_data(&error))?;
            self.supply.consume(part.consumed);
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
