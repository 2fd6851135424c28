//! `list` and `status` of the compiled command, over jobs that the library made. No server is
//! needed: the test itself is the process that runs a job.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use ferrite_migrate::control::{Request, Server};
use ferrite_migrate::{Config, JobDir, JobStatus, JobStore, Plan, State};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// How long the command may take before a test fails.
const DEADLINE: Duration = Duration::from_secs(60);

struct Jobs {
    dir: TempDir,
}

impl Jobs {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn store(&self) -> JobStore {
        JobStore::at(self.dir.path())
    }

    /// A job in this state with so many keys done, run by us until it is dropped.
    fn job(&self, id: &str, state: State, keys_done: u64) -> JobDir {
        let config = Config::builder()
            .source("redis://me:hunter2@old:6379")
            .target("redis://:hunter2@new:6379")
            .build()
            .unwrap();
        let mut job = self.store().create(id, Plan::new(&config, "live")).unwrap();
        job.transition(state, None).unwrap();
        job.write_status(&progress(state, keys_done)).unwrap();
        job
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferrite-migrate"));
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in ["RUST_LOG", "NO_COLOR", "XDG_STATE_HOME", "HOME"] {
            command.env_remove(name);
        }
        command.env("FERRITE_STATE_DIR", self.dir.path());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        let output = self.command(args).output().unwrap();
        let said = [&output.stdout[..], &output.stderr].concat();
        assert!(!String::from_utf8(said).unwrap().contains("hunter2"));
        output
    }

    /// What a command that succeeds writes to stdout.
    fn shown(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command that fails with 1 writes to stderr.
    fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{args:?}");
        stderr(&output)
    }
}

