//! `ferrite-migrate pause`: holds a live migration, without ending its process.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::ExitCode;
use ferrite_migrate::control::Request;

use super::{Job, Verb};
use crate::args::{OutputArgs, StateArgs};
use crate::order::{WhichArgs, order};
use crate::render::Output;
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "pause", command, prepare };

#[derive(Args)]
struct PauseArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn command() -> Command {
    PauseArgs::augment_args(Command::new("pause"))
        .about("Holds a live migration: the source is read on, the target is left alone")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate pause
  ferrite-migrate pause --id mig_abc123

What the source sends is kept on disk meanwhile, up to --spool-limit of `migrate`; no cutover is
possible. `ferrite-migrate resume` lets it go on; so does a new process (`stop`, then
`migrate --resume`).";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = PauseArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    Ok(Job { parallel: 1, run: Box::new(move |output| Box::pin(run(args, output))) })
}

async fn run(args: PauseArgs, output: Output) -> u8 {
    match pause(args, &output).await {
        Ok(()) => 0,
        Err(failure) => output.failure(&failure),
    }
}

async fn pause(args: PauseArgs, output: &Output) -> Result<(), Failure> {
    let (record, done) = order(&args.state, &args.which, "pause", &Request::Pause, output).await?;
    if done.get("paused").and_then(serde_json::Value::as_bool) != Some(true) {
        return Err(Failure::refused(
            "the migration is ending",
            Vec::new(),
            ExitCode::NotReady.into(),
        ));
    }
    let next = format!("ferrite-migrate resume --id {}", record.id);
    output.told("paused", &record, "is paused; what the source sends is kept on disk", &[next]);
    Ok(())
}
