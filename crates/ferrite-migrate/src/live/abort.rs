//! Gives a migration up before its cutover; cleans up behind it, where that is asked for.
//!
//! ```text
//! order ──► ABORTING recorded ──► the job stops ──► clean: the target as it was before
//!                                                   else:  our checkpoint goes
//!           ABORTED recorded ──► spool and undo file are removed
//! ```
//!
//! A job that died while it was ABORTING is not resumed: half of what it had copied may be gone.
//! It is aborted again, by whoever opens it, from the beginning.

use std::path::PathBuf;
use std::sync::Arc;

use ferrite_client::ClientError;
use serde_json::{Value, json};

use super::cutover::{REPLICAS_FENCE, REPLICAS_SETTING};
use super::rounds::is_by_rounds;
use super::run::{Live, journal_error, ticks};
use super::{checkpoint, shards, undo};
use crate::config::Strategy;
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::jobs::control::{Replier, Request};
use crate::jobs::{JobDir, JournalRecord, State};
use crate::preflight::Server;
use crate::report::{Aborted, ExitCode};

/// An abort that begins when the job has stopped, and who asked for it.
#[derive(Debug)]
pub struct Aborting {
    clean: bool,
    replier: Replier,
}

/// What is known of the target before the migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// Nothing was written to it.
    Untouched,
    /// What it had was kept.
    Kept,
    /// It had no keys; of function libraries nothing is known.
    Empty,
    /// It had keys, and they were not kept.
    Unknown,
}

impl Before {
    fn of(journal: &[JournalRecord]) -> Self {
        let detail = |name: &str| {
            let details = journal.iter().filter_map(|record| record.detail.as_ref());
            details.filter_map(|detail| detail.get(name)).next_back()
        };
        match () {
            () if !journal.iter().any(|record| record.state == State::Copying) => Self::Untouched,
            () if detail("undo").is_some() => Self::Kept,
            () if detail("target_was_empty").and_then(Value::as_bool) == Some(true) => Self::Empty,
            () => Self::Unknown,
        }
    }
}

/// Why it cannot be aborted: what it is, in words, and the kind.
fn refusal(dir: &JobDir, clean: bool, traffic_stayed: bool) -> Option<(ErrorKind, String, String)> {
    let (journal, id) = (dir.journal(), dir.id());
    let state = dir.state();
    let status = format!("ferrite-migrate status --id {id}");
    let is_cleaned =
        journal.last().and_then(|last| last.detail.as_ref()?.get("cleaned")?.as_bool());
    let can_be_cleaned = state == State::Aborted && clean && is_cleaned == Some(false);
    if state.is_final() && !can_be_cleaned {
        return Some((ErrorKind::Config, format!("it is over: {state}"), status));
    }
    if journal.iter().any(|record| record.state == State::CutOver) {
        let cause = String::from("there was a cutover: the target is the one to write to");
        let hint = format!("ferrite-migrate migrate --resume {id}, then rollback or complete");
        return Some((ErrorKind::NotReady, cause, hint));
    }
    if is_switching(journal) && !traffic_stayed {
        let cause = "its process ended while the hook of a cutover moved the traffic: nobody knows \
                     which server the application writes to";
        let hint = format!(
            "if it is the target, the migration is done; if it is still the source: \
             ferrite-migrate abort --id {id} --traffic-stayed"
        );
        return Some((ErrorKind::Config, cause.to_owned(), hint));
    }
    if dir.plan().strategy == Strategy::Replica.name() {
        let cause = "the target is a replica of the source, and what it had before is gone";
        let hint = String::from("REPLICAOF NO ONE on the target detaches it");
        return Some((ErrorKind::Config, cause.to_owned(), hint));
    }
    if clean && Before::of(journal) == Before::Unknown {
        let cause = "the target had keys of its own before, and they were not kept (--no-undo, or a \
                     migration of an older version): it is not known which are ours";
        let hint = format!("ferrite-migrate abort --id {id} leaves the target as it is");
        return Some((ErrorKind::Config, cause.to_owned(), hint));
    }
    None
}

/// Whether the process ended while the hook of a cutover ran.
fn is_switching(journal: &[JournalRecord]) -> bool {
    let switching = |record: &JournalRecord| {
        record.detail.as_ref().is_some_and(|detail| detail.get("switching").is_some())
    };
    let since = journal.iter().rev().take_while(|record| !switching(record));
    let has_switched = journal.iter().any(switching);
    let over = [State::Failed, State::Paused, State::Aborting];
    has_switched && since.into_iter().all(|record| over.contains(&record.state))
}

