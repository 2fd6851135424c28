//! One run whose source is no server: check, read it once, write, report.

use std::sync::Arc;
use std::time::Instant;

use super::Job;
use super::copy::{Ends, copy, report};
use super::served::{Served, serve};
use crate::config::{FileStrategy, Origin, why_not_loaded};
use crate::error::{ErrorKind, MigrateError};
use crate::inputs::{Input, Opened};
use crate::live::HOLD_MS;
use crate::preflight::Destination;
use crate::report::{Phase, PreflightReport, Report, VerificationReport, key_text};
use crate::verify::{End, WrittenTo, written_tolerance_ms};

/// An input that is open and a target that was checked.
#[derive(Debug)]
pub struct Import {
    /// What the checks found.
    pub report: PreflightReport,
    /// What is read, and where it goes; nothing where a check has failed.
    pub(super) ready: Option<(Opened, Destination)>,
    pub(super) input: Input,
}

impl Import {
    /// Opens the input and checks the target.
    ///
    /// # Errors
    /// An end that cannot be used at all. A check that fails is a line of the report.
    pub async fn check(job: &Arc<Job>) -> Result<Self, MigrateError> {
        let Origin::Input(input) = &job.config.source else {
            let doing = format!("opening the source {}", job.config.source);
            return Err(MigrateError::new(ErrorKind::Internal, doing, "it is a server"));
        };
        let mut report = PreflightReport::default();
        let kind = input.kind();
        let mut opened = kind.open(Arc::clone(job), &mut report).await?;
        let target = Destination::check(job, &mut report).await?;
        if let (Some(then), Some(target), false) = (&mut opened.then, &target, report.is_blocked())
        {
            then.check(job, target).await?;
        }
        Ok(Self { report, ready: target.map(|target| (opened, target)), input: input.clone() })
    }
}

/// Runs a checked import to its end.
///
/// # Errors
/// Why it could not go on, with the number of keys that are complete on the target.
pub async fn import(job: Arc<Job>, import: Import) -> Result<Report, MigrateError> {
    let Import { report: preflight, ready: Some((mut opened, mut target)), input } = import else {
        return Err(MigrateError::blocked(import.report));
    };
    let kind = input.kind();
    tracing::debug!(kind = kind.name(), "reading an input");
    let began = Instant::now();
    let left = match hand_over(&job, opened.then.is_some(), &mut target).await? {
        Served::Left(why) => {
            job.begin(Phase::Copying, opened.keys_total);
            Some(why)
        }
        Served::Loaded => None,
    };
    let ends = Ends { source: None, target: &target.target };
    let mut capabilities = target.capabilities(&job.config, kind.may_repeat());
    if opened.then.is_some() {
        // Commands may renew what is due by now.
        capabilities = capabilities.holding_fields(HOLD_MS);
    }
    let imported = async {
        if let (Some(then), false) = (&mut opened.then, job.config.dry_run) {
            then.begin(&job, &target).await?;
        }
        if left.is_some() && !job.stop.is_stopped() {
            copy(&job, ends, capabilities, opened.source).await?;
        }
        all_written(&job)?;
        let replayed = match &mut opened.then {
            Some(then) => Some(then.finish(&job, &target).await?),
            None => None,
        };
        let copy_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok((replayed, copy_ms, verify(&job, &target).await?))
    };
    let imported = imported.await;
    job.begin(Phase::Finished, 0);
    let (replayed, copy_ms, verified) = imported.map_err(|mut error: MigrateError| {
        error.keys_copied = job.tally(|tally| tally.keys.copied);
        error
    })?;
    let reason = match left {
        None => String::from("the target loaded the file itself, as a replica of this process"),
        Some(why)
            if kind.whole_rdb().is_some()
                && job.config.file_strategy != FileStrategy::Commands
                && !job.stop.is_stopped() =>
        {
            format!("written by commands, because {why}; {}", kind.reason())
        }
        Some(_) => kind.reason().to_owned(),
    };
    let report = report(&job, &preflight, kind.name(), reason, copy_ms, verified);
    Ok(Report { replayed, ..report })
}

/// Has the target load a file itself, where that can be done.
async fn hand_over(
    job: &Arc<Job>,
    is_followed: bool,
    target: &mut Destination,
) -> Result<Served, MigrateError> {
    let file = job.config.source.input().and_then(|input| input.kind().whole_rdb());
    let served = match (why_not_loaded(&job.config), file) {
        (None, Some(_)) if is_followed => Served::Left(String::from("it is an append-only file")),
        (None, Some(path)) => serve(job, &mut target.target, path).await?,
        (why, _) => Served::Left(why.unwrap_or("it is no file").to_owned()),
    };
    match served {
        Served::Left(why)
            if job.config.file_strategy == FileStrategy::Replica && !job.stop.is_stopped() =>
        {
            let doing = format!("having {} loaded by the target", job.config.source);
            Err(MigrateError::new(ErrorKind::Target, doing, why)
                .with_hint("--strategy auto writes the keys by commands where it has to"))
        }
        served => Ok(served),
    }
}

/// What a node that was lost did not take cannot be read once more from here.
///
/// # Errors
/// There is something.
pub(super) fn all_written(job: &Job) -> Result<(), MigrateError> {
    let unwritten = job.take_unwritten();
    let Some((_, key)) = unwritten.first() else { return Ok(()) };
    let doing = format!("writing key \"{}\" to the target", key_text(key));
    let count = unwritten.len();
    let cause = format!("its node was lost, or its slot moved; {count} keys in all");
    Err(MigrateError::new(ErrorKind::Target, doing, cause).with_hint(
        "wait until the cluster is at rest, then run the same command with --on-conflict replace",
    ))
}

/// Reads the input again and compares it with the target, where that was asked for.
async fn verify(
    job: &Arc<Job>,
    target: &Destination,
) -> Result<Option<VerificationReport>, MigrateError> {
    let Origin::Input(input) = &job.config.source else { return Ok(None) };
    if !job.config.verify || job.config.dry_run || job.stop.is_stopped() {
        return Ok(None);
    }
    let target = &target.target;
    let written_to = WrittenTo {
        end: End::written_to(job, target).await?,
        values: target.values(),
        tolerance_ms: written_tolerance_ms(target),
    };
    input.kind().compare(Arc::clone(job), written_to).await
}
