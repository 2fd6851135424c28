//! Reads a server as a replica would: asks for a full synchronization, whose RDB is taken apart as
//! it comes off the socket (see [`super::rdb`]).
//!
//! The copy is the state of the source at one moment. The source forks, or saves to its disk
//! first, as its `repl-diskless-sync` says.

mod cluster;

use std::sync::Arc;

use ferrite_client::replication::{AttachOptions, RdbFill, ReplicationLink};
use ferrite_client::{ClientError, Connector};

use super::rdb::{RdbSource, Supply, buffer_limit};
use super::redis_scan::source_error;
use super::{OpenError, Opening, Source, SourceDescriptor};
use crate::config::{Mode, Strategy};
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::preflight::Checked;

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
        let link = Link::new(Arc::clone(&job), link, connector);
        Ok(Box::new(RdbSource::new(job, link)) as Box<dyn Source>)
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
    let link = Link::new(Arc::clone(job), link, connector);
    let mut source = RdbSource::new(Arc::clone(job), link);
    source.holds = holds;
    Box::new(source)
}

/// A primary that sends its RDB.
struct Link {
    job: Arc<Job>,
    link: ReplicationLink,
    connector: Connector,
}

impl Link {
    fn new(job: Arc<Job>, link: ReplicationLink, connector: Connector) -> Self {
        let limit = job.config.value_limit();
        Self::with_limit(job, link, connector, limit)
    }

    /// A link with room for values up to `limit` bytes.
    fn with_limit(
        job: Arc<Job>,
        mut link: ReplicationLink,
        connector: Connector,
        limit: usize,
    ) -> Self {
        link.set_max_buffer(buffer_limit(limit));
        Self { job, link, connector }
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
}

impl Supply for Link {
    fn bytes(&self) -> &[u8] {
        self.link.rdb_bytes()
    }

    fn consume(&mut self, count: usize) {
        self.link.rdb_consume(count);
    }

    async fn fill(&mut self) -> Result<(), MigrateError> {
        match self.link.rdb_fill().await {
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

    fn bad_data(&self, error: &ferrite_rdb::Error) -> MigrateError {
        let doing = format!("reading the RDB of the source {}", self.connector.address());
        MigrateError::new(ErrorKind::Data, doing, error).with_hint(
            "run the same command with --strategy scan --on-conflict replace, which reads key by key",
        )
    }
}
