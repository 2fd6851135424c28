//! `ferrite-migrate export-csv`: writes the keys of a server to a CSV file.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::ExportFormat;

use super::{Job, Verb};
use crate::args::{KeyArgs, OutputArgs, ResourceArgs, SourceArgs, configure_source};
use crate::export::{OutputFileArgs, run};
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "export-csv", command, prepare };

#[derive(Args)]
struct ExportArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    file: OutputFileArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    resources: ResourceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn command() -> Command {
    ExportArgs::augment_args(Command::new("export-csv"))
        .about("Writes the keys of a server to a CSV file, a row for each element")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate export-csv -s redis://old:6379 -o keys.csv
  ferrite-migrate export-csv -s redis://old:6379 -o - -f 'user:*' --type hash

Columns: db, key, type, expires_at_ms, field, value, score. Streams, modules and functions have no
rows, and expiries of hash fields no column: they are named, and the exit code is 5. `export-json`
writes everything. Exit codes are listed by `ferrite-migrate --help`.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = ExportArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    let ExportArgs { source, file, keys, resources, output } = args;
    file.check(output.json)?;
    let config = configure_source(source, &keys, &resources)?;
    let parallel = resources.parallel();
    Ok(Job {
        parallel,
        run: Box::new(move |output| Box::pin(run(config, ExportFormat::Csv, file, output))),
    })
}