/// Aborts a job that no process runs.
///
/// # Errors
/// A job that cannot be aborted; a target that cannot be cleaned: it can be done again.
pub async fn abort(job: Arc<Job>, mut dir: JobDir, clean: bool) -> Result<Aborted, MigrateError> {
    let doing = format!("aborting the migration {}", job.id);
    if let Some((kind, cause, hint)) = refusal(&dir, clean, job.config.traffic_stayed) {
        return Err(MigrateError::new(kind, doing, cause).with_hint(hint));
    }
    begin(&mut dir, clean, None)?;
    let what = What::of(&dir, clean);
    let aborted = match reach_target(&job).await {
        Err(error) if what.must_reach() => Err(error),
        target => give_up(&job, target.as_ref().ok(), what).await,
    };
    finish(&mut dir, &job, clean, aborted)
}

async fn reach_target(job: &Job) -> Result<Server, MigrateError> {
    let target = &job.config.target;
    Server::connect(job, target).await.map_err(|error| {
        let doing = format!("connecting to the target {}", target.address);
        MigrateError::new(ErrorKind::Target, doing, &error)
    })
}

/// What is to be done, apart from the job's directory.
struct What {
    clean: bool,
    before: Before,
    undo: PathBuf,
    /// Whether a cutover had begun once.
    has_cut: bool,
    /// Whether expiries on the target are held.
    holds: bool,
}

impl What {
    fn of(dir: &JobDir, clean: bool) -> Self {
        let has_cut = dir.journal().iter().any(|record| record.state == State::CuttingOver);
        let undo = undo::path(dir.path());
        let holds = !is_by_rounds(dir) && !shards::has_places(dir.path());
        Self { clean, before: Before::of(dir.journal()), undo, has_cut, holds }
    }

    /// Whether there is something to take back, which cannot be done without the target.
    fn must_reach(&self) -> bool {
        self.clean && self.before != Before::Untouched
    }
}

/// Records that it is being aborted.
fn begin(dir: &mut JobDir, clean: bool, reason: Option<&str>) -> Result<(), MigrateError> {
    let detail = json!({ "cleaning": clean });
    dir.transition_with(State::Aborting, reason, detail).map_err(journal_error)
}

/// Does it, on both servers.
async fn give_up(job: &Job, target: Option<&Server>, what: What) -> Result<Aborted, MigrateError> {
    if what.has_cut
        && let Err(error) = lift_fence(job).await
    {
        job.warn(format!(
            "a cutover had begun, and it is not known whether the source still refuses writes: \
             {error}; CONFIG GET {REPLICAS_SETTING} there tells ({REPLICAS_FENCE} is ours)"
        ));
    }
    let file = (what.before == Before::Kept).then_some(what.undo.as_path());
    if let Some(target) = target.filter(|_| what.must_reach()) {
        if what.before == Before::Empty {
            job.warn("function libraries on the target are left as they are");
        }
        return undo::take_back(job, target, file).await;
    }
    let forgotten = match target {
        Some(target) => undo::forget(job, target).await.is_ok(),
        None => what.before == Before::Untouched,
    };
    if !forgotten {
        let key = String::from_utf8_lossy(&checkpoint::key(&job.id)).into_owned();
        job.warn(format!("the key {key} may be left on the target: delete it"));
    }
    let expiries_held = what.holds && what.before != Before::Untouched;
    Ok(Aborted { cleaned: what.clean, expiries_held, ..Aborted::default() })
}

/// Lets the source take writes again, should a cutover have closed it that was not finished.
async fn lift_fence(job: &Job) -> Result<(), ClientError> {
    let Some(source) = job.config.source.server() else { return Ok(()) };
    let source = Server::connect(job, source).await?;
    let map = source.cluster.as_ref().map(|cluster| (cluster, cluster.map()));
    let replicas = map.iter().flat_map(|(cluster, map)| {
        let replicas = map.shards().iter().flat_map(|shard| &shard.replicas);
        replicas.map(|replica| cluster.connector(replica))
    });
    let servers: Vec<_> = source.shards().into_iter().chain(replicas).collect();
    for connector in servers {
        let mut connection = connector.connect().await?;
        let known = connection.call(&["CONFIG", "GET", REPLICAS_SETTING]).await?;
        let value = known.as_array().and_then(|known| known.get(1)?.as_str());
        if value == Some(REPLICAS_FENCE) {
            connection.call(&["CONFIG", "SET", REPLICAS_SETTING, "0"]).await?;
        }
    }
    Ok(())
}

