//! `ferrite-migrate import-json`: writes the records of a JSON file to a server.

use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::{Input, Limits};

use super::migrate::{OnConflictArg, Wanted, run};
use super::{Job, Verb};
use crate::args::{KeyArgs, OutputArgs, ResourceArgs, TargetArgs, configure_input};
use crate::limits::LimitArgs;
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "import-json", command, prepare };

#[derive(Args)]
struct ImportArgs {
    /// JSON lines or an array, plain or compressed with gzip; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    resources: ResourceArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Run")]
struct RunArgs {
    /// Only this database of the file; with one in the target's address, its keys go there
    #[arg(long, value_name = "N")]
    db: Option<u32>,
    /// What to do about keys that are already on the target
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = OnConflictArg::Fail)]
    on_conflict: OnConflictArg,
    /// Read the file and report what would be written; write nothing
    #[arg(long)]
    dry_run: bool,
}

fn command() -> Command {
    ImportArgs::augment_args(Command::new("import-json"))
        .about("Writes the records of a JSON file to a server, with their expiries")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate import-json keys.jsonl -t redis://new:6379
  ferrite-migrate import-json keys.json.gz -t redis://new:6379 -f 'user:*' --dry-run
  ferrite-migrate import-json users.json -t redis://new:6379 --on-conflict skip
  zcat keys.jsonl.gz | ferrite-migrate import-json - -t redis://new:6379

The shape of a record is drawn in docs/json.md. A record that is wrong ends the import, and the
error names its line: what came before it is on the target. Exit codes are listed by
`ferrite-migrate --help`.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = ImportArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    let ImportArgs { file, target, run: RunArgs { db, on_conflict, dry_run }, limits, .. } = args;
    let parallel = args.resources.parallel();
    let input = Input::json(file);
    let config = configure_input(input, target, &args.keys, &args.resources, |config| {
        let config = config
            .on_conflict(on_conflict.into())
            .dry_run(dry_run)
            .limits(limits.limits(Limits::default()));
        db.into_iter().fold(config, ferrite_migrate::ConfigBuilder::input_db)
    })?;
    let wanted = Wanted::New { config, is_everything: args.keys.is_everything() };
    Ok(Job { parallel, run: Box::new(move |output| Box::pin(run(wanted, None, false, output))) })
}
