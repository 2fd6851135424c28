//! `ferrite-migrate sync`: makes one server have what another has, by moving what differs.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::Mode;

use super::migrate::{Wanted, run};
use super::{Job, Verb};
use crate::args::{
    KeyArgs, OutputArgs, ResourceArgs, SourceArgs, StateArgs, TargetArgs, configure,
};
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "sync", command, prepare };

#[derive(Args)]
struct SyncArgs {
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
    output: OutputArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Run")]
struct RunArgs {
    /// Then follow every write until `ferrite-migrate cutover`, as `migrate --mode live`
    #[arg(long, conflicts_with = "dry_run")]
    live: bool,
    /// Delete keys on the target that the source does not have; without it they stay
    #[arg(long)]
    delete: bool,
    /// Compare both ends and report what would be moved; write nothing
    #[arg(long, conflicts_with = "verify")]
    dry_run: bool,
    /// Compare all keys of both ends afterwards; with --live, all the while
    #[arg(long)]
    verify: bool,
    /// With --live: run in the background, with a log in the migration's directory
    #[arg(long, requires = "live")]
    detach: bool,
}

fn command() -> Command {
    SyncArgs::augment_args(Command::new("sync"))
        .about("Makes one server have what another has: moves the keys that differ")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate sync -s redis://old:6379 -t redis://new:6379 --dry-run
  ferrite-migrate sync -s redis://old:6379 -t redis://new:6379 --delete --verify
  ferrite-migrate sync -s redis://old:6379 -t redis://new:6379 --live --verify
  ferrite-migrate sync -s redis://new:6379 -t redis://old:6379 -f 'user:*'

Every key of both ends is read; only those whose value or expiry differs are written. What is on the
target under the same name is overwritten. Exit codes are listed by `ferrite-migrate --help`.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = SyncArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    let SyncArgs { source, target, run: RunArgs { live, delete, dry_run, verify, detach }, .. } =
        args;
    let names_state_dir = matches.value_source("state_dir") == Some(ValueSource::CommandLine);
    if names_state_dir && !live {
        let cause = "--state-dir is for live migrations";
        return Err(Failure::usage("the command line", cause).with_hint("--live"));
    }
    let store = if live { Some(args.state.store()?) } else { None };
    let parallel = args.resources.parallel();
    let config = configure(source, target, &args.keys, &args.resources, |config| {
        let config = config
            .mode(if live { Mode::Live } else { Mode::Snapshot })
            .only_differing(true)
            .delete_missing(delete)
            .dry_run(dry_run)
            .verify(verify);
        store.iter().fold(config, |config, store| config.state_dir(store.root()))
    })?;
    let wanted = Wanted::New { config, is_everything: args.keys.is_everything() };
    Ok(Job { parallel, run: Box::new(move |output| Box::pin(run(wanted, store, detach, output))) })
}
