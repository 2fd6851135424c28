//! Climbs the ladder of strategies: the best one that the source allows, with the reason.

use std::sync::Arc;

use super::Job;
use crate::config::{Config, Strategy};
use crate::error::{ErrorKind, MigrateError};
use crate::preflight::Checked;
use crate::report::Event;
use crate::sources::{OpenError, SOURCES, Source, SourceDescriptor};

/// A source that is open, and why it is this one.
pub struct Chosen {
    /// The open source.
    pub source: Box<dyn Source>,
    /// Which way of reading it is.
    pub strategy: Strategy,
    /// Why this one.
    pub reason: String,
}

/// Opens the source by the first strategy that works.
///
/// # Errors
/// No strategy works, or the one that was asked for does not.
pub async fn choose(job: &Arc<Job>, checked: &Arc<Checked>) -> Result<Chosen, MigrateError> {
    let mut left = Vec::new();
    for descriptor in ladder(&job.config) {
        let strategy = descriptor.strategy;
        let reason = reason(&job.config, descriptor, &left);
        // Told before it is known to work: the source may take its time to answer.
        job.emit(Event::Strategy { strategy: strategy.name(), reason: reason.clone() });
        match (descriptor.open)(Arc::clone(job), Arc::clone(checked)).await {
            Ok(source) => return Ok(Chosen { source, strategy, reason }),
            Err(OpenError::Refused(why)) => {
                tracing::debug!(strategy = strategy.name(), why, "left a strategy");
                left.push((strategy, why));
            }
            Err(OpenError::Failed(error)) => return Err(error),
        }
    }
    Err(none_works(job, checked, &left))
}

/// The strategies to try, in order.
fn ladder(config: &Config) -> Vec<&'static SourceDescriptor> {
    let wanted = |descriptor: &&SourceDescriptor| match config.strategy {
        Strategy::Auto if config.only_differing => descriptor.compares,
        Strategy::Auto => true,
        strategy => descriptor.strategy == strategy,
    };
    let mut ladder: Vec<_> = SOURCES.iter().filter(wanted).collect();
    if is_selective(config) {
        ladder.sort_by_key(|descriptor| !descriptor.filters_at_server);
    }
    ladder
}

/// Whether only part of the keys is wanted, by a rule the server can apply.
fn is_selective(config: &Config) -> bool {
    config.filter.server_pattern().is_some() || config.types.len() == 1
}

fn reason(config: &Config, chosen: &SourceDescriptor, left: &[(Strategy, String)]) -> String {
    if config.strategy != Strategy::Auto {
        return format!("asked for with --strategy {}", chosen.strategy.name());
    }
    let left = left.iter().map(|(strategy, why)| format!("not {}: {why}; ", strategy.name()));
    let left: String = left.collect();
    if config.only_differing {
        return String::from("keys of both ends are compared, and those that differ are copied");
    }
    let selective = match chosen.filters_at_server && is_selective(config) {
        true => "only the keys that are wanted are read; ",
        false => "",
    };
    format!("{left}{selective}{}", chosen.reason)
}

fn none_works(job: &Job, checked: &Checked, left: &[(Strategy, String)]) -> MigrateError {
    let left = left.iter().map(|(strategy, why)| format!("{}: {why}", strategy.name()));
    let why = left.collect::<Vec<_>>().join("; ");
    let doing = format!("opening the source {}", checked.source.connector.address());
    let error = MigrateError::new(ErrorKind::Source, doing, why);
    match job.config.strategy {
        Strategy::Psync => error.with_hint("run the same command with --strategy scan"),
        _ => error.with_hint("allow our user the commands: ACL SETUSER … +scan +dump +pexpiretime"),
    }
}
