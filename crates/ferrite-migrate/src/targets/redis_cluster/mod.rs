//! A cluster as a target: every key goes to the node that owns its slot.
//!
//! Each worker has a connection to every node. It takes a batch, sends each node its share, all at
//! the same time, and goes on when every key of the batch is there. A key that a node does not
//! take is sent again, to where the node says it belongs or to who owns its slot by then:
//!
//! ```text
//! batch ──► shares by owner ──► node 1 ──► written | there | elsewhere ─┐
//!    ▲                          node 2 ──► …                            │ MOVED ASK TRYAGAIN
//!    └──────────── look at the cluster again, wait a little ◄───────────┘ CLUSTERDOWN, lost
//! ```
//!
//! A key whose node was lost may have been written, so it does no harm to find it there.

mod lane;
mod todo;

use std::collections::BTreeSet;
use std::sync::Arc;

use ferrite_client::topology::Cluster;
use ferrite_client::{ClientError, Connector, Endpoint, Value};
use ferrite_commands::slot;
use tokio::task::JoinSet;

use self::lane::{Failed, Lane};
use self::todo::{Outcome, Todo, shares};
use super::redis::{
    ALREADY_THERE, Capabilities, Item, Items, KeyWriter, LeftOut, conflict, count, data_error,
    load, target_error,
};
use crate::cluster::{Asker, KeyReader, Patience};
use crate::config::OnConflict;
use crate::engine::{Job, now_ms};
use crate::error::{ErrorKind, MigrateError};
use crate::fetch::Fetched;
use crate::live::takes_no_writes;
use crate::model::{Batch, ElementsSink, LargeRecord};
use crate::report::key_text;

/// Expiries closer than this, in milliseconds, are the same: one is told by the target's clock.
const SAME_EXPIRY_MS: u64 = 1000;

/// The cluster everything goes to.
#[derive(Clone, Debug)]
pub struct ClusterTarget {
    /// Its nodes.
    pub cluster: Arc<Cluster>,
    /// The address it was found by, under the name the workers carry.
    pub connector: Connector,
    /// Whether it has `PEXPIRETIME`.
    pub expiretime: bool,
}

/// Writes items to the cluster until there are no more.
///
/// # Errors
/// The first failure that does not pass; what was acknowledged before it is in the tally.
pub async fn work(
    job: Arc<Job>,
    target: ClusterTarget,
    capabilities: Capabilities,
    items: Items,
) -> Result<(), MigrateError> {
    let mut worker = Worker::new(job, target, capabilities);
    loop {
        let item = items.lock().await.recv().await;
        match item {
            Some(Item::Batch(batch)) => worker.batch(batch).await?,
            Some(Item::Large(record)) => worker.large(record).await?,
            Some(Item::Function(code)) => worker.function(&code).await?,
            None => return Ok(()),
        }
    }
}

/// Writes keys to the nodes they belong to, over connections that stay.
pub struct Worker {
    job: Arc<Job>,
    target: ClusterTarget,
    capabilities: Capabilities,
    lanes: Vec<Lane>,
    /// Writers of large keys, one for each node that got one.
    writers: Vec<(Endpoint, KeyWriter)>,
    /// Reads keys that are there already.
    reader: Option<KeyReader>,
    /// Whether a connection was lost since this was last asked.
    has_lost: bool,
    /// Keys that were left out whole, for whoever wants to know.
    left_out: Option<Vec<Vec<u8>>>,
}

impl Worker {
    /// Connects when it must.
    #[must_use]
    pub fn new(job: Arc<Job>, target: ClusterTarget, capabilities: Capabilities) -> Self {
        let (lanes, writers, reader, has_lost) = (Vec::new(), Vec::new(), None, false);
        Self { job, target, capabilities, lanes, writers, reader, has_lost, left_out: None }
    }

    /// The same worker, which remembers the keys it leaves out.
    #[must_use]
    pub fn remembering(mut self) -> Self {
        self.left_out = Some(Vec::new());
        self
    }

