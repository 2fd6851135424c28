//! `ferrite-migrate resume`: lets a live migration go on that was paused.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::control::Request;

use super::{Job, Verb};
use crate::args::{OutputArgs, StateArgs};
use crate::order::{WhichArgs, order};
use crate::render::Output;
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "resume", command, prepare };

#[derive(Args)]
struct ResumeArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn command() -> Command {
    ResumeArgs::augment_args(Command::new("resume"))
        .about("Lets a live migration go on that `pause` has held")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate resume
  ferrite-migrate resume --id mig_abc123

This is for a migration whose process runs. Where it does not:
`ferrite-migrate migrate --resume ID`.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = ResumeArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    Ok(Job { parallel: 1, run: Box::new(move |output| Box::pin(run(args, output))) })
}

async fn run(args: ResumeArgs, output: Output) -> u8 {
    match resume(args, &output).await {
        Ok(()) => 0,
        Err(failure) => output.failure(&failure),
    }
}

async fn resume(args: ResumeArgs, output: &Output) -> Result<(), Failure> {
    let (record, _) = order(&args.state, &args.which, "resume", &Request::Resume, output).await?;
    let next = format!("ferrite-migrate status --id {}", record.id);
    output.told("resumed", &record, "goes on", &[next]);
    Ok(())
}
