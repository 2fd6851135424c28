//! `ferrite-migrate migrate`: copies the keys of one server to another.

use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use ferrite_migrate::{Config, Migration, Mode, OnConflict, Report, Strategy};

use super::{Job, Verb};
use crate::args::{KeyArgs, OutputArgs, ResourceArgs, SourceArgs, TargetArgs, configure};
use crate::render::Output;
use crate::term::error::Failure;
use crate::watch::Watch;

pub const VERB: Verb = Verb { name: "migrate", command, prepare };

#[derive(Args)]
struct MigrateArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    resources: ResourceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Run")]
struct RunArgs {
    /// How the data moves; `snapshot` copies every key once
    #[arg(short, long, default_value = "snapshot", value_parser = parse_mode)]
    mode: Mode,
    /// How keys are read
    #[arg(long, value_name = "HOW", value_enum, default_value_t = StrategyArg::Auto)]
    strategy: StrategyArg,
    /// What to do about keys that are already on the target
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = OnConflictArg::Fail)]
    on_conflict: OnConflictArg,
    /// Read the source and report what would be copied; write nothing
    #[arg(long, conflicts_with = "verify")]
    dry_run: bool,
    /// Compare all keys of both ends after the copy
    #[arg(long)]
    verify: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum StrategyArg {
    /// The best that the source allows
    Auto,
    /// As a replica: one full synchronization, the state of one moment
    Psync,
    /// SCAN and DUMP: works with any access, reads different keys at different moments
    Scan,
}

impl From<StrategyArg> for Strategy {
    fn from(strategy: StrategyArg) -> Self {
        match strategy {
            StrategyArg::Auto => Self::Auto,
            StrategyArg::Psync => Self::Psync,
            StrategyArg::Scan => Self::Scan,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum OnConflictArg {
    /// Refuse the whole run before anything is written
    Fail,
    /// Overwrite them
    Replace,
    /// Leave them as they are, and report them
    Skip,
}

impl From<OnConflictArg> for OnConflict {
    fn from(policy: OnConflictArg) -> Self {
        match policy {
            OnConflictArg::Fail => Self::Fail,
            OnConflictArg::Replace => Self::Replace,
            OnConflictArg::Skip => Self::Skip,
        }
    }
}

fn parse_mode(text: &str) -> Result<Mode, String> {
    match text {
        "snapshot" => Ok(Mode::Snapshot),
        "live" | "incremental" => Err(format!(
            "this version has only the mode `snapshot`, which copies every key once; `{text}` \
             is not in it"
        )),
        _ => Err(format!("`{text}` is not a mode; this version has `snapshot`")),
    }
}

fn command() -> Command {
    MigrateArgs::augment_args(Command::new("migrate"))
        .about("Copies the keys of one server to another, with their expiries")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate migrate -s redis://old:6379 -t redis://new:6379 --dry-run
  ferrite-migrate migrate -s redis://old:6379 -t redis://new:6379 --verify
  ferrite-migrate migrate -s rediss://old:6380 --source-tls-ca ca.pem -t unix:///run/new.sock
  ferrite-migrate migrate -s redis://old -t redis://new -f 'user:*' -e 'user:tmp:*' --type hash
  ferrite-migrate migrate -s redis://old/2 -t redis://new/2 --on-conflict replace -p 8 --json

Ctrl-C stops in order: what is on its way arrives, the report says what is done. A second one
leaves at once. Exit codes are listed by `ferrite-migrate --help`.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = MigrateArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    let is_everything = args.keys.is_everything();
    let run_args = args.run;
    let config = configure(args.source, args.target, &args.keys, &args.resources, |config| {
        config
            .mode(run_args.mode)
            .strategy(run_args.strategy.into())
            .on_conflict(run_args.on_conflict.into())
            .dry_run(run_args.dry_run)
            .verify(run_args.verify)
    })?;
    Ok(Job {
        parallel: config.parallel,
        run: Box::new(move |output| Box::pin(run(config, is_everything, output))),
    })
}

async fn run(config: Config, is_everything: bool, output: Output) -> u8 {
    match migrate(&config, is_everything, &output).await {
        Ok(report) => output.migration(&report, &config),
        Err(failure) => output.failure(&failure),
    }
}

async fn migrate(config: &Config, is_everything: bool, output: &Output) -> Result<Report, Failure> {
    let mut migration = Migration::new(config.clone()).await?;
    let mut watch = Watch::new(&mut migration, output, is_everything)?;
    output.begin(migration.id(), config);
    watch.start(&mut migration).await?;
    watch.wait(&mut migration).await
}
