//! What workers know of each other: the keys in etcd.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ferrite_client::etcd::{Entry, Etcd, Lease};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::part::Part;
use super::plan::SharedPlan;
use super::{Workers, coordinator_error};
use crate::error::{ErrorKind, MigrateError};

/// How long etcd may not answer before it is said: far less than a lease lasts.
const PATIENCE: Duration = Duration::from_secs(4);

/// How far a worker is, as it tells the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Its name.
    pub name: String,
    /// The partition it copies, if it does.
    pub partition: Option<usize>,
    /// Keys that are copied of it.
    pub keys: u64,
    /// Bytes that are copied of it.
    pub bytes: u64,
}

/// The keys of one job.
#[derive(Debug)]
pub struct Board {
    workers: Workers,
    etcd: Etcd,
}

impl Board {
    /// Prepares to read and write; nothing connects yet.
    #[must_use]
    pub fn new(workers: &Workers) -> Self {
        let etcd = Etcd::new(&workers.place, &workers.tls, PATIENCE);
        Self { workers: workers.clone(), etcd }
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.workers.place.prefix())
    }

    fn numbered(&self, folder: &str, partition: usize) -> String {
        self.key(&format!("{folder}/{partition:05}"))
    }

    /// A lease of so many seconds.
    ///
    /// # Errors
    /// An etcd that does not answer or refuses; so do all that follow.
    pub async fn grant(&mut self, seconds: u64) -> Result<Lease, MigrateError> {
        let granted = self.etcd.grant(seconds).await;
        granted.map_err(|error| coordinator_error(&self.workers, "asking for a lease", &error))
    }

    /// What is copied, if that is agreed upon.
    ///
    /// # Errors
    /// As all; also a plan of another version of this program.
    pub async fn plan(&mut self) -> Result<Option<SharedPlan>, MigrateError> {
        let (key, doing) = (self.key("plan"), "reading the plan");
        let entry = self.etcd.get(&key).await;
        let entry = entry.map_err(|error| coordinator_error(&self.workers, doing, &error))?;
        entry.map(|entry| self.read(&entry)).transpose()
    }

    /// Claims to make the plan.
    ///
    /// # Errors
    /// As all.
    pub async fn claim_planning(
        &mut self,
        me: &str,
        lease: Lease,
    ) -> Result<Option<Entry>, MigrateError> {
        let key = self.key("planning");
        self.claim_key(&key, me, lease).await
    }

    /// Publishes the plan; false if it is not ours any more to do that.
    ///
    /// # Errors
    /// As all.
    pub async fn publish(
        &mut self,
        planning: &Entry,
        plan: &SharedPlan,
    ) -> Result<bool, MigrateError> {
        let key = self.key("plan");
        self.exchange(planning, &key, plan).await
    }

    /// Claims a partition, if nobody has.
    ///
    /// # Errors
    /// As all.
    pub async fn claim(
        &mut self,
        partition: usize,
        me: &str,
        lease: Lease,
    ) -> Result<Option<Entry>, MigrateError> {
        let key = self.numbered("claims", partition);
        self.claim_key(&key, me, lease).await
    }

    /// Says what a partition brought; false if the claim is not ours any more.
    ///
    /// # Errors
    /// As all.
    pub async fn finish(
        &mut self,
        claim: &Entry,
        partition: usize,
        part: &Part,
    ) -> Result<bool, MigrateError> {
        let key = self.numbered("done", partition);
        self.exchange(claim, &key, part).await
    }

    /// What the partitions brought that are done.
    ///
    /// # Errors
    /// As all.
    pub async fn done(&mut self) -> Result<BTreeMap<usize, Part>, MigrateError> {
        let listed = self.list("done/").await?;
        let numbered = listed.iter().filter_map(|entry| Some((number(entry)?, entry)));
        numbered.map(|(at, entry)| Ok((at, self.read(entry)?))).collect()
    }

    /// The partitions that somebody copies.
    ///
    /// # Errors
    /// As all.
    pub async fn claimed(&mut self) -> Result<BTreeSet<usize>, MigrateError> {
        Ok(self.list("claims/").await?.iter().filter_map(number).collect())
    }

    /// Tells the others how far we are.
    ///
    /// # Errors
    /// As all.
    pub async fn say(&mut self, beat: &Beat, lease: Lease) -> Result<(), MigrateError> {
        let key = self.key(&format!("workers/{}", beat.name));
        let put = self.etcd.put(&key, &self.text(beat)?, Some(lease)).await;
        put.map_err(|error| coordinator_error(&self.workers, "telling how far it is", &error))
    }

    /// The workers that are alive.
    ///
    /// # Errors
    /// As all.
    pub async fn alive(&mut self) -> Result<Vec<Beat>, MigrateError> {
        let listed = self.list("workers/").await?;
        listed.iter().map(|entry| self.read(entry)).collect()
    }

    /// Keeps our lease; false when it is over.
    ///
    /// # Errors
    /// As all.
    pub async fn keep(&mut self, lease: Lease) -> Result<bool, MigrateError> {
        let kept = self.etcd.keep_alive(lease).await;
        kept.map_err(|error| coordinator_error(&self.workers, "keeping a lease", &error))
    }

    /// Gives up all we claim. Where that fails, time does it.
    pub async fn leave(&mut self, lease: Lease) {
        if let Err(error) = self.etcd.revoke(lease).await {
            tracing::debug!(%error, "a lease was not given back");
        }
    }

    async fn claim_key(
        &mut self,
        key: &str,
        me: &str,
        lease: Lease,
    ) -> Result<Option<Entry>, MigrateError> {
        let claiming = async {
            match self.etcd.create(key, me, Some(lease)).await? {
                true => self.etcd.get(key).await,
                false => Ok(None),
            }
        };
        let claimed = claiming.await;
        let claimed = claimed.map_err(|error| coordinator_error(&self.workers, "claiming", &error));
        Ok(claimed?.filter(|entry| entry.value == me))
    }

    async fn exchange(
        &mut self,
        held: &Entry,
        key: &str,
        value: &impl Serialize,
    ) -> Result<bool, MigrateError> {
        let exchanged = self.etcd.exchange(held, key, &self.text(value)?).await;
        let doing = "writing down what is done";
        exchanged.map_err(|error| coordinator_error(&self.workers, doing, &error))
    }

    async fn list(&mut self, folder: &str) -> Result<Vec<Entry>, MigrateError> {
        let prefix = self.key(folder);
        let listed = self.etcd.list(&prefix).await;
        listed.map_err(|error| coordinator_error(&self.workers, "listing", &error))
    }

    fn text(&self, value: &impl Serialize) -> Result<String, MigrateError> {
        serde_json::to_string(value)
            .map_err(|error| MigrateError::new(ErrorKind::Internal, "writing JSON", error))
    }

    fn read<T: DeserializeOwned>(&self, entry: &Entry) -> Result<T, MigrateError> {
        serde_json::from_str(&entry.value).map_err(|error| {
            let doing = format!("reading {} in {}", entry.key, self.workers.place);
            MigrateError::new(ErrorKind::Coordinator, doing, error).with_hint(
                "all workers of a job have the same version of ferrite-migrate, and nothing else \
                 writes under its prefix: choose another prefix",
            )
        })
    }
}

/// The number at the end of a key.
fn number(entry: &Entry) -> Option<usize> {
    entry.key.rsplit('/').next()?.parse().ok()
}