/// Records how it ended.
fn finish(
    dir: &mut JobDir,
    job: &Job,
    clean: bool,
    aborted: Result<Aborted, MigrateError>,
) -> Result<Aborted, MigrateError> {
    let mut aborted = match aborted {
        Ok(aborted) => aborted,
        Err(error) => {
            begin(dir, clean, Some(&error.to_string()))?;
            let again = format!(
                "ferrite-migrate abort --id {}{}",
                job.id,
                if clean { " --clean" } else { "" }
            );
            let hint = match &error.hint {
                Some(hint) => format!("{hint}; then {again}"),
                None => again,
            };
            return Err(error.with_hint(hint));
        }
    };
    aborted.warnings = job.tally(|tally| tally.warnings());
    let detail = serde_json::to_value(&aborted).unwrap_or_default();
    dir.transition_with(State::Aborted, None, detail).map_err(journal_error)?;
    if let Err(error) = std::fs::remove_dir_all(dir.spool_dir()) {
        tracing::debug!(%error, "the spool stays");
    }
    if clean {
        undo::remove(dir.path());
    }
    Ok(aborted)
}

impl Live {
    /// Is told to abort: stops, so that it can be done when everything has ended.
    pub async fn begin_abort(&mut self, clean: bool, mut replier: Replier) {
        let refused = refusal(&self.dir, clean, true);
        if let Some((kind, cause, hint)) = refused {
            let code = MigrateError::new(kind, "", "").exit_code();
            return replier.refuse(code.into(), cause, vec![hint]).await;
        }
        if let Err(error) = begin(&mut self.dir, clean, None) {
            return replier.refuse(ExitCode::Failed.into(), error.to_string(), Vec::new()).await;
        }
        if let Some((_, waiting)) = self.waiting.take() {
            let code = ExitCode::NotReady.into();
            waiting.refuse(code, "the migration is being aborted", Vec::new()).await;
        }
        replier.step("stopping what is on its way").await;
        self.paused = None;
        self.job.stop.stop();
        self.aborting = Some(Aborting { clean, replier });
    }

    /// The job has stopped: aborts it, if it was told to. How it stopped is of no concern then.
    ///
    /// # Errors
    /// What it ended with if it was not told to; else why it cannot be done, which can be tried
    /// again.
    pub async fn finish_abort(
        &mut self,
        ended: Result<(), MigrateError>,
    ) -> Result<(), MigrateError> {
        let Some(Aborting { clean, mut replier }) = self.aborting.take() else { return ended };
        if clean {
            replier.step("bringing the target back to what it was").await;
        }
        let (job, checked) = (Arc::clone(&self.job), Arc::clone(&self.checked));
        let what = What::of(&self.dir, clean);
        let giving_up = give_up(&job, Some(&checked.target), what);
        tokio::pin!(giving_up);
        let mut ticks = ticks();
        let aborted = loop {
            tokio::select! {
                aborted = &mut giving_up => break aborted,
                _ = ticks.tick() => self.write_status(),
                Some((request, replier)) = self.control.next() => match request {
                    Request::Status => replier.done(self.status_json()).await,
                    _ => {
                        let code = ExitCode::NotReady.into();
                        replier.refuse(code, "the migration is being aborted", Vec::new()).await;
                    }
                }
            }
        };
        match finish(&mut self.dir, &job, clean, aborted) {
            Ok(aborted) => {
                self.write_status();
                replier.done(serde_json::to_value(aborted).unwrap_or_default()).await;
                Ok(())
            }
            Err(error) => {
                let hint = error.hint.clone().into_iter().collect();
                replier.refuse(ExitCode::Failed.into(), error.to_string(), hint).await;
                Err(error)
            }
        }
    }

    /// Keeps what the target has before it is written to for the first time; whether it is done.
    ///
    /// # Errors
    /// A target that cannot be read, a disk that does not take it. Nothing was written.
    pub async fn keep_undo(&mut self) -> Result<bool, MigrateError> {
        let is_known = Before::of(self.dir.journal()) != Before::Untouched;
        if is_known || !self.job.config.undo {
            return Ok(true);
        }
        if self.checked.target.cluster.is_some() {
            if !self.target_was_empty {
                self.job.warn(
                    "the target is a cluster that has keys: they are not kept, so that \
                     `abort --clean` is refused",
                );
            }
            return Ok(true);
        }
        let (job, checked) = (Arc::clone(&self.job), Arc::clone(&self.checked));
        let path = undo::path(self.dir.path());
        let keeping = undo::keep(&job, &checked, &path);
        tokio::pin!(keeping);
        let mut ticks = ticks();
        let kept = loop {
            tokio::select! {
                kept = &mut keeping => break kept?,
                _ = ticks.tick() => self.write_status(),
                Some(order) = self.control.next() => self.order_early(order).await,
            }
        };
        let Some(kept) = kept.filter(|_| !job.stop.is_stopped()) else { return Ok(false) };
        let detail = json!({ "undo": { "keys": kept.keys, "bytes": kept.bytes } });
        self.dir.transition_with(State::Attaching, None, detail).map_err(journal_error)?;
        Ok(true)
    }
}
