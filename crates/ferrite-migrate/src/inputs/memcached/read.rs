//! Reads all keys of all servers into the feed.

use std::sync::{Arc, PoisonError};

use ferrite_client::memcached::{Answer, DumpedKey, Memcached, ValueHeader};
use ferrite_client::{ClientError, Connector};
use ferrite_rdb::{Sink, encode};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep};

use super::MemcachedFlags;
use super::flags::Seen;
use super::follow::Dirty;
use super::record::{FORMAT, Records, head};
use super::server::{Server, lost};
use crate::engine::throttle::Reason;
use crate::engine::{Job, Stop, now_ms};
use crate::error::{ErrorKind, MigrateError};
use crate::model::{BatchBuilder, ElementsSink};
use crate::sources::{BoxFuture, Closed, Feed, Source};

/// Keys that are handed to a reader together.
const NAMES_TOGETHER: usize = 200;
/// Such lists of keys that wait for a reader, for each server.
const NAMES_WAITING: usize = 4;
/// How often a server is asked how it is while its answers are limited.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How long to wait before a server that did not answer is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// All servers, checked and not yet read.
#[derive(Debug)]
pub struct MemcachedSource {
    pub servers: Arc<Vec<Server>>,
    pub flags: MemcachedFlags,
    /// The keys to read, if not all.
    pub only: Option<Dirty>,
}

impl Source for MemcachedSource {
    fn read(self: Box<Self>, feed: Feed) -> BoxFuture<'static, Result<(), MigrateError>> {
        Box::pin(async move { self.run(feed).await })
    }
}

impl MemcachedSource {
    async fn run(self, feed: Feed) -> Result<(), MigrateError> {
        let job = Arc::clone(&feed.job);
        let seen = Arc::new(std::sync::Mutex::new(Seen::default()));
        let mut asking = JoinSet::new();
        for server in self.servers.iter() {
            asking.spawn(watch(Arc::clone(&job), server.connector.clone()));
        }
        let (at_once, readers) = share(self.servers.len(), job.config.parallel);
        let mut reading = JoinSet::new();
        for server in self.servers.iter() {
            if reading.len() >= at_once {
                one(&mut reading).await?;
            }
            let whole = Whole {
                server: server.clone(),
                feed: feed.clone(),
                flags: self.flags,
                only: self.only.clone(),
                seen: Arc::clone(&seen),
            };
            reading.spawn(whole.read(readers));
        }
        drop(feed);
        while !reading.is_empty() {
            one(&mut reading).await?;
        }
        let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        if self.only.is_some() {
            return Ok(());
        }
        seen.sentences(self.flags).into_iter().for_each(|sentence| job.warn(sentence));
        evicted(&job, &self.servers).await;
        Ok(())
    }
}

/// How many servers are read at once, and over how many connections each.
#[must_use]
pub fn share(servers: usize, parallel: usize) -> (usize, usize) {
    let at_once = servers.clamp(1, parallel.max(1));
    (at_once, (parallel / at_once).max(1))
}

/// Waits until one of the tasks has ended.
async fn one(tasks: &mut JoinSet<Result<(), MigrateError>>) -> Result<(), MigrateError> {
    let Some(ended) = tasks.join_next().await else { return Ok(()) };
    ended.unwrap_or_else(|panic| {
        Err(MigrateError::new(ErrorKind::Internal, "reading keys from the source", panic))
    })
}

/// Says how many keys the servers gave up meanwhile to make room.
async fn evicted(job: &Job, servers: &[Server]) {
    let mut evicted = 0;
    for server in servers {
        if let Ok((after, ..)) = Server::ask(&server.connector).await {
            evicted += after.evictions.saturating_sub(server.evictions);
        }
    }
    if evicted > 0 {
        job.warn(format!(
            "the source evicted {evicted} keys meanwhile, to make room for others: those that were \
             not read yet are not on the target"
        ));
    }
}

