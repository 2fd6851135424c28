//! What the verbs have in common that write the keys of a server to a file.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::pin::pin;

use ferrite_migrate::{Config, Export, ExportFormat, ExportReport};
use tokio::time::{MissedTickBehavior, interval};

use crate::render::Output;
use crate::term::clean::clean;
use crate::term::error::Failure;
use crate::term::progress::{PERIOD, Progress};
use crate::term::signals::Signals;
use crate::term::units::{bytes, count, duration};

/// Where the file goes.
#[derive(clap::Args)]
#[command(next_help_heading = "File")]
pub struct OutputFileArgs {
    /// The file to write, which is there when it is complete; `-` is standard output
    #[arg(short, long, value_name = "FILE|-")]
    output: PathBuf,
}

impl OutputFileArgs {
    /// Whether standard output carries the file.
    pub fn is_stdout(&self) -> bool {
        self.output == Path::new("-")
    }

    /// Refuses two things on one standard output.
    ///
    /// # Errors
    /// `--json` with `-`.
    pub fn check(&self, json: bool) -> Result<(), Failure> {
        match self.is_stdout() && json {
            true => {
                Err(Failure::usage("the command line", "--json and the file both go to stdout")
                    .with_hint("--output FILE"))
            }
            false => Ok(()),
        }
    }
}

/// A file that has its name when it is complete.
struct Partial {
    name: PathBuf,
    partial: PathBuf,
    file: File,
}

impl Partial {
    fn create(name: &Path) -> io::Result<Self> {
        if name.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let mut partial = name.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file = File::create(&partial)?;
        Ok(Self { name: name.to_owned(), partial, file })
    }

    fn complete(self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.partial, &self.name)
    }

    fn give_up(self) {
        // What is left of it is named so that it is known for what it is.
        let _ = fs::remove_file(&self.partial);
    }
}

/// Exports the source of a configuration; the exit code.
pub async fn run(config: Config, format: ExportFormat, to: OutputFileArgs, output: Output) -> u8 {
    match export(config, format, &to, &output).await {
        Ok(report) => told(&report, &to, &output),
        Err(failure) => output.failure(&failure),
    }
}

async fn export(
    config: Config,
    format: ExportFormat,
    to: &OutputFileArgs,
    output: &Output,
) -> Result<ExportReport, Failure> {
    let doing = format!("creating {}", to.output.display());
    let unwritable = |error: io::Error| Failure::system(&doing, &error);
    let partial = match to.is_stdout() {
        true => None,
        false => Some(Partial::create(&to.output).map_err(unwritable)?),
    };
    let out: Box<dyn Write + Send> = match &partial {
        Some(partial) => Box::new(BufWriter::new(partial.file.try_clone().map_err(unwritable)?)),
        None => Box::new(BufWriter::new(io::stdout())),
    };
    let export = Export::new(config, format);
    let exported = watched(&export, out, output).await;
    match (exported, partial) {
        (Ok(report), Some(partial)) if !report.interrupted => {
            let doing = format!("completing {}", to.output.display());
            partial.complete().map_err(|error| Failure::system(&doing, &error))?;
            Ok(report)
        }
        (exported, partial) => {
            partial.into_iter().for_each(Partial::give_up);
            exported
        }
    }
}

/// Runs it, shows its progress, and passes on signals.
async fn watched(
    export: &Export,
    out: Box<dyn Write + Send>,
    output: &Output,
) -> Result<ExportReport, Failure> {
    let mut signals = Signals::new()
        .map_err(|error| Failure::system("taking over the handling of signals", &error))?;
    let mut progress = Progress::new(output.screen().clone(), false);
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut work = pin!(export.run(out));
    let mut is_stopping = false;
    loop {
        tokio::select! {
            ended = &mut work => return Ok(ended?),
            _ = ticks.tick() => {
                if progress.show(&export.status()) {
                    output.status(&export.status());
                }
            }
            () = signals.next() => {
                if is_stopping {
                    let left = "interrupted without waiting; the file is not complete";
                    return Err(Failure::interrupted("exporting", left, 0));
                }
                is_stopping = true;
                export.stop();
            }
        }
    }
}

fn told(report: &ExportReport, to: &OutputFileArgs, output: &Output) -> u8 {
    let code = match () {
        () if report.interrupted => 130,
        () if report.skipped.is_empty() => 0,
        () => 5,
    };
    output.screen().finish();
    if output.is_json() {
        output.ending(report, code);
        return code;
    }
    let text = text(report, &to.output.display().to_string(), code);
    match to.is_stdout() {
        true => output.line(&text),
        false => output.screen().result(&text),
    }
    code
}

fn text(report: &ExportReport, file: &str, code: u8) -> String {
    let file = clean(if file == "-" { "standard output" } else { file });
    let took = duration(report.duration_ms);
    let (keys, size) = (count(report.keys), bytes(report.bytes));
    let mut lines = vec![format!("{keys} keys to {file}: {size} in {took}")];
    for one in &report.types {
        lines.push(format!("  {:<14}{:>16}", clean(one.type_name), count(one.keys)));
    }
    let others = [
        (report.functions, "function libraries"),
        (report.filtered, "keys not selected"),
        (report.expired, "keys expired by now"),
    ];
    for (number, what) in others.into_iter().filter(|(number, _)| *number > 0) {
        lines.push(format!("{} {what}", count(number)));
    }
    for skip in &report.skipped {
        lines.push(format!("left out, {}: {}", count(skip.count), clean(&skip.reason)));
        for (db, key) in &skip.examples {
            lines.push(format!("  db {db}  {}", clean(&key.to_string())));
        }
    }
    lines.push(match code {
        0 => String::from("RESULT: ✅ DONE (exit 0: every selected key is in the file)"),
        130 => String::from("RESULT: ⚠ INTERRUPTED (exit 130: the file was not completed)"),
        code => format!("RESULT: ⚠ DONE WITH SKIPS (exit {code}: some keys were left out)"),
    });
    lines.join("\n")
}
