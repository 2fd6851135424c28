//! `ferrite-migrate status`: how far a migration is, told by the process that runs it or, when
//! there is none, by its files.

use std::time::Duration;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::control::{self, Request};
use ferrite_migrate::{JobStatus, JobStore, Workers, shared_status};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{Job, Verb};
use crate::args::{OutputArgs, StateArgs};
use crate::order::WhichArgs;
use crate::render::Output;
use crate::term::error::Failure;
use crate::term::signals::Signals;
use crate::workers::WorkersArgs;

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
    workers: WorkersArgs,
    #[command(flatten)]
    look: LookArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Migration")]
struct LookArgs {
    /// Look again every second until it has ended
    #[arg(short, long)]
    watch: bool,
}

fn command() -> Command {
    StatusArgs::augment_args(Command::new("status"))
        .mut_arg("workers_from", |arg| arg.conflicts_with("id"))
        .about("Shows how far a live migration is, and what to do next")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate status
  ferrite-migrate status --id mig_abc123 --watch
  ferrite-migrate status --id mig_abc123 --json
  ferrite-migrate status --workers-from etcd://etcd-1:2379/move-1

Looking changes nothing: --watch ends with the migration's process or with Ctrl-C, and Ctrl-C
does not end the migration. `ferrite-migrate list` shows the ids. A job that machines share is in
their etcd: --workers-from shows it from anywhere.";

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
    let (which, watched) = (args.which, args.look.watch);
    if let Some(workers) = args.workers.workers()? {
        return watch_shared(&workers, watched, output).await;
    }
    let store = args.state.store()?;
    let id = which.id(&store, "status")?;
    if watched {
        return watch(&store, &id, output).await;
    }
    output.job(&latest(&store, &id).await?);
    Ok(())
}

async fn watch(store: &JobStore, id: &str, output: &Output) -> Result<(), Failure> {
    every_second(async || {
        let status = latest(store, id).await?;
        output.watched_job(&status);
        Ok(status.pid.is_none())
    })
    .await
}

/// Shows a job that several machines share, once or until it is over.
async fn watch_shared(workers: &Workers, watched: bool, output: &Output) -> Result<(), Failure> {
    every_second(async || {
        let Some(status) = shared_status(workers).await? else {
            let cause = format!("there is no job in {}", workers.place);
            return Err(Failure::usage("", cause).with_hint(
                "ferrite-migrate migrate … --workers-from with this address begins one",
            ));
        };
        output.shared(&status);
        Ok(!watched || status.is_over())
    })
    .await
}

/// Looks until a look says that it is over, or the operator has seen enough.
async fn every_second(look: impl AsyncFn() -> Result<bool, Failure>) -> Result<(), Failure> {
    let mut signals = Signals::new()
        .map_err(|error| Failure::system("taking over the handling of signals", &error))?;
    let mut ticks = interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let next = async {
            ticks.tick().await;
            look().await
        };
        let is_over = tokio::select! {
            biased;
            () = signals.next() => return Ok(()),
            is_over = next => is_over?,
        };
        if is_over {
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
