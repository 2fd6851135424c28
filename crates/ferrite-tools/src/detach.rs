//! Runs a migration in the background: the same command once more, as a process of its own, which
//! writes to a log in the migration's directory.
//!
//! The parent looks for a migration that is run by the process it has started, and waits until
//! that takes orders: from then on it needs nobody any more.

use std::env;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use ferrite_migrate::control::{self, Request};
use ferrite_migrate::{ExitCode, JobRecord, JobStore};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{sleep, timeout};

use crate::render::Output;
use crate::term::error::Failure;
use crate::term::signals::Signals;

/// The option that the process in the background does not get.
pub const OPTION: &str = "--detach";
/// The log, in the migration's directory.
const LOG: &str = "log";
/// How often it is looked how far the process is.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long the process may take to answer once.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// What is shown of the log of a process that has ended, in bytes.
const SHOWN_MAX: u64 = 1 << 20;

/// How it began.
#[expect(clippy::large_enum_variant, reason = "there is one")]
pub enum Began {
    /// It goes on.
    Runs {
        /// The migration.
        record: JobRecord,
        /// The process.
        pid: u32,
        /// Where it writes.
        log: PathBuf,
    },
    /// It has ended; what it said has been said again.
    Ended {
        /// With this exit code.
        exit_code: u8,
    },
}

/// Starts this command in the background, and waits until it runs a migration. `resumed` is the
/// directory of the migration where that is known.
///
/// # Errors
/// A process or a log that cannot be made.
pub async fn detach(
    store: &JobStore,
    resumed: Option<&Path>,
    output: &Output,
) -> Result<Began, Failure> {
    let mut signals = Signals::new()
        .map_err(|error| Failure::system("taking over the handling of signals", &error))?;
    let failed = |error: io::Error| Failure::system("starting in the background", &error);
    let mut background = Background::start(store, resumed).map_err(failed)?;
    loop {
        if let Some(status) = background.child.try_wait().map_err(failed)? {
            let exit_code = background.ended(status, output).map_err(failed)?;
            return Ok(Began::Ended { exit_code });
        }
        if let Some(record) = background.job(store)? {
            background.name_log(&record).map_err(failed)?;
            if takes_orders(&record).await {
                let (pid, log) = (background.child.id(), background.log);
                return Ok(Began::Runs { record, pid, log });
            }
        }
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            // It ends in order, and is waited for.
            () = signals.next() => background.interrupt(),
        }
    }
}

struct Background {
    child: Child,
    log: PathBuf,
    /// The same file, from where this process began to write.
    said: File,
}

impl Background {
    fn start(store: &JobStore, resumed: Option<&Path>) -> io::Result<Self> {
        let log = match resumed {
            Some(dir) => dir.join(LOG),
            // It gets its place when there is one.
            None => {
                DirBuilder::new().recursive(true).mode(0o700).create(store.root())?;
                store.root().join(format!(".log-{}", std::process::id()))
            }
        };
        let writer = OpenOptions::new().create(true).append(true).mode(0o600).open(&log)?;
        let mut said = File::open(&log)?;
        said.seek(SeekFrom::End(0))?;
        let child = Command::new(env::current_exe()?)
            .args(env::args_os().skip(1).filter(|arg| arg != OPTION))
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            // Signals from the keyboard are for the parent.
            .process_group(0)
            .spawn()?;
        Ok(Self { child, log, said })
    }

    /// The migration that the process runs.
    fn job(&self, store: &JobStore) -> Result<Option<JobRecord>, Failure> {
        let jobs = store.list()?.into_iter().filter_map(|entry| entry.record.ok());
        let is_ours = |job: &JobRecord| job.running && job.pid == Some(self.child.id());
        Ok(jobs.into_iter().find(is_ours))
    }

    fn name_log(&mut self, record: &JobRecord) -> io::Result<()> {
        let log = record.path.join(LOG);
        if log != self.log && self.log.exists() {
            std::fs::rename(&self.log, &log)?;
            self.log = log;
        }
        Ok(())
    }

    fn interrupt(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // Until it is waited for, the pid is the child's own; if it has ended, that is seen next.
        let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
    }

    /// Says what it has said; gives the exit code.
    fn ended(&mut self, status: ExitStatus, output: &Output) -> io::Result<u8> {
        let mut said = Vec::new();
        Read::by_ref(&mut self.said).take(SHOWN_MAX).read_to_end(&mut said)?;
        output.relay(&String::from_utf8_lossy(&said));
        if self.log.file_name().is_none_or(|name| name != LOG) {
            std::fs::remove_file(&self.log)?;
        }
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(code.unwrap_or(ExitCode::Failed.into()))
    }
}

/// Whether the process of a migration answers.
pub async fn takes_orders(record: &JobRecord) -> bool {
    let asked = timeout(ANSWER_WITHIN, control::call(&record.path, &Request::Status, |_| ()));
    asked.await.is_ok_and(|answer| answer.is_ok())
}
