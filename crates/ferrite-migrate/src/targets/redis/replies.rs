//! Reads the replies to batches and counts what they say.

use std::collections::BTreeMap;
use std::sync::Arc;

use ferrite_client::{Connection, Connector, Receiver, ReplyError, Value};
use ferrite_rdb::ValueKind;
use ferrite_resp::{ReplyRef, peek};
use tokio::sync::mpsc;

use super::encode::Expect;
use super::{Capabilities, connect, hint, target_error};
use crate::config::OnConflict;
use crate::engine::{Job, now_ms};
use crate::error::{ErrorKind, MigrateError};
use crate::fetch::fill_more;
use crate::model::Batch;
use crate::report::key_text;

/// A batch that was sent, and what its replies answer.
#[derive(Debug)]
pub struct Pending {
    /// The keys.
    pub batch: Batch,
    /// One for each reply, in order.
    pub expects: Vec<Expect>,
    /// The keys of the `MSET`s.
    pub strings: Vec<u32>,
}

/// What a reply says.
enum Answer {
    /// Written.
    Done,
    /// Not written: a key is already there.
    There,
    /// Refused.
    Refused(ReplyError),
}

/// Expiries closer than this, in milliseconds, are the same: one is told by the target's clock.
const SAME_EXPIRY_MS: u64 = 1000;

/// Why a key that is already there was not written.
pub const ALREADY_THERE: &str = "already on the target (--on-conflict skip)";

/// The reader of one worker's replies.
pub struct Replies {
    job: Arc<Job>,
    connector: Connector,
    capabilities: Capabilities,
    /// For second questions about single keys; opened when the first comes up.
    asking: Option<Connection>,
}

impl Replies {
    /// A reader that counts into the job's tally.
    #[must_use]
    pub fn new(job: Arc<Job>, connector: Connector, capabilities: Capabilities) -> Self {
        Self { job, connector, capabilities, asking: None }
    }

    /// Reads the replies of one batch after the other, until there are no more.
    ///
    /// # Errors
    /// The first refusal, with its key, or the loss of the connection.
    pub async fn read(
        mut self,
        mut receiver: Receiver,
        mut outstanding: mpsc::Receiver<Pending>,
    ) -> Result<(), MigrateError> {
        let mut written = Vec::new();
        while let Some(pending) = outstanding.recv().await {
            written.clear();
            for expect in &pending.expects {
                let answer = self.answer(&mut receiver).await?;
                self.take(&pending, *expect, answer, &mut written).await?;
            }
            count(&self.job, &pending.batch, &written);
        }
        Ok(())
    }

    async fn answer(&self, receiver: &mut Receiver) -> Result<Answer, MigrateError> {
        loop {
            let peeked = peek(receiver.buffered()).map_err(|error| {
                MigrateError::new(
                    ErrorKind::Target,
                    format!("reading replies from the target {}", self.connector.address()),
                    error,
                )
            })?;
            if let Some((reply, used)) = peeked {
                let answer = match reply {
                    ReplyRef::Error(text) if text.starts_with(b"BUSYKEY") => Answer::There,
                    ReplyRef::Error(text) => Answer::Refused(ReplyError::parse(text)),
                    ReplyRef::Null | ReplyRef::Integer(0) => Answer::There,
                    _ => Answer::Done,
                };
                receiver.consume(used);
                return Ok(answer);
            }
            let lost = |error| target_error("writing keys", &self.connector, &error);
            fill_more(receiver).await.map_err(lost)?;
        }
    }

    async fn take(
        &mut self,
        pending: &Pending,
        expect: Expect,
        answer: Answer,
        written: &mut Vec<u32>,
    ) -> Result<(), MigrateError> {
        match (expect, answer) {
            (Expect::Select, Answer::Refused(error)) => {
                Err(self.refused_db(&pending.batch, &error))
            }
            (Expect::Select, _) => Ok(()),
            (Expect::Key(index), Answer::Done) => {
                written.push(index);
                Ok(())
            }
            (Expect::Key(index), Answer::There) => self.there(&pending.batch, index).await,
            (Expect::Key(index), Answer::Refused(error)) => {
                Err(self.refused_key(&pending.batch, index, &error))
            }
            (Expect::Strings { start, count }, answer) => {
                let range = start as usize..(start + count) as usize;
                let keys = pending.strings.get(range).unwrap_or_default();
                self.take_strings(&pending.batch, keys, answer, written).await
            }
        }
    }

    async fn take_strings(
        &mut self,
        batch: &Batch,
        keys: &[u32],
        answer: Answer,
        written: &mut Vec<u32>,
    ) -> Result<(), MigrateError> {
        match answer {
            Answer::Done => written.extend_from_slice(keys),
            // MSETNX writes none if one is there: find out which, key by key.
            Answer::There => {
                for &index in keys {
                    if self.set_alone(batch, index).await? {
                        written.push(index);
                    } else {
                        self.there(batch, index).await?;
                    }
                }
            }
            Answer::Refused(error) => {
                return Err(self.refused_key(batch, keys.first().copied().unwrap_or(0), &error));
            }
        }
        Ok(())
    }

