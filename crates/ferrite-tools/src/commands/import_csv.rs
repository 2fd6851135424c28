//! `ferrite-migrate import-csv`: writes the rows of a CSV file to a server.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{ArgAction, ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::{Input, Limits, csv_delimiter};

use super::migrate::{OnConflictArg, Wanted, run};
use super::{Job, Verb};
use crate::args::{KeyArgs, OutputArgs, ResourceArgs, TargetArgs, configure_input};
use crate::limits::LimitArgs;
use crate::mapping::{MappingArgs, SHAPES, unusable};
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "import-csv", command, prepare };

#[derive(Args)]
struct ImportArgs {
    /// The file, plain or compressed with gzip; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    mapping: MappingArgs,
    #[command(flatten)]
    format: FormatArgs,
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
#[command(next_help_heading = "Mapping")]
struct FormatArgs {
    /// What stands between columns: one byte, or \t for a tab
    #[arg(long, value_name = "BYTE", default_value = ",", value_parser = csv_delimiter)]
    #[arg(conflicts_with = "mapping")]
    delimiter: u8,
    /// The first row is data: columns are named by numbers from 1 on
    #[arg(long, conflicts_with = "mapping")]
    no_header: bool,
}

#[derive(Args)]
#[command(next_help_heading = "Run")]
struct RunArgs {
    /// What to do about keys that are already on the target
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = OnConflictArg::Fail)]
    on_conflict: OnConflictArg,
    /// Read the file and report what would be written; write nothing
    #[arg(long)]
    dry_run: bool,
}

fn command() -> Command {
    ImportArgs::augment_args(Command::new("import-csv"))
        .about("Writes the rows of a CSV file to a server, each as a key or an element of one")
        .mut_arg("key", |arg| arg.required_unless_present("mapping"))
        .mut_arg("types", |arg| {
            arg.help("What a row becomes: a hash or a string; or an element of a list, set or zset")
                .help_heading("Mapping")
                .action(ArgAction::Set)
                .default_value("hash")
                .value_parser(PossibleValuesParser::new(SHAPES.map(|(name, _)| name)))
        })
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate import-csv users.csv -t redis://new:6379 --key 'user:{id}'
  ferrite-migrate import-csv names.csv -t redis://new --key 'n:{id}' --type string --value name
  ferrite-migrate import-csv b.csv -t redis://new --key '{game}' --type zset --member m --score s
  ferrite-migrate import-csv users.csv -t redis://new:6379 --mapping users.yaml
  ferrite-migrate import-csv log.tsv.gz -t redis://new --key 'log:{1}' --type list --member 2 \\
    --no-header --delimiter '\\t' --dry-run

Rows of one list, set or sorted set have to stand together. A row that is wrong ends the import, and
the error names its line: what came before it is on the target. See docs/csv.md. Exit codes are
listed by `ferrite-migrate --help`.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = ImportArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    let ImportArgs { file, target, run: RunArgs { on_conflict, dry_run }, limits, .. } = args;
    let parallel = args.resources.parallel();
    let mapping = args.mapping.mapping(matches)?;
    let mut mapping = mapping.ok_or_else(|| unusable("--key is missing".to_owned()))?;
    if matches.get_one::<PathBuf>("mapping").is_none() {
        mapping.delimiter = Some(args.format.delimiter);
        mapping.has_header = Some(!args.format.no_header);
    }
    let input = Input::csv(file, mapping).map_err(unusable)?;
    let config = configure_input(input, target, &args.keys, &args.resources, |config| {
        config
            .on_conflict(on_conflict.into())
            .dry_run(dry_run)
            .limits(limits.limits(Limits::default()))
    })?;
    let wanted = Wanted::New { config, is_everything: args.keys.is_everything() };
    Ok(Job { parallel, run: Box::new(move |output| Box::pin(run(wanted, None, false, output))) })
}
