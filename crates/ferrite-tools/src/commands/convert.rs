//! `ferrite-migrate convert`: an RDB file for another server.

use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::{RdbDestination, convert_rdb};

use super::{Job, Verb};
use crate::args::OutputArgs;
use crate::render::Output;
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "convert", command, prepare };

#[derive(Args)]
struct ConvertArgs {
    /// The RDB file to read, plain or compressed with gzip; `-` is standard input
    #[arg(value_name = "IN")]
    from: PathBuf,
    /// The file to write, which is replaced once the new one is complete; `-` is standard output
    #[arg(value_name = "OUT")]
    path: PathBuf,
    #[command(flatten)]
    server: ForServerArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Server")]
struct ForServerArgs {
    /// The server that is to load the new file: redis-6.2, redis-7.0, valkey-8.1, valkey-9, keydb,
    /// dragonfly; or the version of the format, rdb-6 to rdb-15
    #[arg(long, value_name = "SERVER")]
    to: String,
    /// A module that server has, as MODULE LIST names it; repeat it for more
    #[arg(long, value_name = "NAME")]
    module: Vec<String>,
}

fn command() -> Command {
    ConvertArgs::augment_args(Command::new("convert"))
        .about("Writes an RDB file anew, for a server of another version or family")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate convert dump.rdb old.rdb --to redis-6.2
  ferrite-migrate convert dump.rdb.gz new.rdb --to valkey-9 --module bf

Values are written anew only where that server does not read them as they are. What it cannot hold
is left out and named, with exit code 5. A module's values go along where the server has the module:
one that does not would refuse the whole file.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = ConvertArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    let ForServerArgs { to, module } = &args.server;
    let to = RdbDestination::new(&args.path)
        .to_server(to, module)
        .map_err(|cause| Failure::usage(format!("--to {to}"), cause))?;
    let from = args.from;
    Ok(Job { parallel: 1, run: Box::new(move |output| Box::pin(run(from, to, output))) })
}

async fn run(from: PathBuf, to: RdbDestination, output: Output) -> u8 {
    match convert_rdb(from, &to).await {
        Ok(report) => output.rdb_file(&report, "CONVERSION REPORT"),
        Err(error) => output.failure(&Failure::from(error)),
    }
}
