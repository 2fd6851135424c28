//! Runs that break midway: exit code 2, where and why, what to do, nothing half-written.

use ferrite_testkit::{Direction, Peer, Proxy, Server};

use crate::command::{Ended, Running, migrate, until};
use crate::{assert_part_of, assert_same, empty, listing, with_keys};

const KEYS: u64 = 20_000;

/// The number of keys the failure says are complete.
fn copied(ended: &Ended) -> usize {
    let said = ended.stderr.lines().find_map(|line| line.trim().strip_suffix(WERE_COPIED));
    said.map_or(0, |number| number.replace(',', "").parse().expect("a number"))
}

const WERE_COPIED: &str = " keys were copied by then; they are complete";

#[test]
fn a_target_without_memory_ends_the_run_with_advice() {
    let source = with_keys(KEYS);
    for strategy in ["psync", "scan"] {
        let target = Peer::builder(Server::Redis70).arg("maxmemory", "4mb").start().unwrap();
        let ended = migrate(&source.url(), &target.url(), &["--strategy", strategy]);
        let ended = ended.exits(2).without_result().explains(&["error: ", "OOM"]);
        let ended = ended.explains(&["\nhint: ", "maxmemory", &target.port().to_string()]);
        let keys = listing(&target).len();
        assert!(keys > 0 && copied(&ended) > 0 && copied(&ended) <= keys, "{}", ended.stderr);
        assert_part_of(&target, &source);
    }
}

#[test]
fn a_link_that_is_cut_ends_the_run_and_it_can_be_run_again() {
    let source = with_keys(KEYS);
    for cuts_source in [true, false] {
        let target = empty();
        let proxy = Proxy::start(if cuts_source { source.addr() } else { target.addr() }).unwrap();
        let (from, to, direction) = match cuts_source {
            true => (proxy.url(), target.url(), Direction::ToClient),
            false => (source.url(), proxy.url(), Direction::ToServer),
        };
        proxy.cut_after(direction, 1_500_000);
        let ended = migrate(&from, &to, &[]).exits(2).without_result();
        let ended = ended.explains(&["error: ", "\nhint: ", &proxy.port().to_string()]);
        let keys = listing(&target).len();
        assert!(copied(&ended) <= keys && keys < listing(&source).len(), "{}", ended.stderr);
        assert_part_of(&target, &source);
        let again = ["--on-conflict", "replace", "--verify"];
        migrate(&source.url(), &target.url(), &again).exits(0);
        assert_same(&source, &target);
    }
}

#[test]
fn a_source_that_pauses_is_waited_for_and_said_to_be() {
    let (source, target) = (with_keys(KEYS), empty());
    let proxy = Proxy::start(source.addr()).unwrap();
    proxy.throttle(Some(1_000_000));
    let running = Running::start(&["-s", &proxy.url(), "-t", &target.url()]);
    until("keys on the target", || target.client().ok(&["DBSIZE"]) != 0);
    proxy.stall();
    // Without a terminal there is a line every few seconds.
    running.says("copying ");
    running.says(" of 20,000 keys (");
    running.says(" keys/s · ");
    proxy.throttle(None);
    proxy.resume();
    running.end().exits(0).reports(&["Copied:           20,000\n"]);
    assert_same(&source, &target);
}
