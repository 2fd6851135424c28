//! `ferrite-migrate migrate`: copies the keys of one server to another, and follows what is written
//! to it.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use ferrite_migrate::{Config, JobStore, Migration, Mode, OnConflict, Report, Strategy};

use super::{Job, Verb};
use crate::args::{
    KeyArgs, OutputArgs, ResourceArgs, SourceArgs, StateArgs, TargetArgs, complete, configure,
};
use crate::detach::{Began, detach};
use crate::render::Output;
use crate::term::error::Failure;
use crate::term::units::parse_size;
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
    live: LiveArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    resources: ResourceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Run")]
struct RunArgs {
    /// How the data moves: `snapshot` copies every key once; `live` copies every key once, then
    /// follows every write until the cutover
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

#[derive(Args)]
#[command(next_help_heading = "Live")]
struct LiveArgs {
    /// Go on with this live migration as it was planned; addresses are needed for passwords alone
    #[arg(long, value_name = "ID", conflicts_with_all = PLANNED)]
    resume: Option<String>,
    /// With --resume, after a process that ended while the hook of a cutover ran: the application
    /// still writes to the source
    #[arg(long, requires = "resume")]
    traffic_stayed: bool,
    /// With --resume, after a source that came back without its keys: the target is to lose them too
    #[arg(long, requires = "resume")]
    source_emptied: bool,
    /// Run in the background, with a log in the migration's directory
    #[arg(long)]
    detach: bool,
    /// Upper bound for the source's commands that wait on disk until the target has them
    #[arg(long, value_name = "SIZE", default_value = "8GiB", value_parser = parse_size)]
    spool_limit: u64,
}

/// What is as it was planned when a migration is resumed.
const PLANNED: [&str; 11] = [
    "mode",
    "strategy",
    "on_conflict",
    "dry_run",
    "verify",
    "filter",
    "exclude",
    "types",
    "parallel",
    "batch_size",
    "memory_limit",
];

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
        "live" => Ok(Mode::Live),
        "incremental" => Err(String::from(
            "this version has the modes `snapshot` and `live`; `live` also brings what is written \
             later, `incremental` is not in it",
        )),
        _ => Err(format!("`{text}` is not a mode; this version has `snapshot` and `live`")),
    }
}

fn command() -> Command {
    let or_resumed = |arg: clap::Arg| arg.required(false).required_unless_present("resume");
    MigrateArgs::augment_args(Command::new("migrate"))
        .mut_arg("source", or_resumed)
        .mut_arg("target", or_resumed)
        .about("Copies the keys of one server to another, with their expiries")
        .override_usage(USAGE)
        .after_help(AFTER_HELP)
}

const USAGE: &str = "\
ferrite-migrate migrate [OPTIONS] --source <URL> --target <URL>
       ferrite-migrate migrate [OPTIONS] --resume <ID>";

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate migrate -s redis://old:6379 -t redis://new:6379 --dry-run
  ferrite-migrate migrate -s redis://old:6379 -t redis://new:6379 --verify
  ferrite-migrate migrate -s redis://old:6379 -t redis://new:6379 --mode live
  ferrite-migrate migrate -s redis://old:6379 -t redis://new:6379 --mode live --detach
  ferrite-migrate migrate --resume mig_abc123def456
  ferrite-migrate migrate -s rediss://old:6380 --source-tls-ca ca.pem -t unix:///run/new.sock
  ferrite-migrate migrate -s redis://old -t redis://new -f 'user:*' -e 'user:tmp:*' --type hash
  ferrite-migrate migrate -s redis://old/2 -t redis://new/2 --on-conflict replace -p 8 --json

A live migration ends with `ferrite-migrate cutover`; `status` tells when it can. It outlives its
process: whatever ended that, --resume goes on from where the target is.

Ctrl-C stops in order: what is on its way arrives, the report says what is done. A second one
leaves at once. Exit codes are listed by `ferrite-migrate --help`.";

