//! `ferrite-migrate import-csv`: writes the rows of a CSV file to a server.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{ArgAction, ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::{
    CSV_MAPPING_MAX, CsvMapping, CsvOrigin, CsvShape, Input, Limits, csv_delimiter, csv_mapping,
};

use super::migrate::{OnConflictArg, Wanted, run};
use super::{Job, Verb};
use crate::args::{KeyArgs, OutputArgs, ResourceArgs, TargetArgs, configure_input};
use crate::limits::LimitArgs;
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
struct MappingArgs {
    /// A YAML file that says what the options below say, by their names; see docs/csv.md
    #[arg(long, value_name = "FILE", conflicts_with_all = INSTEAD_OF_MAPPING)]
    mapping: Option<PathBuf>,
    /// The key of a row, with columns in braces, such as 'user:{id}'
    #[arg(long, value_name = "TEMPLATE", required_unless_present = "mapping")]
    key: Option<String>,
    /// The columns that become fields of a hash, such as name,age; all unless told otherwise
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    fields: Vec<String>,
    /// The column with the value of a string
    #[arg(long, value_name = "COLUMN", conflicts_with = "member")]
    value: Option<String>,
    /// The column with the element of a list, set or sorted set
    #[arg(long, value_name = "COLUMN")]
    member: Option<String>,
    /// The column with the score of a sorted set
    #[arg(long, value_name = "COLUMN")]
    score: Option<String>,
    /// The column with the seconds a key lives from now on; an empty one is for ever
    #[arg(long, value_name = "COLUMN")]
    ttl: Option<String>,
    /// The column that says until when: Unix time in seconds, or as 2026-11-21T03:00:00Z
    #[arg(long, value_name = "COLUMN")]
    expires_at: Option<String>,
    /// What stands between columns: one byte, or \t for a tab
    #[arg(long, value_name = "BYTE", default_value = ",", value_parser = csv_delimiter)]
    delimiter: u8,
    /// The first row is data: columns are named by numbers from 1 on
    #[arg(long)]
    no_header: bool,
}

/// What stands in a mapping's file where there is one.
const INSTEAD_OF_MAPPING: [&str; 10] = [
    "key",
    "types",
    "fields",
    "value",
    "member",
    "score",
    "ttl",
    "expires_at",
    "delimiter",
    "no_header",
];

/// What a row becomes, by the name of the type.
const SHAPES: [(&str, CsvShape); 5] = [
    ("hash", CsvShape::Hash),
    ("string", CsvShape::String),
    ("list", CsvShape::List),
    ("set", CsvShape::Set),
    ("zset", CsvShape::Zset),
];

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

impl MappingArgs {
    fn mapping(self, shape: CsvShape) -> Result<CsvMapping, Failure> {
        if let Some(file) = &self.mapping {
            return read_mapping(file);
        }
        let fields = self.fields.into_iter().filter(|name| name != "*");
        Ok(CsvMapping {
            key: self.key.unwrap_or_default(),
            shape,
            fields: fields.map(|name| (name.clone(), name)).collect(),
            value: self.value.or(self.member),
            score: self.score,
            ttl: self.ttl,
            expires_at: self.expires_at,
            delimiter: self.delimiter,
            has_header: !self.no_header,
            origin: CsvOrigin::default(),
        })
    }
}

fn read_mapping(file: &Path) -> Result<CsvMapping, Failure> {
    let name = file.display().to_string();
    let mut bytes = Vec::new();
    // One byte more tells that it is too long.
    let read =
        File::open(file).and_then(|it| it.take(CSV_MAPPING_MAX as u64 + 1).read_to_end(&mut bytes));
    let doing = "reading the mapping of columns";
    read.map_err(|error| Failure::usage(format!("{doing} {name}"), error.to_string()))?;
    csv_mapping(&name, &bytes)
        .map_err(|why| Failure::usage(doing, why).with_hint("docs/csv.md has an example"))
}

fn command() -> Command {
    ImportArgs::augment_args(Command::new("import-csv"))
        .about("Writes the rows of a CSV file to a server, each as a key or an element of one")
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
    let ImportArgs { file, target, mapping, run: RunArgs { on_conflict, dry_run }, limits, .. } =
        args;
    let parallel = args.resources.parallel();
    let named = matches.get_one::<String>("types");
    let shape = SHAPES.iter().find(|(name, _)| named.is_some_and(|named| named == name));
    let shape = shape.map_or(CsvShape::Hash, |(_, shape)| *shape);
    let input = Input::csv(file, mapping.mapping(shape)?)
        .map_err(|why| Failure::usage("the mapping of columns", why))?;
    let config = configure_input(input, target, &args.keys, &args.resources, |config| {
        config
            .on_conflict(on_conflict.into())
            .dry_run(dry_run)
            .limits(limits.limits(Limits::default()))
    })?;
    let wanted = Wanted::New { config, is_everything: args.keys.is_everything() };
    Ok(Job { parallel, run: Box::new(move |output| Box::pin(run(wanted, None, false, output))) })
}
