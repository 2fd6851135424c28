//! A live migration that runs in a process of the test, and is killed and taken up again there.

use std::time::{Duration, Instant};

use ferrite_migrate::control::{CallError, Request, call};
use ferrite_migrate::{
    ConfigBuilder, JobStatus, JobStore, MigrateError, Migration, Mode, Report, State,
};
use ferrite_testkit::{Load, Peer, snapshot, wait_until};
use serde_json::Value;

use super::runtime;

/// How long source and target may differ after a cutover: keys that expire in these moments are
/// looked at on both ends at different times.
const SETTLES_WITHIN: Duration = Duration::from_secs(20);
/// How far an expiry of a source before Redis 7.0 may be off, in ms.
const TRAVEL_MS: u64 = 3000;
/// How long an order may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);
/// How long a killed job's threads may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// A job, and the run of it there is now.
pub struct Live {
    config: ConfigBuilder,
    store: JobStore,
    id: String,
    run: Option<Run>,
    _state: tempfile::TempDir,
}

struct Run {
    runtime: tokio::runtime::Runtime,
    running: tokio::task::JoinHandle<Result<Report, MigrateError>>,
}

impl Run {
    fn of(config: ConfigBuilder, id: Option<&str>) -> Result<(Self, String), MigrateError> {
        let runtime = runtime();
        let config = config.build().expect("a usable configuration");
        let mut migration = runtime.block_on(async {
            let mut migration = match id {
                None => Migration::new(config).await?,
                Some(id) => Migration::resume(config, id).await?,
            };
            migration.start().await?;
            Ok::<_, MigrateError>(migration)
        })?;
        let id = migration.id().to_owned();
        let running = runtime.spawn(async move { migration.wait().await });
        Ok((Self { runtime, running }, id))
    }
}

impl Live {
    /// Starts a live migration; the mode and the place of its state are set here.
    pub fn start(config: ConfigBuilder) -> Self {
        Self::start_as(Mode::Live, config)
    }

    /// As [`start`](Self::start), in another mode that outlives its process.
    pub fn start_as(mode: Mode, config: ConfigBuilder) -> Self {
        let state = tempfile::tempdir().expect("a folder");
        let config = config.mode(mode).state_dir(state.path());
        let store = JobStore::at(state.path());
        let (run, id) = Run::of(config.clone(), None).unwrap_or_else(|error| panic!("{error}"));
        Self { config, store, id, run: Some(run), _state: state }
    }

    /// The job's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The job's folder.
    pub fn folder(&self) -> std::path::PathBuf {
        self.store.read(&self.id).expect("the job's folder").path
    }

    fn run(&self) -> &Run {
        self.run.as_ref().expect("a job that runs")
    }

    /// What `kill -9` does: nothing is finished, the system closes connections and locks.
    pub fn kill(&mut self) {
        let Some(run) = self.run.take() else { return };
        run.running.abort();
        run.runtime.shutdown_timeout(GONE_WITHIN);
    }

    /// Takes the job up again, and waits until its journal tells of the new run.
    pub fn resume(&mut self) {
        self.try_resume().unwrap_or_else(|error| panic!("{error} {:?}", error.hint));
    }

    /// As [`resume`](Self::resume), for jobs that may not be taken up, or end at once.
    pub fn try_resume(&mut self) -> Result<(), MigrateError> {
        let states = self.states().len();
        let (run, _) = Run::of(self.config.clone(), Some(&self.id))?;
        self.run = Some(run);
        wait_until("the job takes orders again", || {
            let is_new = self.states().len() > states;
            self.run().running.is_finished() || is_new && self.order(&Request::Status).is_ok()
        });
        Ok(())
    }

    /// Says that the application still writes to the source.
    pub fn traffic_stayed(&mut self) {
        self.config = self.config.clone().traffic_stayed(true);
    }

    /// Says that the target is to lose what the source has lost.
    pub fn source_emptied(&mut self, emptied: bool) {
        self.config = self.config.clone().source_emptied(emptied);
    }

