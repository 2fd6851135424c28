//! `ferrite-migrate export-json`: writes the keys of a server to a file of JSON lines.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::ExportFormat;

use super::{Job, Verb};
use crate::args::{KeyArgs, OutputArgs, ResourceArgs, SourceArgs, configure_source};
use crate::export::{OutputFileArgs, run};
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "export-json", command, prepare };

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
    ExportArgs::augment_args(Command::new("export-json"))
        .about("Writes the keys of a server to a file of JSON lines, exactly, with their expiries")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate export-json -s redis://old:6379 -o keys.jsonl
  ferrite-migrate export-json -s redis://old:6379/2 -o users.jsonl -f 'user:*' --type hash
  ferrite-migrate export-json -s redis://old:6379 -o -

A record on each line, as docs/json.md draws it; `import-json` reads it back. The source is read as
`migrate` reads it: as a replica where that is allowed, else key by key. Exit codes are listed by
`ferrite-migrate --help`.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = ExportArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    let ExportArgs { source, file, keys, resources, output } = args;
    file.check(output.json)?;
    let config = configure_source(source, &keys, &resources)?;
    let parallel = resources.parallel();
    Ok(Job {
        parallel,
        run: Box::new(move |output| Box::pin(run(config, ExportFormat::Json, file, output))),
    })
}
