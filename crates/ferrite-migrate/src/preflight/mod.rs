//! The checks before a run. Nothing is written by them, and each that fails says what to do.

mod conflicts;
mod destination;
mod latency;
mod migrate;
mod permissions;
mod replica;
pub mod rivals;
mod server;
mod state;
mod topology;

use std::sync::Arc;

use ferrite_client::server::ServerInfo;
use ferrite_rdb::transcode::Target;

use crate::config::{Config, Endpoint, Strategy};
use crate::engine::{Ends, Job};
use crate::error::{ErrorKind, MigrateError};
use crate::report::PreflightReport;
use crate::sources::redis_scan::source_error;
use crate::targets::redis::Capabilities;

pub use destination::Destination;
pub use permissions::why_not_replicated;
pub use replica::why_not as why_no_replica;
pub use rivals::client;
pub use server::Server;
pub use state::reach_fix;

/// Two servers that were checked, with connections that stay open during the run, so that each
/// server shows who is at work.
#[derive(Debug)]
pub struct Checked {
    /// What the checks found.
    pub report: PreflightReport,
    /// The source.
    pub source: Server,
    /// The target.
    pub target: Server,
    /// Whether the source lets us read key by key.
    pub scannable: bool,
    /// The same, if the offset at which a key is read need not be known.
    pub readable: bool,
    /// Whether the source lets us list its keys and have it send them itself.
    pub migratable: bool,
    /// Whether the target lets us use `RESTORE`.
    pub restore: bool,
    /// Whether the target lets us use `SET`, `MSET` and `MSETNX`.
    pub set: bool,
}

impl Checked {
    /// Connects to both ends without any check: enough to compare them.
    ///
    /// # Errors
    /// An end that cannot be reached.
    pub async fn connect(job: &Job) -> Result<Self, MigrateError> {
        let endpoint = server(job)?;
        let source = Server::connect(job, endpoint).await.map_err(|error| {
            let doing = format!("connecting to the source {}", endpoint.address);
            MigrateError::new(ErrorKind::Source, doing, &error).with_hint(state::reach_fix(&error))
        })?;
        let target = Server::connect(job, &job.config.target).await.map_err(|error| {
            let doing = format!("connecting to the target {}", job.config.target.address);
            MigrateError::new(ErrorKind::Target, doing, &error).with_hint(state::reach_fix(&error))
        })?;
        let report = PreflightReport::default();
        Ok(Self::unchecked(report, source, target))
    }

    /// Two servers of which nothing is known to be refused.
    fn unchecked(report: PreflightReport, source: Server, target: Server) -> Self {
        let (scannable, readable, migratable, restore, set) = (true, true, false, true, true);
        Self { report, source, target, scannable, readable, migratable, restore, set }
    }

    /// Connects to both ends once more, in the other direction.
    ///
    /// # Errors
    /// An end that cannot be reached.
    pub async fn reversed(&self, job: &Job) -> Result<Self, MigrateError> {
        // Whether the old source lets us write is seen when it is written to.
        Self::connect(job).await
    }

    /// What the target can do and how it is to be used.
    #[must_use]
    pub fn capabilities(&self, config: &Config, may_repeat: bool) -> Capabilities {
        self.target.capabilities(config, (self.restore, self.set), may_repeat)
    }

    /// Both ends, for a copy.
    #[must_use]
    pub fn ends(&self) -> Ends<'_> {
        Ends { source: Some(&self.source.connector), target: &self.target }
    }

    /// Which values the target can hold, in which format.
    #[must_use]
    pub fn target_values(&self) -> Target {
        self.target.values()
    }

    /// The databases to read.
    #[must_use]
    pub fn source_dbs(&self, config: &Config) -> Vec<u32> {
        match config.source_db() {
            Some(only) => vec![only],
            None => self.source.dbs(),
        }
    }

    /// Databases that belong together, of the source and of the target.
    #[must_use]
    pub fn database_pairs(&self, config: &Config) -> Vec<(u32, u32)> {
        self.pairs_of(config, &self.target.info)
    }

    /// The same by what the target says of itself at another time.
    #[must_use]
    pub fn pairs_of(&self, config: &Config, target: &ServerInfo) -> Vec<(u32, u32)> {
        if let Some(only) = config.source_db() {
            return vec![(only, config.target_db().unwrap_or(only))];
        }
        target.keyspace.keys().map(|db| (*db, *db)).collect()
    }
}

/// Checks both ends.
///
/// # Errors
/// An end that breaks while it is being asked. A check that fails is a line of the report.
pub async fn check(job: &Arc<Job>) -> Result<Checked, MigrateError> {
    let is_replica = job.config.strategy == Strategy::Replica;
    if is_replica {
        replica::until_loaded(job).await;
    }
    let mut report = PreflightReport::default();
    let source = state::reach(job, server(job)?, "source", &mut report).await;
    let target = state::reach(job, &job.config.target, "target", &mut report).await;
    let (Some(source), Some(target)) = (source, target) else {
        return Err(MigrateError::blocked(report));
    };
    let mut checked = Checked::unchecked(report, source, target);
    state::check(&mut checked, is_replica);
    topology::check(job, &mut checked);
    if !checked.report.is_blocked() {
        match is_replica {
            true => replica::check(job, &mut checked).await?,
            false => permissions::check(job, &mut checked).await?,
        }
    }
    if !checked.report.is_blocked() && job.config.strategy == Strategy::Migrate {
        migrate::check(&job.config, &mut checked).await;
    }
    if !checked.report.is_blocked() {
        latency::check(job, &mut checked).await?;
        rivals::check(job, &mut checked.target, &mut checked.report).await;
        state::databases(job, &mut checked).await?;
        if !is_replica {
            conflicts::check(job, &mut checked).await?;
        }
    }
    Ok(checked)
}

/// Checks a source alone, where there is no target yet; what is found goes to `report`.
///
/// # Errors
/// A source that breaks while it is being asked.
pub async fn check_source(
    job: &Job,
    source: &mut Server,
    report: &mut PreflightReport,
) -> Result<(), MigrateError> {
    state::check_source(source, report);
    if source.cluster.is_some() {
        topology::end(&job.config, "source topology", source, report);
    }
    let refused = permissions::unreadable(job, source)
        .await
        .map_err(|error| source_error(&source.connector, "checking permissions", &error))?;
    match refused.into_iter().next() {
        None => report.ok("source permissions", "keys and expiries can be read"),
        Some((command, error)) => report.warn(
            "source permissions",
            format!("{command} is refused, so only replication can read it: {error}"),
            format!("ACL SETUSER <user> +{} on the source", command.to_lowercase()),
        ),
    }
    Ok(())
}

/// The source, where it has to be a server.
fn server(job: &Job) -> Result<&Endpoint, MigrateError> {
    job.config.source.server().ok_or_else(|| {
        let doing = format!("reading {}", job.config.source);
        MigrateError::new(ErrorKind::Config, doing, "it is no server that could be asked")
    })
}
