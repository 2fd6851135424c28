//! `ferrite-migrate throttle`: changes how fast a live migration copies at most, while it runs.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::Limits;

use super::{Job, Verb};
use crate::args::{OutputArgs, StateArgs};
use crate::limits::LimitArgs;
use crate::order::{WhichArgs, order};
use crate::render::Output;
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "throttle", command, prepare };

#[derive(Args)]
struct ThrottleArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn command() -> Command {
    ThrottleArgs::augment_args(Command::new("throttle"))
        .about("Changes how fast a live migration copies at most, or shows it")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate throttle
  ferrite-migrate throttle --id mig_abc123 --rate 50MB --max-source-latency 2ms
  ferrite-migrate throttle --id mig_abc123 --rate off

The limits hold at once, for the copy of the keys; following the source is never held back. A
process that resumes the migration keeps them. `status` tells whether one of them holds it back.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = ThrottleArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    args.limits.limits(Limits::default()).check()?;
    Ok(Job { parallel: 1, run: Box::new(move |output| Box::pin(run(args, output))) })
}

async fn run(args: ThrottleArgs, output: Output) -> u8 {
    match throttle(args, &output).await {
        Ok(()) => 0,
        Err(failure) => output.failure(&failure),
    }
}

async fn throttle(args: ThrottleArgs, output: &Output) -> Result<(), Failure> {
    let request = args.limits.request();
    let (record, done) = order(&args.state, &args.which, "throttle", &request, output).await?;
    let limits: Limits = serde_json::from_value(done).map_err(|error| Failure {
        kind: "internal",
        ..Failure::usage("reading the limits of the migration", error.to_string())
    })?;
    output.limits(&record, &limits);
    Ok(())
}