/// What to run.
#[expect(clippy::large_enum_variant, reason = "there is one")]
enum Wanted {
    /// A new migration.
    New { config: Config, is_everything: bool },
    /// One that goes on.
    Resume { id: String, source: SourceArgs, target: TargetArgs, live: LiveArgs },
}

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = MigrateArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    let (mode, is_resumed) = (args.run.mode, args.live.resume.is_some());
    let is_live = is_resumed || mode == Mode::Live;
    if !is_live {
        refuse_live_options(matches)?;
    }
    let store = if is_live { Some(args.state.store()?) } else { None };
    let background = args.live.detach;
    let parallel = args.resources.parallel();
    let wanted = wanted(args, store.as_ref())?;
    Ok(Job {
        parallel,
        run: Box::new(move |output| Box::pin(run(wanted, store, background, output))),
    })
}

/// Options that would have no effect.
fn refuse_live_options(matches: &ArgMatches) -> Result<(), Failure> {
    for (id, option) in
        [("detach", "--detach"), ("spool_limit", "--spool-limit"), ("state_dir", "--state-dir")]
    {
        if matches.value_source(id) == Some(ValueSource::CommandLine) {
            let cause = format!("{option} is for live migrations");
            return Err(Failure::usage("the command line", cause).with_hint("--mode live"));
        }
    }
    Ok(())
}

fn wanted(args: MigrateArgs, store: Option<&JobStore>) -> Result<Wanted, Failure> {
    let MigrateArgs { source, target, run, keys, live, resources, .. } = args;
    if let Some(id) = live.resume.clone() {
        return Ok(Wanted::Resume { id, source, target, live });
    }
    let config = configure(source, target, &keys, &resources, |config| {
        let config = config
            .mode(run.mode)
            .strategy(run.strategy.into())
            .on_conflict(run.on_conflict.into())
            .dry_run(run.dry_run)
            .verify(run.verify)
            .spool_limit(live.spool_limit);
        store.iter().fold(config, |config, store| config.state_dir(store.root()))
    })?;
    Ok(Wanted::New { config, is_everything: keys.is_everything() })
}

async fn run(wanted: Wanted, store: Option<JobStore>, background: bool, output: Output) -> u8 {
    let ended = match &store {
        Some(store) if background => run_behind(&wanted, store, &output).await,
        store => run_here(wanted, store.as_ref(), &output).await,
    };
    ended.unwrap_or_else(|failure| output.failure(&failure))
}

async fn run_behind(wanted: &Wanted, store: &JobStore, output: &Output) -> Result<u8, Failure> {
    let resumed = match wanted {
        Wanted::New { .. } => None,
        Wanted::Resume { id, .. } => Some(store.read(id)?.path),
    };
    Ok(match detach(store, resumed.as_deref(), output).await? {
        Began::Ended { exit_code } => exit_code,
        Began::Runs { record, pid, log } => {
            output.detached(&record, pid, &log);
            0
        }
    })
}

async fn run_here(
    wanted: Wanted,
    store: Option<&JobStore>,
    output: &Output,
) -> Result<u8, Failure> {
    let (config, is_everything, migration) = match wanted {
        Wanted::New { config, is_everything } => {
            let migration = Migration::new(config.clone()).await?;
            (config, is_everything, migration)
        }
        Wanted::Resume { id, source, target, live } => {
            let store = store.ok_or_else(|| Failure::usage("", "no directory of migrations"))?;
            let plan = store.read(&id)?.plan;
            let patterns = plan.include.len() + plan.exclude.len() + plan.types.len();
            let config = plan.configure()?.mode(Mode::Live);
            let config = config.state_dir(store.root()).spool_limit(live.spool_limit);
            let config = config.traffic_stayed(live.traffic_stayed);
            let config = config.source_emptied(live.source_emptied);
            let config = complete(config, source, target)?;
            let migration = Migration::resume(config.clone(), &id).await?;
            (config, patterns == 0, migration)
        }
    };
    let report = migrate(migration, &config, is_everything, output).await?;
    Ok(output.migration(&report, &config))
}

async fn migrate(
    mut migration: Migration,
    config: &Config,
    is_everything: bool,
    output: &Output,
) -> Result<Report, Failure> {
    let mut watch = Watch::new(&mut migration, output, is_everything)?;
    output.begin(migration.id(), config);
    if config.mode == Mode::Live {
        watch = watch.resumable(migration.id());
    }
    watch.start(&mut migration).await?;
    watch.wait(&mut migration).await
}
