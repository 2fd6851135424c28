//! Under load, from server to server, compared and not.

use ferrite_migrate::State;
use ferrite_migrate::control::Request;
use ferrite_testkit::{Dataset, Server, wait_until};

use super::{finish, refusal, replica, start_with_keys, write_to};
use crate::common::live::{Live, assert_same_soon};
use crate::common::{ok, start};

fn survives_a_load(from: Server, to: Server) {
    let (source, target) = (start(from), start(to));
    let load = write_to(&source, 21);
    load.wait_for(10_000);
    let live = Live::start(replica(&source, &target));
    load.wait_for(20_000);
    finish(live, load, &source, &target);
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
fn redis_70_to_80_under_load() {
    survives_a_load(Server::Redis70, Server::Redis80);
}

#[test]
fn redis_70_to_valkey_91_under_load() {
    survives_a_load(Server::Redis70, Server::Valkey91);
}

#[test]
fn valkey_91_under_load() {
    survives_a_load(Server::Valkey91, Server::Valkey91);
}

fn compares_under_a_load(from: Server, to: Server) {
    let (source, target) = (start(from), start(to));
    Dataset::everything().load(&mut source.client()).unwrap();
    let load = write_to(&source, 30);
    load.wait_for(5000);
    let live = Live::start(replica(&source, &target).verify(true));
    live.until(State::Live);
    wait_until("every key is compared", || {
        let status = live.status();
        assert_eq!(status.verify.mismatched, 0, "{:?}", status.verify.differing);
        status.verify.verified_offset.is_some()
    });
    load.wait_for(5000);
    live.cut_over();
    let (report, state) = live.end();
    assert_eq!(state, State::Completed);
    let verified = report.live.unwrap().verified.unwrap();
    assert!(verified.checked > 100 && verified.mismatched == 0, "{verified:?}");
    let wrong = load.stop().lost_or_doubled(&mut target.client()).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn redis_70_is_compared_under_load() {
    compares_under_a_load(Server::Redis70, Server::Redis70);
}

#[test]
fn redis_70_to_valkey_91_is_compared_under_load() {
    compares_under_a_load(Server::Redis70, Server::Valkey91);
}

#[test]
fn what_differs_holds_a_cutover_back_until_it_does_not() {
    let (source, target) = (start_with_keys(Server::Redis70), start(Server::Redis70));
    ok(&mut source.client(), &["SET", "changed", "here"]);
    let live = Live::start(replica(&source, &target).verify(true));
    live.until(State::Live);
    wait_until("it is ready", || live.status().can_cutover);
    // A stranger writes where nobody should.
    let mut client = target.client();
    ok(&mut client, &["CONFIG", "SET", "replica-read-only", "no"]);
    ok(&mut client, &["SET", "changed", "there"]);
    ok(&mut client, &["SET", "added", "there"]);
    ok(&mut client, &["CONFIG", "SET", "replica-read-only", "yes"]);
    live.ordered(&Request::Stop);
    drop(live);
    let live = Live::start(replica(&source, &target).verify(true));
    live.until(State::Live);
    wait_until("it is found", || live.status().verify.mismatched == 2);
    let said = refusal(
        &live,
        &Request::Cutover {
            max_pause_ms: None,
            dry_run: false,
            when_ready: false,
            hook: None,
            reverse: false,
            guard: None,
        },
    );
    assert!(said.contains("2 of the keys differ"), "{said}");
    ok(&mut source.client(), &["SET", "changed", "again"]);
    ok(&mut source.client(), &["SET", "added", "here too"]);
    wait_until("it is good", || live.status().can_cutover);
    live.cut_over();
    assert_eq!(live.end().0.exit_code(), ferrite_migrate::ExitCode::Done);
    assert_same_soon(&source, &target);
}
