//! `--workers-from`: machines that share a job by leases in a real etcd, and what becomes of it when
//! one of them dies.

use std::time::{Duration, Instant};

use ferrite_testkit::{Cluster, Dataset, Etcd, Peer, Server};
use rustix::process::Signal;
use serde_json::Value;

use crate::command::{Ended, Running, migrate, program, run, until};
use crate::{empty, listing, with_everything};

/// Slow enough to be met at work.
const SLOW: [&str; 4] = ["--rate", "256KiB", "-b", "50"];

fn etcd() -> Etcd {
    Etcd::start().unwrap_or_else(|error| panic!("{error}"))
}

/// A worker, which may be slow.
fn worker(source: &str, target: &str, place: &str, more: &[&str]) -> Running {
    let args = ["migrate", "-s", source, "-t", target, "--workers-from", place];
    Running::start(&[&args, more].concat())
}

/// What `status --workers-from --json` says.
fn status(place: &str) -> Option<Value> {
    let ended = run(&["status", "--workers-from", place, "--json"]);
    (ended.code == Some(0)).then(|| serde_json::from_str(&ended.stdout).unwrap())
}

fn is_copying(place: &str, workers: usize) -> bool {
    let copying = status(place).and_then(|status| status["copying"].as_array().map(Vec::len));
    copying.is_some_and(|copying| copying >= workers)
}

fn assert_equal(source: &Peer, target: &Peer) {
    let differences = listing(source).diff(&listing(target));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn workers_share_a_server_and_report_the_sum() {
    let (etcd, source, target) = (etcd(), with_everything(Server::Redis70), empty());
    Dataset::mixed(6000).load(&mut source.client()).unwrap();
    let place = etcd.url("ferrite/one");
    let workers: Vec<_> =
        (0..2).map(|_| worker(&source.url(), &target.url(), &place, &SLOW)).collect();
    until("both copy", || is_copying(&place, 2));
    let ended: Vec<Ended> = workers.into_iter().map(Running::end).collect();
    assert_equal(&source, &target);
    let keys = listing(&source).len().to_string();
    for ended in ended {
        let copied = format!("Copied:           {}", grouped(&keys));
        ended.exits(0).reports(&["WORKERS", "8 of 8", "(this one)", &copied]);
    }
    let status = status(&place).unwrap();
    assert_eq!((&status["done"], &status["partitions"]), (&8.into(), &8.into()));
    assert_eq!(status["keys"].to_string(), keys);
    assert_eq!(status["workers"].as_array().map(Vec::len), Some(2), "{status}");
    // Whoever comes late has nothing to do, and is told the same.
    let late = worker(&source.url(), &target.url(), &place, &["--json"]).end().exits(0);
    let report: Value = serde_json::from_str(late.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(report["keys"]["copied"].to_string(), keys);
    assert_eq!(report["shared"]["done"], 8);
}

/// `1234` as `1,234`.
fn grouped(digits: &str) -> String {
    match digits.split_at_checked(digits.len().saturating_sub(3)) {
        Some((head, tail)) if !head.is_empty() => format!("{head},{tail}"),
        _ => digits.to_owned(),
    }
}

#[test]
fn what_a_worker_left_that_was_killed_is_done_by_another() {
    let cluster =
        |primaries| Cluster::builder(Server::Redis70).primaries(primaries).start().unwrap();
    let (etcd, a, b, server) = (etcd(), cluster(3), cluster(2), empty());
    Dataset::mixed(8000).load(&mut server.client()).unwrap();
    migrate(&server.url(), &a.url(), &[]).exits(0);
    let place = etcd.url("ferrite/two");
    let (one, other) =
        (worker(&a.url(), &b.url(), &place, &SLOW), worker(&a.url(), &b.url(), &place, &SLOW));
    until("both copy", || is_copying(&place, 2));
    one.signal(Signal::KILL);
    let ended = other.end().exits(0).reports(&["WORKERS", "12 of 12", "8,000"]);
    assert!(!ended.stdout.contains("WARNINGS"), "{}", ended.stdout);
    let differences = listing(&server).diff(&b.snapshot().unwrap());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    let status = run(&["status", "--workers-from", &place]).exits(0);
    status.reports(&["all partitions are done", "12 of 12"]);
}

#[test]
fn a_worker_that_does_not_hear_of_etcd_stops_and_can_begin_again() {
    let (etcd, source, target) = (etcd(), with_everything(Server::Redis70), empty());
    Dataset::mixed(8000).load(&mut source.client()).unwrap();
    let place = etcd.url("three");
    let lost = worker(&source.url(), &target.url(), &place, &SLOW);
    until("it copies", || is_copying(&place, 1));
    etcd.suspend(true).unwrap();
    let began = Instant::now();
    let ended = lost.end().exits(2);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    ended.explains(&["etcd", "start this worker again"]);
    etcd.suspend(false).unwrap();
    worker(&source.url(), &target.url(), &place, &[]).end().exits(0);
    assert_equal(&source, &target);
}

#[test]
fn ctrl_c_leaves_the_rest_to_the_others() {
    let (etcd, source, target) = (etcd(), with_everything(Server::Redis70), empty());
    Dataset::mixed(6000).load(&mut source.client()).unwrap();
    let place = etcd.url("four");
    let first = worker(&source.url(), &target.url(), &place, &SLOW);
    until("it copies", || is_copying(&place, 1));
    first.interrupt();
    first.end().exits(130).reports(&["INTERRUPTED", "the same command takes part again"]);
    let began = Instant::now();
    worker(&source.url(), &target.url(), &place, &[]).end().exits(0);
    assert!(began.elapsed() < Duration::from_secs(9), "its lease was not given back");
    assert_equal(&source, &target);
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let (etcd, source, target) = (etcd(), empty(), empty());
    source.client().ok(&["SET", "key", "1"]);
    target.client().ok(&["SET", "key", "2"]);
    let place = etcd.url("five");
    let begin = |target: &str, more: &[&str]| worker(&source.url(), target, &place, more).end();
    begin(&target.url(), &[]).exits(3).explains(&["target empty", "\"key\""]);
    assert_eq!(status(&place), None, "no plan was made");
    let ended = run(&["status", "--workers-from", &place]).exits(1);
    ended.explains(&["there is no job in etcd://"]);
    begin(&target.url(), &["--on-conflict", "replace"]).exits(0);
    assert_eq!(target.client().ok(&["GET", "key"]), "1");
    let other = begin(&empty().url(), &[]).exits(1);
    other.explains(&["the target of the job under this prefix is", "another prefix"]);
    begin(&target.url(), &["-f", "a*"]).exits(1).explains(&["--filter", "a*"]);
    let nobody = "etcd://127.0.0.1:1/six";
    let ended = worker(&source.url(), &target.url(), nobody, &[]).end().exits(2);
    ended.explains(&["cannot reach 127.0.0.1:1", "etcdctl endpoint health"]);
    let mut command = program();
    command.args(["status", "--workers-from", &place.replace("etcd://", "etcd://u:s3cret@")]);
    // Users are not enabled there, so a password is refused, and not shown.
    Running::start_command(command).end().hides("s3cret").exits(2);
}
