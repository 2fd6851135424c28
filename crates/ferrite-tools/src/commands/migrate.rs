//! `ferrite-migrate migrate`: copies the keys of one server to another, and follows what is written
//! to it.

use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use ferrite_migrate::{
    Config, ConfigBuilder, JobError, JobStore, Limits, Migration, Mode, OnConflict, Report,
    Strategy, adopt,
};

use super::{Job, Verb};
use crate::args::{
    KeyArgs, MemcachedArgs, OutputArgs, ResourceArgs, SourceArgs, StateArgs, TargetArgs, complete,
    configure,
};
use crate::detach::{Began, detach};
use crate::limits::LimitArgs;
use crate::render::Output;
use crate::term::error::Failure;
use crate::term::units::{parse_duration, parse_size};
use crate::watch::Watch;
use crate::workers::WorkersArgs;

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
    memcached: MemcachedArgs,
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    resources: ResourceArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    workers: WorkersArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Run")]
struct RunArgs {
    /// How the data moves: `snapshot` copies every key once; `live` copies every key once, then
    /// follows every write until the cutover; `incremental` copies every key once, and each later
    /// run, --resume or --every, moves what was written since
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
    /// With --strategy migrate: where the source reaches the target [default: as in --target]
    #[arg(long, value_name = "HOST:PORT")]
    migrate_target: Option<String>,
}

#[derive(Args)]
#[command(next_help_heading = "Live")]
pub struct LiveArgs {
    /// Go on with this live migration as it was planned; addresses are needed for passwords alone
    #[arg(long, value_name = "ID", conflicts_with_all = PLANNED)]
    resume: Option<String>,
    /// With --resume, after a process that ended while the hook of a cutover ran: the application
    /// still writes to the source
    #[arg(long, requires = "resume")]
    traffic_stayed: bool,
    /// With --mode incremental: run again that long after each run, such as 15m or 1h. With a
    /// Memcached and --mode live: make a round that long after each round
    #[arg(long, value_name = "DURATION", value_parser = parse_pause, conflicts_with = "resume")]
    every: Option<u64>,
    /// With --resume, after a source that came back without its keys: the target is to lose them too
    #[arg(long, requires = "resume")]
    source_emptied: bool,
    /// Run in the background, with a log in the migration's directory
    #[arg(long)]
    detach: bool,
    /// With --strategy replica: where the target reaches the source [default: as in --source]
    #[arg(long, value_name = "HOST:PORT")]
    replica_source: Option<String>,
    /// Upper bound for the source's commands that wait on disk until the target has them
    #[arg(long, value_name = "SIZE", default_value = "8GiB", value_parser = parse_size)]
    spool_limit: u64,
    /// Keep nothing of what the target has before it is written to; `abort --clean` works then only
    /// for a target that was empty
    #[arg(long)]
    no_undo: bool,
    /// Where it is kept how to go on: the position is on the target in any case. With `target` all
    /// the rest is too, and `--resume ID --target URL` goes on from any machine
    #[arg(long, value_name = "WHERE", value_enum, default_value_t = CheckpointArg::Local)]
    checkpoint: CheckpointArg,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CheckpointArg {
    /// In the directory of the migration
    Local,
    /// On the target too, for a disk that may be lost
    Target,
}

/// What is as it was planned when a migration is resumed.
const PLANNED: [&str; 17] = [
    "mode",
    "strategy",
    "on_conflict",
    "dry_run",
    "verify",
    "filter",
    "exclude",
    "types",
    "memcached_flags",
    "parallel",
    "batch_size",
    "memory_limit",
    "no_undo",
    "checkpoint",
    "replica_source",
    "migrate_target",
    "workers_from",
];

#[derive(Clone, Copy, ValueEnum)]
enum StrategyArg {
    /// The best that the source allows
    Auto,
    /// As a replica: one full synchronization, the state of one moment
    Psync,
    /// With --mode live: SCAN and DUMP, made whole by the commands of the source; a copy that is
    /// interrupted goes on where it was
    Fenced,
    /// SCAN and DUMP: works with any access, reads different keys at different moments; with --mode
    /// live again and again, and a last time while writes are held back
    Scan,
    /// With --mode live: the target becomes a replica of the source (REPLICAOF), and loses all it
    /// has; never chosen by `auto`
    Replica,
    /// The source sends its keys itself (MIGRATE), and must reach the target; chosen by `auto` where
    /// nothing else is allowed
    Migrate,
}

impl From<StrategyArg> for Strategy {
    fn from(strategy: StrategyArg) -> Self {
        match strategy {
            StrategyArg::Auto => Self::Auto,
            StrategyArg::Psync => Self::Psync,
            StrategyArg::Fenced => Self::Fenced,
            StrategyArg::Scan => Self::Scan,
            StrategyArg::Replica => Self::Replica,
            StrategyArg::Migrate => Self::Migrate,
        }
    }
}

/// What to do about keys that are already on the target.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum OnConflictArg {
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
        "incremental" => Ok(Mode::Incremental),
        _ => Err(format!("`{text}` is not a mode; there are `snapshot`, `live`, `incremental`")),
    }
}

