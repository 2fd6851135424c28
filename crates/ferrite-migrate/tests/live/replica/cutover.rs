//! Cutovers that are given up, and the way back.

use ferrite_migrate::State;
use ferrite_migrate::control::Request;
use ferrite_testkit::client::Connector;
use ferrite_testkit::load::Feature;
use ferrite_testkit::{Load, Peer, Proxy, Server, wait_until};

use super::{RATE, finish, full_synchronizations, hooked, refusal, replica, role, write_to};
use crate::common::live::{Live, assert_same_soon, reversible_cutover};
use crate::common::{ok, start};

#[test]
fn a_hook_that_fails_leaves_the_job_as_it_was() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let load = write_to(&source, 27);
    let live = Live::start(replica(&source, &target));
    live.until(State::Live);
    let said = refusal(&live, &hooked("echo no such balancer >&2; exit 3", false));
    assert!(said.contains("no such balancer"), "{said}");
    assert!(said.contains("copies everything again"), "{said}");
    live.until(State::Live);
    assert_eq!(live.copies(), 2);
    load.wait_for(1000);
    finish(live, load, &source, &target);
}

#[test]
fn a_cutover_that_takes_too_long_costs_nothing() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let way = Proxy::start(source.addr()).unwrap();
    let live = Live::start(replica(&source, &target).replica_source(way.addr().to_string()));
    live.until(State::Live);
    let mut client = source.client();
    let request = Request::Cutover {
        max_pause_ms: Some(50),
        dry_run: false,
        when_ready: false,
        hook: None,
        reverse: false,
        guard: None,
    };
    // The target is asked at any moment, and may just have become late.
    let said = loop {
        way.resume();
        wait_until("it is ready", || live.status().can_cutover);
        way.stall();
        ok(&mut client, &["SET", "key", "held up"]);
        let said = refusal(&live, &request);
        if !said.contains("not ready") {
            break said;
        }
    };
    assert!(said.contains("the most writes may be held back"), "{said}");
    ok(&mut client, &["SET", "key", "after it"]);
    assert_eq!((full_synchronizations(&source), role(&target).as_str()), (1, "slave"));
    way.resume();
    wait_until("it is ready", || live.status().can_cutover);
    live.cut_over();
    live.end();
    assert_eq!(ok(&mut target.client(), &["GET", "key"]).text(), "after it");
}

/// The commands of a load that the way back brings back exactly: it is not a replica's.
fn write_back_and_forth(peer: &Peer, seed: u64) -> Load {
    let load = Load::builder().writers(2).dbs(&[0, 1]).rate(Some(RATE)).seed(seed);
    let load = load.without(Feature::HyperLogLogs).without(Feature::GroupReads);
    load.without(Feature::FieldExpiry).start(Connector::new(peer.addr())).unwrap()
}

fn goes_there_and_back(from: Server, to: Server) {
    let (source, target) = (start(from), start(to));
    let load = write_back_and_forth(&source, 28);
    load.wait_for(5000);
    let mut live = Live::start(replica(&source, &target));
    load.wait_for(5000);
    // An application that stops for the switch: nobody writes to the source behind it.
    assert!(load.stop().operations > 0);
    let done = live.ordered(&reversible_cutover());
    assert_eq!((&done["reverse"], role(&target).as_str()), (&true.into(), "master"));
    let load = write_back_and_forth(&target, 29);
    load.wait_for(5000);
    wait_until("the source follows", || live.status().can_rollback);
    live.kill();
    load.wait_for(2000);
    live.resume();
    assert_eq!(live.state(), State::CutOver);
    // Long enough for whatever is done once a second.
    load.wait_for(20_000);
    let written = load.stop();
    live.ordered(&Request::Rollback { max_pause_ms: Some(5000), hook: None });
    let (report, state) = live.end();
    assert_eq!(state, State::RolledBack);
    assert!(report.live.unwrap().refetched > 0);
    assert_same_soon(&target, &source);
    let wrong = written.lost_or_doubled(&mut source.client()).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(target.client().call(&["SET", "late", "1"]).is_error());
    assert_eq!(full_synchronizations(&source), 1, "nothing was copied but at the beginning");
}

#[test]
fn redis_70_there_and_back() {
    goes_there_and_back(Server::Redis70, Server::Redis70);
}

#[test]
fn redis_70_to_valkey_91_there_and_back() {
    goes_there_and_back(Server::Redis70, Server::Valkey91);
}

#[test]
fn what_is_written_while_the_hook_runs_goes_the_way_back_too() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    ok(&mut source.client(), &["SET", "key", "before"]);
    let live = Live::start(replica(&source, &target));
    live.until(State::Live);
    let hook = format!(
        "(printf 'SELECT 3\\r\\nSET key hooked\\r\\n'; sleep 1) >/dev/tcp/127.0.0.1/{}",
        target.port()
    );
    live.ordered(&hooked(&format!("bash -c \"{hook}\""), true));
    assert_eq!(live.state(), State::CutOver);
    let mut client = source.client();
    ok(&mut client, &["SELECT", "3"]);
    wait_until("it is on the source", || ok(&mut client, &["GET", "key"]) == "hooked");
    live.ordered(&Request::Complete);
    assert_eq!(live.end().1, State::Completed);
    assert!(!source.client().call(&["SET", "key", "on"]).is_error());
}

#[test]
fn a_target_that_loses_everything_does_not_take_the_old_source_with_it() {
    let (source, mut target) = (start(Server::Redis70), start(Server::Redis70));
    ok(&mut source.client(), &["SET", "key", "value"]);
    let mut live = Live::start(replica(&source, &target));
    live.until(State::Live);
    live.ordered(&reversible_cutover());
    wait_until("the source follows", || live.status().can_rollback);
    target.kill();
    target.restart().unwrap();
    let lost = live.ended().unwrap_err();
    assert!(lost.cause.contains("nothing is copied over it"), "{lost}");
    assert_eq!(ok(&mut source.client(), &["GET", "key"]).text(), "value");
    assert_eq!(live.state(), State::Completed);
}
