//! Ctrl-C at every stage: the first ends in order, the second at once, nothing is half-written.

use std::time::{Duration, Instant};

use ferrite_testkit::{Direction, Peer, Proxy, Server};
use rustix::process::Signal;
use serde_json::Value;

use crate::command::{Ended, Running, migrate, until};
use crate::{assert_empty, assert_part_of, assert_same, empty, listing, start, with_keys};

const KEYS: u64 = 20_000;
/// What an end at once may take on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(10);

fn slow(peer: &Peer, bytes_per_second: u64) -> Proxy {
    let proxy = Proxy::start(peer.addr()).unwrap();
    proxy.throttle(Some(bytes_per_second));
    proxy
}

fn keys_on(target: &Peer) -> i64 {
    target.client().ok(&["DBSIZE"]).int().expect("a number")
}

/// The report of a run with `--json`.
fn report(ended: &Ended) -> Value {
    let report: Value = serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(report["event"], "report", "{}", ended.stdout);
    assert_eq!((&report["interrupted"], &report["exit_code"]), (&true.into(), &130.into()));
    report
}

#[test]
fn the_first_ends_in_order_and_counts_exactly() {
    let source = with_keys(KEYS);
    for (strategy, signal) in [("psync", Signal::INT), ("scan", Signal::TERM)] {
        let target = empty();
        let proxy = slow(&source, 1_000_000);
        let (from, to) = (proxy.url(), target.url());
        let args = ["-s", &from, "-t", &to, "--strategy", strategy, "--json", "--verify"];
        let running = Running::start(&args);
        until("keys on the target", || keys_on(&target) > 0);
        running.signal(signal);
        running.says("stopping: ");
        let ended = running.end().exits(130);
        let report = report(&ended);
        let copied = report["keys"]["copied"].as_i64().unwrap();
        assert_eq!(copied, keys_on(&target), "{strategy}: {report}");
        assert!(copied > 0 && copied < i64::try_from(KEYS).unwrap(), "{strategy}: {report}");
        assert!(report["verification"].is_null(), "half a copy is not compared: {report}");
        assert_part_of(&target, &source);
        let again = ["--on-conflict", "replace", "--verify"];
        migrate(&source.url(), &target.url(), &again).exits(0);
        assert_same(&source, &target);
    }
}

#[test]
fn the_report_for_people_says_how_to_go_on() {
    let (source, target) = (with_keys(KEYS), empty());
    let proxy = slow(&source, 1_000_000);
    let running = Running::start(&["-s", &proxy.url(), "-t", &target.url()]);
    until("keys on the target", || keys_on(&target) > 0);
    running.interrupt();
    running
        .end()
        .exits(130)
        .reports(&["MIGRATION REPORT", "RESULT: ⚠ INTERRUPTED (exit 130", "--on-conflict replace"])
        .hides("error");
}

#[test]
fn a_source_that_has_not_begun_to_send_is_not_waited_for() {
    let source = Peer::builder(Server::Redis70).arg("repl-diskless-sync-delay", "3600");
    let (source, target) = (source.start().unwrap(), empty());
    source.client().ok(&["SET", "key", "value"]);
    let running = Running::start(&["-s", &source.url(), "-t", &target.url()]);
    let waits = |info: &str| info.contains("slave0:");
    until("the source to know us", || waits(&source.client().ok(&["INFO", "replication"]).text()));
    let began = Instant::now();
    running.interrupt();
    let ended = running.end().exits(130);
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    ended.reports(&["Copied:           0\n", "INTERRUPTED"]);
    assert_empty(&target);
}

#[test]
fn during_the_checks_nothing_has_been_written() {
    let (source, target) = (with_keys(10), empty());
    let proxy = Proxy::start(source.addr()).unwrap();
    proxy.stall();
    let running = Running::start(&["-s", &proxy.url(), "-t", &target.url()]);
    running.says("mig_");
    running.interrupt();
    let ended = running.end().exits(130).without_result();
    ended.explains(&["error: the checks before the run: interrupted; nothing was written"]);
    assert_empty(&target);
}