/// The time between two runs, in ms.
fn parse_pause(text: &str) -> Result<u64, String> {
    match parse_duration(text)? {
        ms if ms < EVERY_MIN_MS => Err(String::from("the shortest time between two runs is 1 s")),
        ms => Ok(ms),
    }
}

/// The shortest time between two runs, in ms.
const EVERY_MIN_MS: u64 = 1000;

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
  ferrite-migrate migrate -s redis://old -t redis://new --mode incremental --every 1h --detach
  ferrite-migrate migrate -s redis://old -t redis://new --rate 50MB --max-source-latency 2ms
  ferrite-migrate migrate -s redis://old:6379 -t redis://new:6379 --mode live --strategy replica
  ferrite-migrate migrate -s redis://old:6379 -t redis://new:6379 --strategy migrate --verify
  ferrite-migrate migrate --resume mig_abc123def456
  ferrite-migrate migrate -s redis://old:6379 -t redis://new:6379 --mode live --checkpoint target
  ferrite-migrate migrate --resume mig_abc123def456 -t redis://new:6379
  ferrite-migrate migrate -s rediss://old:6380 --source-tls-ca ca.pem -t unix:///run/new.sock
  ferrite-migrate migrate -s redis://old -t redis://new -f 'user:*' -e 'user:tmp:*' --type hash
  ferrite-migrate migrate -s memcached://one:11211,two:11211 -t redis://new:6379 --verify
  ferrite-migrate migrate -s memcached://one:11211 -t redis://new:6379 --mode live --every 10s
  ferrite-migrate migrate -s redis://old -t redis://new --workers-from etcd://etcd-1/move-1
  ferrite-migrate migrate -s redis://old/2 -t redis://new/2 --on-conflict replace -p 8 --json

A live migration ends with `ferrite-migrate cutover`; `status` tells when it can. It outlives its
process: whatever ended that, --resume goes on from where the target is.

Limits hold the copy back, not what comes after: neither the writes of a live migration nor
--verify. With psync, a slow copy keeps the source's snapshot process alive as long, and the source
gives us up when it could send nothing for its repl-timeout. `ferrite-migrate throttle` changes the
limits of a live migration.

With --workers-from, all machines that run the same command share the job, whenever they begin and
whoever of them dies; `status --workers-from` shows who does what. A job has a prefix of its own.

Ctrl-C stops in order: what is on its way arrives, the report says what is done. A second one
leaves at once. Exit codes are listed by `ferrite-migrate --help`.";

/// What to run.
#[expect(clippy::large_enum_variant, reason = "there is one")]
pub enum Wanted {
    /// A new migration.
    New { config: Config, is_everything: bool },
    /// One that goes on.
    Resume { id: String, source: SourceArgs, target: TargetArgs, live: LiveArgs, limits: LimitArgs },
}

impl Wanted {
    /// Whether it is new, and its source is no server.
    fn is_no_server(&self) -> bool {
        matches!(self, Self::New { config, .. } if config.source.server().is_none())
    }
}

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = MigrateArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    let (mode, is_resumed) = (args.run.mode, args.live.resume.is_some());
    let is_live = is_resumed || mode != Mode::Snapshot;
    if !is_live {
        refuse_live_options(matches)?;
    }
    if matches!(args.run.strategy, StrategyArg::Replica) {
        refuse_copy_options(matches)?;
    }
    let store = if is_live { Some(args.state.store()?) } else { None };
    let background = args.live.detach;
    let parallel = args.resources.parallel();
    let wanted = wanted(args, store.as_ref())?;
    let is_followed = is_live && wanted.is_no_server();
    if is_followed {
        refuse_job_options(matches)?;
    }
    let store = store.filter(|_| !is_followed);
    Ok(Job {
        parallel,
        run: Box::new(move |output| Box::pin(run(wanted, store, background, output))),
    })
}

/// Options that would have no effect.
fn refuse_live_options(matches: &ArgMatches) -> Result<(), Failure> {
    for (id, option) in JOB_OPTIONS {
        if matches.value_source(id) == Some(ValueSource::CommandLine) {
            let cause = format!("{option} is for live migrations");
            return Err(Failure::usage("the command line", cause).with_hint("--mode live"));
        }
    }
    Ok(())
}

