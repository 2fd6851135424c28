//! This program, run as a user runs it.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use ferrite_migrate::{ExitCode, JobStore};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::args::OutputArgs;
use crate::detach::takes_orders;
use crate::render::Output;
use crate::term::error::Failure;

/// How long the migration may take to begin.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// This program, with a state directory of the demo's own.
pub struct Program<'a> {
    path: PathBuf,
    store: JobStore,
    how: OutputArgs,
    output: &'a Output,
}

impl<'a> Program<'a> {
    /// Commands that keep their state in this folder.
    ///
    /// # Errors
    /// A system that does not say where this program is.
    pub fn new(state: PathBuf, how: OutputArgs, output: &'a Output) -> Result<Self, Failure> {
        let path = std::env::current_exe().map_err(failed)?;
        Ok(Self { path, store: JobStore::at(state), how, output })
    }

    /// Runs a command, which ends when it is dropped.
    ///
    /// # Errors
    /// A system that does not start it.
    pub fn start(&self, words: &[&str]) -> Result<Child, Failure> {
        self.output.line(&format!("\n$ ferrite-migrate {}\n", words.join(" ")));
        let mut command = Command::new(&self.path);
        command.args(words).stdin(Stdio::null()).kill_on_drop(true);
        command.env("FERRITE_STATE_DIR", self.store.root());
        if self.how.json {
            command.arg("--json");
        }
        if self.how.verbose {
            command.arg("--verbose");
        }
        if let Some(color) = self.how.color.to_possible_value() {
            command.args(["--color", color.get_name()]);
        }
        command.spawn().map_err(failed)
    }

    /// Waits until the migration takes orders; gives its exit code where it has ended instead.
    ///
    /// # Errors
    /// A migration that does not begin in time.
    pub async fn wait_for_job(&self, migration: &mut Child) -> Result<Option<u8>, Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = migration.try_wait().map_err(failed)? {
                return Ok(Some(code(status)));
            }
            let jobs = self.store.list()?.into_iter().filter_map(|entry| entry.record.ok());
            for job in jobs.filter(|job| job.running) {
                if takes_orders(&job).await {
                    return Ok(None);
                }
            }
            if Instant::now() > deadline {
                return Err(failed(std::io::Error::other("the migration does not begin")));
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Waits for the end of a command; its exit code.
///
/// # Errors
/// What the system says.
pub async fn end(command: &mut Child) -> Result<u8, Failure> {
    command.wait().await.map(code).map_err(failed)
}

/// Tells a command to end in order.
pub fn interrupt(command: &Child) {
    let pid = command.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    // If it has ended meanwhile, that is seen when it is waited for.
    let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.unwrap_or(ExitCode::Failed.into())
}

fn failed(error: std::io::Error) -> Failure {
    Failure::system("running a command of the demo", &error)
}
