//! Copies that are held back: by a rate, by servers that answer late, until they are told otherwise.

use std::time::{Duration, Instant};

use crate::common::live::Live;
use crate::common::{assert_same, between, run, runtime, start};
use ferrite_migrate::control::{CallError, Request};
use ferrite_migrate::{
    Config, ConfigBuilder, Limits, Migration, OnConflict, RATE_MIN, Report, State, Strategy,
};
use ferrite_testkit::client::Connector;
use ferrite_testkit::dataset::big::{self, Collection};
use ferrite_testkit::load::Feature;
use ferrite_testkit::{Dataset, Load, Peer, Proxy, Server, wait_until};

/// Keys of a source: about 13 MB, which the slowest copy takes 50 seconds for.
const KEYS: u64 = 60_000;
/// A value that is sent in parts.
const LARGE: u64 = 5 << 20;
/// What a way to a server takes each time when it is slow, and what is allowed: more than a quick
/// answer ever takes here, less than a slow one.
const DELAY: Duration = Duration::from_millis(15);
const ALLOWED_MS: u64 = 20;
/// How long something may take that is not held back any more.
const AT_ONCE: Duration = Duration::from_secs(15);

fn source() -> Peer {
    let source = start(Server::Redis70);
    Dataset::mixed(KEYS).load(&mut source.client()).unwrap();
    source
}

fn rate(bytes: u64) -> Limits {
    Limits { rate: Some(bytes), ..Limits::default() }
}

/// An order that changes the rate alone.
fn order(rate: Option<u64>) -> Request {
    let (max_source_latency_ms, max_target_latency_ms) = (None, None);
    Request::Throttle { rate, max_source_latency_ms, max_target_latency_ms }
}

/// How long a limit has held a copy back, in ms, if it did.
fn held_back(report: &Report, limit: &str) -> Option<u64> {
    report.throttled.iter().find(|held| held.by == limit).map(|held| held.ms)
}

/// Waits until a job is held back, for a reason with these words in it.
fn until_held_back(live: &Live, words: &str) {
    live.until(State::Copying);
    wait_until("it is held back", || {
        let throttle = live.status().throttle;
        assert_eq!(throttle.active, throttle.why.is_some());
        throttle.why.is_some_and(|why| why.contains(words))
    });
}

#[test]
fn a_rate_is_kept_however_keys_are_read() {
    const RATE: u64 = 4 << 20;
    let source = source();
    big::collection(&mut source.client(), Collection::Hash, b"large", LARGE).unwrap();
    for strategy in [Strategy::Psync, Strategy::Scan] {
        let target = start(Server::Redis70);
        // The smallest memory limit, so that the large value is sent in parts.
        let config = between(&source, &target).strategy(strategy).memory_limit(32 << 20);
        let report = run(config.limits(rate(RATE))).unwrap();
        assert_same(&source, &target);
        let least_ms = report.bytes * 1000 / RATE * 8 / 10;
        assert!(report.bytes > 2 * RATE, "{} bytes", report.bytes);
        assert!(report.copy_ms >= least_ms, "{strategy:?}: {} ms", report.copy_ms);
        let held_ms = held_back(&report, "rate").unwrap_or(0);
        assert!((1..=report.copy_ms).contains(&held_ms), "{held_ms} of {}", report.copy_ms);
        assert_eq!(report.throttled.len(), 1, "{:?}", report.throttled);
    }
}

#[test]
fn without_limits_nothing_is_held_back() {
    let (source, target) = (source(), start(Server::Redis70));
    let report = run(between(&source, &target)).unwrap();
    assert_eq!(report.throttled, []);
}

