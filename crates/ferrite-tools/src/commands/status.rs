//! `ferrite-migrate status`: how far a migration is, told by the process that runs it or, when
//! there is none, by its files.

use std::time::Duration;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::control::{self, Request};
use ferrite_migrate::{JobEntry, JobStatus, JobStore};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{Job, Verb};
use crate::args::{OutputArgs, StateArgs};
use crate::render::Output;
use crate::term::error::Failure;
use crate::term::signals::Signals;

pub const VERB: Verb = Verb { name: "status", command, prepare };

/// How often a migration that is watched is looked at.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// How long the process that runs a migration may take to answer; after that, its files tell.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

#[derive(Args)]
struct StatusArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Migration")]
struct WhichArgs {
    /// Which migration; by default the only one that runs, or the only one there is
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Look again every second until it has ended
    #[arg(short, long)]
    watch: bool,
}

fn command() -> Command {
    StatusArgs::augment_args(Command::new("status"))
        .about("Shows how far a live migration is, and what to do next")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate status
  ferrite-migrate status --id mig_abc123 --watch
  ferrite-migrate status --id mig_abc123 --json

Looking changes nothing: --watch ends with the migration's process or with Ctrl-C, and Ctrl-C
does not end the migration. `ferrite-migrate list` shows the ids.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = StatusArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    Ok(Job { parallel: 1, run: Box::new(move |output| Box::pin(run(args, output))) })
}

async fn run(args: StatusArgs, output: Output) -> u8 {
    match show(args, &output).await {
        Ok(()) => 0,
        Err(failure) => output.failure(&failure),
    }
}

async fn show(args: StatusArgs, output: &Output) -> Result<(), Failure> {
    let store = args.state.store()?;
    let id = args.which.id.map_or_else(|| the_only_one(&store), Ok)?;
    if args.which.watch {
        return watch(&store, &id, output).await;
    }
    output.job(&latest(&store, &id).await?);
    Ok(())
}

async fn watch(store: &JobStore, id: &str, output: &Output) -> Result<(), Failure> {
    let mut signals = Signals::new()
        .map_err(|error| Failure::system("taking over the handling of signals", &error))?;
    let mut ticks = interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let look = async {
            ticks.tick().await;
            latest(store, id).await
        };
        let status = tokio::select! {
            biased;
            () = signals.next() => return Ok(()),
            status = look => status?,
        };
        output.watched_job(&status);
        if status.pid.is_none() {
            return Ok(());
        }
    }
}

/// What the process says that runs it, else what the files say.
async fn latest(store: &JobStore, id: &str) -> Result<JobStatus, Failure> {
    let record = store.read(id)?;
    let known = record.status();
    if !record.running {
        return Ok(known);
    }
    let asked = timeout(ANSWER_WITHIN, control::call(&record.path, &Request::Status, |_| ()));
    let told = asked.await.ok().and_then(Result::ok);
    let told: Option<JobStatus> = told.and_then(|told| serde_json::from_value(told).ok());
    Ok(told.map_or(known, |told| JobStatus { id: id.to_owned(), pid: record.pid, ..told }))
}

fn the_only_one(store: &JobStore) -> Result<String, Failure> {
    let entries = store.list()?;
    let is_running = |entry: &&JobEntry| entry.record.as_ref().is_ok_and(|record| record.running);
    let running: Vec<_> = entries.iter().filter(is_running).collect();
    match (running.as_slice(), entries.as_slice()) {
        ([only], _) => Ok(only.id.clone()),
        ([], [only]) => Ok(only.id.clone()),
        (running, all) => Err(ask_which(running.len(), all)),
    }
}

fn ask_which(running: usize, all: &[JobEntry]) -> Failure {
    let Some(latest) = all.last() else {
        return Failure::usage("", "there is no migration to show")
            .with_hint("ferrite-migrate migrate --help");
    };
    let ids: Vec<_> = all.iter().map(|entry| entry.id.as_str()).collect();
    let (count, ids) = (all.len(), ids.join(", "));
    let cause = format!("there are {count} migrations, of which {running} are running: {ids}");
    Failure::usage("", cause).with_hint(format!("ferrite-migrate status --id {}", latest.id))
}
