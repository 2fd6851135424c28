//! The source dies and comes back, with its data or without.

use ferrite_migrate::{State, Strategy};
use ferrite_testkit::{Dataset, Peer, Server, wait_until};

use crate::common::live::{Live, assert_same_soon, reversible_cutover};
use crate::common::{ok, start};
use crate::{between, load, pair, write_to};

#[test]
fn a_source_that_comes_back_with_its_data_is_copied_again() {
    let mut source = Peer::builder(Server::Redis70)
        .arg("appendonly", "yes")
        .arg("appendfsync", "always")
        .start()
        .unwrap();
    let target = start(Server::Redis70);
    let load = write_to(&source, load().seed(20));
    load.wait_for(2000);
    let live = Live::start(between(source.url(), target.url()));
    for round in 1..=3 {
        live.until_copied(round);
        load.wait_for(1000);
        source.kill();
        source.restart().unwrap();
    }
    live.until_copied(4);
    load.wait_for(1000);
    live.finish(load, &source, &target);
}

#[test]
fn a_source_that_comes_back_without_its_data_is_followed_all_the_same() {
    let (mut source, target) = pair(Server::Redis80);
    let mut client = source.client();
    for number in 0..5000 {
        ok(&mut client, &["SET", &format!("lost:{number}"), "1"]);
    }
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    source.kill();
    source.restart().unwrap();
    let mut client = source.client();
    ok(&mut client, &["SET", "new", "1"]);
    live.until_copied(2);
    wait_until("what is gone is gone", || {
        ok(&mut target.client(), &["GET", "lost:1"]).bytes().is_none()
    });
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
    assert_same_soon(&source, &target);
}

#[test]
fn a_job_killed_while_it_copies_again_drops_what_is_gone() {
    let (source, target) = pair(Server::Redis70);
    let mut client = source.client();
    for number in 0..20_000 {
        client.queue(&["SET", &format!("doomed:{number}"), "1"]);
    }
    client.flush().unwrap();
    for _ in 0..20_000 {
        client.read().unwrap();
    }
    let mut live = Live::start(between(source.url(), target.url()).strategy(Strategy::Psync));
    live.until(State::Live);
    live.kill();
    // Makes the source forget where the job was, and the keys.
    ok(&mut client, &["FLUSHALL"]);
    ok(&mut client, &["DEBUG", "CHANGE-REPL-ID"]);
    ok(&mut client, &["SET", "new", "1"]);
    Dataset::mixed(20_000).load(&mut client).unwrap();
    for _ in 0..3 {
        live.resume();
        wait_until("it copies again", || live.copies() >= 2);
        live.kill();
    }
    live.resume();
    live.until(State::Live);
    live.cut_over();
    assert_same_soon(&source, &target);
}

#[test]
fn a_way_back_that_is_lost_leaves_the_old_source_alone() {
    let (source, mut target) = pair(Server::Redis70);
    ok(&mut source.client(), &["SET", "key", "value"]);
    let mut live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    live.ordered(&reversible_cutover());
    // The server that everybody writes to loses everything.
    target.kill();
    target.restart().unwrap();
    let lost = live.ended().unwrap_err();
    assert!(lost.cause.contains("nothing is copied over it"), "{lost}");
    assert_eq!(ok(&mut source.client(), &["GET", "key"]).text(), "value");
    assert_eq!(live.state(), State::Completed);
}
