//! Brings single keys to the target as the source has them now, and takes away those it does not
//! have.

use std::sync::Arc;

use ferrite_client::ClientError;
use ferrite_client::topology::Cluster;
use ferrite_rdb::{ErrorKind as RdbErrorKind, ValueKind, dump};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::cluster::{Asker, KeyReader};
use crate::config::OnConflict;
use crate::engine::{Job, now_ms};
use crate::error::{ErrorKind, MigrateError};
use crate::fetch::{FetchError, Fetched, LargeStream, is_elsewhere};
use crate::live::marks::Key;
use crate::live::takes_no_writes;
use crate::model::{BatchBuilder, ElementsSink, LargeRecord, RecordHead};
use crate::preflight::Checked;
use crate::report::key_text;
use crate::sources::redis_scan::source_error;
use crate::targets::redis::target_error;
use crate::targets::redis_cluster::{ClusterTarget, Worker};

/// Keys read in one transaction of each node: all their values are held at the same time.
const KEYS_AT_ONCE: usize = 100;
/// Keys that one carrier takes before another is given any.
const KEYS_FEW: usize = 32;

/// What became of keys that were carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// The target has acknowledged all of them.
    Done,
    /// It has them, but a connection was lost: what was on its way there may still be written,
    /// and be older than what is there. They are to be carried once more, over other connections.
    Again,
}

/// Carries keys, several at a time.
pub struct Crew {
    carriers: Vec<Carrier>,
}

impl Crew {
    /// Connects to the source.
    ///
    /// # Errors
    /// A source that is lost.
    pub async fn connect(job: &Arc<Job>, checked: &Arc<Checked>) -> Result<Self, MigrateError> {
        let one = || Arc::new(Cluster::of_one(&checked.target.connector));
        let cluster = checked.target.cluster.clone().unwrap_or_else(one);
        let mut carriers = Vec::new();
        for _ in 0..job.config.parallel {
            carriers.push(Carrier::connect(job, checked, &cluster).await?);
        }
        Ok(Self { carriers })
    }

    /// Brings these keys, which are all different, to the target.
    ///
    /// # Errors
    /// An end that is lost, a value that cannot be understood.
    pub async fn carry(&mut self, keys: &[Key]) -> Result<Carried, MigrateError> {
        let each = keys.len().div_ceil(self.carriers.len().max(1)).max(KEYS_FEW);
        let mut carrying = JoinSet::new();
        for share in keys.chunks(each) {
            let Some(carrier) = self.carriers.pop() else { break };
            carrying.spawn(carrier.carry(share.to_vec()));
        }
        let mut all = Carried::Done;
        while let Some(carried) = carrying.join_next().await {
            let (carrier, carried) = carried.map_err(|ended| {
                MigrateError::new(ErrorKind::Internal, "writing keys again", ended)
            })?;
            self.carriers.push(carrier);
            if carried? == Carried::Again {
                all = Carried::Again;
            }
        }
        Ok(all)
    }
}

/// One way from the source to the target.
struct Carrier {
    job: Arc<Job>,
    checked: Arc<Checked>,
    reader: KeyReader,
    writer: Worker,
    remover: Asker,
}

impl Carrier {
    async fn connect(
        job: &Arc<Job>,
        checked: &Arc<Checked>,
        target: &Arc<Cluster>,
    ) -> Result<Self, MigrateError> {
        let reader = KeyReader::connect(&checked.source, job.config.fetch_limit()).await;
        let reader = reader.map_err(|error| lost_source(checked, &error))?;
        let mut capabilities = checked.capabilities(&job.config, true);
        capabilities.on_conflict = OnConflict::Replace;
        let (cluster, connector) = (Arc::clone(target), checked.target.connector.clone());
        let expiretime = checked.target.has_expiretime();
        let to = ClusterTarget { cluster, connector, expiretime };
        let writer = Worker::new(Arc::clone(job), to, capabilities).remembering();
        let remover = Asker::of_cluster(Arc::clone(target)).client_name(job.copier_name());
        Ok(Self { job: Arc::clone(job), checked: Arc::clone(checked), reader, writer, remover })
    }

    /// Carries keys, and gives itself back.
    async fn carry(mut self, keys: Vec<Key>) -> (Self, Result<Carried, MigrateError>) {
        let mut carried = Ok(());
        for same in keys.chunk_by(|(one, _), (other, _)| one == other) {
            for some in same.chunks(KEYS_AT_ONCE) {
                if carried.is_ok() {
                    carried = self.some(some).await;
                }
            }
        }
        let is_unsure = self.writer.take_lost() | self.remover.take_lost();
        // Those that were to be built on a node that was lost.
        let is_unsure = is_unsure | !self.job.take_unwritten().is_empty();
        let all = if is_unsure { Carried::Again } else { Carried::Done };
        (self, carried.map(|()| all))
    }

