//! Reads single keys again, each at a known offset of the source's stream, for the target to hold
//! as they are. This is what happens to a key wherever no command says what becomes of it.

use std::collections::VecDeque;
use std::sync::Arc;

use ferrite_client::ClientError;
use ferrite_rdb::dump;
use tokio::sync::mpsc;

use super::transaction::Transaction;
use crate::config::OnConflict;
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::fetch::{FetchError, Fetched, Fetcher, LargeStream};
use crate::live::marks::{Key, Marks};
use crate::live::rewrite::{HOLD_MS, hold};
use crate::model::{BatchBuilder, ElementsSink, LargeRecord, RecordHead};
use crate::preflight::Checked;
use crate::report::key_text;
use crate::targets::redis::{Capabilities, Encoder, KeyWriter, LeftOut};

/// Keys read in one transaction: all their values are held at the same time.
pub const KEYS_MAX: usize = 32;
/// Runs of elements of a large value on their way to the target.
const ELEMENTS_MAX: usize = 1;

/// Why keys could not be read.
#[derive(Debug)]
pub enum RefetchError {
    /// The connection to the source: it may work again.
    Source(ClientError),
    /// Anything else.
    Failed(MigrateError),
}

impl From<ClientError> for RefetchError {
    fn from(error: ClientError) -> Self {
        Self::Source(error)
    }
}

/// Reads keys again.
pub struct Refetch {
    job: Arc<Job>,
    checked: Arc<Checked>,
    fetcher: Option<Fetcher>,
    encoder: Encoder,
    writer: KeyWriter,
    target_db: Option<u32>,
    hold_before_ms: u64,
    /// Keys that were given a held expiry since not all are held.
    pub held: Vec<Key>,
    /// Of the current request, those that are still to come.
    expected: VecDeque<Key>,
    /// The large value that comes next.
    large: Option<RecordHead>,
}

impl Refetch {
    /// Connects when it is first needed; `holds` says whether expiries are held.
    #[must_use]
    pub fn new(job: &Arc<Job>, checked: &Arc<Checked>, holds: bool) -> Self {
        let capabilities = Capabilities {
            on_conflict: OnConflict::Replace,
            ..checked.capabilities(&job.config, true)
        };
        let capabilities = capabilities.holding_fields(if holds { HOLD_MS } else { 0 });
        let connector = checked.target.connector.clone();
        Self {
            job: Arc::clone(job),
            checked: Arc::clone(checked),
            fetcher: None,
            encoder: Encoder::new(capabilities.clone()),
            writer: KeyWriter::new(Arc::clone(job), connector, capabilities),
            target_db: job.config.target_db(),
            hold_before_ms: if holds { u64::MAX } else { 0 },
            held: Vec::new(),
            expected: VecDeque::new(),
            large: None,
        }
    }

    /// Expiries before this time (Unix ms) are held, others are written as they are.
    pub fn hold_before(&mut self, until_ms: u64) {
        self.hold_before_ms = until_ms;
    }

    /// Forgets a connection that failed, and what was asked over it.
    pub fn disconnect(&mut self) {
        self.fetcher = None;
        self.expected.clear();
        self.large = None;
    }

    /// Asks for keys of one database; [`more`](Self::more) then gives them.
    ///
    /// # Errors
    /// A source that cannot be asked.
    pub async fn request(&mut self, keys: Vec<Key>) -> Result<(), RefetchError> {
        let Some(db) = keys.first().map(|(db, _)| *db) else { return Ok(()) };
        if self.fetcher.is_none() {
            let server = &self.checked.source;
            let connection = server.connector.connect().await?;
            let limit = self.job.config.fetch_limit();
            let fetcher = Fetcher::new(connection, server.has_expiretime(), limit);
            self.fetcher = Some(fetcher.with_fence());
        }
        if let Some(fetcher) = &mut self.fetcher {
            fetcher.request(db, keys.iter().map(|(_, key)| key.as_slice())).await?;
        }
        self.expected = keys.into();
        Ok(())
    }

