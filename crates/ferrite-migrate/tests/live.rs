//! Migrations of servers that are written to all the while.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::{between, runtime, start};
use ferrite_migrate::control::{CallError, Request, call};
use ferrite_migrate::{ConfigBuilder, JobStore, MigrateError, Migration, Mode, Report, State};
use ferrite_testkit::load::Load;
use ferrite_testkit::{Peer, Server, snapshot};
use serde_json::Value;

/// How long source and target may differ after a cutover: keys that expire in these moments are
/// looked at on both ends at different times.
const SETTLES_WITHIN: Duration = Duration::from_secs(20);

/// A live migration that runs in a process of the test.
struct Live {
    runtime: tokio::runtime::Runtime,
    running: tokio::task::JoinHandle<Result<Report, MigrateError>>,
    store: JobStore,
    id: String,
    state: tempfile::TempDir,
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
        Self { runtime, running, store: JobStore::at(state.path()), id, state }
    }

    fn order(&self, request: &Request) -> Result<Value, CallError> {
        let path = self.store.read(&self.id).unwrap().path;
        self.runtime.block_on(call(&path, request, |_| ()))
    }

    fn cut_over(&self) -> Value {
        let request = Request::Cutover {
            max_pause_ms: Some(5000),
            dry_run: false,
            when_ready: true,
            hook: None,
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
    // Redis 7.0 does not replicate how many entries a group has read, nor do its own replicas
    // know (docs/limits.md).
    differences.retain(|difference| !difference.contains(" entries-read is "));
    // PFCOUNT is a read that remembers its result in the key: the load may still call it on the
    // source when that takes no writes any more.
    differences.retain(|difference| !is_remembered_count(difference));
    Ok(differences)
}

/// Whether two HyperLogLogs differ only in bytes 8 to 15, which hold the last count.
fn is_remembered_count(difference: &str) -> bool {
    let Some((_, values)) = difference.split_once(": value is \"HYLL") else { return false };
    let Some((one, other)) = values.split_once("\", in the second \"HYLL") else { return false };
    // Four bytes of encoding, eight of count, each shown as a letter or as `\x00`.
    let registers = |text: &str| {
        let mut rest = text.trim_end_matches('"');
        for _ in 0..12 {
            let shown = if rest.starts_with("\\x") { 4 } else { 1 + usize::from(rest.starts_with('\\')) };
            rest = rest.get(shown..).unwrap_or_default();
        }
        rest.to_owned()
    };
    registers(one) == registers(other)
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

fn survives_a_load(server: Server, target: Server) {
    let (source, target) = (start(server), start(target));
    let connector = ferrite_testkit::client::Connector::new(source.addr());
    let load = Load::builder().writers(2).dbs(&[0, 1]).seed(7).start(connector).unwrap();
    load.wait_for(10_000);
    let live = Live::start(&source, &target);
    load.wait_for(40_000);
    let done = live.cut_over();
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
