//! `ferrite-migrate cluster`: copies the keys of one cluster to another, and follows it.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::{Limits, Mode};

use super::migrate::{OnConflictArg, Wanted, run};
use super::{Job, Verb};
use crate::args::{
    KeyArgs, OutputArgs, ResourceArgs, SourceArgs, StateArgs, TargetArgs, configure,
};
use crate::limits::LimitArgs;
use crate::term::error::Failure;
use crate::workers::WorkersArgs;

pub const VERB: Verb = Verb { name: "cluster", command, prepare };

#[derive(Args)]
struct ClusterArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    keys: KeyArgs,
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
    /// What to do about keys that are already on the target
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = OnConflictArg::Fail)]
    on_conflict: OnConflictArg,
    /// Then follow every write until `ferrite-migrate cutover`, as `migrate --mode live`
    #[arg(long, conflicts_with = "dry_run")]
    live: bool,
    /// Read the source and report what would be copied; write nothing
    #[arg(long, conflicts_with = "verify")]
    dry_run: bool,
    /// Compare all keys of both ends after the copy; with --live, all the while
    #[arg(long)]
    verify: bool,
    /// With --live: run in the background, with a log in the migration's directory
    #[arg(long, requires = "live")]
    detach: bool,
}

fn command() -> Command {
    ClusterArgs::augment_args(Command::new("cluster"))
        .about("Copies the keys of one cluster to another, whatever slots their nodes own")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate cluster --source redis://old-1:6379 --target redis://new-1:6379 --parallel 8
  ferrite-migrate cluster -s redis://old-1:6379 -t redis://new-1:6379 --dry-run
  ferrite-migrate cluster -s redis://old-1:6379 -t redis://new-1:6379 --verify
  ferrite-migrate cluster -s redis://old-1:6379 -t redis://new-1:6379 --live --detach
  ferrite-migrate cluster -s redis://old-1 -t redis://new-1 --workers-from etcd://etcd-1/move-1

Each address names any one node; the others are found, and use the same user, password and TLS.
Every slot must have an owner. Slots may move and replicas take over while it runs. Keys are copied
once, and with --live followed. `migrate`, `sync` and `verify` take clusters as well, at one end or
both. With --workers-from, machines that run the same command share the job. Exit codes are listed
by `ferrite-migrate --help`.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = ClusterArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    let ClusterArgs { source, target, run: options, keys, state, .. } = args;
    let ClusterArgs { resources, limits, workers, .. } = args;
    let names_state_dir = matches.value_source("state_dir") == Some(ValueSource::CommandLine);
    if names_state_dir && !options.live {
        let cause = "--state-dir is for live migrations";
        return Err(Failure::usage("the command line", cause).with_hint("--live"));
    }
    let store = if options.live { Some(state.store()?) } else { None };
    let parallel = resources.parallel();
    let config = configure(source, target, &keys, &resources, |config| {
        let config = workers
            .apply(config)
            .clusters(true)
            .mode(if options.live { Mode::Live } else { Mode::Snapshot })
            .on_conflict(options.on_conflict.into())
            .dry_run(options.dry_run)
            .verify(options.verify)
            .limits(limits.limits(Limits::default()));
        store.iter().fold(config, |config, store| config.state_dir(store.root()))
    })?;
    let wanted = Wanted::New { config, is_everything: keys.is_everything() };
    let behind = options.detach;
    Ok(Job { parallel, run: Box::new(move |output| Box::pin(run(wanted, store, behind, output))) })
}