    /// Writes one string unless it is there; whether it was written.
    async fn set_alone(&mut self, batch: &Batch, index: u32) -> Result<bool, MigrateError> {
        let Some(record) = batch.records.get(index as usize) else { return Ok(false) };
        let key = batch.key(record);
        let mut value = Bytes::default();
        ferrite_rdb::decode(batch.format, record.head.type_byte, batch.value(record), &mut value)
            .map_err(|error| super::encode::data_error(key, &error))?;
        let reply = self.ask(batch.db, &[b"SET", key, &value.0, b"NX"]).await?;
        Ok(!reply.is_null())
    }

    /// A key is already on the target: what the policy says about it.
    async fn there(&mut self, batch: &Batch, index: u32) -> Result<(), MigrateError> {
        let Some(record) = batch.records.get(index as usize) else { return Ok(()) };
        let key = batch.key(record).to_vec();
        if batch.again || self.capabilities.may_repeat && self.is_same(batch, index).await? {
            self.job.tally(|tally| tally.keys.identical += 1);
            self.job.progress(1, 0);
            return Ok(());
        }
        match self.capabilities.on_conflict {
            OnConflict::Skip => {
                self.job.tally(|tally| tally.skip(batch.db, &key, ALREADY_THERE));
                Ok(())
            }
            _ => Err(conflict(&self.connector, &key)),
        }
    }

    /// Whether the target has the very value and expiry we were about to write.
    async fn is_same(&mut self, batch: &Batch, index: u32) -> Result<bool, MigrateError> {
        let Some(record) = batch.records.get(index as usize) else { return Ok(false) };
        let (key, type_byte) = (batch.key(record), record.head.type_byte);
        let reply = self.ask(batch.db, &[b"DUMP", key]).await?;
        let Some(payload) = reply.as_bytes() else { return Ok(false) };
        let ours = crate::verify::digest_value(batch.format, type_byte, batch.value(record));
        let theirs = crate::verify::digest_payload(self.capabilities.values.format, payload);
        if !matches!((ours, theirs), (Ok(ours), Ok(theirs)) if ours == theirs) {
            return Ok(false);
        }
        let left = self.ask(batch.db, &[b"PTTL", key]).await?;
        let left = left.as_int().and_then(|left| u64::try_from(left).ok());
        Ok(match (record.head.expires_at_ms, left) {
            (None, None) => true,
            (Some(at), Some(left)) => at.abs_diff(now_ms() + left) <= SAME_EXPIRY_MS,
            _ => false,
        })
    }

    async fn ask(&mut self, db: u32, command: &[&[u8]]) -> Result<Value, MigrateError> {
        if self.asking.is_none() {
            self.asking = Some(connect(&self.connector).await?);
        }
        let asked = match &mut self.asking {
            None => return Ok(Value::Null),
            Some(asking) => {
                let db = self.capabilities.db.unwrap_or(db).to_string();
                match asking.call(&[b"SELECT", db.as_bytes()]).await {
                    Ok(_) => asking.call(command).await,
                    Err(error) => Err(error),
                }
            }
        };
        asked.map_err(|error| target_error("writing a key", &self.connector, &error))
    }

    fn refused_db(&self, batch: &Batch, error: &ReplyError) -> MigrateError {
        let address = self.connector.address();
        MigrateError::new(
            ErrorKind::Target,
            format!("selecting database {} on the target {address}", batch.db),
            error,
        )
        .with_hint("raise `databases` in the target's configuration")
    }

    fn refused_key(&self, batch: &Batch, index: u32, error: &ReplyError) -> MigrateError {
        let key = batch.records.get(index as usize).map(|record| key_text(batch.key(record)));
        let (key, address) = (key.unwrap_or_default(), self.connector.address());
        MigrateError::new(
            ErrorKind::Target,
            format!("writing key \"{key}\" to the target {address}"),
            error,
        )
        .passing(error.is_transient())
        .with_hint(hint(&error.code))
    }
}

/// A key is on the target although it was not when the run began.
pub fn conflict(connector: &Connector, key: &[u8]) -> MigrateError {
    MigrateError::new(
        ErrorKind::Target,
        format!("writing key \"{}\" to the target {}", key_text(key), connector.address()),
        "the key is already there: something else writes to the target",
    )
    .with_hint("stop what writes to the target, or choose --on-conflict replace or skip")
}

/// Counts written keys, by type.
pub fn count(job: &Job, batch: &Batch, written: &[u32]) {
    let mut kinds: BTreeMap<ValueKind, (u64, u64)> = BTreeMap::new();
    for record in written.iter().filter_map(|index| batch.records.get(*index as usize)) {
        let Some(kind) = ValueKind::of(batch.format, record.head.type_byte) else { continue };
        let (keys, bytes) = kinds.entry(kind).or_default();
        *keys += 1;
        *bytes += (batch.key(record).len() + batch.value(record).len()) as u64;
    }
    job.tally(|tally| {
        for (kind, (keys, bytes)) in &kinds {
            tally.copied(*kind, *keys, *bytes);
        }
    });
    job.progress(written.len() as u64, kinds.values().map(|(_, bytes)| bytes).sum());
}

/// Collects a string.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl ferrite_rdb::Sink for Bytes {
    fn string_part(&mut self, _: u64, piece: &[u8]) {
        self.0.extend_from_slice(piece);
    }
}