/// Options about what is kept of a live migration, where nothing is.
fn refuse_job_options(matches: &ArgMatches) -> Result<(), Failure> {
    for (id, option) in JOB_OPTIONS {
        if matches.value_source(id) == Some(ValueSource::CommandLine) {
            let cause = format!(
                "{option} has no effect with a Memcached: it is followed by this \
                                 process alone"
            );
            return Err(Failure::usage("the command line", cause).with_hint("leave it out"));
        }
    }
    Ok(())
}

/// Options about what is kept of a live migration.
const JOB_OPTIONS: [(&str, &str); 5] = [
    ("detach", "--detach"),
    ("spool_limit", "--spool-limit"),
    ("state_dir", "--state-dir"),
    ("no_undo", "--no-undo"),
    ("checkpoint", "--checkpoint"),
];

/// Options about copying, which a replica does by itself.
fn refuse_copy_options(matches: &ArgMatches) -> Result<(), Failure> {
    for (id, option) in [
        ("parallel", "--parallel"),
        ("batch_size", "--batch-size"),
        ("spool_limit", "--spool-limit"),
        ("no_undo", "--no-undo"),
        ("checkpoint", "--checkpoint"),
        ("rate", "--rate"),
        ("max_source_latency", "--max-source-latency"),
        ("max_target_latency", "--max-target-latency"),
    ] {
        if matches.value_source(id) == Some(ValueSource::CommandLine) {
            let cause = format!("{option} has no effect with --strategy replica");
            let hint = "leave it out: the target copies and follows by itself";
            return Err(Failure::usage("the command line", cause).with_hint(hint));
        }
    }
    Ok(())
}

fn wanted(args: MigrateArgs, store: Option<&JobStore>) -> Result<Wanted, Failure> {
    let MigrateArgs { source, target, run, keys, memcached, live, .. } = args;
    let MigrateArgs { resources, limits, workers, .. } = args;
    if let Some(id) = live.resume.clone() {
        limits.limits(Limits::default()).check()?;
        return Ok(Wanted::Resume { id, source, target, live, limits });
    }
    let config = configure(source, target, &keys, &resources, |config| {
        let config = memcached
            .apply(workers.apply(config))
            .mode(run.mode)
            .strategy(run.strategy.into())
            .on_conflict(run.on_conflict.into())
            .dry_run(run.dry_run)
            .verify(run.verify)
            .limits(limits.limits(Limits::default()))
            .spool_limit(live.spool_limit)
            .checkpoint_in_target(live.checkpoint == CheckpointArg::Target)
            .undo(!live.no_undo);
        let every = live.every.map(Duration::from_millis);
        let config = every.into_iter().fold(config, ConfigBuilder::every);
        let config = live.replica_source.into_iter().fold(config, ConfigBuilder::replica_source);
        let config = run.migrate_target.into_iter().fold(config, ConfigBuilder::migrate_target);
        store.iter().fold(config, |config, store| config.state_dir(store.root()))
    })?;
    Ok(Wanted::New { config, is_everything: keys.is_everything() })
}

/// Runs it, here or in the background; the exit code.
pub async fn run(wanted: Wanted, store: Option<JobStore>, background: bool, output: Output) -> u8 {
    let adopted = match (&wanted, &store) {
        (Wanted::Resume { id, target, .. }, Some(store)) => adopt_lost(store, id, target).await,
        _ => Ok(()),
    };
    if let Err(failure) = adopted {
        return output.failure(&failure);
    }
    let ended = match &store {
        Some(store) if background => run_behind(&wanted, store, &output).await,
        store => run_here(wanted, store.as_ref(), &output).await,
    };
    ended.unwrap_or_else(|failure| output.failure(&failure))
}

/// A migration that this machine does not know is taken over from its target, if that is named.
async fn adopt_lost(store: &JobStore, id: &str, target: &TargetArgs) -> Result<(), Failure> {
    if let (Err(JobError::NotFound { .. }), Some((url, tls))) = (store.read(id), target.given()) {
        adopt(store, id, url, tls).await?;
    }
    Ok(())
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
        Wanted::Resume { id, source, target, live, limits } => {
            let store = store.ok_or_else(|| Failure::usage("", "no directory of migrations"))?;
            let plan = store.read(&id)?.plan;
            let patterns = plan.include.len() + plan.exclude.len() + plan.types.len();
            let config = plan.configure()?.limits(limits.limits(plan.limits));
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
    if config.mode != Mode::Snapshot && config.source.server().is_some() {
        watch = watch.resumable(migration.id());
    }
    watch.start(&mut migration).await?;
    watch.wait(&mut migration).await
}
