//! Live migrations by the command line alone, of servers that are written to all the while.
//!
//! ```text
//! story.rs       from the first command to the cutover
//! resumed.rs     processes that are killed, interrupted, stopped, and go on
//! replica.rs     --strategy replica
//! rounds.rs      a source that lets nobody follow it
//! refused.rs     what cannot be done, and what it says
//! background.rs  --detach
//! throttled.rs   limits of the copy
//! aborted.rs     given up before the cutover
//! scheduled.rs   cutovers at a time, and ways back that nobody orders
//! disk.rs        a disk that is full
//! backlog.rs     a target that falls far behind
//! lost.rs        machines that are lost with their disk
//! ```

mod aborted;
mod background;
mod backlog;
mod disk;
mod lost;
mod refused;
mod replica;
mod resumed;
mod rounds;
mod scheduled;
mod story;
mod throttled;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ferrite_testkit::client::Connector;
use ferrite_testkit::load::{Feature, Load, LoadReport};
use ferrite_testkit::{Peer, snapshot};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{DEADLINE, Ended, Running, program};

/// Operations a second of a load: enough to be in the middle of something at any moment.
const RATE: u64 = 4000;
/// How long both ends may differ after a cutover: keys that expire meanwhile are looked at on
/// them at different times.
const SETTLES_WITHIN: Duration = Duration::from_secs(20);

/// The migrations of one test.
struct Jobs {
    dir: PathBuf,
    _state: Option<TempDir>,
}

impl Jobs {
    fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        Self { dir: state.path().to_owned(), _state: Some(state) }
    }

    /// Those of a folder that is there.
    fn at(dir: PathBuf) -> Self {
        Self { dir, _state: None }
    }

    fn dir(&self) -> &Path {
        &self.dir
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = program();
        command.env("FERRITE_STATE_DIR", self.dir()).args(args);
        command
    }

    fn start(&self, args: &[&str]) -> Running {
        Running::start_command(self.command(args))
    }

    fn run(&self, args: &[&str]) -> Ended {
        self.start(args).end()
    }

    /// Begins a live migration; gives its id, too.
    fn live(&self, source: &str, target: &str, options: &[&str]) -> (Running, String) {
        let args = ["migrate", "-s", source, "-t", target, "--mode", "live"];
        let running = self.start(&[&args[..], options].concat());
        let first = running.line();
        (running, first.split(':').next().unwrap().to_owned())
    }

    /// Goes on with a live migration; from here on, its process runs it.
    #[track_caller]
    fn resume(&self, id: &str, options: &[&str]) -> Running {
        let running = self.start(&[&["migrate", "--resume", id], options].concat());
        running.says(&format!("{id}: "));
        running
    }

    fn status(&self, id: &str) -> Value {
        let ended = self.run(&["status", "--id", id, "--json"]).exits(0);
        serde_json::from_str(&ended.stdout).unwrap()
    }

    /// All migrations, each as an object.
    fn list(&self) -> Vec<Value> {
        let ended = self.run(&["list", "--json"]).exits(0);
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until `status` says what is wanted; shows what it said last if it never does.
    #[track_caller]
    fn until(&self, id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let status = self.status(id);
            if is_so(&status) {
                return status;
            }
            assert!(began.elapsed() < DEADLINE, "waited for {what}: {status:#}");
        }
    }

    #[track_caller]
    fn until_live(&self, id: &str) -> Value {
        self.until(id, "the migration to be LIVE", |status| {
            status["state"] == "LIVE" && status["can_cutover"] == true
        })
    }

    /// Cuts over as soon as that can be done.
    #[track_caller]
    fn cut_over(&self, id: &str) -> Ended {
        self.run(&["cutover", "--id", id, "--when-ready", "--max-pause", "20s"]).exits(0)
    }
}

/// Writers on a server. PFCOUNT is left out, which writes down what it has counted even while the
/// source refuses writes.
fn load(source: &Peer, seed: u64) -> Load {
    let builder = Load::builder().writers(2).dbs(&[0, 1]).rate(Some(RATE)).seed(seed);
    let builder = builder.without(Feature::HyperLogLogs);
    builder.start(Connector::new(source.addr())).unwrap()
}

/// What differs; an error where a key went away while it was looked at.
fn differences(source: &Peer, target: &Peer) -> Result<Vec<String>, String> {
    let list = |peer: &Peer| snapshot(&mut peer.client()).map_err(|error| error.to_string());
    let mut differences = list(source)?.diff(&list(target)?);
    // Redis 7.0 does not replicate how many entries a group has read (docs/limits.md).
    differences.retain(|difference| !difference.contains(" entries-read is "));
    Ok(differences)
}

/// Fails unless both ends come to be equal, and no write of the load was lost or doubled.
#[track_caller]
fn assert_exact(source: &Peer, target: &Peer, written: &LoadReport) {
    let began = Instant::now();
    loop {
        // On a machine that is busy, a look takes as long as this: the last one begins after it.
        let is_last = began.elapsed() > SETTLES_WITHIN;
        let differences = differences(source, target).unwrap_or_else(|error| vec![error]);
        if differences.is_empty() {
            break;
        }
        assert!(!is_last, "{} differ\n{}", differences.len(), differences.join("\n"));
    }
    let wrong = written.lost_or_doubled(&mut target.client()).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
}
