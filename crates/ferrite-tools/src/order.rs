//! Which migration a command is about, and how one that runs is told what to do.

use std::time::Duration;

use ferrite_migrate::control::{self, CallError, Request};
use ferrite_migrate::{ExitCode, JobEntry, JobRecord, JobStore};
use serde_json::Value;
use tokio::time::sleep;

use crate::args::StateArgs;
use crate::render::Output;
use crate::term::clean::clean;
use crate::term::error::Failure;
use crate::term::signals::Signals;

/// When a migration is asked again that could not take the order yet.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Which migration.
#[derive(clap::Args)]
#[command(next_help_heading = "Migration")]
pub struct WhichArgs {
    /// Which migration; by default the only one that runs, or the only one there is
    #[arg(long, value_name = "ID")]
    id: Option<String>,
}

impl WhichArgs {
    /// The id; `verb` is the command to type again with one.
    ///
    /// # Errors
    /// More than one migration to choose from, or none.
    pub fn id(&self, store: &JobStore, verb: &str) -> Result<String, Failure> {
        self.id.clone().map_or_else(|| the_only_one(store, verb), Ok)
    }
}

fn the_only_one(store: &JobStore, verb: &str) -> Result<String, Failure> {
    let entries = store.list()?;
    let is_running = |entry: &&JobEntry| entry.record.as_ref().is_ok_and(|record| record.running);
    let running: Vec<_> = entries.iter().filter(is_running).collect();
    match (running.as_slice(), entries.as_slice()) {
        ([only], _) => Ok(only.id.clone()),
        ([], [only]) => Ok(only.id.clone()),
        (running, all) => Err(ask_which(running.len(), all, verb)),
    }
}

fn ask_which(running: usize, all: &[JobEntry], verb: &str) -> Failure {
    let Some(latest) = all.last() else {
        return Failure::usage("", "there is no migration to show")
            .with_hint("ferrite-migrate migrate --help");
    };
    let ids: Vec<_> = all.iter().map(|entry| entry.id.as_str()).collect();
    let (count, ids) = (all.len(), ids.join(", "));
    let cause = format!("there are {count} migrations, of which {running} are running: {ids}");
    Failure::usage("", cause).with_hint(format!("ferrite-migrate {verb} --id {}", latest.id))
}

/// Tells a migration that runs what to do and waits until it is done; the steps in between are
/// shown.
///
/// # Errors
/// A migration that does not run, that refuses, or whose process ends meanwhile; an operator who
/// does not wait, which does not take the order back.
pub async fn order(
    state: &StateArgs,
    which: &WhichArgs,
    verb: &str,
    request: &Request,
    output: &Output,
) -> Result<(JobRecord, Value), Failure> {
    let store = state.store()?;
    let id = which.id(&store, verb)?;
    let mut signals = Signals::new()
        .map_err(|error| Failure::system("taking over the handling of signals", &error))?;
    let mut is_waiting = false;
    loop {
        let record = store.read(&id)?;
        let call = control::call(&record.path, request, |step| output.line(&clean(step)));
        let answer = tokio::select! {
            biased;
            () = signals.next() => return Err(not_awaited(&record)),
            answer = call => answer,
        };
        let (takes_none, failure) = match answer {
            Ok(done) => return Ok((record, done)),
            Err(error) => (matches!(error, CallError::NotRunning), refusal(error, &record)),
        };
        // What a job refuses it refuses again, or others took back on purpose.
        if !takes_none || !waits(request) || !store.read(&id)?.running {
            return Err(Failure { doing: format!("{verb} {id}").into(), ..failure });
        }
        if !is_waiting {
            output.line("waiting until the migration takes orders");
            is_waiting = true;
        }
        tokio::select! {
            () = signals.next() => return Err(not_awaited(&record)),
            () = sleep(ASK_AGAIN_AFTER) => {}
        }
    }
}

/// Whether the order waits for its time: first for the process, which may be beginning.
fn waits(request: &Request) -> bool {
    matches!(request, Request::Cutover { when_ready: true, .. })
}

fn not_awaited(record: &JobRecord) -> Failure {
    let left = "interrupted; what the migration was told stands";
    Failure::interrupted("waiting for the migration", left, 0).with_hint(status(record))
}

fn refusal(error: CallError, record: &JobRecord) -> Failure {
    let failed = |error: CallError| Failure {
        exit_code: ExitCode::Failed.into(),
        ..Failure::usage("", error.to_string())
    };
    match error {
        CallError::NotRunning if !record.running => idle(record),
        CallError::NotRunning => {
            let cause = "its process takes no orders yet, or no more";
            Failure::refused(cause, Vec::new(), ExitCode::NotReady.into()).with_hint(status(record))
        }
        CallError::Refused { message, reasons, code } => Failure::refused(message, reasons, code),
        error @ CallError::Gone => failed(error).with_hint(status(record)),
        error => Failure { kind: "internal", ..failed(error) },
    }
}

/// A migration that nobody runs.
fn idle(record: &JobRecord) -> Failure {
    let JobRecord { id, .. } = record;
    let state = record.state();
    match record.resume_command() {
        Some(resume) => {
            let cause = format!("the migration {id} is not running, it is {state}");
            let reasons = record.reason().map(str::to_owned).into_iter().collect();
            Failure::refused(cause, reasons, ExitCode::NotReady.into()).with_hint(resume)
        }
        None => Failure::usage("", format!("the migration {id} is over: {state}"))
            .with_hint(status(record)),
    }
}

fn status(record: &JobRecord) -> String {
    format!("ferrite-migrate status --id {}", record.id)
}
