//! `ferrite-migrate cutover`: makes the target of a live migration the one to write to.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::control::Request;
use ferrite_migrate::{Guard, parse_rfc3339};
use serde_json::Value;

use super::{Job, Verb};
use crate::args::{OutputArgs, StateArgs};
use crate::order::{WhichArgs, order};
use crate::render::Output;
use crate::term::error::Failure;
use crate::term::units::parse_duration;

pub const VERB: Verb = Verb { name: "cutover", command, prepare };

#[derive(Args)]
struct CutoverArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    how: HowArgs,
    #[command(flatten)]
    guard: GuardArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Cutover")]
struct HowArgs {
    /// Wait until it can be done, instead of refusing
    #[arg(long, conflicts_with = "dry_run")]
    when_ready: bool,
    /// How long writes to the source may be held back until the target has everything; milliseconds,
    /// or a duration such as 500ms or 2s [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = parse_pause)]
    max_pause: Option<u64>,
    /// A shell command that moves the traffic, run when the target has everything and while
    /// writes are held back; if it fails, or takes more than 10 s, nothing has happened
    #[arg(long, value_name = "COMMAND")]
    hook: Option<String>,
    /// Have the source follow the target from then on, so that `ferrite-migrate rollback` loses
    /// nothing; the migration goes on until `ferrite-migrate complete`
    #[arg(long)]
    reverse: bool,
    /// Cut over at this time, or as soon after it as can be, such as 2026-11-21T03:00:00Z; this
    /// command ends at once. The one that was scheduled before is replaced
    #[arg(long, value_name = "TIME", value_parser = parse_rfc3339)]
    #[arg(conflicts_with_all = ["when_ready", "dry_run"])]
    scheduled: Option<u64>,
    /// Take back a cutover that is scheduled, or waits until it can begin
    #[arg(long, conflicts_with_all = NOT_TO_CANCEL)]
    cancel: bool,
    /// Only say whether it could be done
    #[arg(long, conflicts_with_all = ["hook", "max_pause", "reverse"])]
    dry_run: bool,
}

#[derive(Args)]
#[command(next_help_heading = "Going back without being told")]
struct GuardArgs {
    /// After the cutover, roll back when the target answers too many commands with an error
    #[arg(long, requires = "reverse")]
    auto_rollback: bool,
    /// The share of commands answered with an error above which it is rolled back, 0 to 1
    #[arg(long, value_name = "RATE", default_value = "0.01", value_parser = parse_rate)]
    #[arg(requires = "auto_rollback")]
    rollback_on_error_rate: u32,
    /// The time over which they are counted, 2s to 60m; the first one has to pass before anything
    /// is rolled back
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    #[arg(requires = "auto_rollback")]
    error_window: u64,
    /// A shell command that moves the traffic back, as --hook of `ferrite-migrate rollback`
    #[arg(long, value_name = "COMMAND", requires = "auto_rollback")]
    rollback_hook: Option<String>,
}

/// What cannot be said of a cutover that is taken back.
const NOT_TO_CANCEL: [&str; 6] =
    ["scheduled", "when_ready", "max_pause", "hook", "reverse", "dry_run"];

impl GuardArgs {
    fn guard(self) -> Option<Guard> {
        let (limit_ppm, window_ms) = (self.rollback_on_error_rate, self.error_window);
        self.auto_rollback.then_some(Guard { limit_ppm, window_ms, hook: self.rollback_hook })
    }
}

/// A share, in millionths.
fn parse_rate(text: &str) -> Result<u32, String> {
    let rate: f64 = text.parse().unwrap_or(f64::NAN);
    if !(0.000_001..1.0).contains(&rate) {
        return Err("an error rate is greater than 0 and less than 1, such as 0.01".to_owned());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is below 1")]
    let millionths = (rate * 1_000_000.0).round() as u32;
    Ok(millionths)
}

/// How long writes may be held back, in milliseconds.
pub fn parse_pause(text: &str) -> Result<u64, String> {
    match parse_duration(text)? {
        0 => Err("writes cannot be held back for no time at all".to_owned()),
        milliseconds => Ok(milliseconds),
    }
}

fn command() -> Command {
    CutoverArgs::augment_args(Command::new("cutover"))
        .about("Ends a live migration: makes the target the one to write to")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate cutover --dry-run
  ferrite-migrate cutover --id mig_abc123 --when-ready --max-pause 500ms
  ferrite-migrate cutover --id mig_abc123 --hook './point-clients-at-target.sh' --reverse
  ferrite-migrate cutover --id mig_abc123 --scheduled 2026-11-21T03:00:00Z --hook ./move.sh
  ferrite-migrate cutover --id mig_abc123 --cancel
  ferrite-migrate cutover --id mig_abc123 --hook ./move.sh --reverse --auto-rollback \\
    --rollback-on-error-rate 0.01 --error-window 60s --rollback-hook ./back.sh

Writes to the source are held back, not refused, until the target has everything. Then the hook
runs, with the id in FERRITE_JOB; without one, move the clients as soon as this command ends. From
then on the source refuses writes; with --reverse it takes them, and nothing but the clients' move
keeps them away. Whatever fails before that, the source takes writes again and
the migration is LIVE as before. Exit code 6: it is not ready, and the reasons are listed.

A cutover that is scheduled waits in the migration, not in this command, also over a --resume. If
the migration does not run at that time, it is not done later: `status` tells so.

With --auto-rollback the target's own counts are looked at (INFO errorstats, commandstats), of all
its clients. Too few commands, or an error NOSCRIPT, are no reason; a target that does not answer for
30 s is one.";

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = CutoverArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    Ok(Job { parallel: 1, run: Box::new(move |output| Box::pin(run(args, output))) })
}

async fn run(args: CutoverArgs, output: Output) -> u8 {
    match cut_over(args, &output).await {
        Ok(()) => 0,
        Err(failure) => output.failure(&failure),
    }
}

async fn cut_over(args: CutoverArgs, output: &Output) -> Result<(), Failure> {
    let HowArgs { when_ready, max_pause, hook, reverse, scheduled, cancel, dry_run } = args.how;
    let guard = args.guard.guard();
    let max_pause_ms = max_pause;
    let request = match scheduled {
        _ if cancel => Request::Cancel,
        Some(at_ms) => Request::Schedule { at_ms, max_pause_ms, hook, reverse, guard },
        None => Request::Cutover { max_pause_ms, dry_run, when_ready, hook, reverse, guard },
    };
    let (record, done) = order(&args.state, &args.which, "cutover", &request, output).await?;
    if cancel {
        output.told("cancelled", &record, "is not cut over: that was taken back", &[]);
    } else if let Some(at_ms) = scheduled {
        output.scheduled(&record, at_ms, done.get("replaced_at_ms").and_then(Value::as_u64));
    } else if dry_run {
        output.can_cut_over(&record, &done);
    } else {
        let cutover = serde_json::from_value(done).map_err(|error| {
            let cause =
                format!("it is done, but told in a way this version does not know: {error}");
            Failure::usage("reading the result of the cutover", cause)
        })?;
        output.cutover(&record, &cutover);
    }
    Ok(())
}
