//! Compares two servers, key by key: type, value, expiry.
//!
//! ```text
//! SCAN of the source ──names──► comparers ──► equal | suspect ──second look──► difference
//! SCAN of the target ──names──► EXISTS on the source           (full verification only)
//! ```
//!
//! Payloads that are the same bytes are the same value. Otherwise both are decoded to a digest
//! that does not depend on encoding. A key that differs is looked at again before it is reported,
//! because either end may be in use.

mod compare;
mod end;
mod extra;
mod file;
mod sample;
mod value;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::preflight::Checked;
use crate::report::{Difference, DifferenceKind, Phase, VerificationReport};
use crate::scan::AllScanner;
use crate::sources::redis_scan::source_error;

pub use compare::Comparer;
pub use end::{End, Found, Verdict, judge, judge_expiry, tolerance_ms, written_tolerance_ms};
pub use file::{FileComparer, WrittenTo};
pub use value::{Measured, digest_payload, digest_value, options};

/// How many keys a verification compares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Coverage {
    /// All keys, in both directions.
    Full,
    /// This many keys of the source, chosen at random.
    Sample(u64),
    /// Each key of the source with this probability (0 to 1).
    Rate(f64),
}

/// Batches of names that wait for a comparer.
const NAMES_MAX: usize = 8;

/// Counts and names of one verification, shared by its comparers.
#[derive(Debug, Default)]
pub struct Findings(Mutex<VerificationReport>);

impl Findings {
    /// Changes the counts.
    pub fn count(&self, change: impl FnOnce(&mut VerificationReport)) {
        change(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    /// Records a difference.
    pub fn differs(&self, difference: Difference) {
        self.count(|report| {
            match difference.kind {
                DifferenceKind::MissingSource => report.missing_source += 1,
                DifferenceKind::MissingTarget => report.missing_target += 1,
                _ => report.mismatched += 1,
            }
            if report.differences.len() < VerificationReport::DIFFERENCES_MAX {
                report.differences.push(difference);
            }
        });
    }
}

/// Connects to both ends and compares them.
///
/// # Errors
/// An end that cannot be read.
pub async fn compare(
    job: &Arc<Job>,
    coverage: Coverage,
) -> Result<VerificationReport, MigrateError> {
    let checked = Checked::connect(job).await?;
    let compared = compare_checked(job, &checked, coverage).await;
    job.begin(Phase::Finished, 0);
    compared
}

/// Compares two servers that are connected.
///
/// # Errors
/// An end that cannot be read.
pub async fn compare_checked(
    job: &Arc<Job>,
    checked: &Checked,
    coverage: Coverage,
) -> Result<VerificationReport, MigrateError> {
    let keys_total = checked.source.keys_total(&job.config);
    job.begin(Phase::Verifying, keys_total);
    let began = Instant::now();
    let findings = Arc::new(Findings::default());
    if coverage != Coverage::Full {
        findings.count(|report| report.sampled_from = Some(keys_total));
    }
    compare_source(job, checked, coverage, &findings).await?;
    if coverage == Coverage::Full && !job.stop.is_stopped() {
        extra::find(job, checked, &findings).await?;
    }
    let mut report = VerificationReport::default();
    findings.count(|found| report = std::mem::take(found));
    report.elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    report.interrupted = job.stop.is_stopped();
    report.success = report.is_verified() && !report.interrupted;
    Ok(report)
}

/// Compares the keys of the source with the target's.
async fn compare_source(
    job: &Arc<Job>,
    checked: &Checked,
    coverage: Coverage,
    findings: &Arc<Findings>,
) -> Result<(), MigrateError> {
    let (names, waiting) = mpsc::channel(NAMES_MAX);
    let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
    let mut comparing = JoinSet::new();
    for _ in 0..job.config.parallel {
        let comparer = Comparer::connect(job, checked, Arc::clone(findings)).await?;
        comparing.spawn(comparer.run(Arc::clone(&waiting)));
    }
    drop(waiting);
    let connector = checked.source.connector.clone();
    let lost = |error| source_error(&connector, "scanning", &error);
    let scanner = AllScanner::new(&checked.source, &job.config);
    let dbs = checked.source_dbs(&job.config);
    let filter = &job.config.filter;
    let scanning = async {
        match coverage {
            Coverage::Full => {
                scanner.all(&dbs, &job.stop, |found| names.send(found)).await.map_err(lost)
            }
            Coverage::Rate(rate) => {
                let chosen = |found| names.send(sample::each(found, filter, rate));
                scanner.all(&dbs, &job.stop, chosen).await.map_err(lost)
            }
            Coverage::Sample(keys) => {
                let mut reservoir = sample::Reservoir::new(keys);
                let collect = |found| {
                    reservoir.add(&found, filter);
                    std::future::ready(Ok(()))
                };
                scanner.all(&dbs, &job.stop, collect).await.map_err(lost)?;
                for chosen in reservoir.into_names() {
                    if names.send(chosen).await.is_err() {
                        break;
                    }
                }
                Ok(())
            }
        }
    };
    let scanned = scanning.await;
    drop(names);
    while let Some(ended) = comparing.join_next().await {
        ended.unwrap_or_else(|panic| {
            Err(MigrateError::new(ErrorKind::Internal, "comparing keys", panic))
        })?;
    }
    scanned
}
