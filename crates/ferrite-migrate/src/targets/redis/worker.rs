//! One worker: takes items, sends commands, hands what it expects to the reader of replies.

use std::sync::Arc;

use ferrite_client::{Connector, Pipeline, Sender, Value};
use ferrite_rdb::decode;
use tokio::sync::{Mutex, mpsc};

use super::encode::{Encoded, Encoder, Expect, LeftOut, data_error};
use super::large::KeyWriter;
use super::replies::{ALREADY_THERE, Pending, Replies};
use super::{Capabilities, connect, functions, target_error};
use crate::config::OnConflict;
use crate::engine::Job;
use crate::error::MigrateError;
use crate::model::{Batch, ElementsSink, LargeRecord};

/// What a source hands over.
#[derive(Debug)]
pub enum Item {
    /// Keys that travel together.
    Batch(Batch),
    /// A key that travels alone, in parts.
    Large(LargeRecord),
    /// The code of a function library.
    Function(Vec<u8>),
}

/// The items of all workers: whoever is free takes the next.
pub type Items = Arc<Mutex<mpsc::Receiver<Item>>>;

/// Batches whose replies are outstanding on one connection, beyond the one being read.
const PENDING_MAX: usize = 2;

/// Writes items to the target until there are no more.
///
/// # Errors
/// The first failure; what was acknowledged before it is in the tally.
pub async fn work(
    job: Arc<Job>,
    connector: Connector,
    capabilities: Capabilities,
    items: Items,
) -> Result<(), MigrateError> {
    let (sender, receiver) = connect(&connector).await?.into_split();
    let (pending, outstanding) = mpsc::channel(PENDING_MAX);
    let replies = Replies::new(Arc::clone(&job), connector.clone(), capabilities.clone());
    let reading = tokio::spawn(replies.read(receiver, outstanding));
    let mut worker = Worker {
        encoder: Encoder::new(capabilities.clone()),
        db: connector.address().database(),
        large: None,
        sender,
        pending,
        job,
        connector,
        capabilities,
    };
    let written = worker.run(&items).await;
    // Without the sending half the reader ends after the last outstanding reply.
    drop(worker);
    let read = reading.await.unwrap_or_else(|ended| Err(ended_early(&ended)));
    // The reply says better than the broken pipe what went wrong.
    read.and(written)
}

fn ended_early(ended: &tokio::task::JoinError) -> MigrateError {
    MigrateError::new(crate::ErrorKind::Internal, "reading the target's replies", ended)
}

struct Worker {
    encoder: Encoder,
    db: u32,
    large: Option<KeyWriter>,
    sender: Sender,
    pending: mpsc::Sender<Pending>,
    job: Arc<Job>,
    connector: Connector,
    capabilities: Capabilities,
}

impl Worker {
    async fn run(&mut self, items: &Items) -> Result<(), MigrateError> {
        loop {
            let item = items.lock().await.recv().await;
            match item {
                Some(Item::Batch(batch)) => self.batch(batch).await?,
                Some(Item::Large(record)) => self.large(record).await?,
                Some(Item::Function(code)) => {
                    functions::load(&self.job, &self.connector, &self.capabilities, &code).await?;
                }
                None => return Ok(()),
            }
            if self.pending.is_closed() {
                // The reader failed, and says why.
                return Ok(());
            }
        }
    }

    async fn batch(&mut self, batch: Batch) -> Result<(), MigrateError> {
        let db = self.capabilities.db.unwrap_or(batch.db);
        let select = (db != self.db && !self.job.config.dry_run).then_some(db);
        let encoded = self.encoder.encode(&batch, select)?;
        self.leave_out(&batch, &encoded).await?;
        let Encoded { bytes, expects, strings, .. } = encoded;
        let pending = Pending { batch, expects, strings };
        if self.job.config.dry_run {
            return self.rehearse(&pending).await;
        }
        if pending.expects.is_empty() || self.pending.send(pending).await.is_err() {
            return Ok(());
        }
        self.db = db;
        tracing::trace!(db, bytes = bytes.len(), "sending a batch");
        self.sender
            .send(&bytes)
            .await
            .map_err(|error| target_error("writing keys", &self.connector, &error))
    }

