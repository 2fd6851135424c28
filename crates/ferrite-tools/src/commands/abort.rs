//! `ferrite-migrate abort`: ends a live migration for good, before its cutover.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::control::Request;
use ferrite_migrate::{Aborted, JobRecord, JobStore};
use serde_json::Value;

use super::{Job, Verb};
use crate::args::{OutputArgs, SourceArgs, StateArgs, TargetArgs, complete};
use crate::order::{WhichArgs, order};
use crate::render::Output;
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "abort", command, prepare };

#[derive(Args)]
struct AbortArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    how: HowArgs,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Abort")]
struct HowArgs {
    /// Bring the target back to what it was before the migration: delete every key that takes
    /// part, also those that others wrote meanwhile, and put back what was there
    #[arg(long)]
    clean: bool,
    /// After a process that ended while the hook of a cutover ran: the application still writes to
    /// the source
    #[arg(long)]
    traffic_stayed: bool,
}

fn command() -> Command {
    optional_ends(AbortArgs::augment_args(Command::new("abort")))
        .about("Ends a live migration before its cutover, for good; cleans the target up")
        .after_help(AFTER_HELP)
}

/// The addresses need not be given: they are those of the migration.
pub fn optional_ends(command: Command) -> Command {
    command
        .mut_arg("source", |arg| arg.required(false))
        .mut_arg("target", |arg| arg.required(false))
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate abort --id mig_abc123
  ferrite-migrate abort --id mig_abc123 --clean
  ferrite-migrate abort --id mig_abc123 --clean -t redis://:password@new:6379

It works whether or not the migration runs. The source is not touched. Where no process runs it,
this command connects by itself: addresses are needed for passwords alone. Without --clean the
target keeps what was copied, with expiries that are held; --clean can follow later. With it, what
the target had before comes from the file that was kept before the first write; what ends halfway
(exit 2) is begun again by the same command. The migrating process ends with exit code 7. Exit code
6: there was a cutover.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = AbortArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    Ok(Job { parallel: 1, run: Box::new(move |output| Box::pin(run(args, output))) })
}

async fn run(args: AbortArgs, output: Output) -> u8 {
    match abort(args, &output).await {
        Ok(()) => 0,
        Err(failure) => output.failure(&failure),
    }
}

async fn abort(args: AbortArgs, output: &Output) -> Result<(), Failure> {
    let AbortArgs { which, how: HowArgs { clean, traffic_stayed }, source, target, .. } = args;
    let store = args.state.store()?;
    let record = store.read(&which.id(&store, "abort")?)?;
    if !record.running {
        let stays = Here { clean, traffic_stayed };
        let aborted = abort_here(&store, &record, stays, source, target).await?;
        output.aborted(&record, &aborted);
        return Ok(());
    }
    let request = Request::Abort { clean };
    let (record, done) = order(&args.state, &which, "abort", &request, output).await?;
    output.aborted(&record, &aborted(done)?);
    Ok(())
}

/// What a job said at its end.
///
/// # Errors
/// An answer of another version.
pub fn aborted(done: Value) -> Result<Aborted, Failure> {
    serde_json::from_value(done).map_err(|error| {
        let cause = format!("it is done, but told in a way this version does not know: {error}");
        Failure::usage("reading the result of the abort", cause)
    })
}

/// How a migration that nobody runs is aborted.
pub struct Here {
    /// Whether the target is brought back.
    pub clean: bool,
    /// Whether the application is known to write to the source.
    pub traffic_stayed: bool,
}

/// Aborts a migration that no process runs.
///
/// # Errors
/// As [`ferrite_migrate::abort`].
pub async fn abort_here(
    store: &JobStore,
    record: &JobRecord,
    how: Here,
    source: SourceArgs,
    target: TargetArgs,
) -> Result<Aborted, Failure> {
    let config = record.plan.configure()?.state_dir(store.root());
    let config = complete(config.traffic_stayed(how.traffic_stayed), source, target)?;
    Ok(ferrite_migrate::abort(config, &record.id, how.clean).await?)
}
