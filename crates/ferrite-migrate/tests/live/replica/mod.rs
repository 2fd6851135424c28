//! Live migrations in which the target becomes a replica of the source, of servers that are written
//! to all the while.

mod cutover;
mod killed;
mod links;
mod load;
mod refused;

use crate::common::live::{Live, assert_same_soon};
use crate::common::{between, ok, start};
use ferrite_migrate::control::{CallError, Request};
use ferrite_migrate::{ConfigBuilder, State, Strategy};
use ferrite_testkit::client::Connector;
use ferrite_testkit::{Dataset, Load, Peer, Server, wait_until};

/// Operations a second of the loads.
const RATE: u64 = 10_000;

/// A configuration that makes the target a replica.
fn replica(source: &Peer, target: &Peer) -> ConfigBuilder {
    between(source, target).strategy(Strategy::Replica)
}

/// All kinds of commands in two databases, those too that no copying tool gets right.
fn write_to(source: &Peer, seed: u64) -> Load {
    let load = Load::builder().writers(2).dbs(&[0, 1]).rate(Some(RATE)).seed(seed);
    load.start(Connector::new(source.addr())).unwrap()
}

/// A settings's value.
fn setting(peer: &Peer, name: &str) -> String {
    let told = ok(&mut peer.client(), &["CONFIG", "GET", name]);
    told.items().get(1).map(ferrite_testkit::Reply::text).unwrap_or_default().to_string()
}

/// What a server is: `master` or `slave`.
fn role(peer: &Peer) -> String {
    ok(&mut peer.client(), &["ROLE"]).items()[0].text().to_string()
}

/// Full synchronizations the source has begun.
fn full_synchronizations(source: &Peer) -> u64 {
    let info = ok(&mut source.client(), &["INFO", "stats"]).text();
    let line = info.lines().find_map(|line| line.strip_prefix("sync_full:"));
    line.and_then(|count| count.parse().ok()).unwrap()
}

/// Cuts over under load, and fails unless the target has every write once.
fn finish(live: Live, load: Load, source: &Peer, target: &Peer) {
    let done = live.cut_over();
    assert!(done["pause_us"].as_u64().unwrap() > 0, "{done}");
    let (report, state) = live.end();
    assert_eq!((state, report.strategy), (State::Completed, "replica"));
    let written = load.stop();
    assert_eq!(role(target), "master");
    let wrong = written.lost_or_doubled(&mut target.client()).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_same_soon(source, target);
    let late = source.client().call(&["SET", "written too late", "1"]);
    assert!(late.is_error(), "the source takes writes after the cutover");
    assert!(!target.client().call(&["SET", "written after it", "1"]).is_error());
}

/// The message of a refusal and its reasons.
fn refusal(live: &Live, request: &Request) -> String {
    match live.order(request) {
        Err(CallError::Refused { message, reasons, .. }) => format!("{message} {reasons:?}"),
        other => panic!("{request:?}: {other:?}"),
    }
}

/// A cutover that runs a hook.
fn hooked(hook: &str, reverse: bool) -> Request {
    Request::Cutover {
        max_pause_ms: Some(10_000),
        dry_run: false,
        when_ready: true,
        hook: Some(hook.to_owned()),
        reverse,
        guard: None,
    }
}

/// Why a migration does not begin.
fn blocked(config: ConfigBuilder) -> String {
    let state = tempfile::tempdir().unwrap();
    let config = config.mode(ferrite_migrate::Mode::Live).state_dir(state.path());
    crate::common::run(config).unwrap_err().to_string()
}

/// A server with a few keys.
fn start_with_keys(server: Server) -> Peer {
    let peer = start(server);
    Dataset::mixed(500).load(&mut peer.client()).unwrap();
    peer
}

/// Waits until the job tells of trouble in these words.
fn until_troubled(live: &Live, words: &str) {
    wait_until(&format!("trouble: {words}"), || {
        live.status().reasons.iter().any(|reason| reason.contains(words))
    });
}