/// Asks a server how it is whenever its answers are limited.
async fn watch(job: Arc<Job>, connector: Connector) {
    loop {
        job.gate.until_limited(Reason::Source).await;
        let asked: Result<(), ClientError> = async {
            let mut memcached = Memcached::connect(&connector).await?;
            while job.gate.is_limited_by(Reason::Source) {
                job.gate.answered(Reason::Source, memcached.ping().await?);
                sleep(ASK_EVERY).await;
            }
            Ok(())
        }
        .await;
        if let Err(error) = asked {
            tracing::debug!(%error, "cannot measure how the source answers");
            sleep(ASK_AGAIN_AFTER).await;
        }
    }
}

/// One server that is read whole.
struct Whole {
    server: Server,
    feed: Feed,
    flags: MemcachedFlags,
    only: Option<Dirty>,
    seen: Arc<std::sync::Mutex<Seen>>,
}

impl Whole {
    async fn read(self, readers: usize) -> Result<(), MigrateError> {
        let (names, waiting) = mpsc::channel(NAMES_WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut tasks = JoinSet::new();
        for _ in 0..readers {
            let memcached = self.server.connect("connecting a reader").await?;
            let reader = Reader {
                memcached,
                server: self.server.clone(),
                feed: self.feed.clone(),
                records: Records::new(self.flags),
                seen: Arc::clone(&self.seen),
            };
            tasks.spawn(reader.run(Arc::clone(&waiting)));
        }
        drop(waiting);
        let feed = self.feed;
        let stop = Arc::clone(&feed.job.stop);
        let only = self.only;
        let is_wanted =
            |key: &[u8]| only.as_ref().is_none_or(|dirty| dirty.has(key)) && feed.accepts(key);
        list(&self.server, &stop, is_wanted, &names).await?;
        drop(names);
        while !tasks.is_empty() {
            one(&mut tasks).await?;
        }
        Ok(())
    }
}

/// Lists the keys of a server, those that are wanted, until the end, or until nobody takes them.
///
/// # Errors
/// The loss of the server.
pub async fn list(
    server: &Server,
    stop: &Stop,
    mut is_wanted: impl FnMut(&[u8]) -> bool + Send,
    names: &mpsc::Sender<Vec<DumpedKey>>,
) -> Result<(), MigrateError> {
    let mut dump = server.dump().await?;
    let mut together = Vec::with_capacity(NAMES_TOGETHER);
    while !stop.is_stopped() {
        let next = dump.next().await;
        let next = next.map_err(|error| lost(&server.connector, "listing keys", &error))?;
        let is_end = next.is_none();
        together.extend(next.filter(|named| is_wanted(&named.key)));
        if is_end || together.len() >= NAMES_TOGETHER {
            let full = std::mem::replace(&mut together, Vec::with_capacity(NAMES_TOGETHER));
            if names.send(full).await.is_err() || is_end {
                break;
            }
        }
    }
    Ok(())
}

/// Lists of keys that wait for whoever reads them.
pub type Waiting = Arc<Mutex<mpsc::Receiver<Vec<DumpedKey>>>>;

/// Reads the keys that are waiting.
struct Reader {
    memcached: Memcached,
    server: Server,
    feed: Feed,
    records: Records,
    seen: Arc<std::sync::Mutex<Seen>>,
}

impl Reader {
    async fn run(mut self, waiting: Waiting) -> Result<(), MigrateError> {
        loop {
            let Some(names) = waiting.lock().await.recv().await else { break };
            if self.feed.job.stop.is_stopped() || self.keys(names).await?.is_err() {
                break;
            }
        }
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).add(&self.records.seen);
        Ok(())
    }

