//! The verbs of `ferrite-migrate`. A verb is one file here, one line among the modules and one in
//! [`VERBS`]; its help is pinned in `<verb>.help.txt`.

mod abort;
mod analyze;
mod analyze_rdb;
mod cluster;
mod complete;
mod convert;
mod cutover;
mod demo;
mod diff_rdb;
mod export_csv;
mod export_json;
mod export_rdb;
mod import;
mod import_aof;
mod import_csv;
mod import_json;
mod import_rdb;
mod list;
mod migrate;
mod pause;
mod resume;
mod rollback;
mod status;
mod stop;
mod sync;
mod throttle;
mod verify;

use std::ffi::OsString;
use std::pin::Pin;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command, FromArgMatches};

use crate::args::OutputArgs;
use crate::render::Output;
use crate::term::clean::redact;
use crate::term::color::ColorChoice;
use crate::term::error::Failure;
use crate::term::screen::Screen;

/// All verbs, in the order of the help.
const VERBS: &[Verb] = &[
    migrate::VERB,
    sync::VERB,
    cluster::VERB,
    import::VERB,
    import_rdb::VERB,
    import_aof::VERB,
    import_json::VERB,
    export_json::VERB,
    import_csv::VERB,
    export_csv::VERB,
    verify::VERB,
    analyze::VERB,
    analyze_rdb::VERB,
    export_rdb::VERB,
    convert::VERB,
    diff_rdb::VERB,
    list::VERB,
    status::VERB,
    cutover::VERB,
    rollback::VERB,
    complete::VERB,
    abort::VERB,
    pause::VERB,
    resume::VERB,
    stop::VERB,
    throttle::VERB,
    demo::VERB,
];

/// The verb that is meant when the command line begins with an option.
const DEFAULT_VERB: &str = "migrate";
/// Options of the program itself, which are no reason to assume a verb.
const OWN_OPTIONS: [&str; 4] = ["-h", "--help", "-V", "--version"];

/// One verb: how it is parsed, and how what was parsed becomes something that can be run.
struct Verb {
    name: &'static str,
    command: fn() -> Command,
    prepare: fn(&ArgMatches) -> Result<Job, Failure>,
}

/// A checked command line, ready to run.
struct Job {
    /// How many connections work at the same time on each end.
    parallel: usize,
    /// Does it, and says how it went; gives the exit code.
    run: Box<dyn FnOnce(Output) -> Running>,
}

type Running = Pin<Box<dyn Future<Output = u8>>>;

/// A checked command line together with where its output goes.
#[expect(missing_debug_implementations, reason = "it is a closure")]
pub struct Invocation {
    job: Job,
    output: Output,
}

impl Invocation {
    /// How many connections work at the same time on each end.
    #[must_use]
    pub fn parallel(&self) -> usize {
        self.job.parallel
    }

    /// Whether more is to be said than usual.
    #[must_use]
    pub fn is_verbose(&self) -> bool {
        self.output.is_verbose()
    }

    /// Where lines are written.
    #[must_use]
    pub fn screen(&self) -> &Screen {
        self.output.screen()
    }

    /// Says why it cannot be run; gives the exit code.
    #[must_use]
    pub fn fail(&self, failure: &Failure) -> u8 {
        self.output.failure(failure)
    }

    /// Does it, and says how it went; gives the exit code.
    pub async fn run(self) -> u8 {
        (self.job.run)(self.output).await
    }
}

/// Reads a command line, program name first.
///
/// # Errors
/// The exit code, after help, version or what is wrong has been written.
pub fn prepare(args: impl IntoIterator<Item = OsString>) -> Result<Invocation, u8> {
    let args = with_default_verb(args.into_iter().collect());
    let matches = command().try_get_matches_from(&args).map_err(|error| explain(&error, &args))?;
    let found = matches.subcommand().and_then(|(name, matches)| {
        VERBS.iter().find(|verb| verb.name == name).map(|verb| (verb, matches))
    });
    // The parser insists on a verb, and knows only those of the list.
    let (verb, matches) = found.ok_or(1)?;
    let options = OutputArgs::from_arg_matches(matches).map_err(|error| explain(&error, &args))?;
    let output = Output::new(options);
    match (verb.prepare)(matches) {
        Ok(job) => Ok(Invocation { job, output }),
        Err(failure) => Err(output.failure(&failure.or_hint(help_hint(Some(verb))))),
    }
}

