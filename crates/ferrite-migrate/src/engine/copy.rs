//! One run: choose a strategy, copy, verify, report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_client::Connector;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::choose::{Chosen, choose};
use super::throttle::Probes;
use super::{Budget, Job};
use crate::config::Strategy;
use crate::error::{ErrorKind, MigrateError};
use crate::live::delete_missing;
use crate::preflight::{Checked, Server};
use crate::report::{Phase, PreflightReport, Report, VerificationReport, key_text};
use crate::sources::{Feed, Source, redis_scan};
use crate::targets::redis::{Capabilities, work};
use crate::targets::redis_cluster::{self, ClusterTarget};
use crate::verify::{Coverage, compare_checked};

/// Batches that wait for a free worker, for each worker.
const WAITING_PER_WORKER: usize = 2;
/// How often a key is written again whose node is lost, and the pause before.
const WRITE_AGAIN_MAX: usize = 50;
const BEFORE_WRITE_AGAIN: Duration = Duration::from_millis(500);
/// How long the other workers may finish what they have begun after one has failed.
const FINISH_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Runs a checked job to its end.
///
/// # Errors
/// Why it could not go on, with the number of keys that are complete on the target.
pub async fn run(job: Arc<Job>, checked: Checked) -> Result<Report, MigrateError> {
    let result = run_checked(&job, Arc::new(checked)).await;
    job.begin(Phase::Finished, 0);
    result.map_err(|mut error| {
        error.keys_copied = job.tally(|tally| tally.keys.copied);
        error
    })
}

async fn run_checked(job: &Arc<Job>, checked: Arc<Checked>) -> Result<Report, MigrateError> {
    let keys_total = checked.source.keys_total(&job.config);
    job.begin(Phase::Attaching, keys_total);
    let chosen = tokio::select! {
        chosen = choose(job, &checked) => chosen?,
        () = job.stop.stopped() => return Ok(stopped_early(job, &checked)),
    };
    let Chosen { source, strategy, reason } = chosen;
    if job.config.delete_missing && keys_total == 0 {
        return Err(nothing_there(&checked));
    }
    let capabilities = checked.capabilities(&job.config, strategy == Strategy::Scan);
    job.begin(Phase::Copying, keys_total);
    let began = Instant::now();
    copy_whole(job, &checked, &capabilities, source).await?;
    if job.config.delete_missing && !job.stop.is_stopped() {
        delete_missing(job, &checked).await?;
    }
    let copy_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let verification = verify(job, &checked).await?;
    Ok(report(job, &checked.report, strategy.name(), reason, copy_ms, verification))
}

/// Copies all that a source gives, also what a node did not take that was lost meanwhile.
///
/// # Errors
/// Why it could not go on.
pub async fn copy_whole(
    job: &Arc<Job>,
    checked: &Arc<Checked>,
    capabilities: &Capabilities,
    source: Box<dyn Source>,
) -> Result<(), MigrateError> {
    let nodes = target_nodes(checked);
    copy(job, checked.ends(), capabilities.clone(), source).await?;
    write_again(job, checked, capabilities).await?;
    tell_lost_nodes(job, checked, &nodes).await;
    Ok(())
}

/// A source without keys is more often the wrong one than one that is meant to empty the target.
fn nothing_there(checked: &Checked) -> MigrateError {
    let doing = format!("reading the source {}", checked.source.connector.address());
    MigrateError::new(ErrorKind::Config, doing, "it has no keys, so all of the target would go")
        .with_hint("see that the address is right; FLUSHALL on the target empties it")
}

/// The report of a run that was stopped before a strategy was chosen.
fn stopped_early(job: &Job, checked: &Checked) -> Report {
    let reason = String::from("stopped before the source began to send");
    report(job, &checked.report, job.config.strategy.name(), reason, 0, None)
}

async fn verify(
    job: &Arc<Job>,
    checked: &Checked,
) -> Result<Option<VerificationReport>, MigrateError> {
    if !job.config.verify || job.config.dry_run || job.stop.is_stopped() {
        return Ok(None);
    }
    compare_checked(job, checked, Coverage::Full).await.map(Some)
}

/// Both ends of a copy; the source where it is a server.
#[derive(Clone, Copy, Debug)]
pub struct Ends<'a> {
    /// Makes connections to the source.
    pub source: Option<&'a Connector>,
    /// The target.
    pub target: &'a Server,
}

/// The primaries of a target that is a cluster, by their ids.
fn target_nodes(checked: &Checked) -> Vec<String> {
    let Some(cluster) = &checked.target.cluster else { return Vec::new() };
    cluster.map().shards().iter().map(|shard| shard.id.clone()).collect()
}

/// Says which nodes of the target were replaced: replication is asynchronous, so a node that dies
/// may have acknowledged keys its replica does not have.
async fn tell_lost_nodes(job: &Job, checked: &Checked, before: &[String]) {
    let Some(cluster) = &checked.target.cluster else { return };
    // A node that was lost unnoticed is not known to be gone before somebody asks.
    let _ = cluster.refresh(&cluster.map()).await;
    let after = target_nodes(checked);
    let lost = before.iter().filter(|id| !after.contains(id)).count();
    if lost > 0 {
        job.warn(format!(
            "{lost} primaries of the target were replaced while the copy ran; keys they had \
             acknowledged last may be lost: compare with `ferrite-migrate verify`, repair with \
             `ferrite-migrate sync`"
        ));
    }
}

