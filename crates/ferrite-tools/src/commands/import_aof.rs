//! `ferrite-migrate import-aof`: brings a server to what an append-only file says.

use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use ferrite_migrate::{AofOptions, Input, Limits, OnConflict, parse_rfc3339};

use super::migrate::{Wanted, run};
use super::{Job, Verb};
use crate::args::{KeyArgs, OutputArgs, ResourceArgs, TargetArgs, configure_input};
use crate::limits::LimitArgs;
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "import-aof", command, prepare };

#[derive(Args)]
struct ImportArgs {
    /// The file, or the directory of a multi-part one (appendonlydir), or its manifest
    #[arg(value_name = "FILE|DIR")]
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
    /// What was there at this time, to the second, such as 2026-11-21T03:00:00Z; needs a file
    /// written with aof-timestamp-enabled
    #[arg(long, value_name = "TIME", value_parser = parse_rfc3339)]
    before: Option<u64>,
    /// Only the commands executed after this time; what was there before must be on the target
    #[arg(long, value_name = "TIME", value_parser = parse_rfc3339, conflicts_with = "on_conflict")]
    after: Option<u64>,
    /// Go past damage, to the next command, and name what is left out
    #[arg(long)]
    salvage: bool,
    /// Only this database of the file; with one in the target's address, its keys go there
    #[arg(long, value_name = "N")]
    db: Option<u32>,
    /// What to do about keys that are already on the target
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = OnConflictArg::Fail)]
    on_conflict: OnConflictArg,
    /// Read the files and report what would be written; write nothing
    #[arg(long)]
    dry_run: bool,
}

/// What to do about keys that are already on the target.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum OnConflictArg {
    /// Refuse the whole run before anything is written, unless the target is empty
    Fail,
    /// Delete those that the file has, then import
    Replace,
}

fn command() -> Command {
    ImportArgs::augment_args(Command::new("import-aof"))
        .about("Brings a server to what an append-only file says, now or at an earlier time")
        // Commands do not tell types: it is refused, with that reason.
        .mut_arg("types", |arg| arg.hide(true))
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate import-aof appendonly.aof -t redis://new:6379
  ferrite-migrate import-aof appendonlydir -t redis://new:6379 --before 2026-11-21T03:00:00Z
  ferrite-migrate import-aof appendonlydir -t redis://new:6379 -f 'user:*' --dry-run
  ferrite-migrate import-aof appendonly.aof -t redis://new:6379 --salvage --on-conflict replace

All files are read once before anything is written: damage and commands that cannot be applied are
found then. The target ends with what a server has that loads the same files; keys that are due by
now have expired. Exit codes are listed by `ferrite-migrate --help`: 5 where damage was gone past.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = ImportArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    let ImportArgs { file, target, run: what, limits, .. } = args;
    let parallel = args.resources.parallel();
    let policy = match (what.on_conflict, what.after) {
        // What was there before is expected to be there.
        (_, Some(_)) | (OnConflictArg::Replace, None) => OnConflict::Replace,
        (OnConflictArg::Fail, None) => OnConflict::Fail,
    };
    let options =
        AofOptions { after_ms: what.after, before_ms: what.before, salvage: what.salvage };
    let input = Input::aof(file, options);
    let config = configure_input(input, target, &args.keys, &args.resources, |config| {
        let config = config
            .on_conflict(policy)
            .dry_run(what.dry_run)
            .limits(limits.limits(Limits::default()));
        what.db.into_iter().fold(config, ferrite_migrate::ConfigBuilder::input_db)
    })?;
    let wanted = Wanted::New { config, is_everything: args.keys.is_everything() };
    Ok(Job { parallel, run: Box::new(move |output| Box::pin(run(wanted, None, false, output))) })
}
