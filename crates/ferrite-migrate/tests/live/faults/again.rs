//! An end is lost before everything is copied: the copy begins anew by itself.

use ferrite_migrate::control::Request;
use ferrite_migrate::{State, Strategy};
use ferrite_testkit::{Dataset, Peer, Proxy, Server, wait_until};

use super::{RATE, between, load, pair, proxy, write_to};
use crate::common::live::{Live, assert_same_soon};
use crate::common::{ok, start};

/// Keys of a source: enough to be in the middle of them.
const KEYS: u64 = 20_000;
/// Bytes a second of a link that is to be cut while the copy is on its way.
const SLOW: u64 = 1_000_000;

/// Waits until the copy is on its way for that many times.
fn until_copying(live: &Live, times: usize) {
    wait_until("a copy begins", || live.copies() >= times);
    wait_until("keys are being copied", || {
        let status = live.status();
        status.state == State::Copying && status.progress.keys_done > 0
    });
}

/// Cuts one of the links while the copy is on its way, again and again.
fn survives_cuts(cut_target: bool, seed: u64) {
    let (source, target) = pair(Server::Redis70);
    Dataset::mixed(KEYS).load(&mut source.client()).unwrap();
    let load = write_to(&source, load().seed(seed));
    let (from, to) = (proxy(&source), proxy(&target));
    let way: &Proxy = if cut_target { &to } else { &from };
    way.throttle(Some(SLOW));
    let live = Live::start(between(from.url(), to.url()));
    for times in 1..=3 {
        until_copying(&live, 1);
        let (cuts, keys) = (way.cut(), live.status().progress.keys_done);
        assert!(cuts > 0);
        // A cut between two parts of a copy is made good by connecting again.
        wait_until("it goes on", || {
            live.copies() > times || live.status().progress.keys_done > keys
        });
    }
    way.throttle(None);
    live.until(State::Live);
    load.wait_for(1000);
    live.finish(load, &source, &target);
}

#[test]
fn a_source_link_that_breaks_while_copying_has_the_copy_begin_anew() {
    survives_cuts(false, 40);
}

#[test]
fn a_target_link_that_breaks_while_copying_has_the_copy_begin_anew() {
    survives_cuts(true, 41);
}

#[test]
fn what_is_copied_twice_counts_once() {
    let (source, target) = pair(Server::Redis70);
    let mut client = source.client();
    Dataset::mixed(KEYS).load(&mut client).unwrap();
    let keys = ok(&mut client, &["DBSIZE"]).int().unwrap();
    let way = proxy(&source);
    way.throttle(Some(SLOW));
    let live = Live::start(between(way.url(), target.url()).strategy(Strategy::Psync));
    until_copying(&live, 1);
    way.cut();
    wait_until("it copies again", || live.copies() > 1);
    way.throttle(None);
    live.until(State::Live);
    live.cut_over();
    let (report, _) = live.end();
    assert_eq!(report.keys.copied, u64::try_from(keys).unwrap());
    assert_same_soon(&source, &target);
}

/// A server that keeps every write.
fn durable() -> Peer {
    let durable = Peer::builder(Server::Redis70).arg("appendonly", "yes");
    durable.arg("appendfsync", "always").start().unwrap()
}

#[test]
fn a_target_that_is_killed_while_copying_is_copied_to_again() {
    let (source, mut target) = (start(Server::Redis70), durable());
    Dataset::mixed(KEYS).load(&mut source.client()).unwrap();
    let load = write_to(&source, load().seed(42));
    let way = proxy(&source);
    way.throttle(Some(SLOW));
    let live = Live::start(between(way.url(), target.url()));
    for times in 1..=2 {
        until_copying(&live, times);
        target.kill();
        wait_until("it is told", || {
            live.status().reasons.iter().any(|reason| reason.contains("the copy was lost: "))
        });
        target.restart().unwrap();
    }
    way.throttle(None);
    live.until_copied(3);
    load.wait_for(1000);
    live.finish(load, &source, &target);
}

#[test]
fn a_source_that_is_killed_while_copying_is_copied_again() {
    let (mut source, target) = (durable(), start(Server::Redis70));
    Dataset::mixed(KEYS).load(&mut source.client()).unwrap();
    let load = write_to(&source, load().seed(43));
    let way = proxy(&source);
    way.throttle(Some(SLOW));
    let live = Live::start(between(way.url(), target.url()));
    for times in 1..=2 {
        until_copying(&live, times);
        source.kill();
        source.restart().unwrap();
        wait_until("it copies again", || live.copies() > times);
    }
    way.throttle(None);
    live.until(State::Live);
    load.wait_for(1000);
    live.finish(load, &source, &target);
}

#[test]
fn a_job_that_waits_to_copy_again_can_be_stopped() {
    let (source, target) = pair(Server::Redis70);
    Dataset::mixed(KEYS).load(&mut source.client()).unwrap();
    let way = proxy(&source);
    way.throttle(Some(SLOW));
    let mut live = Live::start(between(way.url(), target.url()));
    until_copying(&live, 1);
    way.refuse(true);
    way.cut();
    let is_told =
        |live: &Live| live.status().reasons.iter().any(|why| why.contains(&way.addr().to_string()));
    wait_until("it is told", || is_told(&live));
    live.ordered(&Request::Stop);
    assert!(live.ended().unwrap().interrupted);
    assert_eq!(live.state(), State::Paused);
    way.refuse(false);
    way.throttle(None);
    live.resume();
    live.until(State::Live);
    live.cut_over();
    assert_same_soon(&source, &target);
}

#[test]
fn connections_of_a_lost_copy_are_ended_before_the_next() {
    let (source, target) = pair(Server::Redis70);
    ok(&mut source.client(), &["SET", "key", "value"]);
    let mut live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    live.kill();
    // One whose last batch comes late.
    let mut late = target.client();
    ok(&mut late, &["CLIENT", "SETNAME", &format!("ferrite-migrate:{}:copy", live.id())]);
    ok(&mut target.client(), &["FLUSHALL"]);
    live.resume();
    live.until_copied(2);
    assert!(late.try_call(&["SET", "stale", "1"]).is_err());
    live.cut_over();
    assert_same_soon(&source, &target);
}

#[test]
fn a_target_that_stays_away_after_a_copy_was_lost_is_waited_for() {
    let (source, target) = pair(Server::Redis70);
    Dataset::mixed(KEYS).load(&mut source.client()).unwrap();
    let load = write_to(&source, load().seed(45));
    let way = proxy(&target);
    way.throttle(Some(SLOW));
    let live = Live::start(between(source.url(), way.url()).strategy(Strategy::Fenced));
    until_copying(&live, 1);
    way.refuse(true);
    way.cut();
    // Three seconds of them: longer than ten attempts without a pause between them.
    load.wait_for(3 * RATE);
    way.refuse(false);
    way.throttle(None);
    live.until(State::Live);
    load.wait_for(1000);
    live.finish(load, &source, &target);
}
