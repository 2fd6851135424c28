//! Migrations of servers that are written to all the while.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::{between, runtime, start};
use ferrite_migrate::control::{CallError, Request, call};
use ferrite_migrate::{ConfigBuilder, JobStore, MigrateError, Migration, Mode, Report, State};
use ferrite_testkit::load::{Feature, Load, LoadBuilder};
use ferrite_testkit::{Peer, Server, snapshot};
use serde_json::Value;

/// How long source and target may differ after a cutover: keys that expire in these moments are
/// looked at on both ends at different times.
const SETTLES_WITHIN: Duration = Duration::from_secs(20);

/// How far an expiry of a source before Redis 7.0 may be off, in ms.
const TRAVEL_MS: u64 = 3000;

/// A live migration that runs in a process of the test.
struct Live {
    runtime: tokio::runtime::Runtime,
    running: tokio::task::JoinHandle<Result<Report, MigrateError>>,
    store: JobStore,
    id: String,
    _state: tempfile::TempDir,
}

impl Live {
    fn start(source: &Peer, target: &Peer) -> Self {
        let state = tempfile::tempdir().unwrap();
        let config = between(source, target).mode(Mode::Live).state_dir(state.path());
        Self::run(config, None, state)
    }

    fn run(config: ConfigBuilder, id: Option<&str>, state: tempfile::TempDir) -> Self {
        let runtime = runtime();
        let config = config.build().unwrap();
        let mut migration = runtime
            .block_on(async {
                match id {
                    None => Migration::new(config).await,
                    Some(id) => Migration::resume(config, id).await,
                }
            })
            .unwrap();
        let id = migration.id().to_owned();
        runtime.block_on(migration.start()).unwrap();
        let running = runtime.spawn(async move { migration.wait().await });
        Self { runtime, running, store: JobStore::at(state.path()), id, _state: state }
    }

    fn order(&self, request: &Request) -> Result<Value, CallError> {
        let path = self.store.read(&self.id).unwrap().path;
        self.runtime.block_on(call(&path, request, |_| ()))
    }

    /// Makes the target the one to write to; without a way back, the job ends there.
    fn cut_over(&self, reverse: bool) -> Value {
        let request = Request::Cutover {
            max_pause_ms: Some(5000),
            dry_run: false,
            when_ready: true,
            hook: None,
            reverse,
        };
        self.order(&request).unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn end(self) -> (Report, State) {
        let report = self.runtime.block_on(self.running).unwrap();
        let report = report.unwrap_or_else(|error| panic!("{error} {:?}", error.hint));
        (report, self.store.read(&self.id).unwrap().state())
    }
}

/// What differs; an error where a key went away while it was looked at.
fn differences(source: &Peer, target: &Peer) -> Result<Vec<String>, String> {
    let list = |peer: &Peer| snapshot(&mut peer.client()).map_err(|error| error.to_string());
    let mut differences = list(source)?.diff(&list(target)?);
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
/// before Redis 7.0, replication carries the time that is left.
fn is_time_on_the_way(difference: &str) -> bool {
    let Some((_, times)) = difference.split_once(": the first expires at ") else { return false };
    let numbers = times.split(|c: char| !c.is_ascii_digit());
    let times: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
    let times: Vec<u64> = times.into_iter().filter(|number| *number > 1_000_000).collect();
    matches!(times.as_slice(), [one, other] if one.abs_diff(*other) <= TRAVEL_MS)
}

fn assert_same_soon(source: &Peer, target: &Peer) {
    let began = Instant::now();
    loop {
        let differences = differences(source, target).unwrap_or_else(|error| vec![error]);
        if differences.is_empty() {
            return;
        }
        let late = began.elapsed() > SETTLES_WITHIN;
        assert!(!late, "{} differ\n{}", differences.len(), differences.join("\n"));
    }
}

/// Two writers in two databases.
fn load_for(source: Server, target: Server) -> LoadBuilder {
    let load = Load::builder().writers(2).dbs(&[0, 1]).rate(Some(20_000));
    // Redis 7.0 does not replicate how many entries a group has read: its own replicas do not
    // know it either (docs/limits.md).
    match [source, target].contains(&Server::Redis70) {
        true => load.without(Feature::GroupReads),
        false => load,
    }
}

fn survives_a_load(server: Server, target_server: Server) {
    let (source, target) = (start(server), start(target_server));
    let connector = ferrite_testkit::client::Connector::new(source.addr());
    let load = load_for(server, target_server).seed(7).start(connector).unwrap();
    load.wait_for(10_000);
    let live = Live::start(&source, &target);
    load.wait_for(40_000);
    let done = live.cut_over(false);
    let (report, state) = live.end();
    assert_eq!(state, State::Completed);
    let followed = report.live.unwrap();
    assert!(followed.commands > 1000, "{followed:?}");
    assert!(done["pause_us"].as_u64().unwrap() > 0, "{done}");
    let written = load.stop();
    assert_same_soon(&source, &target);
    let wrong = written.lost_or_doubled(&mut target.client()).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn redis_62_under_load() {
    survives_a_load(Server::Redis62, Server::Redis62);
}

#[test]
fn redis_70_under_load() {
    survives_a_load(Server::Redis70, Server::Redis70);
}

#[test]
fn redis_80_under_load() {
    survives_a_load(Server::Redis80, Server::Redis80);
}

#[test]
fn valkey_91_under_load() {
    survives_a_load(Server::Valkey91, Server::Valkey91);
}

#[test]
fn redis_62_to_valkey_91_under_load() {
    survives_a_load(Server::Redis62, Server::Valkey91);
}

#[test]
fn redis_70_to_redis_80_under_load() {
    survives_a_load(Server::Redis70, Server::Redis80);
}

fn goes_there_and_back(server: Server, target_server: Server) {
    let (source, target) = (start(server), start(target_server));
    let to = |peer: &Peer| ferrite_testkit::client::Connector::new(peer.addr());
    let load = load_for(server, target_server).seed(11).without(Feature::FieldExpiry);
    let load = load.start(to(&source)).unwrap();
    load.wait_for(5_000);
    let live = Live::start(&source, &target);
    // An application that stops for the switch: nobody writes to the source behind it.
    let first = stop_when_followed(&live, load);
    live.cut_over(true);
    let load = load_for(server, target_server).seed(12).without(Feature::FieldExpiry);
    let load = load.start(to(&target)).unwrap();
    load.wait_for(20_000);
    let second = load.stop();
    let rolled_back = live.order(&Request::Rollback { max_pause_ms: Some(5000), hook: None });
    if let Err(error) = rolled_back {
        panic!("{error:?}: {:?}", live.end());
    }
    let (report, state) = live.end();
    assert_eq!(state, State::RolledBack);
    assert!(report.live.unwrap().commands > 0);
    assert_same_soon(&target, &source);
    assert!(first.operations > 0);
    // The second load's counters go on from the first's.
    let wrong = second.lost_or_doubled(&mut source.client()).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
}

fn stop_when_followed(live: &Live, load: Load) -> ferrite_testkit::LoadReport {
    load.wait_for(20_000);
    let _ = live.order(&Request::Status).unwrap();
    load.stop()
}

#[test]
fn redis_70_there_and_back() {
    goes_there_and_back(Server::Redis70, Server::Redis70);
}

#[test]
fn redis_62_to_redis_80_there_and_back() {
    goes_there_and_back(Server::Redis62, Server::Redis80);
}
