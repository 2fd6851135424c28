//! A source, and a target where one is given, before a migration.
//!
//! ```text
//! INFO, checks ──► sample: SCAN, then TYPE, MEMORY USAGE, expiry of each key    (about a second)
//!              ──► speed: SCAN, then DUMP of each key, over more and more connections
//!              ──► ladder: which ways of reading there are, and why not the others
//! ```
//!
//! Nothing is written. The load is bounded: one connection asks for the sample, a hundred keys at a
//! time; the speed is measured for a second with each number of connections; values above
//! [`LARGE`] are not read; and where the source answers late, both wait. Memory does not grow with
//! the source.

mod advice;
mod describe;
mod ladder;
mod speed;

use std::sync::Arc;
use std::time::Duration;

use ferrite_client::Connector;
use serde::Serialize;
use tokio::sync::mpsc;

use super::{Analysis, PatternCount, TypeShare};
use crate::config::{Config, Origin};
use crate::engine::throttle::{Reason, ping};
use crate::engine::{Job, now_ms};
use crate::error::{ErrorKind, MigrateError};
use crate::inputs::{Described, Input};
use crate::preflight::{Destination, Server, check, check_source, reach_fix};
use crate::report::PreflightReport;

pub use ladder::Rung;
pub use speed::Speed;

/// Values above this many bytes are not read: to write one out as `DUMP` does takes the source as
/// much memory again.
pub const LARGE: u64 = 16 << 20;
/// Pause while the source answers later than it may.
const LATE_PAUSE: Duration = Duration::from_millis(100);
/// Such pauses in a row after which the work goes on all the same, slowly.
const LATE_PAUSES_MAX: u32 = 5;

/// How a source is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whether the configuration's target is looked at too; else it stands for none.
    pub target: bool,
    /// So many patterns and biggest keys are kept.
    pub top: usize,
}

/// What a source is, what is on it, and how it could be moved.
#[derive(Clone, Debug, Serialize)]
pub struct SourceAnalysis {
    /// Its address, without a password.
    pub source: String,
    /// What it is, as in `Redis 7.0.15`.
    pub server: String,
    /// The target's address, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What the target is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_server: Option<String>,
    /// All keys.
    pub keys_total: u64,
    /// Memory the source uses, in bytes, as it says.
    pub used_memory: Option<u64>,
    /// Keys that were looked at; the counts of `analysis` are theirs, made up to all keys.
    pub sampled: u64,
    /// Whether sizes are what `MEMORY USAGE` tells; else it is refused, and they are names alone.
    pub memory_told: bool,
    /// By type, pattern, expiry; the biggest keys are the biggest of those looked at.
    pub analysis: Analysis,
    /// What was checked.
    pub preflight: PreflightReport,
    /// Ways to move it, best first.
    pub ladder: Vec<Rung>,
    /// How fast keys were read.
    pub speed: Option<Speed>,
    /// Bytes a second that the source's writes took in its replication stream meanwhile.
    pub write_bytes_s: Option<u64>,
    /// What to do, in sentences.
    pub recommendations: Vec<String>,
}

/// Looks at a source.
///
/// # Errors
/// A source that cannot be reached, or is lost. A check that fails is a line of the report.
pub async fn analyze_source(config: Config, look: Look) -> Result<SourceAnalysis, MigrateError> {
    let (events, _) = mpsc::unbounded_channel();
    let job = Arc::new(Job::new(config, events));
    let endpoint = match &job.config.source {
        Origin::Server(endpoint) => endpoint,
        Origin::Input(input) => return analyze_input(&job, input, look).await,
    };
    let source = Server::connect(&job, endpoint).await;
    let mut source = source.map_err(|error| {
        let doing = format!("connecting to the source {}", endpoint.address);
        MigrateError::new(ErrorKind::Source, doing, &error).with_hint(reach_fix(&error))
    })?;
    let (preflight, mut target) = checks(&job, &mut source, look).await?;
    let primaries = source.primaries().await;
    let mut primaries = primaries.map_err(|error| lost(&source, &error))?;
    let (count, mut nodes) = (primaries.len(), primaries.iter_mut().collect::<Vec<_>>());
    if nodes.is_empty() {
        nodes.push(&mut source);
    }
    let written = Written::begin(&mut nodes).await;
    let sample = describe::sample(&job, &mut nodes, look.top).await?;
    let speed = speed::measure(&job, &mut nodes, count > 0).await?;
    let write_bytes_s = written.end(&mut nodes).await;
    let keys_total = source.keys_total(&job.config);
    let ladder = ladder::climb(&mut source, target.as_ref()).await;
    let mut found = SourceAnalysis {
        source: endpoint.address.to_string(),
        server: match count {
            0 => source.describe(),
            count => format!("{}, a cluster of {count} primaries", source.describe()),
        },
        target: look.target.then(|| job.config.target.address.to_string()),
        target_server: target.as_ref().map(Server::describe),
        keys_total,
        used_memory: source.info.used_memory,
        sampled: sample.analysis.keys,
        memory_told: sample.memory_told,
        analysis: made_up(sample.analysis, keys_total),
        preflight,
        ladder,
        speed,
        write_bytes_s,
        recommendations: Vec::new(),
    };
    advice::besides(&mut source, &mut found.preflight).await;
    if let Some(target) = &mut target {
        advice::commands(&mut source, target, &mut found.preflight).await;
    }
    advice::backlog(&mut source, write_bytes_s, &mut found.preflight).await;
    found.recommendations = advice::recommend(&found, &job.config);
    Ok(found)
}

