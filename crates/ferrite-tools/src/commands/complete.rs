//! `ferrite-migrate complete`: after a cutover, gives the way back up.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::control::Request;

use super::{Job, Verb};
use crate::args::{OutputArgs, StateArgs};
use crate::order::{WhichArgs, order};
use crate::render::Output;
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "complete", command, prepare };

#[derive(Args)]
struct CompleteArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn command() -> Command {
    CompleteArgs::augment_args(Command::new("complete"))
        .about("Ends a migration after a cutover with --reverse: there is no way back then")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate complete
  ferrite-migrate complete --id mig_abc123

The source keeps what it has and does not follow the target any more. Exit code 6: there was no
cutover with --reverse.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = CompleteArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    Ok(Job { parallel: 1, run: Box::new(move |output| Box::pin(run(args, output))) })
}

async fn run(args: CompleteArgs, output: Output) -> u8 {
    match complete(args, &output).await {
        Ok(()) => 0,
        Err(failure) => output.failure(&failure),
    }
}

async fn complete(args: CompleteArgs, output: &Output) -> Result<(), Failure> {
    let order = order(&args.state, &args.which, "complete", &Request::Complete, output);
    let (record, _) = order.await?;
    output.told("completed", &record, "is complete: the source follows no more", &[]);
    Ok(())
}
