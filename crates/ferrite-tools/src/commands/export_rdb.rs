//! `ferrite-migrate export-rdb`: the keys of a server as an RDB file.

use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use ferrite_migrate::{ExportSource, RdbDestination, Strategy, export_rdb};

use super::{Job, Verb};
use crate::args::{OutputArgs, SourceArgs};
use crate::render::Output;
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "export-rdb", command, prepare };

#[derive(Args)]
struct ExportArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Args)]
#[command(next_help_heading = "File")]
struct FileArgs {
    /// The file to write, which is replaced once the new one is complete; `-` is standard output
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    path: PathBuf,
    /// The server that is to load it: redis-6.2, redis-7.0, valkey-8.1, valkey-9, keydb, dragonfly;
    /// or the version of the format, rdb-6 to rdb-15. By default one like the source
    #[arg(long, value_name = "SERVER")]
    to: Option<String>,
    /// A module that server has, as MODULE LIST names it; repeat it for more
    #[arg(long, value_name = "NAME", requires = "to")]
    module: Vec<String>,
    /// How the source is read
    #[arg(long, value_name = "HOW", value_enum, default_value_t = ReadArg::Auto)]
    strategy: ReadArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReadArg {
    /// As a replica if the source allows it, else key by key
    Auto,
    /// As a replica: the state of one moment
    Psync,
    /// Key by key: each as it is when it is read
    Scan,
}

fn command() -> Command {
    ExportArgs::augment_args(Command::new("export-rdb"))
        .about("Writes the keys of a server to an RDB file, for this or another server")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate export-rdb -s redis://old:6379 -o dump.rdb
  ferrite-migrate export-rdb -s redis://old:6379/2 -o two.rdb --to redis-6.2
  ferrite-migrate export-rdb -s redis://old:6379 --strategy scan -o dump.rdb --json

A database in the address restricts the file to it, and is read key by key. What the server the file
is for cannot hold is left out and named, with exit code 5. A file that could not be completed is
not left behind.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = ExportArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    let FileArgs { path, to, module, strategy } = args.file;
    let endpoint = args.source.endpoint()?;
    if matches!(strategy, ReadArg::Psync) && endpoint.address.named_database().is_some() {
        let cause = "a replica is sent all databases: leave the one in the address out";
        return Err(Failure::usage("--strategy psync", cause).with_hint("--strategy scan"));
    }
    let mut file = RdbDestination::new(path);
    if let Some(to) = to {
        file = file
            .to_server(&to, &module)
            .map_err(|cause| Failure::usage(format!("--to {to}"), cause))?;
    }
    let source = ExportSource {
        address: endpoint.address,
        tls: endpoint.tls,
        strategy: match strategy {
            ReadArg::Auto => Strategy::Auto,
            ReadArg::Psync => Strategy::Psync,
            ReadArg::Scan => Strategy::Scan,
        },
    };
    Ok(Job { parallel: 1, run: Box::new(move |output| Box::pin(run(source, file, output))) })
}

async fn run(source: ExportSource, file: RdbDestination, output: Output) -> u8 {
    match export_rdb(&source, &file).await {
        Ok(report) => output.rdb_file(&report, "EXPORT REPORT"),
        Err(error) => output.failure(&Failure::from(error)),
    }
}
