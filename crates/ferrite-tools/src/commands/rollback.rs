//! `ferrite-migrate rollback`: makes the source the one to write to again after a cutover; before
//! one, takes everything back that was written to the target.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::control::Request;

use super::abort::{Here, abort_here, aborted, optional_ends};
use super::cutover::parse_pause;
use super::{Job, Verb};
use crate::args::{OutputArgs, SourceArgs, StateArgs, TargetArgs};
use crate::order::{WhichArgs, order};
use crate::render::Output;
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "rollback", command, prepare };

#[derive(Args)]
struct RollbackArgs {
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
#[command(next_help_heading = "Rollback")]
struct HowArgs {
    /// How long writes to the target may be held back until the source has everything;
    /// milliseconds, or a duration such as 500ms or 2s [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = parse_pause)]
    max_pause: Option<u64>,
    /// A shell command that moves the traffic back, run while writes are held back; if it fails,
    /// or takes more than 10 s, nothing has happened
    #[arg(long, value_name = "COMMAND")]
    hook: Option<String>,
}

fn command() -> Command {
    optional_ends(RollbackArgs::augment_args(Command::new("rollback")))
        .about(
            "Goes back: after a cutover with --reverse, makes the source the one to write to; \
             before one, aborts and cleans the target up",
        )
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate rollback
  ferrite-migrate rollback --id mig_abc123 --hook './point-clients-at-source.sh'

After a cutover with --reverse, everything that was written to the target since is on the source
when this ends. Then the target refuses writes, and the migration is over. Before a cutover this is
`ferrite-migrate abort --clean`; addresses are needed there for passwords alone, where no process
runs the migration. Exit code 6: the source is too far behind, or the migration does not run after a
cutover; the reasons are listed.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = RollbackArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    Ok(Job { parallel: 1, run: Box::new(move |output| Box::pin(run(args, output))) })
}

async fn run(args: RollbackArgs, output: Output) -> u8 {
    match roll_back(args, &output).await {
        Ok(()) => 0,
        Err(failure) => output.failure(&failure),
    }
}

async fn roll_back(args: RollbackArgs, output: &Output) -> Result<(), Failure> {
    let RollbackArgs { which, how: HowArgs { max_pause, hook }, source, target, .. } = args;
    let store = args.state.store()?;
    let record = store.read(&which.id(&store, "rollback")?)?;
    if !record.running && max_pause.is_none() && hook.is_none() {
        let how = Here { clean: true, traffic_stayed: false };
        let aborted = abort_here(&store, &record, how, source, target).await?;
        output.aborted(&record, &aborted);
        return Ok(());
    }
    let request = Request::Rollback { max_pause_ms: max_pause, hook };
    let (record, done) = order(&args.state, &which, "rollback", &request, output).await?;
    if done.get("cleaned").is_some() {
        output.aborted(&record, &aborted(done)?);
        return Ok(());
    }
    let cutover = serde_json::from_value(done).map_err(|error| {
        let cause = format!("it is done, but told in a way this version does not know: {error}");
        Failure::usage("reading the result of the rollback", cause)
    })?;
    output.rolled_back(&record, &cutover);
    Ok(())
}
