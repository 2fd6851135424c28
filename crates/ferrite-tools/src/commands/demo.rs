//! `ferrite-migrate demo`: shows a live migration on this machine, from beginning to end.

use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::{Job, Verb};
use crate::args::OutputArgs;
use crate::demo::{self, Settings};
use crate::render::Output;
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "demo", command, prepare };

#[derive(Args)]
struct DemoArgs {
    /// Keys to copy
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000)]
    keys: u64,
    /// Writes of the application, in a second
    #[arg(long, value_name = "NUMBER", default_value_t = 5000,
        value_parser = clap::value_parser!(u64).range(1..=demo::RATE_MAX))]
    writes: u64,
    /// Use two real servers: redis-server or valkey-server, whichever is installed
    #[arg(long)]
    with_redis: bool,
    #[command(flatten)]
    output: OutputArgs,
}

fn command() -> Command {
    DemoArgs::augment_args(Command::new("demo"))
        .about(
            "Shows a live migration on this machine: two servers, and an application that writes",
        )
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate demo
  ferrite-migrate demo --keys 20000 --writes 2000
  ferrite-migrate demo --with-redis

Nothing is installed and nothing is left behind. The servers are two Ferrites inside of this
process, on free ports of this machine. The exit code is the migration's, or 4 if a write of the
application was lost or made twice.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = DemoArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    Ok(Job { parallel: 1, run: Box::new(move |output| Box::pin(run(args, output))) })
}

async fn run(args: DemoArgs, output: Output) -> u8 {
    let DemoArgs { keys, writes, with_redis, output: how } = args;
    match demo::run(&Settings { keys, writes, with_redis, how }, &output).await {
        Ok(code) => code,
        Err(failure) => output.failure(&failure),
    }
}
