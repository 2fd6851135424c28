//! Runs that bring the target to what the source has then.

use std::time::Duration;

use crate::common::live::{Live, assert_nothing_held, differences};
use crate::common::{between, ok, start};
use ferrite_migrate::{Mode, State};
use ferrite_testkit::load::{Feature, Load};
use ferrite_testkit::{Dataset, Peer, Server, wait_until};

const KEYS: u64 = 20_000;

/// Lets a run come to its end; how many keys it copied or read again.
fn run(live: &mut Live) -> u64 {
    let report = live.ended().unwrap_or_else(|error| panic!("{error} {:?}", error.hint));
    assert!(!report.interrupted);
    assert_eq!(live.state(), State::Idle);
    let followed = report.live.unwrap();
    assert!(
        followed.commands < 500.max(followed.refetched / 10),
        "only those about functions and whole databases are applied: {followed:?}"
    );
    report.keys.copied + followed.refetched
}

/// Waits until both ends are the same, but for the place that the target remembers.
fn assert_in_step(source: &Peer, target: &Peer) {
    wait_until("both ends are the same", || {
        let is_place = |one: &String| one.contains("\"ferrite-migrate:checkpoint:mig_");
        differences(source, target).is_ok_and(|all| all.iter().all(is_place))
    });
}

fn runs_again_and_again(server: Server, target: Server) {
    let (source, target) = (start(server), start(target));
    Dataset::mixed(KEYS).load(&mut source.client()).unwrap();
    let load = Load::builder().writers(2).dbs(&[0, 1, 2]).rate(Some(10_000)).seed(81);
    // PFCOUNT stores the number it tells, and replicates that by the way at best; Redis 7.0 does
    // not replicate how many entries a group has read.
    let load = load.without(Feature::HyperLogLogs).without(Feature::GroupReads);
    let load = load.with(Feature::FlushDb).with(Feature::Functions);
    let load = load.start(ferrite_testkit::client::Connector::new(source.addr())).unwrap();
    load.wait_for(3000);
    let mut live = Live::start_as(Mode::Incremental, between(&source, &target));
    assert!(run(&mut live) >= KEYS);
    for _ in 0..4 {
        load.wait_for(5000);
        live.resume();
        let moved = run(&mut live);
        assert!(moved > 100, "{moved} keys");
    }
    let written = load.stop();
    live.resume();
    run(&mut live);
    assert_eq!(live.copies(), 1, "later runs go on from where the last one ended");
    assert_in_step(&source, &target);
    assert_nothing_held(&target);
    let wrong = written.lost_or_doubled(&mut target.client()).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn redis_70_runs_again_and_again() {
    runs_again_and_again(Server::Redis70, Server::Redis70);
}

#[test]
fn redis_62_to_valkey_91_runs_again_and_again() {
    runs_again_and_again(Server::Redis62, Server::Valkey91);
}

#[test]
fn what_expired_in_between_and_was_renewed_is_there() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let mut client = source.client();
    ok(&mut client, &["SET", "renewed", "first", "PX", "400"]);
    ok(&mut client, &["SET", "forgotten", "first", "PX", "400"]);
    let mut live = Live::start_as(Mode::Incremental, between(&source, &target));
    run(&mut live);
    ok(&mut client, &["PERSIST", "renewed"]);
    ok(&mut client, &["APPEND", "renewed", ", second"]);
    let exists = |peer: &Peer| ok(&mut peer.client(), &["EXISTS", "renewed", "forgotten"]).int();
    wait_until("both have expired on the target", || exists(&target) == Some(0));
    live.resume();
    run(&mut live);
    let value = ok(&mut target.client(), &["GET", "renewed"]);
    assert_eq!(value.bytes(), Some(&b"first, second"[..]));
    assert_in_step(&source, &target);
}

#[test]
fn a_place_that_is_lost_has_what_differs_moved() {
    let (source, target) = (start(Server::Redis80), start(Server::Redis80));
    let mut client = source.client();
    Dataset::mixed(KEYS).load(&mut client).unwrap();
    for number in 0..100 {
        ok(&mut client, &["SET", &format!("doomed:{number}"), "1", "EX", "1000"]);
        ok(&mut client, &["SET", &format!("kept:{number}"), "1", "EX", "1000"]);
    }
    let mut live = Live::start_as(Mode::Incremental, between(&source, &target));
    run(&mut live);
    ok(&mut client, &["DEBUG", "CHANGE-REPL-ID"]);
    for number in 0..100 {
        ok(&mut client, &["DEL", &format!("doomed:{number}")]);
        ok(&mut client, &["RPUSH", &format!("new:{number}"), "1"]);
    }
    live.resume();
    let moved = run(&mut live);
    assert!((100..1000).contains(&moved), "{moved} keys");
    assert_eq!(live.copies(), 2);
    assert_in_step(&source, &target);
}

#[test]
fn it_runs_by_itself_and_survives_being_killed() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let mut client = source.client();
    Dataset::mixed(KEYS).load(&mut client).unwrap();
    let config = between(&source, &target).every(Duration::from_millis(200));
    let mut live = Live::start_as(Mode::Incremental, config);
    for round in 1..=4 {
        ok(&mut client, &["SET", "round", &round.to_string()]);
        wait_until("the next run has been", || {
            ok(&mut target.client(), &["GET", "round"]).text() == round.to_string()
        });
        if round % 2 == 0 {
            live.kill();
            live.resume();
        }
    }
    live.until(State::Idle);
    assert_in_step(&source, &target);
    let status = live.status();
    assert!(!status.can_cutover && status.reasons.iter().any(|one| one.contains("incremental")));
}
