//! `ferrite-migrate verify`: compares the keys of two servers.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::{Config, Coverage, Migration, VerificationReport};

use super::{Job, Verb};
use crate::args::{
    KeyArgs, MemcachedArgs, OutputArgs, ResourceArgs, SourceArgs, TargetArgs, configure,
};
use crate::render::Output;
use crate::term::error::Failure;
use crate::watch::Watch;

pub const VERB: Verb = Verb { name: "verify", command, prepare };

#[derive(Args)]
struct VerifyArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    coverage: CoverageArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    memcached: MemcachedArgs,
    #[command(flatten)]
    resources: ResourceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Coverage")]
#[group(multiple = false)]
struct CoverageArgs {
    /// Compare all keys, in both directions; this is the default
    #[arg(long)]
    full: bool,
    /// Compare this many keys of the source, chosen at random
    #[arg(long, value_name = "KEYS", value_parser = parse_sample)]
    sample: Option<u64>,
    /// Compare each key of the source with this probability, such as 0.1
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    sample_rate: Option<f64>,
}

impl CoverageArgs {
    /// The options exclude each other, and `--full` names what happens without the others.
    fn coverage(&self) -> Coverage {
        match (self.full, self.sample, self.sample_rate) {
            (false, Some(keys), _) => Coverage::Sample(keys),
            (false, None, Some(rate)) => Coverage::Rate(rate),
            _ => Coverage::Full,
        }
    }

    fn is_full(&self) -> bool {
        self.sample.is_none() && self.sample_rate.is_none()
    }
}

fn parse_sample(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(keys) if keys > 0 => Ok(keys),
        _ => Err("it must be a whole number and at least 1".to_owned()),
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 1.0 => Ok(rate),
        _ => Err("it must be a number greater than 0 and at most 1".to_owned()),
    }
}

fn command() -> Command {
    VerifyArgs::augment_args(Command::new("verify"))
        .about("Compares the keys of two servers: types, values and expiries; writes nothing")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate verify -s redis://old:6379 -t redis://new:6379
  ferrite-migrate verify -s redis://old:6379 -t redis://new:6379 --sample 10000
  ferrite-migrate verify -s redis://old -t redis://new --sample-rate 0.01 -f 'user:*' --json
  ferrite-migrate verify -s memcached://old:11211 -t redis://new:6379

A sample looks at keys of the source only: keys that are on the target alone are found by a full
comparison, unless the source is a Memcached, which may have evicted them. Exit codes are listed by `ferrite-migrate --help`: 0 is equal, 4 is different.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = VerifyArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    let is_total_known = args.keys.is_everything() && args.coverage.is_full();
    let coverage = args.coverage.coverage();
    let config = configure(args.source, args.target, &args.keys, &args.resources, |config| {
        args.memcached.apply(config)
    })?;
    Ok(Job {
        parallel: config.parallel,
        run: Box::new(move |output| Box::pin(run(config, coverage, is_total_known, output))),
    })
}

async fn run(config: Config, coverage: Coverage, is_total_known: bool, output: Output) -> u8 {
    match verify(&config, coverage, is_total_known, &output).await {
        Ok(report) => output.verification(&report),
        Err(failure) => output.failure(&failure),
    }
}

async fn verify(
    config: &Config,
    coverage: Coverage,
    is_total_known: bool,
    output: &Output,
) -> Result<VerificationReport, Failure> {
    let mut migration = Migration::new(config.clone()).await?;
    let mut watch = Watch::new(&mut migration, output, is_total_known)?;
    output.begin(migration.id(), config);
    watch.verify(&migration, coverage).await
}