    async fn keys(&mut self, names: Vec<DumpedKey>) -> Result<Result<(), Closed>, MigrateError> {
        let (names, refused): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|named| self.memcached.can_ask(&named.key));
        for named in refused {
            let reason = "the server is too old to be asked for a key with spaces or control bytes";
            self.feed.job.tally(|tally| tally.skip(0, &named.key, reason));
        }
        let mut rest = names.as_slice();
        let mut batch = self.batch();
        while !rest.is_empty() {
            let asked = self.memcached.ask(rest.iter().map(|named| named.key.as_slice())).await;
            let asked = asked.map_err(|error| self.lost(&error))?;
            let (now, later) = rest.split_at(asked.clamp(1, rest.len()));
            for named in now {
                if self.key(named, &mut batch).await?.is_err() {
                    return Ok(Err(Closed));
                }
            }
            rest = later;
        }
        Ok(self.feed.batch(batch).await)
    }

    fn batch(&self) -> BatchBuilder {
        BatchBuilder::new(0, FORMAT, self.feed.job.config.batch_size)
    }

    async fn key(
        &mut self,
        named: &DumpedKey,
        batch: &mut BatchBuilder,
    ) -> Result<Result<(), Closed>, MigrateError> {
        let limit = self.feed.job.config.fetch_limit();
        match self.memcached.answer(limit).await {
            Ok(Answer::Missing) => self.missing(named),
            Ok(Answer::Small(header)) => self.small(named, header, batch),
            Ok(Answer::Large(header)) => return self.large(named, header, batch).await,
            Err(ClientError::Reply { error, .. }) if error.code == "SERVER_ERROR" => {
                let reason = format!("the source does not give it: {}", error.message);
                self.feed.job.tally(|tally| tally.skip(0, &named.key, &reason));
            }
            Err(error) => return Err(self.lost(&error)),
        }
        if batch.is_full() {
            let full = std::mem::replace(batch, self.batch());
            return Ok(self.feed.batch(full).await);
        }
        Ok(Ok(()))
    }

    fn missing(&self, named: &DumpedKey) {
        let has_expired = self.server.clock.has_expired(named, now_ms());
        self.feed.job.tally(|tally| match has_expired {
            true => tally.keys.expired += 1,
            false => tally.keys.vanished += 1,
        });
    }

    /// Whether a key takes part; counted if not.
    fn takes(&self, named: &DumpedKey, header: &ValueHeader, is_large: bool) -> bool {
        if let Some(reason) = self.records.refuses(header.flags, is_large) {
            self.feed.job.tally(|tally| tally.skip(0, &named.key, reason));
            return false;
        }
        true
    }

    fn small(&mut self, named: &DumpedKey, header: ValueHeader, batch: &mut BatchBuilder) {
        if self.takes(named, &header, false) {
            let expires_at_ms = self.server.clock.expiry_ms(named, &header, now_ms());
            let with = (header.flags, expires_at_ms);
            let Self { memcached, records, feed, .. } = self;
            records.of(&named.key, with, memcached.value(), |name, head, value| {
                match feed.accepts_type(FORMAT, head.type_byte) {
                    true => batch.push(head, name, value),
                    false => feed.filtered(1),
                }
            });
        }
        self.memcached.taken();
    }

    /// Hands over a large value in pieces: a string, whatever the policy.
    async fn large(
        &mut self,
        named: &DumpedKey,
        header: ValueHeader,
        batch: &mut BatchBuilder,
    ) -> Result<Result<(), Closed>, MigrateError> {
        let is_wanted = self.takes(named, &header, true);
        let expires_at_ms = self.server.clock.expiry_ms(named, &header, now_ms());
        let mut parts = None;
        if is_wanted && self.feed.accepts_type(FORMAT, encode::TYPE_STRING) {
            let head = head(encode::TYPE_STRING, expires_at_ms);
            match self.feed.large(0, FORMAT, head, named.key.clone()).await {
                Ok(channel) => parts = Some(channel),
                Err(Closed) => return Ok(Err(Closed)),
            }
            let with = (header.flags, expires_at_ms);
            self.records
                .beside(&named.key, with, |name, head, value| batch.push(head, name, value));
        } else if is_wanted {
            self.feed.filtered(1);
        }
        let mut sink = ElementsSink::default();
        loop {
            let total = header.size as u64;
            let more = self.memcached.piece(|piece| sink.string_part(total, piece)).await;
            let more = more.map_err(|error| self.lost(&error))?;
            if !more || sink.is_full() {
                let mut elements = sink.take();
                elements.last = !more;
                if let Some(parts) = &parts
                    && parts.send(elements).await.is_err()
                {
                    return Ok(Err(Closed));
                }
            }
            if !more {
                return Ok(Ok(()));
            }
        }
    }

    fn lost(&self, error: &ClientError) -> MigrateError {
        lost(&self.server.connector, "reading keys", error)
    }
}