    /// Adds what was asked for to the transaction. A value too large for it ends it early: it is
    /// given by name, with what has not come yet, to be written by
    /// [`write_large`](Self::write_large) when the transaction is through.
    ///
    /// # Errors
    /// A source that is lost, a value that cannot be understood.
    pub async fn more(
        &mut self,
        transaction: &mut Transaction,
        marks: &mut Marks,
    ) -> Result<Vec<Key>, RefetchError> {
        let format = self.checked.source.dump_format();
        while let Some((db, key)) = self.expected.pop_front() {
            let Some(fetcher) = &mut self.fetcher else { return Ok(Vec::new()) };
            let offset = fetcher.offset();
            let mut batch = BatchBuilder::new(db, format, 1);
            match fetcher.next().await? {
                Fetched::Small { expires_at_ms } => {
                    let payload = fetcher.payload();
                    let type_byte = payload.first().copied().unwrap_or(0);
                    if payload.len() > dump::FOOTER_LEN {
                        let head = head(type_byte, expires_at_ms, self.hold_before_ms);
                        batch.push_payload(head, &key, payload);
                    }
                }
                Fetched::Large { expires_at_ms, type_byte } => {
                    self.large = Some(head(type_byte, expires_at_ms, self.hold_before_ms));
                    self.expected.push_front((db, key));
                    return Ok(self.expected.iter().cloned().collect());
                }
                Fetched::Missing => {}
            }
            self.write(batch, db, &key, transaction)?;
            if self.hold_before_ms != u64::MAX && self.hold_before_ms > 0 {
                self.held.push((db, key.clone()));
            }
            transaction.refetched += 1;
            marks.fence(db, key, offset);
        }
        Ok(Vec::new())
    }

    /// Adds the commands for one key: its value, or its deletion if there is none.
    fn write(
        &mut self,
        batch: BatchBuilder,
        db: u32,
        key: &[u8],
        transaction: &mut Transaction,
    ) -> Result<(), RefetchError> {
        let is_gone = batch.is_empty();
        let batch = batch.finish(None);
        let encoded = self.encoder.encode(&batch, None).map_err(RefetchError::Failed)?;
        transaction.select(db, self.target_db.unwrap_or(db));
        for (_, why) in &encoded.left_out {
            if let LeftOut::Impossible(reason) = why {
                self.job.tally(|tally| tally.skip(db, key, reason));
            }
        }
        if is_gone || !encoded.left_out.is_empty() {
            transaction.command(&[b"DEL", key], db);
            return Ok(());
        }
        self.job.tally(|tally| {
            encoded.losses.iter().for_each(|(_, loss)| tally.leave_out(db, key, loss));
        });
        Ok(transaction.push_all(&encoded.bytes, db, 0)?)
    }

    /// Writes the large value that ended [`more`](Self::more), element by element under a
    /// temporary name. Everything before it must be on the target.
    ///
    /// # Errors
    /// An end that is lost, a value that cannot be understood.
    pub async fn write_large(&mut self, marks: &mut Marks) -> Result<(), RefetchError> {
        let (Some(fetcher), Some(head)) = (&mut self.fetcher, self.large.take()) else {
            return Ok(());
        };
        let Some((db, key)) = self.expected.pop_front() else { return Ok(()) };
        let format = self.checked.source.dump_format();
        let bad = |error: &ferrite_rdb::Error| {
            let doing = format!("reading key \"{}\" from the source again", key_text(&key));
            RefetchError::Failed(MigrateError::new(ErrorKind::Data, doing, error))
        };
        let mut stream = LargeStream::new(format, head.type_byte).map_err(|error| bad(&error))?;
        let (parts, elements) = mpsc::channel(ELEMENTS_MAX);
        let mut record = LargeRecord { db, format, again: false, head, key: key.clone(), elements };
        let offset = fetcher.offset();
        let reading = async move {
            let mut sink = ElementsSink::default();
            loop {
                let done = match fetcher.stream(&mut stream, &mut sink).await {
                    Ok(done) => done,
                    Err(FetchError::Client(error)) => return Err(RefetchError::Source(error)),
                    Err(FetchError::Value(error)) => return Err(bad(&error)),
                };
                if done || sink.is_full() {
                    let mut elements = sink.take();
                    elements.last = done;
                    let sent = parts.send(elements).await.is_ok();
                    if done || !sent {
                        return Ok(());
                    }
                }
            }
        };
        let writing = async { self.writer.write(&mut record).await.map_err(RefetchError::Failed) };
        let (read, written) = tokio::join!(reading, writing);
        read?;
        written?;
        if self.hold_before_ms != u64::MAX && self.hold_before_ms > 0 {
            self.held.push((db, key.clone()));
        }
        marks.fence(db, key, offset);
        Ok(())
    }
}

fn head(type_byte: u8, expires_at_ms: Option<u64>, hold_before_ms: u64) -> RecordHead {
    let held = |at| if at < hold_before_ms { hold(at, HOLD_MS) } else { at };
    let expires_at_ms = expires_at_ms.map(held);
    RecordHead { type_byte, expires_at_ms, idle_s: None, freq: None }
}