/// Looks at a source that is no server of the family.
async fn analyze_input(
    job: &Arc<Job>,
    input: &Input,
    look: Look,
) -> Result<SourceAnalysis, MigrateError> {
    let mut preflight = PreflightReport::default();
    let described = input.kind().describe(&mut preflight, look.top).await?;
    let Some(Described { server, keys_total, used_memory, analysis, ladder }) = described else {
        let doing = format!("looking at {input}");
        let error = MigrateError::new(ErrorKind::Config, doing, "it is no server of the family");
        return Err(
            error.with_hint("`migrate --dry-run` reads it, counts its keys, writes nothing")
        );
    };
    let target = match look.target {
        true => Destination::check(job, &mut preflight).await?,
        false => None,
    };
    let mut found = SourceAnalysis {
        source: input.to_string(),
        server,
        target: look.target.then(|| job.config.target.address.to_string()),
        target_server: target.map(|target| target.target.describe()),
        keys_total,
        used_memory,
        sampled: analysis.keys,
        memory_told: true,
        analysis: made_up(analysis, keys_total),
        preflight,
        ladder,
        speed: None,
        write_bytes_s: None,
        recommendations: Vec::new(),
    };
    found.recommendations = advice::recommend(&found, &job.config);
    Ok(found)
}

/// Makes the checks that come before a run: of both ends, or of the source alone. What was found,
/// and the target where it could be reached.
async fn checks(
    job: &Arc<Job>,
    source: &mut Server,
    look: Look,
) -> Result<(PreflightReport, Option<Server>), MigrateError> {
    if look.target {
        return match check(job).await {
            Ok(checked) => Ok((checked.report, Some(checked.target))),
            Err(error) => match error.preflight {
                Some(report) => Ok((report, None)),
                None => Err(error),
            },
        };
    }
    let mut report = PreflightReport::default();
    check_source(job, source, &mut report).await?;
    Ok((report, None))
}

/// Waits while the source answers later than it may.
///
/// # Errors
/// The loss of the source.
async fn hold_back(job: &Job, source: &mut Server) -> Result<(), MigrateError> {
    let Some(limit) = job.config.limits.latency(Reason::Source) else { return Ok(()) };
    for _ in 0..LATE_PAUSES_MAX {
        let took = ping(&mut source.control).await.map_err(|error| lost(source, &error))?;
        if took <= limit {
            break;
        }
        tokio::time::sleep(LATE_PAUSE).await;
    }
    Ok(())
}

fn lost(source: &Server, error: &ferrite_client::ClientError) -> MigrateError {
    lost_at(&source.connector, error)
}

fn lost_at(source: &Connector, error: &ferrite_client::ClientError) -> MigrateError {
    let doing = format!("looking at the source {}", source.address());
    MigrateError::new(ErrorKind::Source, doing, error).passing(error.is_transient())
}

/// The counts of a sample, made up to all keys.
fn made_up(mut sample: Analysis, keys_total: u64) -> Analysis {
    let sampled = sample.keys;
    let up = |count: u64| {
        let whole = u128::from(count) * u128::from(keys_total) / u128::from(sampled.max(1));
        u64::try_from(whole).unwrap_or(u64::MAX)
    };
    if sampled >= keys_total {
        return sample;
    }
    sample.keys = keys_total;
    sample.bytes = up(sample.bytes);
    for database in &mut sample.databases {
        (database.keys, database.bytes) = (up(database.keys), up(database.bytes));
    }
    for TypeShare { keys, bytes, elements, encodings, .. } in &mut sample.types {
        (*keys, *bytes, *elements) = (up(*keys), up(*bytes), up(*elements));
        encodings.values_mut().for_each(|keys| *keys = up(*keys));
    }
    for PatternCount { keys, keys_at_most, bytes, .. } in &mut sample.patterns {
        (*keys, *keys_at_most, *bytes) = (up(*keys), up(*keys_at_most), up(*bytes));
    }
    sample.expiries.iter_mut().for_each(|bucket| bucket.keys = up(bucket.keys));
    sample
}

/// How much servers wrote into their replication streams.
struct Written {
    offsets: Vec<Option<u64>>,
    began_ms: u64,
}

impl Written {
    async fn begin(servers: &mut [&mut Server]) -> Self {
        let mut offsets = Vec::with_capacity(servers.len());
        for server in servers {
            offsets.push(offset(server).await);
        }
        Self { offsets, began_ms: now_ms() }
    }

    /// Bytes a second since it began, of all together; `None` where one does not tell.
    async fn end(&self, servers: &mut [&mut Server]) -> Option<u64> {
        let mut bytes = 0_u64;
        for (server, before) in servers.iter_mut().zip(&self.offsets) {
            bytes = bytes.saturating_add(offset(server).await?.checked_sub((*before)?)?);
        }
        let passed_ms = now_ms().saturating_sub(self.began_ms).max(1);
        Some(bytes.saturating_mul(1000) / passed_ms)
    }
}

async fn offset(source: &mut Server) -> Option<u64> {
    let told = source.control.call(&["INFO", "replication"]).await.ok()?;
    let told = ferrite_client::server::Info::parse(told.as_bytes()?);
    // Without a replica there ever was, no stream is written.
    let writes = told.number("repl_backlog_active") == Some(1);
    told.number("master_repl_offset").filter(|_| writes)
}
