//! `ferrite-migrate cutover`: makes the target of a live migration the one to write to.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::control::Request;

use super::{Job, Verb};
use crate::args::{OutputArgs, StateArgs};
use crate::order::{WhichArgs, order};
use crate::render::Output;
use crate::term::error::Failure;
use crate::term::units::parse_duration;

pub const VERB: Verb = Verb { name: "cutover", command, prepare };

#[derive(Args)]
struct CutoverArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    how: HowArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Cutover")]
struct HowArgs {
    /// Wait until it can be done, instead of refusing
    #[arg(long, conflicts_with = "dry_run")]
    when_ready: bool,
    /// How long writes to the source may be held back until the target has everything; milliseconds,
    /// or a duration such as 500ms or 2s [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = parse_pause)]
    max_pause: Option<u64>,
    /// A shell command that moves the traffic, run when the target has everything and while
    /// writes are held back; if it fails, or takes more than 10 s, nothing has happened
    #[arg(long, value_name = "COMMAND")]
    hook: Option<String>,
    /// Have the source follow the target from then on, so that `ferrite-migrate rollback` loses
    /// nothing; the migration goes on until `ferrite-migrate complete`
    #[arg(long)]
    reverse: bool,
    /// Only say whether it could be done
    #[arg(long, conflicts_with_all = ["hook", "max_pause", "reverse"])]
    dry_run: bool,
}

/// How long writes may be held back, in milliseconds.
pub fn parse_pause(text: &str) -> Result<u64, String> {
    match parse_duration(text)? {
        0 => Err("writes cannot be held back for no time at all".to_owned()),
        milliseconds => Ok(milliseconds),
    }
}

fn command() -> Command {
    CutoverArgs::augment_args(Command::new("cutover"))
        .about("Ends a live migration: makes the target the one to write to")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate cutover --dry-run
  ferrite-migrate cutover --id mig_abc123 --when-ready --max-pause 500ms
  ferrite-migrate cutover --id mig_abc123 --hook './point-clients-at-target.sh' --reverse

Writes to the source are held back, not refused, until the target has everything. Then the hook
runs, with the id in FERRITE_JOB; without one, move the clients as soon as this command ends. From
then on the source refuses writes; with --reverse it takes them, and nothing but the clients' move
keeps them away. Whatever fails before that, the source takes writes again and
the migration is LIVE as before. Exit code 6: it is not ready, and the reasons are listed.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = CutoverArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    Ok(Job { parallel: 1, run: Box::new(move |output| Box::pin(run(args, output))) })
}

async fn run(args: CutoverArgs, output: Output) -> u8 {
    match cut_over(args, &output).await {
        Ok(()) => 0,
        Err(failure) => output.failure(&failure),
    }
}

async fn cut_over(args: CutoverArgs, output: &Output) -> Result<(), Failure> {
    let HowArgs { when_ready, max_pause, hook, reverse, dry_run } = args.how;
    let max_pause_ms = max_pause;
    let request = Request::Cutover { max_pause_ms, dry_run, when_ready, hook, reverse };
    let (record, done) = order(&args.state, &args.which, "cutover", &request, output).await?;
    if dry_run {
        output.can_cut_over(&record, &done);
        return Ok(());
    }
    let cutover = serde_json::from_value(done).map_err(|error| {
        let cause = format!("it is done, but told in a way this version does not know: {error}");
        Failure::usage("reading the result of the cutover", cause)
    })?;
    output.cutover(&record, &cutover);
    Ok(())
}