fn command() -> Command {
    Command::new("ferrite-migrate")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "Moves data between servers that speak the Redis protocol, and proves that it arrived",
        )
        .after_help(AFTER_HELP)
        .color(clap::ColorChoice::Never)
        .max_term_width(100)
        .help_expected(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(VERBS.iter().map(|verb| (verb.command)()))
}

const AFTER_HELP: &str = "\
Without a command, options are those of `migrate`:
  ferrite-migrate --source redis://old:6379 --target redis://new:6379 --mode snapshot

Addresses:
  redis://[user[:password]@]host[:port][/db]   also valkey:// keydb:// ferrite://
  rediss://…                                   the same over TLS; also valkeys:// and so on
  unix:///path/to/socket[?db=3]
  sentinel://[user[:password]@]host[:port][,…]/name[/db][?sentinel-password=…]
                                               the primary the sentinels name so

Exit codes:
  0    done, and equal where it was compared
  1    the command line or the configuration cannot be used
  2    failed; nothing is half-written, it can be run again
  3    a check before the run found a blocker; nothing was written
  4    source and target differ
  5    done, but some keys were left out; the report names them
  6    not ready for what was asked; nothing was changed
  7    rolled back or aborted; the source is the one to write to
  130  interrupted; it can be run again";

/// `ferrite-migrate --source …` means `ferrite-migrate migrate --source …`.
fn with_default_verb(mut args: Vec<OsString>) -> Vec<OsString> {
    let is_option = |arg: &OsString| {
        arg.as_encoded_bytes().starts_with(b"-") && OWN_OPTIONS.iter().all(|own| arg != own)
    };
    if args.get(1).is_some_and(is_option) {
        args.insert(1, DEFAULT_VERB.into());
    }
    args
}

/// Writes help and version to stdout, and what is wrong with the command line to stderr.
fn explain(error: &clap::Error, args: &[OsString]) -> u8 {
    let json = args.iter().any(|arg| arg == "--json");
    let output = Output::new(OutputArgs { json, verbose: false, color: ColorChoice::Auto });
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output.screen().result(error.to_string().trim_end());
            0
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output.screen().line(error.to_string().trim_end());
            1
        }
        _ => output.failure(&refusal(error, args)),
    }
}

/// What the parser says, without the usage lines, and with the command that shows all options.
fn refusal(error: &clap::Error, args: &[OsString]) -> Failure {
    let text = error.to_string();
    let cause = text.strip_prefix("error: ").unwrap_or(&text);
    let end = ["\n\nUsage:", "\n\nFor more information"].iter().filter_map(|end| cause.find(end));
    let cause = end.min().and_then(|end| cause.get(..end)).unwrap_or(cause).trim_end();
    let name = args.get(1).and_then(|arg| VERBS.iter().find(|verb| arg == verb.name));
    let failure = Failure::usage("the command line", redact(cause));
    if is_about_an_address(error) {
        let verb = name.map_or(DEFAULT_VERB, |verb| verb.name);
        return failure.with_hint(format!(
            "addresses follow options: \
             ferrite-migrate {verb} --source redis://old:6379 --target redis://new:6379"
        ));
    }
    failure.or_hint(help_hint(name))
}

/// Whether the word that was not understood is an address where an option should be.
fn is_about_an_address(error: &clap::Error) -> bool {
    let word = match error.kind() {
        ErrorKind::UnknownArgument => error.get(ContextKind::InvalidArg),
        ErrorKind::InvalidSubcommand => error.get(ContextKind::InvalidSubcommand),
        _ => None,
    };
    let Some(ContextValue::String(word)) = word else { return false };
    !word.starts_with('-') && word.contains([':', '.'])
}

/// The command that shows the options of a verb, or the verbs.
fn help_hint(verb: Option<&Verb>) -> String {
    match verb {
        Some(verb) => format!("ferrite-migrate {} --help", verb.name),
        None => "ferrite-migrate --help".to_owned(),
    }
}

#[cfg(test)]
mod tests;
