//! `ferrite-migrate analyze-rdb`: what an RDB file holds.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferrite_migrate::{KeyFacts, RdbReader, TOP_MAX, Tally, analyze_rdb};

use super::{Job, Verb};
use crate::args::OutputArgs;
use crate::render::{KeyTable, Output, analysis_page};
use crate::term::error::Failure;
use crate::term::units::parse_size;

pub const VERB: Verb = Verb { name: "analyze-rdb", command, prepare };

#[derive(Args)]
struct AnalyzeArgs {
    /// The RDB file, plain or gzip; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    more: MoreArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Report")]
struct MoreArgs {
    /// So many patterns and biggest keys
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = parse_top)]
    top: usize,
    /// Write the report as one HTML page, with charts
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write every key as a line of CSV: database, type, key, size_in_bytes, encoding,
    /// num_elements, len_largest_element, expiry
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Upper bound for the memory of this process; half of it is for a single element of a value,
    /// which may be that large
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = parse_size)]
    memory_limit: u64,
}

/// How many patterns and keys are named.
///
/// # Errors
/// Says what is accepted.
pub fn parse_top(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(top) if (1..=TOP_MAX).contains(&top) => Ok(top),
        _ => Err(format!("it must be a whole number between 1 and {TOP_MAX}")),
    }
}

fn command() -> Command {
    AnalyzeArgs::augment_args(Command::new("analyze-rdb"))
        .about("Says what an RDB file holds: keys by type, name, size and expiry")
        .after_help(AFTER_HELP)
}

const AFTER_HELP: &str = "\
Examples:
  ferrite-migrate analyze-rdb dump.rdb
  ferrite-migrate analyze-rdb dump.rdb.gz --top 20 --html report.html --csv keys.csv

The file may come from any server of the family, and be packed by gzip. Sizes are those of names
and values, unpacked: what a server needs besides, for its own structures, is not in them. A file
that cannot be read to its end is reported as far as it goes, with exit code 2. Memory does not
grow with the file.";

/// [`MoreArgs::memory_limit`] unless told otherwise.
const MEMORY_LIMIT: u64 = 128 << 20;

/// Says what a file holds that `analyze` was given.
pub async fn run_file(file: PathBuf, top: usize, args: OutputArgs, output: Output) -> u8 {
    let more = MoreArgs { top, html: None, csv: None, memory_limit: MEMORY_LIMIT };
    run(AnalyzeArgs { file, more, output: args }, output).await
}

fn prepare(matches: &ArgMatches) -> Result<Job, Failure> {
    let args = AnalyzeArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage("the command line", error.to_string()))?;
    Ok(Job { parallel: 1, run: Box::new(move |output| Box::pin(run(args, output))) })
}

#[expect(clippy::unused_async, reason = "verbs are asynchronous")]
async fn run(args: AnalyzeArgs, output: Output) -> u8 {
    match analyze(&args, &output) {
        Ok(()) => 0,
        Err(failure) => output.failure(&failure),
    }
}

fn analyze(args: &AnalyzeArgs, output: &Output) -> Result<(), Failure> {
    let more = &args.more;
    let file = RdbReader::open(&args.file)?.memory_limit(more.memory_limit);
    let mut table = match &more.csv {
        Some(path) => Some(KeyTable::new(BufWriter::new(create(path)?))),
        None => None,
    };
    let mut each = |facts: &KeyFacts<'_>| table.as_mut().map_or(Ok(()), |table| table.add(facts));
    let (found, error) = analyze_rdb(file, Tally::new(more.top, now_ms()), &mut each);
    if let (Some(table), Some(path)) = (table, &more.csv) {
        table.finish().map_err(|error| unwritable(path, &error))?;
    }
    if let Some(path) = &more.html {
        std::fs::write(path, analysis_page(&found)).map_err(|error| unwritable(path, &error))?;
    }
    let failure = error.map(Failure::from);
    if failure.is_none() || found.rdb_version > 0 {
        output.analysis(&found, failure.as_ref().map_or(0, |failure| failure.exit_code));
    }
    failure.map_or(Ok(()), Err)
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::system(&format!("writing {}", path.display()), error)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
