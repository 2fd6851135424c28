//! Whether both ends answer within the limits the copy is to keep, before it begins.

use std::time::Duration;

use ferrite_client::{ClientError, Connection};

use super::{Checked, Server};
use crate::engine::throttle::{Reason, ping};
use crate::engine::{Job, RATE_MIN};
use crate::error::MigrateError;
use crate::report::PreflightReport;
use crate::sources::redis_scan::source_error;
use crate::targets::redis::target_error;

/// How often an end is asked; the median counts.
const ATTEMPTS: usize = 5;

/// Asks the ends whose answers are limited.
///
/// # Errors
/// An end that breaks while it is being asked.
pub async fn check(job: &Job, checked: &mut Checked) -> Result<(), MigrateError> {
    let Checked { report, source, target, .. } = checked;
    one(job, Reason::Source, source, report).await?;
    one(job, Reason::Target, target, report).await
}

/// Asks one end, if its answers are limited.
///
/// # Errors
/// As [`check`].
pub async fn one(
    job: &Job,
    reason: Reason,
    server: &mut Server,
    report: &mut PreflightReport,
) -> Result<(), MigrateError> {
    let doing = "measuring how long it takes to answer";
    if let Some(limit) = job.config.limits.latency(reason) {
        let latency = median(&mut server.control).await.map_err(|error| match reason {
            Reason::Target => target_error(doing, &server.connector, &error),
            _ => source_error(&server.connector, doing, &error),
        })?;
        let name = if reason == Reason::Target { "target latency" } else { "source latency" };
        let milliseconds = latency.as_secs_f64() * 1000.0;
        let (limit_ms, option) = (limit.as_millis(), reason.option());
        let end = reason.name();
        if latency > limit {
            report.warn(
                name,
                format!(
                    "the {end} answers in {milliseconds:.1} ms before anything is copied: with \
                     {option} {limit_ms}ms the copy stays at {} KiB/s",
                    RATE_MIN >> 10
                ),
                format!("{option} {}ms or more", latency.as_millis() + limit_ms.max(1)),
            );
        } else {
            report.ok(name, format!("the {end} answers in {milliseconds:.1} ms"));
        }
    }
    Ok(())
}

async fn median(connection: &mut Connection) -> Result<Duration, ClientError> {
    let mut answers = Vec::with_capacity(ATTEMPTS);
    for _ in 0..ATTEMPTS {
        answers.push(ping(connection).await?);
    }
    answers.sort_unstable();
    Ok(answers.get(ATTEMPTS / 2).copied().unwrap_or_default())
}
