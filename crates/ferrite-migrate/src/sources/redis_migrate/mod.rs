//! Has the source send its keys itself, by `MIGRATE … COPY`.
//!
//! ```text
//! SCAN ──names──► movers ──MULTI PEXPIRETIME … MIGRATE … EXEC──► source ──RESTORE──► target
//!                   └────────────────PEXPIREAT …─────────────────────────────────────► target
//! ```
//!
//! Nothing of a value passes through us. `MIGRATE` sends the time a key has left, which begins anew
//! when it arrives; the absolute expiry, read in the same transaction, is set right behind it. The
//! source answers nobody else while it sends, so batches are small.

mod batch;
mod fits;
mod mover;

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use self::mover::Mover;
use super::redis_scan::{functions, source_error};
use super::{BoxFuture, Feed, OpenError, Opening, Source, SourceDescriptor};
use crate::config::Strategy;
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::preflight::Checked;
use crate::scan::Scanner;

pub use fits::why_not;

/// The entry in the list of sources.
pub const DESCRIPTOR: SourceDescriptor = SourceDescriptor {
    strategy: Strategy::Migrate,
    reason: "the source sends its keys to the target itself (MIGRATE)",
    // It could, but whatever reads keys comes before it.
    filters_at_server: false,
    compares: false,
    open,
};

/// Batches of names that wait for a mover.
const NAMES_MAX: usize = 4;
/// Movers: while one has the source send, the other asks for sizes and sets expiries.
const MOVERS: usize = 2;

fn open(job: Arc<Job>, checked: Arc<Checked>) -> Opening {
    Box::pin(async move {
        if !checked.migratable {
            let refused = "the source refuses MIGRATE, or a command that lists keys";
            return Err(OpenError::Refused(refused.to_owned()));
        }
        match why_not(&job.config, &checked) {
            Some(refused) => Err(OpenError::Refused(refused.why)),
            None => Ok(Box::new(MigrateSource { job, checked }) as Box<dyn Source>),
        }
    })
}

struct MigrateSource {
    job: Arc<Job>,
    checked: Arc<Checked>,
}

impl Source for MigrateSource {
    fn read(self: Box<Self>, feed: Feed) -> BoxFuture<'static, Result<(), MigrateError>> {
        Box::pin(async move { self.run(feed).await })
    }
}

impl MigrateSource {
    async fn run(self, feed: Feed) -> Result<(), MigrateError> {
        let connector = self.checked.source.connector.clone();
        if functions(&self.checked, &feed).await?.is_err() {
            return Ok(());
        }
        // The workers load the functions, and have nothing else to do.
        drop(feed);
        let (names, waiting) = mpsc::channel(NAMES_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut tasks = JoinSet::new();
        for _ in 0..MOVERS.min(self.job.config.parallel) {
            let mover = Mover::connect(&self.job, &self.checked).await?;
            tasks.spawn(mover.run(Arc::clone(&waiting)));
        }
        drop(waiting);
        let lost = |error| source_error(&connector, "scanning", &error);
        let mut scanner = Scanner::connect(&connector, &self.job.config).await.map_err(lost)?;
        let dbs = self.checked.source_dbs(&self.job.config);
        let scanned = scanner.all(&dbs, &self.job.stop, |found| names.send(found)).await;
        drop(names);
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap_or_else(|panic| {
                Err(MigrateError::new(ErrorKind::Internal, "moving keys", panic))
            })?;
        }
        scanned.map_err(lost)
    }
}