    /// Gives an order and waits for the answer.
    pub fn order(&self, request: &Request) -> Result<Value, CallError> {
        let path = self.store.read(&self.id).expect("the job's folder").path;
        let calling =
            async { tokio::time::timeout(ANSWERS_WITHIN, call(&path, request, |_| ())).await };
        let answer = self.run().runtime.block_on(calling);
        answer.unwrap_or_else(|_| panic!("{request:?} was not answered in time"))
    }

    /// Gives an order that must be obeyed.
    pub fn ordered(&self, request: &Request) -> Value {
        self.order(request).unwrap_or_else(|error| {
            let record = self.store.read(&self.id).expect("the job's folder");
            panic!("{request:?}: {error:?}, {} {:?}", record.state(), record.reason())
        })
    }

    /// Gives an order and does not wait for the answer.
    pub fn order_and_forget(&self, request: &Request) {
        let path = self.store.read(&self.id).expect("the job's folder").path;
        let request = request.clone();
        self.run().runtime.spawn(async move { call(&path, &request, |_| ()).await });
    }

    /// The journal as it is on the disk.
    pub fn journal(&self) -> String {
        let path = self.store.read(&self.id).expect("the job's folder").path;
        std::fs::read_to_string(path.join("journal.jsonl")).expect("a journal")
    }

    /// All states the job has been in.
    fn states(&self) -> Vec<Value> {
        let journal = self.journal();
        let records = journal.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        records.map(|record| record["state"].clone()).collect()
    }

    /// How often the job has begun to copy everything.
    pub fn copies(&self) -> usize {
        self.states().iter().filter(|state| **state == State::Copying.name()).count()
    }

    /// Waits until the job has begun to copy everything that often, and follows again.
    pub fn until_copied(&self, times: usize) {
        wait_until("everything is copied again", || self.copies() >= times);
        self.until(State::Live);
    }

    /// The job's state, by its journal.
    pub fn state(&self) -> State {
        self.store.read(&self.id).expect("the job's folder").state()
    }

    /// What the job says about itself.
    pub fn status(&self) -> JobStatus {
        serde_json::from_value(self.ordered(&Request::Status)).expect("a status")
    }

    /// Waits until the job is in a state.
    ///
    /// # Panics
    /// After a minute, or when the job has ended otherwise.
    pub fn until(&self, state: State) {
        wait_until(&format!("the job is {state}"), || {
            let now = self.state();
            assert!(now == state || !self.run().running.is_finished(), "the job is {now}");
            now == state
        });
    }

    /// Waits until the target has everything the source has sent by now.
    pub fn until_applied(&self, source: &Peer) {
        let offset = offset(source);
        wait_until("everything is applied", || {
            self.status().shards.first().and_then(|shard| shard.applied) >= Some(offset)
        });
    }

    /// Cuts over as soon as it can be done.
    pub fn cut_over(&self) -> Value {
        self.ordered(&cutover())
    }

    /// The end of a run that ends by itself: the report, or why there is none.
    pub fn ended(&mut self) -> Result<Report, MigrateError> {
        let run = self.run.take().expect("a job that runs");
        run.runtime.block_on(run.running).expect("no panic")
    }

    /// The end of a job that came to it in order.
    pub fn end(mut self) -> (Report, State) {
        let report = self.ended().unwrap_or_else(|error| panic!("{error} {:?}", error.hint));
        (report, self.state())
    }

