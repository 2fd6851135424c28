//! The same of a cluster: the RDB of every primary, several at a time.
//!
//! Each RDB is the state of its shard at one moment, but these are different moments. What moves
//! in between, or is lost with a primary, is read again key by key (`moved.rs`).

use std::sync::Arc;

use ferrite_client::replication::ReplicationLink;
use ferrite_client::topology::{Cluster, Shard};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Link, attach};
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::preflight::Checked;
use crate::sources::rdb::RdbSource;
use crate::sources::{BoxFuture, Feed, Moved, OpenError, Source};

/// Smallest size in bytes from which a value is streamed, however many RDBs come at once.
const LIMIT_MIN: usize = 1 << 20;

/// Attaches to the first primary: whether the others refuse it is seen when they are read.
///
/// # Errors
/// The primary refuses, or cannot be reached.
pub async fn open(
    job: Arc<Job>,
    checked: Arc<Checked>,
    cluster: Arc<Cluster>,
) -> Result<Box<dyn Source>, OpenError> {
    let moved = Moved::begin(&job, &checked, None).await.map_err(OpenError::Failed)?;
    let shards = cluster.map().shards().to_vec();
    let (Some(moved), Some(shard)) = (moved, shards.first()) else {
        return Err(OpenError::Refused(String::from("the cluster has no nodes")));
    };
    let first = attach(&cluster.connector(&shard.primary)).await?;
    Ok(Box::new(ClusterSource { job, cluster, shards, first: Some(first), moved }))
}

struct ClusterSource {
    job: Arc<Job>,
    cluster: Arc<Cluster>,
    shards: Vec<Shard>,
    /// The link to the first of them.
    first: Option<ReplicationLink>,
    moved: Moved,
}

impl Source for ClusterSource {
    fn read(self: Box<Self>, feed: Feed) -> BoxFuture<'static, Result<(), MigrateError>> {
        Box::pin(self.run(feed))
    }
}

impl ClusterSource {
    async fn run(mut self, feed: Feed) -> Result<(), MigrateError> {
        let at_once = self.job.config.parallel.min(self.shards.len());
        let limit = (self.job.config.value_limit() / at_once).max(LIMIT_MIN);
        let permits = Arc::new(Semaphore::new(at_once));
        let libraries = Arc::default();
        let mut tasks = JoinSet::new();
        for shard in std::mem::take(&mut self.shards) {
            let (job, feed, missed) = (Arc::clone(&self.job), feed.clone(), self.moved.missed());
            let connector = self.cluster.connector(&shard.primary);
            let (first, permits) = (self.first.take(), Arc::clone(&permits));
            let libraries = Arc::clone(&libraries);
            tasks.spawn(async move {
                let _permit = permits.acquire().await;
                let reading = async {
                    let link = match first {
                        Some(link) => link,
                        None => attach(&connector).await.map_err(failed)?,
                    };
                    let link = Link::with_limit(Arc::clone(&job), link, connector, limit);
                    let mut source = RdbSource::with_limit(job, link, limit);
                    source.libraries = libraries;
                    source.run(&feed).await
                };
                match reading.await {
                    Err(error) if error.may_pass => {
                        tracing::debug!(%error, "lost a shard while reading its RDB");
                        missed.add_ranges(&shard.slots);
                        Ok(())
                    }
                    read => read,
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap_or_else(|panic| {
                Err(MigrateError::new(ErrorKind::Internal, "reading the cluster", panic))
            })?;
        }
        self.moved.read_again(feed).await
    }
}

/// A node that refuses what the first one allowed is no reason to leave the strategy.
fn failed(error: OpenError) -> MigrateError {
    match error {
        OpenError::Failed(error) => error,
        OpenError::Refused(why) => {
            MigrateError::new(ErrorKind::Source, "attaching to a node of the cluster", why)
                .with_hint("run the same command with --strategy scan")
        }
    }
}
