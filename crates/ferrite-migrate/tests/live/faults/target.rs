//! The target dies, comes back behind or empty, runs out of memory, becomes a replica.

use ferrite_migrate::State;
use ferrite_testkit::{Peer, Server};

use super::{between, load, pair, write_to};
use crate::common::live::Live;
use crate::common::{ok, start};

/// Kills the target at work, several times.
fn survives_target_kills(server: Server, fsync: &str, seed: u64) {
    let source = start(server);
    let mut target =
        Peer::builder(server).arg("appendonly", "yes").arg("appendfsync", fsync).start().unwrap();
    let load = write_to(&source, load().seed(seed));
    load.wait_for(3000);
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    for _ in 0..3 {
        load.wait_for(3000);
        target.kill();
        load.wait_for(2000);
        target.restart().unwrap();
    }
    load.wait_for(2000);
    live.finish(load, &source, &target);
}

#[test]
fn a_target_that_is_killed_with_every_write_on_disk() {
    survives_target_kills(Server::Redis70, "always", 8);
}

#[test]
fn a_target_that_is_killed_with_most_writes_on_disk() {
    survives_target_kills(Server::Redis80, "everysec", 9);
}

#[test]
fn a_target_that_loses_its_last_writes() {
    let source = start(Server::Redis70);
    let mut target = start(Server::Redis70);
    let load = write_to(&source, load().seed(10));
    let live = Live::start(between(source.url(), target.url()));
    for _ in 0..3 {
        live.until(State::Live);
        load.wait_for(1000);
        // Comes back as it was at this moment.
        ok(&mut target.client(), &["SAVE"]);
        load.wait_for(3000);
        target.kill();
        target.restart().unwrap();
    }
    load.wait_for(1000);
    assert_eq!(live.copies(), 1);
    live.finish(load, &source, &target);
}

#[test]
fn a_target_that_comes_back_empty_is_copied_again() {
    let (source, mut target) = pair(Server::Redis80);
    let load = write_to(&source, load().seed(11));
    load.wait_for(3000);
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    target.kill();
    load.wait_for(1000);
    target.restart().unwrap();
    live.until_copied(2);
    load.wait_for(1000);
    assert_eq!(live.copies(), 2);
    live.finish(load, &source, &target);
}

#[test]
fn a_target_out_of_memory_is_waited_for() {
    let (source, target) = pair(Server::Redis70);
    let load = write_to(&source, load().seed(12));
    load.wait_for(3000);
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    let mut client = target.client();
    for _ in 0..4 {
        ok(&mut client, &["CONFIG", "SET", "maxmemory", "1mb"]);
        let troubled = || live.status().reasons.iter().any(|reason| reason.contains("OOM"));
        ferrite_testkit::wait_until("it is told", troubled);
        ok(&mut client, &["CONFIG", "SET", "maxmemory", "0"]);
        load.wait_for(2000);
    }
    live.finish(load, &source, &target);
}

#[test]
fn a_target_that_runs_out_of_memory_inside_a_transaction_is_waited_for() {
    let (source, target) = pair(Server::Redis70);
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    let mut client = target.client();
    let used = ok(&mut client, &["INFO", "memory"]).text();
    let used = used.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    let most = used.parse::<u64>().unwrap() + 1_500_000;
    ok(&mut client, &["CONFIG", "SET", "maxmemory", &most.to_string()]);
    let mut writer = source.client();
    let value = "x".repeat(10_000);
    for number in 0..1000 {
        ok(&mut writer, &["SET", &format!("key:{number}"), &value]);
    }
    let troubled = || live.status().reasons.iter().any(|reason| reason.contains("OOM"));
    ferrite_testkit::wait_until("it is told", troubled);
    ok(&mut client, &["CONFIG", "SET", "maxmemory", "0"]);
    live.until_applied(&source);
    live.cut_over();
    crate::common::live::assert_same_soon(&source, &target);
}

#[test]
fn a_target_that_is_a_replica_for_a_while_is_waited_for() {
    let (source, target) = pair(Server::Redis70);
    let load = write_to(&source, load().seed(13));
    load.wait_for(3000);
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    let mut client = target.client();
    for _ in 0..4 {
        // Of nobody: it keeps what it has, and takes no writes.
        ok(&mut client, &["REPLICAOF", "127.0.0.1", "1"]);
        let troubled = || {
            live.status()
                .reasons
                .iter()
                .any(|reason| reason.contains("READONLY") || reason.contains("read only"))
        };
        ferrite_testkit::wait_until("it is told", troubled);
        ok(&mut client, &["REPLICAOF", "NO", "ONE"]);
        load.wait_for(2000);
    }
    live.finish(load, &source, &target);
}
