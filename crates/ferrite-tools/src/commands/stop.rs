//! `ferrite-migrate stop`: ends the process of a live migration in order.

use std::time::Duration;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::control::Request;
use tokio::time::{sleep, timeout};

use super::{Job, Verb};
use crate::args::{OutputArgs, StateArgs};
use crate::order::{WhichArgs, order};
use crate::render::Output;
use crate::term::error::Failure;

pub const VERB: Verb = Verb { name: "stop", command, prepare };

/// How long the end is waited for.
const ENDS_WITHIN: Duration = Duration::from_secs(60);
/// How often it is looked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[derive(Args)]
struct StopArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn command() -> Command {
    StopArgs::augment_args(Command::new("stop"))
        .about("Ends the process of a live migration in order; it can be resumed")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate stop
  ferrite-migrate stop --id mig_abc123

What is on its way to the target still arrives. `ferrite-migrate migrate --resume ID` goes on from
there, without copying again as long as the source still has what it has sent meanwhile
(repl-backlog-size).";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = StopArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    Ok(Job { parallel: 1, run: Box::new(move |output| Box::pin(run(args, output))) })
}

async fn run(args: StopArgs, output: Output) -> u8 {
    match stop(args, &output).await {
        Ok(()) => 0,
        Err(failure) => output.failure(&failure),
    }
}

async fn stop(args: StopArgs, output: &Output) -> Result<(), Failure> {
    let store = args.state.store()?;
    let (record, _) = order(&args.state, &args.which, "stop", &Request::Stop, output).await?;
    let has_ended = async {
        while store.read(&record.id)?.running {
            sleep(LOOK_EVERY).await;
        }
        Ok::<_, Failure>(())
    };
    let words = match timeout(ENDS_WITHIN, has_ended).await {
        Ok(ended) => ended.map(|()| "has stopped")?,
        Err(_) => "is stopping, as soon as what is on its way has arrived",
    };
    let next = format!("ferrite-migrate migrate --resume {}", record.id);
    output.told("stopped", &record, words, &[next]);
    Ok(())
}
