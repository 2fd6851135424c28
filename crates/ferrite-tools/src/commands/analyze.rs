//! `ferrite-migrate analyze`: what is on a source, and how it could be moved.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::{CheckStatus, Config, Limits, Look, analyze_source};

use super::analyze_rdb::{parse_top, run_file};
use super::{Job, Verb};
use crate::args::{OutputArgs, SourceArgs, TargetArgs, configure_look};
use crate::render::Output;
use crate::term::error::Failure;
use crate::term::units::parse_duration;

pub const VERB: Verb = Verb { name: "analyze", command, prepare };

/// The exit code where a check found a blocker.
const BLOCKED: u8 = 3;

#[derive(Args)]
struct AnalyzeArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    look: LookArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Analysis")]
struct LookArgs {
    /// So many patterns and biggest keys
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = parse_top)]
    top: usize,
    /// Wait while the source takes longer than this to answer a PING, such as 2ms
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    max_source_latency: Option<u64>,
}

fn command() -> Command {
    AnalyzeArgs::augment_args(Command::new("analyze"))
        .mut_arg("target", |arg| arg.required(false))
        .about("Says what is on a source, and how it could be moved; writes nothing")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate analyze -s redis://old:6379
  ferrite-migrate analyze -s redis://old:6379 -t redis://new:6379 --max-source-latency 2ms
  ferrite-migrate analyze -s memcached://old:11211
  ferrite-migrate analyze -s dump.rdb --json

Looks at up to 20,000 keys for about a second, and reads keys for two more to measure how long all
of them take; counts are made up to all keys. With a target, the checks that come before a
migration are made too. All primaries of a cluster are looked at, but not measured. Of a
Memcached up to 100,000 keys are looked at, by what its crawler tells; none is read. A file is looked at as by `analyze-rdb`. Exit codes: 0, or 3 where a check
found a blocker; the others are listed by `ferrite-migrate --help`.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = AnalyzeArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    let AnalyzeArgs { source, target, look, output: shown } = args;
    let top = look.top;
    if let Some(file) = source.file() {
        if target.is_given() {
            let failure =
                Failure::usage("the command line", "a file is looked at without a target");
            return Err(failure.with_hint("leave --target out"));
        }
        let run = move |output| Box::pin(run_file(file, top, shown, output)) as super::Running;
        return Ok(Job { parallel: 1, run: Box::new(run) });
    }
    let limits = Limits { max_source_latency_ms: look.max_source_latency, ..Limits::default() };
    // What is on both ends is not looked for: that takes as long as reading all names.
    let (config, target) = configure_look(source, target, |config| {
        config.limits(limits).on_conflict(ferrite_migrate::OnConflict::Replace)
    })?;
    let look = Look { target, top };
    let parallel = config.parallel;
    Ok(Job { parallel, run: Box::new(move |output| Box::pin(run(config, look, output))) })
}

async fn run(config: Config, look: Look, output: Output) -> u8 {
    match analyze_source(config, look).await {
        Ok(found) => {
            let checks = &found.preflight.checks;
            let is_blocked = checks.iter().any(|check| check.status == CheckStatus::Block);
            let exit_code = if is_blocked { BLOCKED } else { 0 };
            output.source_analysis(&found, exit_code);
            exit_code
        }
        Err(error) => output.failure(&Failure::from(error)),
    }
}