    /// Cuts over under load, and fails unless both ends are then the same and no increment is
    /// lost or doubled.
    pub fn finish(self, load: Load, source: &Peer, target: &Peer) -> Report {
        self.cut_over();
        let (report, state) = self.end();
        assert_eq!(state, State::Completed);
        let written = load.stop();
        assert_same_soon(source, target);
        let wrong = written.lost_or_doubled(&mut target.client()).expect("a target");
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_nothing_held(target);
        report
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A cutover as soon as it can be done, with a pause that is never too short.
pub fn cutover() -> Request {
    asked(false)
}

/// The same with a way back.
pub fn reversible_cutover() -> Request {
    asked(true)
}

fn asked(reverse: bool) -> Request {
    let (max_pause_ms, dry_run, when_ready) = (Some(10_000), false, true);
    Request::Cutover { max_pause_ms, dry_run, when_ready, hook: None, reverse, guard: None }
}

/// The source's replication offset now.
pub fn offset(source: &Peer) -> u64 {
    let role = source.client().ok(&["ROLE"]);
    let offset = role.items().get(1).and_then(ferrite_testkit::Reply::int);
    offset.and_then(|offset| u64::try_from(offset).ok()).expect("an offset")
}

/// What differs; an error where a key went away while it was looked at.
pub fn differences(source: &Peer, target: &Peer) -> Result<Vec<String>, String> {
    let list = |peer: &Peer| snapshot(&mut peer.client()).map_err(|error| error.to_string());
    let mut differences = list(source)?.diff_all(&list(target)?);
    // Redis 7.0 does not replicate how many entries a group has read, nor do its own replicas
    // know (docs/limits.md).
    differences.retain(|difference| !difference.contains(" entries-read is "));
    // PFCOUNT is a read that remembers its result in the key: the load may still call it on the
    // source when that takes no writes any more.
    differences.retain(|one| !is_remembered_count(one, source, target));
    differences.retain(|difference| !is_time_on_the_way(difference));
    Ok(differences)
}

/// Whether a HyperLogLog differs only in the count it remembers.
fn is_remembered_count(difference: &str, source: &Peer, target: &Peer) -> bool {
    let Some((head, _)) = difference.split_once("\": value is \"HYLL") else { return false };
    let Some((db, key)) = head.trim_start_matches("db ").split_once(" \"") else { return false };
    let count = |peer: &Peer| {
        let mut client = peer.client();
        client.ok(&["SELECT", db]);
        client.ok(&["PFCOUNT", key]).to_string()
    };
    count(source) == count(target)
}

/// Whether two expiries are so close that only the way they travelled can have changed them:
/// before Redis 7.0, replication carries the time that is left. From 7.0 on they are equal.
fn is_time_on_the_way(difference: &str) -> bool {
    let Some((_, times)) = difference.split_once(": the first expires at ") else { return false };
    let numbers = times.split(|c: char| !c.is_ascii_digit());
    let times: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
    let times: Vec<u64> = times.into_iter().filter(|number| *number > 1_000_000).collect();
    let is_relative = difference.contains("give or take");
    matches!(times.as_slice(), [one, other] if is_relative && one.abs_diff(*other) <= TRAVEL_MS)
}

/// Fails unless both ends become the same.
pub fn assert_same_soon(source: &Peer, target: &Peer) {
    let began = Instant::now();
    loop {
        // On a machine that is busy, a look takes as long as this: the last one begins after it.
        let is_last = began.elapsed() > SETTLES_WITHIN;
        let differences = differences(source, target).unwrap_or_else(|error| vec![error]);
        if differences.is_empty() {
            return;
        }
        assert!(!is_last, "{} differ\n{}", differences.len(), differences.join("\n"));
    }
}

/// Expiries from here on are held: 2^45 ms, of which `--mode live` tells in its documents.
const HELD_MS: i64 = 1 << 45;

/// The keys of a database whose expiry is held; on servers that tell it as a time.
pub fn held(target: &Peer, db: u32) -> Vec<String> {
    let mut client = target.client();
    client.ok(&["SELECT", &db.to_string()]);
    let keys = client.ok(&["KEYS", "*"]);
    let mut held = Vec::new();
    for key in keys.items() {
        let key = key.text();
        let command = if target.server().version() >= (7, 0) { "PEXPIRETIME" } else { "PTTL" };
        if client.ok(&[command, &key]).int().is_some_and(|at| at >= HELD_MS / 2) {
            held.push(key);
        }
    }
    held
}

/// Fails when an expiry is still held in the first databases.
pub fn assert_nothing_held(target: &Peer) {
    for db in 0..2 {
        assert_eq!(held(target, db), Vec::<String>::new(), "db{db}");
    }
}