    /// Counts what would be written, and what the policy `skip` would leave alone.
    async fn rehearse(&mut self, pending: &Pending) -> Result<(), MigrateError> {
        let keys = pending.keys();
        let there = match self.capabilities.on_conflict {
            OnConflict::Skip => self.existing(&pending.batch, &keys).await?,
            _ => Vec::new(),
        };
        let batch = &pending.batch;
        self.job.tally(|tally| {
            for record in there.iter().filter_map(|index| batch.records.get(*index as usize)) {
                tally.skip(batch.db, batch.key(record), ALREADY_THERE);
            }
        });
        let written: Vec<u32> = keys.into_iter().filter(|key| !there.contains(key)).collect();
        super::replies::count(&self.job, batch, &written);
        Ok(())
    }

    /// Those of the keys that are on the target.
    async fn existing(&self, batch: &Batch, keys: &[u32]) -> Result<Vec<u32>, MigrateError> {
        let db = self.capabilities.db.unwrap_or(batch.db).to_string();
        let mut pipeline = Pipeline::new();
        pipeline.push(&[&b"SELECT"[..], db.as_bytes()]);
        for record in keys.iter().filter_map(|index| batch.records.get(*index as usize)) {
            pipeline.push(&[&b"EXISTS"[..], batch.key(record)]);
        }
        let lost = |error| target_error("looking for keys", &self.connector, &error);
        let mut connection = connect(&self.connector).await?;
        let replies = connection.pipeline(&pipeline).await.map_err(lost)?;
        let answers = keys.iter().zip(replies.iter().skip(1));
        let there = answers.filter(|(_, reply)| matches!(reply, Ok(Value::Integer(1))));
        Ok(there.map(|(index, _)| *index).collect())
    }

    /// Counts the keys that are not among the commands, or writes them by other commands.
    async fn leave_out(&mut self, batch: &Batch, encoded: &Encoded) -> Result<(), MigrateError> {
        let key_of = |index: u32| batch.records.get(index as usize).map(|record| batch.key(record));
        self.job.tally(|tally| {
            for (index, loss) in &encoded.losses {
                tally.leave_out(batch.db, key_of(*index).unwrap_or_default(), loss);
            }
            for (index, why) in &encoded.left_out {
                match why {
                    LeftOut::Expired => tally.keys.expired += 1,
                    LeftOut::Impossible(reason) => {
                        tally.skip(batch.db, key_of(*index).unwrap_or_default(), reason);
                    }
                    LeftOut::ByCommands => {}
                }
            }
        });
        for (index, why) in &encoded.left_out {
            if matches!(why, LeftOut::ByCommands) {
                self.by_commands(batch, *index).await?;
            }
        }
        Ok(())
    }

    async fn by_commands(&mut self, batch: &Batch, index: u32) -> Result<(), MigrateError> {
        let Some(record) = batch.records.get(index as usize) else { return Ok(()) };
        let key = batch.key(record);
        let mut sink = ElementsSink::default();
        decode(batch.format, record.head.type_byte, batch.value(record), &mut sink)
            .map_err(|error| data_error(key, &error))?;
        let mut elements = sink.take();
        elements.last = true;
        self.large(LargeRecord::whole(batch, record, elements)).await
    }

    async fn large(&mut self, mut record: LargeRecord) -> Result<(), MigrateError> {
        if self.large.is_none() {
            self.large = Some(KeyWriter::new(
                Arc::clone(&self.job),
                self.connector.clone(),
                self.capabilities.clone(),
            ));
        }
        match &mut self.large {
            Some(writer) => writer.write(&mut record).await,
            None => Ok(()),
        }
    }
}

impl Pending {
    /// Every key that has a command.
    fn keys(&self) -> Vec<u32> {
        let of = |expect: &Expect| match *expect {
            Expect::Select => Vec::new(),
            Expect::Key(index) => vec![index],
            Expect::Strings { start, count } => {
                let range = start as usize..(start + count) as usize;
                self.strings.get(range).unwrap_or_default().to_vec()
            }
        };
        self.expects.iter().flat_map(of).collect()
    }
}
