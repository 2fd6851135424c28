//! `ferrite-migrate list`: the migrations that outlive their process, each with its state.

use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::{Job, Verb};
use crate::args::{OutputArgs, StateArgs};
use crate::render::Output;
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "list", command, prepare };

#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn command() -> Command {
    ListArgs::augment_args(Command::new("list"))
        .about("Lists the live migrations of this user, running or not")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate list
  ferrite-migrate list --json

The oldest comes first. With --json each migration is an object on a line of its own, with the
fields of `ferrite-migrate status --json`, `mode` and `created_at_ms`; one whose files cannot be
read has `id` and `damaged`, which says why.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = ListArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    Ok(Job { parallel: 1, run: Box::new(move |output| Box::pin(run(args.state, output))) })
}

#[expect(clippy::unused_async, reason = "verbs are asynchronous")]
async fn run(state: StateArgs, output: Output) -> u8 {
    match list(&state, &output) {
        Ok(()) => 0,
        Err(failure) => output.failure(&failure),
    }
}

fn list(state: &StateArgs, output: &Output) -> Result<(), Failure> {
    let store = state.store()?;
    output.jobs(&store.list()?, store.root());
    Ok(())
}