    /// Keys that were left out whole, because they had expired or cannot be written.
    pub fn take_left_out(&mut self) -> Vec<Vec<u8>> {
        self.left_out.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Whether a connection was lost since this was last asked: what was on its way there may
    /// still be written.
    pub fn take_lost(&mut self) -> bool {
        std::mem::take(&mut self.has_lost)
    }

    /// Writes a batch; every key is there when this returns.
    ///
    /// # Errors
    /// The first failure that does not pass.
    pub async fn batch(&mut self, batch: Batch) -> Result<(), MigrateError> {
        if self.job.config.dry_run {
            return self.rehearse(&batch).await;
        }
        let batch = Arc::new(batch);
        let mut todo: Vec<Todo> = (0..batch.records.len()).map(Todo::new).collect();
        let mut patience: Option<(usize, Patience)> = None;
        let (mut written, mut losses) = (Vec::new(), BTreeSet::new());
        loop {
            let map = self.target.cluster.map();
            let (shares, homeless) = shares(&batch, &map, &todo);
            let mut sending = JoinSet::new();
            for (node, share) in shares {
                let lane = self.lane(node);
                sending.spawn(lane.write(Arc::clone(&batch), share));
            }
            let mut failed = homeless;
            let mut left = Vec::new();
            while let Some(sent) = sending.join_next().await {
                let (lane, results) = sent.map_err(|ended| {
                    MigrateError::new(ErrorKind::Internal, "writing keys", ended)
                })?;
                self.lanes.push(lane);
                let results = results?;
                self.has_lost |= results.failed.is_some();
                failed = results.failed.or(failed);
                losses.extend(results.losses);
                for (todo, outcome) in results.outcomes {
                    self.settle(&batch, todo, outcome, &mut written, &mut left, &mut failed)
                        .await?;
                }
            }
            // Those whose slot nobody owns were not sent.
            left.extend(todo.iter().filter(|todo| todo.is_homeless(&batch, &map)).cloned());
            if left.is_empty() {
                self.lose(&batch, &written, &losses);
                count(&self.job, &batch, &written);
                return Ok(());
            }
            self.wait(&batch, &left, failed, &mut patience).await?;
            let _ = self.target.cluster.refresh(&map).await;
            todo = left;
        }
    }

    /// Names the parts of values that were left out.
    fn lose(&self, batch: &Batch, written: &[u32], losses: &BTreeSet<(u32, &'static str)>) {
        for (index, loss) in losses.iter().filter(|(index, _)| written.contains(index)) {
            if let Some(record) = batch.records.get(*index as usize) {
                let key = batch.key(record);
                self.job.tally(|tally| tally.leave_out(batch.db, key, loss));
            }
        }
    }

    fn lane(&mut self, node: Endpoint) -> Lane {
        match self.lanes.iter().position(|lane| *lane.node() == node) {
            Some(place) => self.lanes.swap_remove(place),
            None => {
                // Lanes to nodes that are gone are few: a cluster has a thousand nodes at most.
                let connector = self.connector(&node);
                Lane::new(node, connector, self.capabilities.clone())
            }
        }
    }

    fn connector(&self, node: &Endpoint) -> Connector {
        let connector = self.target.cluster.connector(node);
        connector.client_name(self.job.copier_name())
    }

    /// Waits before what is left is sent again, as long as there is patience. It begins anew
    /// whenever keys were written.
    async fn wait(
        &self,
        batch: &Batch,
        left: &[Todo],
        failed: Option<ClientError>,
        patience: &mut Option<(usize, Patience)>,
    ) -> Result<(), MigrateError> {
        let first = left.first().and_then(|todo| todo.record(batch));
        let slot = first.map(|record| slot(batch.key(record)));
        let map = self.target.cluster.map();
        if patience.as_ref().is_none_or(|(before, _)| *before > left.len()) {
            *patience = Some((left.len(), Patience::with(&map, slot)));
        }
        let (Some(error), Some((_, patience))) = (failed, patience) else { return Ok(()) };
        let shard = slot.and_then(|slot| map.shards().get(map.owner(slot)?));
        let doing = match shard {
            Some(shard) => {
                let slots = crate::cluster::describe(&shard.slots, 3);
                format!("writing keys of the slots {slots}, which {} owns,", shard.primary)
            }
            None => String::from("writing keys"),
        };
        let waited = patience.wait(error).await.map(drop);
        // Whoever is still there later, as a live migration is, may try again.
        waited.map_err(|error| target_error(doing, &self.target.connector, &error).passing(true))
    }

    /// What follows from the answer about one key.
    async fn settle(
        &mut self,
        batch: &Batch,
        mut todo: Todo,
        outcome: Outcome,
        written: &mut Vec<u32>,
        left: &mut Vec<Todo>,
        failed: &mut Option<ClientError>,
    ) -> Result<(), MigrateError> {
        let Some(record) = todo.record(batch) else { return Ok(()) };
        let key = batch.key(record);
        match outcome {
            Outcome::Written => written.push(todo.index),
            // One of several was there, or nobody knows whether it was us.
            Outcome::There if !todo.alone => {
                todo.alone = true;
                left.push(todo);
            }
            Outcome::There if todo.resent && !batch.again => written.push(todo.index),
            Outcome::There => self.there(batch, todo.index).await?,
            Outcome::Lost => {
                self.has_lost = true;
                todo.lost();
                left.push(todo);
            }
            Outcome::Elsewhere(error, address) => {
                todo.sent_on(&error, &address);
                let command = String::from("a write");
                failed.get_or_insert(ClientError::Reply { address, command, error });
                left.push(todo);
            }
            Outcome::Refused(error, address) => {
                let doing = format!("writing key \"{}\" to the target {address}", key_text(key));
                let hint = super::redis::hint(&error.code);
                let passes = takes_no_writes(&error);
                let refused = MigrateError::new(ErrorKind::Target, doing, error);
                return Err(refused.passing(passes).with_hint(hint));
            }
            Outcome::LeftOut(LeftOut::Expired) => {
                self.left_out.iter_mut().for_each(|keys| keys.push(key.to_vec()));
                self.job.tally(|tally| tally.keys.expired += 1);
            }
            Outcome::LeftOut(LeftOut::Impossible(reason)) => {
                self.left_out.iter_mut().for_each(|keys| keys.push(key.to_vec()));
                self.job.tally(|tally| tally.skip(batch.db, key, reason));
            }
            Outcome::LeftOut(LeftOut::ByCommands) => self.by_commands(batch, todo.index).await?,
        }
        Ok(())
    }

    /// A key is already on the target: what the policy says about it.
    async fn there(&mut self, batch: &Batch, index: u32) -> Result<(), MigrateError> {
        let Some(record) = batch.records.get(index as usize) else { return Ok(()) };
        let key = batch.key(record);
        if batch.again || self.capabilities.may_repeat && self.is_same(batch, index).await? {
            self.job.tally(|tally| tally.keys.identical += 1);
            self.job.progress(1, 0);
            return Ok(());
        }
        match self.capabilities.on_conflict {
            OnConflict::Skip => {
                self.job.tally(|tally| tally.skip(batch.db, key, ALREADY_THERE));
                Ok(())
            }
            _ => Err(conflict(&self.target.connector, key)),
        }
    }

    /// Whether the target has the very value and expiry we were about to write.
    async fn is_same(&mut self, batch: &Batch, index: u32) -> Result<bool, MigrateError> {
        let Some(record) = batch.records.get(index as usize) else { return Ok(false) };
        let (key, head) = (batch.key(record), record.head);
        let limit = self.job.config.fetch_limit();
        let (cluster, expiretime) = (Arc::clone(&self.target.cluster), self.target.expiretime);
        let reader =
            self.reader.get_or_insert_with(|| KeyReader::of_cluster(cluster, expiretime, limit));
        let lost = |error| target_error("reading a key", &self.target.connector, &error);
        let db = self.capabilities.db.unwrap_or(batch.db);
        reader.request(db, &[key]).await.map_err(lost)?;
        let Fetched::Small { expires_at_ms } = reader.next().await.map_err(lost)? else {
            // What is too large to be held is not what we were about to write in one piece.
            self.reader = None;
            return Ok(false);
        };
        let ours = crate::verify::digest_value(batch.format, head.type_byte, batch.value(record));
        let format = self.capabilities.values.format;
        let theirs = crate::verify::digest_payload(format, reader.payload());
        let same_expiry = match (head.expires_at_ms, expires_at_ms) {
            (None, None) => true,
            (Some(ours), Some(theirs)) => ours.abs_diff(theirs) <= SAME_EXPIRY_MS,
            _ => false,
        };
        Ok(same_expiry && matches!((ours, theirs), (Ok(ours), Ok(theirs)) if ours == theirs))
    }

    async fn by_commands(&mut self, batch: &Batch, index: u32) -> Result<(), MigrateError> {
        let Some(record) = batch.records.get(index as usize) else { return Ok(()) };
        let key = batch.key(record);
        let mut sink = ElementsSink::default();
        ferrite_rdb::decode(batch.format, record.head.type_byte, batch.value(record), &mut sink)
            .map_err(|error| data_error(key, &error))?;
        let mut elements = sink.take();
        elements.last = true;
        let record = LargeRecord::whole(batch, record, elements);
        self.large(record).await
    }

    /// Builds a key on the node that owns its slot. One whose node is lost meanwhile, or whose
    /// slot moves, cannot be built elsewhere from its middle: it is read again later.
    ///
    /// # Errors
    /// A failure that does not pass.
    pub async fn large(&mut self, mut record: LargeRecord) -> Result<(), MigrateError> {
        let map = self.target.cluster.map();
        let owner = map.owner(slot(&record.key)).and_then(|owner| map.shards().get(owner));
        let node = owner.map_or_else(
            || self.target.connector.address().endpoint().clone(),
            |shard| shard.primary.clone(),
        );
        let place = match self.writers.iter().position(|(known, _)| *known == node) {
            Some(place) => place,
            None => {
                let (job, connector) = (Arc::clone(&self.job), self.connector(&node));
                let writer = KeyWriter::new(job, connector, self.capabilities.clone());
                self.writers.push((node, writer));
                self.writers.len() - 1
            }
        };
        let Some((_, writer)) = self.writers.get_mut(place) else { return Ok(()) };
        let Err(error) = writer.write(&mut record).await else { return Ok(()) };
        if !error.may_pass || !self.job.write_again(record.db, &record.key) {
            return Err(error);
        }
        self.has_lost = true;
        tracing::debug!(%error, key = key_text(&record.key), "a large key is to be read again");
        while record.elements.recv().await.is_some() {}
        let _ = self.target.cluster.refresh(&map).await;
        Ok(())
    }

    /// Loads a library on every primary: each has its own.
    async fn function(&self, code: &[u8]) -> Result<(), MigrateError> {
        for shard in self.target.cluster.map().shards() {
            load(&self.job, &self.connector(&shard.primary), &self.capabilities, code).await?;
        }
        // It is one library, however many nodes have it.
        let more = (self.target.cluster.map().shards().len() as u64).saturating_sub(1);
        self.job.tally(|tally| tally.functions = tally.functions.saturating_sub(more));
        Ok(())
    }

    /// Counts what would be written, and what the policy `skip` would leave alone.
    async fn rehearse(&mut self, batch: &Batch) -> Result<(), MigrateError> {
        let now = now_ms();
        let keys: Vec<&[u8]> = batch.records.iter().map(|record| batch.key(record)).collect();
        let there = match self.capabilities.on_conflict {
            OnConflict::Skip => {
                let lost = |error| target_error("looking for keys", &self.target.connector, &error);
                let mut asker = Asker::of_cluster(Arc::clone(&self.target.cluster));
                let db = self.capabilities.db.unwrap_or(batch.db);
                asker.each(db, b"EXISTS", &keys).await.map_err(lost)?
            }
            _ => Vec::new(),
        };
        let mut lane = self.lane(self.target.connector.address().endpoint().clone());
        let mut written = Vec::new();
        for (index, record) in (0..).zip(&batch.records) {
            let is_there = there.get(index as usize) == Some(&Value::Integer(1));
            match lane.rehearse(batch, index)? {
                _ if record.head.expires_at_ms.is_some_and(|at| at <= now) => {
                    self.job.tally(|tally| tally.keys.expired += 1);
                }
                Some(LeftOut::Impossible(reason)) => {
                    self.job.tally(|tally| tally.skip(batch.db, batch.key(record), reason));
                }
                _ if is_there => self.job.tally(|tally| {
                    tally.skip(batch.db, batch.key(record), ALREADY_THERE);
                }),
                _ => written.push(index),
            }
        }
        self.lanes.push(lane);
        count(&self.job, batch, &written);
        Ok(())
    }
}

impl From<Failed> for MigrateError {
    fn from(failed: Failed) -> Self {
        failed.0
    }
}