    /// Carries keys of one database.
    async fn some(&mut self, keys: &[Key]) -> Result<(), MigrateError> {
        let Some((db, _)) = keys.first() else { return Ok(()) };
        let format = self.checked.source.dump_format();
        let names: Vec<&[u8]> = keys.iter().map(|(_, key)| key.as_slice()).collect();
        let asked = self.reader.request(*db, &names).await;
        asked.map_err(|error| lost_source(&self.checked, &error))?;
        let mut batch = BatchBuilder::new(*db, format, names.len());
        let mut gone: Vec<Vec<u8>> = Vec::new();
        for key in names {
            let fetched = self.reader.next().await;
            match fetched.map_err(|error| lost_source(&self.checked, &error))? {
                Fetched::Small { expires_at_ms } if !has_passed(expires_at_ms) => {
                    let payload = self.reader.payload();
                    let type_byte = payload.first().filter(|_| payload.len() > dump::FOOTER_LEN);
                    let Some(&type_byte) = type_byte else {
                        let kind = RdbErrorKind::Truncated("a DUMP payload");
                        return Err(bad_value(key, &ferrite_rdb::Error::new(kind, 0)));
                    };
                    batch.push_payload(head(type_byte, expires_at_ms), key, payload);
                }
                Fetched::Large { expires_at_ms, type_byte } => {
                    if !self.large(*db, key, head(type_byte, expires_at_ms)).await? {
                        gone.push(key.to_vec());
                    }
                }
                Fetched::Missing | Fetched::Small { .. } => gone.push(key.to_vec()),
            }
            if batch.is_full() {
                let next = BatchBuilder::new(*db, format, keys.len());
                let full = std::mem::replace(&mut batch, next);
                self.writer.batch(full.finish(None)).await?;
            }
        }
        if !batch.is_empty() {
            self.writer.batch(batch.finish(None)).await?;
        }
        gone.extend(self.writer.take_left_out());
        let target_db = self.job.config.target_db().unwrap_or(*db);
        let gone: Vec<&[u8]> = gone.iter().map(Vec::as_slice).collect();
        let removed = self.remover.each(target_db, b"DEL", &gone).await;
        removed.map(drop).map_err(|error| {
            let failed = target_error("deleting keys", &self.checked.target.connector, &error);
            failed.passing(passes(&error))
        })
    }

    /// Brings a value that is too large to be held, element by element; whether it is there then.
    async fn large(&mut self, db: u32, key: &[u8], head: RecordHead) -> Result<bool, MigrateError> {
        let format = self.checked.source.dump_format();
        let stream = LargeStream::new(format, head.type_byte);
        let mut stream = stream.map_err(|error| bad_value(key, &error))?;
        let is_module = ValueKind::of(format, head.type_byte) == Some(ValueKind::Module);
        let (parts, elements) = mpsc::channel(1);
        let key_of = key.to_vec();
        let mut record =
            Some(LargeRecord { db, format, again: false, head, key: key_of, elements });
        if is_module {
            let reason = "module value above the memory limit: raise --memory-limit";
            self.job.tally(|tally| tally.skip(db, key, reason));
            record = None;
        }
        let (reader, checked) = (&mut self.reader, &self.checked);
        let reading = async move {
            let mut sink = ElementsSink::default();
            loop {
                let done = match reader.stream(&mut stream, &mut sink).await {
                    Ok(done) => done,
                    Err(FetchError::Client(error)) => return Err(lost_source(checked, &error)),
                    Err(FetchError::Value(error)) => return Err(bad_value(key, &error)),
                };
                if done || sink.is_full() {
                    let mut elements = sink.take();
                    elements.last = done;
                    // To the end, even if nobody wants it: other keys come behind it.
                    let _ = parts.send(elements).await;
                }
                if done {
                    return Ok(());
                }
            }
        };
        let writer = &mut self.writer;
        let writing = async move {
            match record.take() {
                Some(record) => writer.large(record).await,
                None => Ok(()),
            }
        };
        let (read, written) = tokio::join!(reading, writing);
        read?;
        written?;
        Ok(!is_module && !has_passed(head.expires_at_ms))
    }
}

/// Whether a key that expires then is gone by now: nobody would write it.
fn has_passed(expires_at_ms: Option<u64>) -> bool {
    expires_at_ms.is_some_and(|at| at <= now_ms())
}

fn head(type_byte: u8, expires_at_ms: Option<u64>) -> RecordHead {
    RecordHead { type_byte, expires_at_ms, idle_s: None, freq: None }
}

/// Whether the same may go well a little later.
pub fn passes(error: &ClientError) -> bool {
    let by_reply = |reply| is_elsewhere(reply) || takes_no_writes(reply);
    error.is_transient() || error.reply().is_some_and(by_reply)
}

fn lost_source(checked: &Checked, error: &ClientError) -> MigrateError {
    let lost = source_error(&checked.source.connector, "reading keys again", error);
    lost.passing(passes(error))
}

fn bad_value(key: &[u8], error: &ferrite_rdb::Error) -> MigrateError {
    let doing = format!("reading key \"{}\" from the source again", key_text(key));
    MigrateError::new(ErrorKind::Data, doing, error)
}
