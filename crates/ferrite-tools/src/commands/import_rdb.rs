//! `ferrite-migrate import-rdb`: writes the keys of an RDB file to a server.

use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use ferrite_migrate::{FileStrategy, Input, KeyTemplate, Limits};

use super::migrate::{OnConflictArg, Wanted};
use super::{Job, Verb};
use crate::args::{KeyArgs, OutputArgs, ResourceArgs, TargetArgs, configure_input};
use crate::limits::LimitArgs;
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "import-rdb", command, prepare };

/// The options of `import` too.
#[derive(Args)]
pub struct ImportArgs {
    /// The file, plain or compressed with gzip; `-` is standard input
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
    /// How the keys get to the target
    #[arg(long, value_name = "HOW", value_enum, default_value_t = StrategyArg::Auto)]
    strategy: StrategyArg,
    /// Give the keys other names, such as `old:{key}`; filters are about those in the file
    #[arg(long, value_name = "TEMPLATE")]
    transform_keys: Option<KeyTemplate>,
    /// Read the file and report what would be written; write nothing
    #[arg(long)]
    dry_run: bool,
    /// Read the file again when all is written, and compare every key that takes part
    #[arg(long)]
    verify: bool,
}

/// How the keys of a file get to the target.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum StrategyArg {
    /// As a replica where that can be done and nobody would notice, else by commands
    Auto,
    /// The empty target becomes our replica, loads the whole file itself, and becomes a primary again
    Replica,
    /// The keys are written by commands
    Commands,
}

impl From<StrategyArg> for FileStrategy {
    fn from(strategy: StrategyArg) -> Self {
        match strategy {
            StrategyArg::Auto => Self::Auto,
            StrategyArg::Replica => Self::Replica,
            StrategyArg::Commands => Self::Commands,
        }
    }
}

fn command() -> Command {
    ImportArgs::augment_args(Command::new("import-rdb"))
        .about("Writes the keys of an RDB file to a server, with their expiries")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate import-rdb dump.rdb -t redis://new:6379 --verify
  ferrite-migrate import-rdb dump.rdb.gz -t redis://new:6379 -f 'user:*' --dry-run
  ferrite-migrate import-rdb dump.rdb --db 2 -t redis://new:6379/0 --on-conflict replace
  ferrite-migrate import-rdb dump.rdb -t redis://new:6379 --transform-keys 'old:{key}'
  ferrite-migrate import-rdb dump.rdb -t redis://new:6379 --strategy commands
  ssh old cat /var/lib/redis/dump.rdb | ferrite-migrate import-rdb - -t redis://new:6379

Keys that have expired since the file was written are left out. A file that is damaged is read up
to the damage: what came before it is on the target, and the error names the place. Exit codes are
listed by `ferrite-migrate --help`.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    prepare_with(matches, Input::rdb_file_renamed)
}

/// Reads the options; `input` makes an input of the file and the template for names.
///
/// # Errors
/// Options that do not fit each other.
pub fn prepare_with(
    matches: &ArgMatches,
    input: fn(PathBuf, Option<KeyTemplate>) -> Input,
) -> Result<Job, Failure> {
    let args = ImportArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    let ImportArgs { file, target, run, limits, .. } = args;
    let RunArgs { db, on_conflict, strategy, transform_keys, dry_run, verify } = run;
    let parallel = args.resources.parallel();
    let input = input(file, transform_keys);
    let config = configure_input(input, target, &args.keys, &args.resources, |config| {
        let config = config
            .on_conflict(on_conflict.into())
            .file_strategy(strategy.into())
            .dry_run(dry_run)
            .verify(verify)
            .limits(limits.limits(Limits::default()));
        db.into_iter().fold(config, ferrite_migrate::ConfigBuilder::input_db)
    })?;
    let wanted = Wanted::New { config, is_everything: args.keys.is_everything() };
    Ok(Job {
        parallel,
        run: Box::new(move |output| Box::pin(super::migrate::run(wanted, None, false, output))),
    })
}
