//! `ferrite-migrate diff-rdb`: in what two RDB files differ.

use std::env;
use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::diff_rdb;

use super::{Job, Verb};
use crate::args::OutputArgs;
use crate::render::Output;
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "diff-rdb", command, prepare };

#[derive(Args)]
struct DiffArgs {
    /// An RDB file, plain or compressed with gzip; `-` is standard input
    #[arg(value_name = "A")]
    left: PathBuf,
    /// The other one
    #[arg(value_name = "B")]
    right: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

fn command() -> Command {
    DiffArgs::augment_args(Command::new("diff-rdb"))
        .about("Compares two RDB files: types, values and expiries of all keys")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate diff-rdb before.rdb after.rdb
  ferrite-migrate diff-rdb redis-7.rdb valkey-9.rdb.gz --json

Values are compared, not encodings: files of different servers and versions can be equal. The first
file is the source of the report, the second one its target. Keys wait in the system's folder for
temporary files (TMPDIR), about 70 bytes and its name for each. Exit codes: 0 equal, 4 different.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = DiffArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    if args.left == args.right {
        let cause = "both files are the same one";
        return Err(Failure::usage("comparing", cause));
    }
    Ok(Job { parallel: 2, run: Box::new(move |output| Box::pin(run(args, output))) })
}

#[expect(clippy::unused_async, reason = "verbs are asynchronous")]
async fn run(args: DiffArgs, output: Output) -> u8 {
    match diff_rdb(&args.left, &args.right, &env::temp_dir()) {
        Ok(report) => output.verification(&report),
        Err(error) => output.failure(&Failure::from(error)),
    }
}