/// Reads and writes again what could not be written to its end, because its node was lost.
///
/// # Errors
/// A key that cannot be written after all.
pub async fn write_again(
    job: &Arc<Job>,
    checked: &Arc<Checked>,
    capabilities: &Capabilities,
) -> Result<(), MigrateError> {
    let mut keys = job.take_unwritten();
    for round in 0..WRITE_AGAIN_MAX {
        if keys.is_empty() || job.stop.is_stopped() {
            return Ok(());
        }
        tracing::debug!(keys = keys.len(), round, "reading again what was not written");
        let source = redis_scan::keys(job, checked, keys);
        copy(job, checked.ends(), capabilities.clone(), source).await?;
        keys = job.take_unwritten();
        if !keys.is_empty() {
            tokio::time::sleep(BEFORE_WRITE_AGAIN).await;
        }
    }
    let named = keys.first().map(|(_, key)| key_text(key)).unwrap_or_default();
    let doing = format!("writing key \"{named}\" to the target");
    let cause = format!("its node was lost, or its slot moved, {WRITE_AGAIN_MAX} times");
    Err(MigrateError::new(ErrorKind::Target, doing, cause).with_hint(
        "wait until the cluster is at rest, then run the same command with --on-conflict replace",
    ))
}

/// Runs source and workers until all is written or one of them fails.
///
/// # Errors
/// The first failure of one of them.
pub async fn copy(
    job: &Arc<Job>,
    ends: Ends<'_>,
    capabilities: Capabilities,
    source: Box<dyn Source>,
) -> Result<(), MigrateError> {
    let workers = job.config.parallel;
    let (items_in, items) = mpsc::channel(workers * WAITING_PER_WORKER);
    let items = Arc::new(Mutex::new(items));
    let budget = Budget::new(job.config.in_flight_limit());
    let can = capabilities.values.has_field_expiry();
    let feed = Feed::new(Arc::clone(job), items_in, budget).with_field_expiry(can);
    let _probes = Probes::start(job, ends.source, &ends.target.connector);

    let mut writing = JoinSet::new();
    for _ in 0..workers {
        // A copy that begins anew ends what is left of the one before by that name.
        let name = job.copier_name();
        let connector = ends.target.connector.clone().client_name(name);
        let (job, capabilities) = (Arc::clone(job), capabilities.clone());
        let items = Arc::clone(&items);
        match &ends.target.cluster {
            None => writing.spawn(work(job, connector, capabilities, items)),
            Some(cluster) => {
                let expiretime = ends.target.has_expiretime();
                let cluster = Arc::clone(cluster);
                let target = ClusterTarget { cluster, connector, expiretime };
                writing.spawn(redis_cluster::work(job, target, capabilities, items))
            }
        };
    }
    // Only the workers hold the receiving end: when the last one is gone, the source is told.
    drop(items);
    let mut reading = tokio::spawn(source.read(feed));

    let mut read = None;
    let mut failed = None;
    while read.is_none() || !writing.is_empty() {
        tokio::select! {
            Some(ended) = writing.join_next() => {
                let ended = ended.unwrap_or_else(|panic| Err(internal("writing keys", &panic)));
                if let Err(error) = ended {
                    failed = Some(error);
                    break;
                }
            }
            ended = &mut reading, if read.is_none() => {
                read = Some(ended.unwrap_or_else(|panic| Err(internal("reading keys", &panic))));
            }
        }
    }
    if let Some(error) = failed {
        reading.abort();
        finish(writing).await;
        return Err(error);
    }
    read.unwrap_or(Ok(()))
}

/// Lets the workers end: the source is gone, so they stop after what they have.
async fn finish(mut writing: JoinSet<Result<(), MigrateError>>) {
    let all = async { while writing.join_next().await.is_some() {} };
    // Whoever does not come to an end in time is cut off with the set.
    let _ = tokio::time::timeout(FINISH_AFTER_FAILURE, all).await;
}

fn internal(doing: &str, panic: &tokio::task::JoinError) -> MigrateError {
    MigrateError::new(ErrorKind::Internal, doing, panic)
}

/// What has been done so far, as a report.
pub fn report(
    job: &Job,
    preflight: &PreflightReport,
    strategy: &'static str,
    strategy_reason: String,
    copy_ms: u64,
    verification: Option<VerificationReport>,
) -> Report {
    let interrupted = job.stop.is_stopped();
    job.tally(|tally| Report {
        id: job.id.clone(),
        mode: job.config.mode.name(),
        strategy,
        strategy_reason,
        dry_run: job.config.dry_run,
        interrupted,
        preflight: preflight.clone(),
        keys: tally.keys,
        bytes: tally.bytes,
        functions: tally.functions,
        types: tally.types(),
        skipped: tally.skipped(),
        warnings: tally.warnings(),
        copy_ms,
        throttled: job.gate.throttled(),
        verification,
        live: None,
        replayed: None,
        shared: None,
        rounds: None,
    })
}