#[test]
fn a_live_copy_keeps_its_rate_and_loses_no_write() {
    const RATE: u64 = 4 << 20;
    let (source, target) = (source(), start(Server::Redis70));
    let load = Load::builder().writers(2).rate(Some(2000)).seed(21);
    let load = load.without(Feature::HyperLogLogs).start(Connector::new(source.addr())).unwrap();
    let live = Live::start(between(&source, &target).limits(rate(RATE)));
    until_held_back(&live, "limited to 4.0 MiB/s (--rate)");
    live.until(State::Live);
    assert_eq!(live.status().throttle, Default::default(), "what follows is not held back");
    let report = live.finish(load, &source, &target);
    assert!(report.copy_ms >= report.bytes * 1000 / RATE * 8 / 10, "{} ms", report.copy_ms);
    assert!(held_back(&report, "rate") > Some(0));
}

/// Through a proxy to one of the ends.
fn by_way(source: &str, target: &str) -> ConfigBuilder {
    Config::builder().source(source).target(target)
}

#[test]
fn a_source_that_answers_late_is_spared_until_it_is_quick_again() {
    let (source, target) = (source(), start(Server::Redis70));
    let way = Proxy::start(source.addr()).unwrap();
    way.delay(DELAY);
    let limits = Limits { max_source_latency_ms: Some(ALLOWED_MS), ..Limits::default() };
    let live = Live::start(by_way(&way.url(), &target.url()).limits(limits));
    until_held_back(&live, "the source answers in ");
    let why = live.status().throttle.why.unwrap_or_default();
    assert!(why.ends_with(" ms (--max-source-latency 20 ms)"), "{why}");
    assert_eq!(live.state(), State::Copying);
    way.delay(Duration::ZERO);
    let quick = Instant::now();
    live.until(State::Live);
    assert!(quick.elapsed() < AT_ONCE, "{:?}", quick.elapsed());
    assert_eq!(live.status().throttle, Default::default());
    live.cut_over();
    let (report, _) = live.end();
    assert!(held_back(&report, "max-source-latency").is_some(), "{:?}", report.throttled);
    assert_same(&source, &target);
    let checks = report.preflight.checks;
    let warned = checks.iter().find(|check| check.name == "source latency").unwrap();
    assert!(warned.detail.contains("the copy stays at 256 KiB/s"), "{warned:?}");
}

#[test]
fn a_target_that_answers_late_is_followed_all_the_same() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    Dataset::mixed(1000).load(&mut source.client()).unwrap();
    let way = Proxy::start(target.addr()).unwrap();
    way.delay(DELAY);
    let limits = Limits { max_target_latency_ms: Some(1), ..Limits::default() };
    let live = Live::start(by_way(&source.url(), &way.url()).limits(limits));
    live.until(State::Live);
    for number in 0..100 {
        source.client().ok(&["SET", &format!("later:{number}"), &"x".repeat(50_000)]);
    }
    let written = Instant::now();
    live.until_applied(&source);
    // At the slowest rate of a copy, 5 MB would take 19 seconds.
    assert!(written.elapsed() < AT_ONCE, "{:?}", written.elapsed());
    assert_eq!(live.status().throttle, Default::default());
    live.cut_over();
    live.end();
    assert_same(&source, &target);
}

#[test]
fn a_target_that_answers_late_slows_a_copy_down() {
    let (source, target) = (source(), start(Server::Redis70));
    let way = Proxy::start(target.addr()).unwrap();
    way.delay(DELAY);
    let limits = Limits { max_target_latency_ms: Some(ALLOWED_MS), ..Limits::default() };
    let live = Live::start(by_way(&source.url(), &way.url()).limits(limits));
    until_held_back(&live, "the target answers in ");
    let off = Request::Throttle {
        rate: None,
        max_source_latency_ms: None,
        max_target_latency_ms: Some(0),
    };
    assert_eq!(live.ordered(&off)["max_target_latency_ms"], serde_json::Value::Null);
    way.delay(Duration::ZERO);
    live.until(State::Live);
    live.cut_over();
    let (report, _) = live.end();
    assert!(held_back(&report, "max-target-latency").is_some(), "{:?}", report.throttled);
    assert_same(&source, &target);
}