fn progress(state: State, keys_done: u64) -> JobStatus {
    let mut status = JobStatus { state, ..JobStatus::default() };
    (status.progress.keys_done, status.progress.keys_total) = (keys_done, Some(1_234_567));
    status
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Answers every request with this progress until the runtime is dropped.
fn answering(job: &JobDir, status: JobStatus) -> Runtime {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut server = {
        let _guard = runtime.enter();
        Server::bind(job).unwrap()
    };
    runtime.spawn(async move {
        while let Some((request, replier)) = server.next().await {
            assert_eq!(request, Request::Status);
            replier.done(serde_json::to_value(&status).unwrap()).await;
        }
    });
    runtime
}

#[test]
fn without_migrations_the_list_says_how_to_begin() {
    let jobs = Jobs::new();
    let output = jobs.run(&["list"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    let said = stderr(&output);
    assert!(said.starts_with("there are no migrations in "), "{said}");
    assert!(said.contains("ferrite-migrate migrate --mode live --source "), "{said}");
    assert_eq!(jobs.shown(&["list", "--json"]), "");
    let said = jobs.refused(&["status"]);
    assert!(said.starts_with("error: there is no migration to show\nhint: "), "{said}");
}

#[test]
fn the_list_has_all_of_them_damaged_ones_too() {
    let jobs = Jobs::new();
    let _running = jobs.job("mig_running", State::Live, 1_050_000);
    drop(jobs.job("mig_killed", State::Copying, 7));
    drop(jobs.job("mig_over", State::Completed, 1_234_567));
    drop(jobs.job("mig_torn", State::Live, 7));
    std::fs::write(jobs.dir.path().join("mig_torn/plan.json"), "{").unwrap();

    let text = jobs.shown(&["list"]);
    let columns = |id: &str| {
        let line = text.lines().find(|line| line.starts_with(id)).unwrap();
        line.split_whitespace().take(5).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(columns("mig_running"), "mig_running LIVE live 1.05M/1.23M -");
    assert_eq!(columns("mig_killed"), "mig_killed FAILED live 7/1.23M -");
    assert_eq!(columns("mig_over"), "mig_over COMPLETED live 1.23M/1.23M -");
    assert_eq!(columns("mig_torn"), "mig_torn DAMAGED");
    assert!(text.contains("\n  redis://me@old:6379 → redis://new:6379\n"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn the_list_is_objects_for_programs() {
    let jobs = Jobs::new();
    drop(jobs.job("mig_a", State::Paused, 5));
    std::fs::create_dir(jobs.dir.path().join("mig_b")).unwrap();
    let text = jobs.shown(&["list", "--json"]);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["event"], "job");
    assert_eq!((&lines[0]["id"], &lines[0]["state"]), (&"mig_a".into(), &"PAUSED".into()));
    assert_eq!((&lines[0]["mode"], &lines[0]["pid"]), (&"live".into(), &Value::Null));
    assert!(lines[0]["created_at_ms"].is_u64() && lines[0]["lag"].is_object());
    assert!(lines[1]["damaged"].as_str().unwrap().contains("plan.json"), "{text}");
}

#[test]
fn the_process_that_runs_it_is_asked_first() {
    let jobs = Jobs::new();
    let job = jobs.job("mig_abc123", State::Live, 10);
    let files = jobs.shown(&["status", "--id", "mig_abc123"]);
    assert!(files.contains("Status: LIVE\nPhase: LIVE_SYNC\n"), "{files}");
    assert!(files.contains("Keys migrated:   10 / 1,234,567\n"), "{files}");

    let runtime = answering(&job, progress(State::Live, 99));
    let told = jobs.shown(&["status", "--id", "mig_abc123"]);
    assert!(told.contains("Keys migrated:   99 / 1,234,567\n"), "{told}");
    let object: Value =
        serde_json::from_str(&jobs.shown(&["status", "--id", "mig_abc123", "--json"])).unwrap();
    assert_eq!((&object["event"], &object["id"]), (&"status".into(), &"mig_abc123".into()));
    assert_eq!(object["progress"]["keys_done"], 99);
    assert_eq!(object["pid"], std::process::id());
    drop(runtime);
}

#[test]
fn files_tell_when_the_process_does_not_answer() {
    let jobs = Jobs::new();
    let job = jobs.job("mig_abc123", State::Live, 10);
    let runtime = Runtime::new().unwrap();
    let _guard = runtime.enter();
    let _silent = Server::bind(&job).unwrap();
    let files = jobs.shown(&["status", "--id", "mig_abc123"]);
    assert!(files.contains("Keys migrated:   10 / 1,234,567\n"), "{files}");
}

#[test]
fn a_killed_migration_says_how_to_go_on() {
    let jobs = Jobs::new();
    drop(jobs.job("mig_abc123", State::Copying, 10));
    let text = jobs.shown(&["status", "--id", "mig_abc123"]);
    assert!(text.starts_with("Migration: mig_abc123\nStatus: FAILED\n"), "{text}");
    assert!(
        text.ends_with(
            "Reason:          its process ended\n\
             Next step:       ferrite-migrate migrate --resume mig_abc123\n"
        ),
        "{text}"
    );
}

#[test]
fn the_only_one_that_runs_needs_no_id() {
    let jobs = Jobs::new();
    drop(jobs.job("mig_a", State::Completed, 1));
    assert!(jobs.shown(&["status"]).starts_with("Migration: mig_a\n"));
    drop(jobs.job("mig_b", State::Completed, 1));
    let said = jobs.refused(&["status"]);
    let expected = "error: there are 2 migrations, of which 0 are running: mig_a, mig_b\n\
                    hint: ferrite-migrate status --id mig_b\n";
    assert_eq!(said, expected);
    let _running = jobs.job("mig_c", State::Live, 1);
    assert!(jobs.shown(&["status"]).starts_with("Migration: mig_c\n"));
}

#[test]
fn an_id_that_is_not_there_names_those_that_are() {
    let jobs = Jobs::new();
    drop(jobs.job("mig_abc123", State::Completed, 1));
    let said = jobs.refused(&["status", "--id", "mig_abc132"]);
    let expected = "error: there is no migration mig_abc132; there is mig_abc123\n\
                    hint: ferrite-migrate list\n";
    assert_eq!(said, expected);
    let said = jobs.refused(&["status", "--id", "../etc"]);
    assert!(said.contains("`../etc` is not the id of a migration"), "{said}");
}

#[test]
fn the_directory_comes_from_the_option_the_environment_or_the_home() {
    let jobs = Jobs::new();
    let home = jobs.dir.path().join("home");
    let state = home.join(".local/state/ferrite-migrate");
    let shown = |args: &[&str], set: &[(&str, &Path)]| {
        let mut command = jobs.command(args);
        command.env_remove("FERRITE_STATE_DIR").envs(set.iter().copied());
        stderr(&command.output().unwrap())
    };
    let at_home = shown(&["list"], &[("HOME", &home)]);
    assert!(at_home.contains(state.to_str().unwrap()), "{at_home}");
    let option = shown(&["list", "--state-dir", "/nowhere"], &[("HOME", &home)]);
    assert!(option.contains("no migrations in /nowhere\n"), "{option}");
    let nothing = shown(&["list"], &[]);
    assert!(nothing.ends_with("hint: --state-dir DIR\n"), "{nothing}");
    assert!(!home.exists(), "looking makes no directories");
}

/// A running command whose output is read line by line, killed if it takes too long.
struct Watching {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Watching {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout: ChildStdout = child.stdout.take().unwrap();
        let (send, lines) = channel();
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).all(|line| send.send(line).is_ok())
        });
        Self { child, lines }
    }

    /// The next line; `None` at the end.
    fn line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(DEADLINE) {
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                self.child.kill().unwrap();
                panic!("the command said nothing for {DEADLINE:?}");
            }
            line => line.ok(),
        }
    }

    /// Reads until a line contains this.
    fn wait_for(&mut self, text: &str) {
        while let Some(line) = self.line() {
            if line.contains(text) {
                return;
            }
        }
        panic!("the command ended before it said {text:?}");
    }

    /// Reads to the end; gives the exit code.
    fn end(mut self) -> Option<i32> {
        while self.line().is_some() {}
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "");
        self.child.wait().unwrap().code()
    }
}

#[test]
fn watching_goes_on_until_the_process_has_ended() {
    let jobs = Jobs::new();
    let mut job = jobs.job("mig_abc123", State::Copying, 10);
    let mut watching = Watching::start(jobs.command(&["status", "--watch"]));
    watching.wait_for("Status: COPYING");
    job.transition(State::Live, None).unwrap();
    watching.wait_for("Status: LIVE");
    job.transition(State::Completed, None).unwrap();
    drop(job);
    watching.wait_for("Status: COMPLETED");
    assert_eq!(watching.end(), Some(0));
}

#[test]
fn an_interrupt_ends_the_watch_and_not_the_migration() {
    let jobs = Jobs::new();
    let _job = jobs.job("mig_abc123", State::Live, 10);
    let args = ["status", "--id", "mig_abc123", "--watch", "--json"];
    let mut watching = Watching::start(jobs.command(&args));
    for _ in 0..2 {
        let object: Value = serde_json::from_str(&watching.line().unwrap()).unwrap();
        assert_eq!(object["state"], "LIVE");
    }
    kill_process(Pid::from_child(&watching.child), Signal::INT).unwrap();
    assert_eq!(watching.end(), Some(0));
    assert!(jobs.store().read("mig_abc123").unwrap().running);
}