#[test]
fn the_second_leaves_at_once() {
    let (source, target) = (with_keys(KEYS), empty());
    let proxy = slow(&target, 1_000_000);
    let running = Running::start(&["-s", &source.url(), "-t", &proxy.url()]);
    until("keys on the target", || keys_on(&target) > 0);
    // What is on its way cannot arrive any more, so that one signal would not be enough.
    proxy.stall();
    running.interrupt();
    running.says("stopping: ");
    let began = Instant::now();
    running.interrupt();
    let ended = running.end().exits(130).without_result();
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    ended.explains(&["error: copying: interrupted without waiting", "no key is half-written"]);
    assert_part_of(&target, &source);
}

#[test]
fn a_target_that_loads_a_file_is_told_of() {
    let (source, target) = (with_keys(KEYS), start(Server::Redis70));
    source.client().ok(&["SAVE"]);
    let file = source.dir().join("dump.rdb");
    let mut client = target.client();
    client.ok(&["CONFIG", "SET", "key-load-delay", "1000"]);
    // Over it the target is asked; the file goes another way.
    let proxy = Proxy::start(target.addr()).unwrap();
    let (file, url) = (file.to_str().unwrap(), proxy.url());
    let running = Running::start(&["import-rdb", file, "-t", &url, "--strategy", "replica"]);
    until("the target to load", || {
        client.ok(&["INFO", "persistence"]).text().contains("loading:1")
    });
    proxy.stall();
    running.interrupt();
    running.says("stopping: the target lets go of the file");
    running.interrupt();
    let ended = running.end().exits(130).without_result();
    assert!(!ended.stderr.contains("were copied by then"), "{}", ended.stderr);
    ended.explains(&["may be a replica of this process", "hint: REPLICAOF NO ONE"]);
}

/// As `docs/rdb-files.md` says: a replica of nobody, which the next run names, and which is brought
/// back by hand.
#[test]
fn a_target_whose_importing_process_was_killed_is_named_by_the_next_run() {
    let (source, target) = (with_keys(KEYS), start(Server::Redis70));
    source.client().ok(&["SAVE"]);
    let file = source.dir().join("dump.rdb");
    let (file, url) = (file.to_str().unwrap(), target.url());
    let mut client = target.client();
    client.ok(&["CONFIG", "SET", "key-load-delay", "100"]);
    client.ok(&["CONFIG", "SET", "loading-process-events-interval-bytes", "1024"]);
    let import = || Running::start(&["import-rdb", file, "-t", &url, "--strategy", "replica"]);
    let running = import();
    let loads = |client: &mut ferrite_testkit::Client| {
        client.ok(&["INFO", "persistence"]).text().contains("loading:1")
    };
    until("the target to load", || loads(&mut client));
    running.signal(Signal::KILL);
    assert_eq!(running.end().code, None);
    client.ok(&["CONFIG", "SET", "key-load-delay", "0"]);
    until("the target to see it", || !loads(&mut client));
    assert_empty(&target);
    import().end().exits(3).explains(&["replica", "REPLICAOF NO ONE"]);
    client.ok(&["REPLICAOF", "NO", "ONE"]);
    for (name, value) in
        [("masterauth", ""), ("masteruser", ""), ("repl-diskless-load", "disabled")]
    {
        client.ok(&["CONFIG", "SET", name, value]);
    }
    import().end().exits(0);
    assert_same(&source, &target);
}

#[test]
fn a_comparison_reports_what_it_has_compared() {
    let (source, target) = (with_keys(KEYS), empty());
    migrate(&source.url(), &target.url(), &[]).exits(0);
    let proxy = slow(&source, 500_000);
    let running = Running::start(&["verify", "-s", &proxy.url(), "-t", &target.url()]);
    until("values to be read", || proxy.moved(Direction::ToClient) > 300_000);
    running.interrupt();
    let ended = running.end().exits(130);
    ended
        .reports(&["VERIFICATION REPORT", "Mismatched:       0", "INTERRUPTED before the end"])
        .hides(&format!("Keys compared:    {KEYS}"));
    assert_eq!(listing(&target).len(), listing(&source).len());
}
