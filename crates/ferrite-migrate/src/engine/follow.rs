//! A source that is no server and is followed: copied once, then looked at again and again, until
//! the operator stops it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_client::Value;
use tokio::sync::mpsc;

use super::copy::{Ends, copy, report};
use super::import::{Import, all_written};
use super::{Job, now_ms};
use crate::cluster::Asker;
use crate::config::OnConflict;
use crate::error::{ErrorKind, MigrateError};
use crate::inputs::Rounds;
use crate::jobs::JobRounds;
use crate::preflight::Destination;
use crate::report::{Event, Phase, Report};
use crate::scan::{AllScanner, Names};
use crate::targets::redis::{Capabilities, target_error};

/// The shortest pause between two rounds.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// How many times as long as a round took the pause behind it is.
const PAUSE_FACTOR: u32 = 3;
/// The pause after a round that lost an end.
const PAUSE_AFTER_LOSS: Duration = Duration::from_secs(1);

const DELETING: &str = "deleting what the source does not have";

/// Runs a checked import, and rounds after it, until the operator stops it.
///
/// # Errors
/// Why it could not go on, with the number of keys that were copied.
pub async fn follow(job: Arc<Job>, import: Import) -> Result<Report, MigrateError> {
    let followed = run(&job, import).await;
    job.begin(Phase::Finished, 0);
    followed.map_err(|mut error| {
        error.keys_copied = job.tally(|tally| tally.keys.copied);
        error
    })
}

async fn run(job: &Arc<Job>, import: Import) -> Result<Report, MigrateError> {
    let Import { report: preflight, ready: Some((opened, target)), input } = import else {
        return Err(MigrateError::blocked(import.report));
    };
    let kind = input.kind();
    let Some(mut rounds) = kind.rounds(Arc::clone(job)) else {
        let doing = format!("following {input}");
        return Err(MigrateError::new(ErrorKind::Internal, doing, "it cannot be followed"));
    };
    let deletes = target.target.info.keys() == 0;
    if !deletes {
        job.warn("the target had keys before: what the source deletes stays there");
    }
    let began = Instant::now();
    // Looked at before the first key is read: what changes from here on is in a later round.
    rounds.look().await?;
    job.begin(Phase::Copying, opened.keys_total);
    let mut capabilities = target.capabilities(&job.config, kind.may_repeat());
    let ends = Ends { source: None, target: &target.target };
    copy(job, ends, capabilities.clone(), opened.source).await?;
    all_written(job)?;
    let copy_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    capabilities.on_conflict = OnConflict::Replace;
    let mut follower = Follower { job, target: &target, rounds, capabilities, deletes };
    let told = follower.rounds().await?;
    let reason = kind.reason().to_owned();
    let report = report(job, &preflight, kind.name(), reason, copy_ms, None);
    Ok(Report { rounds: Some(told), ..report })
}

struct Follower<'a> {
    job: &'a Arc<Job>,
    target: &'a Destination,
    rounds: Box<dyn Rounds>,
    capabilities: Capabilities,
    /// Whether keys that the source does not have are ours to delete.
    deletes: bool,
}

impl Follower<'_> {
    /// Makes rounds until the operator stops it.
    async fn rounds(&mut self) -> Result<JobRounds, MigrateError> {
        let mut told = JobRounds::default();
        let mut pause = self.pause(Duration::ZERO);
        let mut is_lost = false;
        loop {
            tokio::select! {
                () = self.job.stop.stopped() => return Ok(told),
                () = tokio::time::sleep(pause) => {}
            }
            let (began, began_at_ms) = (Instant::now(), now_ms());
            match self.round().await {
                Ok(Some((keys, differing, deleted))) => {
                    if std::mem::take(&mut is_lost) {
                        self.job.emit(Event::Trouble { side: "source", reason: None });
                    }
                    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                    let complete = told.complete + 1;
                    told = JobRounds {
                        complete,
                        keys,
                        differing,
                        deleted,
                        took_ms,
                        began_at_ms,
                        hinted: 0,
                    };
                    tracing::debug!(?told, "a round is through");
                    pause = self.pause(began.elapsed());
                }
                Ok(None) => return Ok(told),
                Err(error) if error.may_pass => {
                    if !std::mem::replace(&mut is_lost, true) {
                        let side = match error.kind {
                            ErrorKind::Target => "target",
                            _ => "source",
                        };
                        self.job.emit(Event::Trouble { side, reason: Some(error.to_string()) });
                    }
                    pause = PAUSE_AFTER_LOSS;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn pause(&self, took: Duration) -> Duration {
        self.job.config.every.unwrap_or_else(|| (took * PAUSE_FACTOR).max(PAUSE_MIN))
    }

    /// Keys of the source, those that were copied, those that were deleted; nothing if it was
    /// stopped before it was complete.
    async fn round(&mut self) -> Result<Option<(u64, u64, u64)>, MigrateError> {
        let counts = || self.job.tally(|tally| (tally.keys.copied, tally.keys.deleted));
        let before = counts();
        let look = self.rounds.look().await?;
        self.job.begin(Phase::Live, look.keys);
        if look.changed {
            let ends = Ends { source: None, target: &self.target.target };
            copy(self.job, ends, self.capabilities.clone(), self.rounds.changed()).await?;
            all_written(self.job)?;
            if self.deletes && !self.job.stop.is_stopped() {
                self.delete_gone().await?;
            }
        }
        if self.job.stop.is_stopped() {
            return Ok(None);
        }
        self.rounds.done();
        let after = counts();
        Ok(Some((look.keys, after.0.saturating_sub(before.0), after.1.saturating_sub(before.1))))
    }

    /// Deletes keys of the target that take part and that the source does not have any more.
    async fn delete_gone(&mut self) -> Result<(), MigrateError> {
        let (job, server) = (self.job, &self.target.target);
        let lost = |error| target_error(DELETING, &server.connector, &error);
        let db = job.config.target_db().unwrap_or(0);
        let scanner = AllScanner::new(server, &job.config);
        let mut theirs = Asker::connect(server).await.map_err(lost)?;
        let (names, mut waiting) = mpsc::channel::<Names>(1);
        let dbs = [db];
        let scanning = async {
            let scanned = scanner.all(&dbs, &job.stop, |found| names.send(found)).await;
            drop(names);
            scanned.map_err(lost)
        };
        let rounds = &mut self.rounds;
        let deleting = async {
            while let Some(names) = waiting.recv().await {
                let keys: Vec<&[u8]> =
                    names.iter().filter(|key| job.config.filter.accepts(key)).collect();
                let there = rounds.exist(&keys).await?;
                let gone = keys.iter().zip(there).filter(|(_, is_there)| !is_there);
                let gone: Vec<&[u8]> = gone.map(|(key, _)| *key).collect();
                let done = theirs.each(db, b"DEL", &gone).await.map_err(lost)?;
                let deleted = done.iter().filter(|reply| **reply == Value::Integer(1)).count();
                job.tally(|tally| tally.keys.deleted += deleted as u64);
            }
            Ok::<_, MigrateError>(())
        };
        let (scanned, deleted) = tokio::join!(scanning, deleting);
        deleted?;
        scanned
    }
}
