//! A live migration in a process of its own, which can be killed like any other.

use std::fs::{self, File};
use std::io::Read;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use ferrite_migrate::control::{CallError, Request, call};
use ferrite_migrate::{Config, ConfigBuilder, JobStore, Limits, Migration, Mode, State, Strategy};
use ferrite_testkit::wait_until;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::common::runtime;

/// The first word of the job's own command line.
pub const RUN: &str = "--job";
/// How a job may copy.
pub const STRATEGIES: [Strategy; 4] =
    [Strategy::Fenced, Strategy::Psync, Strategy::Replica, Strategy::Scan];
/// How long an order may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(180);
/// Lines of the job's log that are shown when a round fails.
const LOG_LINES: usize = 60;

/// The job's process: runs a migration to its end.
pub fn run(words: &[String]) -> ExitCode {
    // Nobody writes to it: it ends with the process that started this one.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(1);
    });
    let [source, target, state, verify, strategy, rate, id @ ..] = words else {
        return ExitCode::FAILURE;
    };
    let Some(strategy) = STRATEGIES.into_iter().find(|one| one.name() == strategy) else {
        return ExitCode::FAILURE;
    };
    let builder = Config::builder().source(source).target(target).mode(Mode::Live);
    let limits = Limits { rate: rate.parse().ok(), ..Limits::default() };
    let config = builder.state_dir(state).verify(verify == "verify").strategy(strategy);
    let config = config.limits(limits);
    match runtime().block_on(migrate(config, id.first())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn migrate(
    config: ConfigBuilder,
    id: Option<&String>,
) -> Result<(), ferrite_migrate::MigrateError> {
    let config = config.build().expect("a usable configuration");
    let mut migration = match id {
        None => Migration::new(config).await?,
        Some(id) => Migration::resume(config, id).await?,
    };
    migration.start().await?;
    migration.wait().await.map(|_| ())
}

/// A job as whoever orders it about sees it.
pub struct Job {
    words: Vec<String>,
    store: JobStore,
    id: String,
    child: Option<Child>,
    runtime: Runtime,
    state: TempDir,
}

impl Job {
    /// Begins a live migration, whose copy is held back to a rate in bytes a second.
    pub fn start(
        source: &str,
        target: &str,
        verify: bool,
        strategy: Strategy,
        rate: Option<u64>,
    ) -> Self {
        let state = tempfile::tempdir().expect("a folder");
        let verify = if verify { "verify" } else { "-" };
        let place = state.path().display().to_string();
        let rate = rate.map_or(String::from("-"), |rate| rate.to_string());
        let words = [source, target, &place, verify, strategy.name(), &rate];
        let words = words.map(str::to_owned).to_vec();
        let store = JobStore::at(state.path());
        let runtime = runtime();
        let mut job = Self { words, store, id: String::new(), child: None, runtime, state };
        job.spawn();
        wait_until("there is a job", || {
            let id = job.store.list().ok().and_then(|list| Some(list.first()?.id.clone()));
            job.id = id.unwrap_or_default();
            job.assert_runs();
            !job.id.is_empty()
        });
        job.until_it_answers(0);
        job
    }

    fn spawn(&mut self) {
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log");
        let mut command = Command::new(std::env::current_exe().expect("our own program"));
        command.arg(RUN).args(&self.words);
        if !self.id.is_empty() {
            command.arg(&self.id);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("a process"));
    }

    fn log_path(&self) -> std::path::PathBuf {
        self.state.path().with_extension("log")
    }

    /// Fails when its process is gone.
    fn assert_runs(&mut self) {
        if let Some(ended) = self.ended() {
            panic!("the job's process ended: {ended}");
        }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().expect("a child"))
    }

    /// Records in its journal.
    fn records(&self) -> usize {
        self.journal().lines().count()
    }

    fn journal(&self) -> String {
        let path = self.store.read(&self.id).map(|job| job.path).unwrap_or_default();
        fs::read_to_string(path.join("journal.jsonl")).unwrap_or_default()
    }

    fn until_it_answers(&mut self, records: usize) {
        wait_until("the job takes orders", || {
            self.assert_runs();
            self.records() > records && self.order(&Request::Status).is_ok()
        });
    }

    /// Ends it as nothing can be prevented from ending.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a process of ours");
            child.wait().expect("a process of ours");
        }
    }

    /// Takes it up again.
    pub fn resume(&mut self) {
        let records = self.records();
        self.spawn();
        self.until_it_answers(records);
    }

    /// Ends it in order.
    pub fn stop(&mut self) {
        self.order(&Request::Stop).expect("a job that takes orders");
        assert!(self.wait().success());
        assert_eq!(self.state(), State::Paused);
    }

    /// Waits for the end of its process.
    pub fn wait(&mut self) -> ExitStatus {
        let mut ended = None;
        wait_until("the job's process ends", || {
            ended = self.ended();
            ended.is_some()
        });
        self.child = None;
        ended.expect("an end")
    }

    /// Its state, by its journal.
    pub fn state(&self) -> State {
        self.store.read(&self.id).expect("the job's folder").state()
    }

    /// Whether it has ever been in a state.
    pub fn has_been(&self, state: State) -> bool {
        self.journal().contains(&format!("\"{state}\""))
    }

    /// Gives an order and waits for the answer.
    pub fn order(&self, request: &Request) -> Result<Value, CallError> {
        let path = self.store.read(&self.id).expect("the job's folder").path;
        let calling =
            async { tokio::time::timeout(ANSWERS_WITHIN, call(&path, request, |_| ())).await };
        let answer = self.runtime.block_on(calling);
        answer.unwrap_or_else(|_| panic!("{request:?} was not answered in time"))
    }

    /// Gives an order and does not wait for the answer.
    pub fn order_and_forget(&self, request: &Request) {
        let path = self.store.read(&self.id).expect("the job's folder").path;
        let request = request.clone();
        self.runtime.spawn(async move { call(&path, &request, |_| ()).await });
    }

    /// Its journal and the end of its log.
    fn story(&self) -> String {
        let path = self.store.read(&self.id).map(|job| job.path).unwrap_or_default();
        let journal = self.journal();
        let status = fs::read_to_string(path.join("status.json")).unwrap_or_default();
        let log = fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let log = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
        format!("{journal}\n{status}\n{log}")
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.story());
        }
        self.kill();
        let _ = fs::remove_file(self.log_path());
    }
}