#[test]
fn a_copy_that_crawls_is_let_go_by_an_order() {
    let (source, target) = (source(), start(Server::Redis70));
    let live = Live::start(between(&source, &target).limits(rate(RATE_MIN)));
    until_held_back(&live, "limited to 256 KiB/s (--rate)");
    assert_eq!(live.ordered(&order(None))["rate"], RATE_MIN, "nothing is changed");
    let refused = live.order(&order(Some(RATE_MIN - 1)));
    let Err(CallError::Refused { message, code: 1, .. }) = refused else { panic!("{refused:?}") };
    assert!(message.contains("at least 256 KiB a second"), "{message}");
    assert_eq!(live.state(), State::Copying);
    let told = Instant::now();
    assert_eq!(live.ordered(&order(Some(0)))["rate"], serde_json::Value::Null);
    live.until(State::Live);
    assert!(told.elapsed() < AT_ONCE, "{:?}", told.elapsed());
    assert_eq!(live.status().throttle, Default::default());
    assert_eq!(live.ordered(&order(Some(1 << 30)))["rate"], 1 << 30, "also while it follows");
    live.cut_over();
    live.end();
    assert_same(&source, &target);
}

#[test]
fn a_live_copy_that_is_held_back_stops_at_once() {
    let (source, target) = (source(), start(Server::Redis70));
    let mut live = Live::start(between(&source, &target).limits(rate(RATE_MIN)));
    until_held_back(&live, "--rate");
    let told = Instant::now();
    live.ordered(&Request::Stop);
    let report = live.ended().unwrap();
    assert!(told.elapsed() < AT_ONCE, "{:?}", told.elapsed());
    assert!(report.interrupted);
    assert_eq!(live.state(), State::Paused);
}

#[test]
fn a_snapshot_that_is_held_back_stops_at_once() {
    let (source, target) = (source(), start(Server::Redis70));
    for strategy in [Strategy::Psync, Strategy::Scan] {
        let config = between(&source, &target).strategy(strategy).limits(rate(RATE_MIN));
        let config = config.on_conflict(OnConflict::Replace).build().unwrap();
        let (report, took) = runtime().block_on(async {
            let mut migration = Migration::new(config).await.unwrap();
            migration.start().await.unwrap();
            while !migration.status().throttle.active {
                tokio::task::yield_now().await;
            }
            let told = Instant::now();
            migration.stopper().stop();
            (migration.wait().await.unwrap(), told.elapsed())
        });
        assert!(took < AT_ONCE, "{strategy:?}: {took:?}");
        assert!(report.interrupted && report.keys.copied < KEYS, "{report:?}");
    }
}

/// The source's own patience with a replica, in seconds, and how long the copy takes at least.
const PATIENCE_S: u64 = 3;
const SLOW_COPY_S: u64 = 4 * PATIENCE_S;

#[test]
fn a_slow_copy_outlasts_the_patience_of_the_source() {
    const RATE: u64 = 2 << 20;
    for diskless in ["yes", "no"] {
        let source = Peer::builder(Server::Redis70)
            .arg("repl-timeout", &PATIENCE_S.to_string())
            .arg("repl-ping-replica-period", "1")
            .arg("repl-diskless-sync", diskless)
            .start()
            .unwrap();
        let target = start(Server::Redis70);
        // More than the system keeps on the way by itself, in values of 100 KB.
        let mut client = source.client();
        let value = "0123456789abcdef".repeat(6400);
        for number in 0..RATE * SLOW_COPY_S / 100_000 {
            client.ok(&["SETRANGE", &format!("key:{number}"), "0", &value]);
            client.ok(&["SETRANGE", &format!("key:{number}"), &number.to_string(), "end"]);
        }
        client.ok(&["CONFIG", "SET", "rdbcompression", "no"]);
        let live = Live::start(between(&source, &target).limits(rate(RATE)));
        live.until(State::Live);
        assert_eq!(live.copies(), 1);
        live.cut_over();
        let (report, _) = live.end();
        assert!(report.copy_ms > 3 * PATIENCE_S * 1000, "{} ms", report.copy_ms);
        assert_same(&source, &target);
    }
}
