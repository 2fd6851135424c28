//! `ferrite-migrate import-json`: writes the records of a JSON file to a server, or keys that are made
//! of objects of any shape.

use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::{Input, Limits};

use super::migrate::{OnConflictArg, Wanted, run};
use super::{Job, Verb};
use crate::args::{KeyArgs, OutputArgs, ResourceArgs, TargetArgs, configure_input};
use crate::limits::LimitArgs;
use crate::mapping::{MappingArgs, unusable};
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
    mapping: MappingArgs,
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
    #[arg(long, value_name = "N", conflicts_with_all = ["key", "mapping"])]
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
        .about("Writes the records of a JSON file to a server, or keys made of other objects in it")
        .mut_arg("types", |arg| {
            arg.help(
                "Only keys of this type; repeat it for more. With --key, what an object becomes: a \
                 hash unless told, a string; or an element of a list, set or zset",
            )
        })
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate import-json keys.jsonl -t redis://new:6379
  ferrite-migrate import-json keys.json.gz -t redis://new:6379 -f 'user:*' --dry-run
  ferrite-migrate import-json users.json -t redis://new:6379 --on-conflict skip
  ferrite-migrate import-json people.json -t redis://new --key 'user:{id}' --fields name,at.city
  ferrite-migrate import-json people.json -t redis://new --key 't:{id}' --type set --member tags
  ferrite-migrate import-json people.json -t redis://new:6379 --mapping people.yaml
  zcat keys.jsonl.gz | ferrite-migrate import-json - -t redis://new:6379

The shape of a record is drawn in docs/json.md. Objects of any other shape become keys by --key or
--mapping: columns are their fields, and at.city is one of an object within. A record that is wrong
ends the import, and the error names its line: what came before it is on the target. Exit codes are
listed by `ferrite-migrate --help`.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = ImportArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    let ImportArgs { file, target, mapping, run: RunArgs { db, on_conflict, dry_run }, .. } = args;
    let limits = args.limits;
    let parallel = args.resources.parallel();
    let input = match mapping.mapping(matches)? {
        Some(mapping) => Input::json_mapped(file, mapping).map_err(unusable)?,
        None => Input::json(file),
    };
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
