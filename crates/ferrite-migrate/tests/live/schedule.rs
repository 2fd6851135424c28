//! Cutovers that begin at a time.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::common::live::{Live, assert_nothing_held, assert_same_soon, cutover};
use crate::common::{between, ok, start};
use ferrite_migrate::State;
use ferrite_migrate::control::{CallError, Request};
use ferrite_testkit::client::Connector;
use ferrite_testkit::load::Load;
use ferrite_testkit::{Dataset, Proxy, Server, wait_until};

/// Time in ms in which a test gives its orders.
const SOON_MS: u64 = 3000;
/// Time in ms that no test takes.
const LATER_MS: u64 = 3_600_000;

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn at(at_ms: u64) -> Request {
    let max_pause_ms = Some(10_000);
    Request::Schedule { at_ms, max_pause_ms, hook: None, reverse: false, guard: None }
}

/// The message of a refusal with its reasons, and its exit code.
fn refusal(live: &Live, request: &Request) -> (String, u8) {
    match live.order(request) {
        Err(CallError::Refused { message, reasons, code }) => {
            (format!("{message} {reasons:?}"), code)
        }
        other => panic!("{request:?}: {other:?}"),
    }
}

#[test]
fn it_begins_at_its_time_and_nobody_has_to_wait() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let load = Load::builder().writers(2).dbs(&[0, 1]).rate(Some(5000)).seed(31);
    let load = load.without(ferrite_testkit::load::Feature::GroupReads);
    let load = load.start(Connector::new(source.addr())).unwrap();
    let live = Live::start(between(&source, &target));
    live.until(State::Live);
    let folder = tempfile::tempdir().unwrap();
    let hooked = folder.path().join("hooked");
    let at_ms = now_ms() + SOON_MS;
    let done = live.ordered(&Request::Schedule {
        at_ms,
        max_pause_ms: Some(10_000),
        hook: Some(format!("date +%s%3N > {}", hooked.display())),
        reverse: false,
        guard: None,
    });
    assert_eq!(done["scheduled_at_ms"], at_ms);
    assert!(now_ms() < at_ms, "the answer did not come at once");
    let status = live.status();
    assert_eq!((status.scheduled_at_ms, status.state), (Some(at_ms), State::Live));
    assert!(status.next_steps[0].contains("cutover --cancel"), "{:?}", status.next_steps);
    live.until(State::Completed);
    let began_ms: u64 = std::fs::read_to_string(hooked).unwrap().trim().parse().unwrap();
    assert!(began_ms >= at_ms, "{} ms too early", at_ms - began_ms);
    let (report, _) = live.end();
    assert!(report.live.unwrap().cutover.is_some());
    let written = load.stop();
    assert_same_soon(&source, &target);
    assert_eq!(written.lost_or_doubled(&mut target.client()).unwrap(), Vec::<String>::new());
    assert_nothing_held(&target);
}

#[test]
fn it_is_replaced_and_taken_back() {
    let (source, target) = (start(Server::Valkey91), start(Server::Valkey91));
    let live = Live::start(between(&source, &target));
    live.until(State::Live);
    let (said, code) = refusal(&live, &at(now_ms() - 1));
    assert!(said.contains("has passed") && code == 1, "{said} {code}");
    assert_eq!(refusal(&live, &Request::Cancel).1, 6);
    let first = now_ms() + LATER_MS;
    live.ordered(&at(first));
    let done = live.ordered(&at(first + 1000));
    assert_eq!(done["replaced_at_ms"], first);
    assert_eq!(live.status().scheduled_at_ms, Some(first + 1000));
    let (said, code) = refusal(&live, &cutover());
    assert!(said.contains("a cutover is scheduled for 20") && code == 6, "{said} {code}");
    assert!(said.contains("cutover --cancel"), "{said}");
    live.ordered(&Request::Cancel);
    assert_eq!(live.status().scheduled_at_ms, None);
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
}

#[test]
fn one_that_waits_until_it_can_begin_is_taken_back_too() {
    let (source, target) = (start(Server::Redis80), start(Server::Redis80));
    let live = Live::start(between(&source, &target));
    live.until(State::Live);
    live.ordered(&Request::Pause);
    live.order_and_forget(&cutover());
    wait_until("the cutover waits", || live.order(&Request::Cancel).is_ok());
    live.ordered(&Request::Resume);
    live.until(State::Live);
    ok(&mut source.client(), &["SET", "key", "1"]);
    live.until_applied(&source);
    assert_eq!(live.state(), State::Live);
}

#[test]
fn another_process_takes_it_up_but_not_what_has_passed() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let mut live = Live::start(between(&source, &target));
    live.until(State::Live);
    let at_ms = now_ms() + LATER_MS;
    live.ordered(&at(at_ms));
    live.kill();
    live.resume();
    assert_eq!(live.status().scheduled_at_ms, Some(at_ms));

    let at_ms = now_ms() + 500;
    live.ordered(&at(at_ms));
    live.kill();
    wait_until("the time to pass", || now_ms() > at_ms);
    live.resume();
    live.until(State::Live);
    ok(&mut source.client(), &["SET", "key", "1"]);
    live.until_applied(&source);
    let status = live.status();
    assert_eq!((status.state, status.scheduled_at_ms), (State::Live, None));
    let told = status.warnings.iter().any(|warning| warning.contains("was not done"));
    assert!(told, "{:?}", status.warnings);
    // It is told once.
    live.kill();
    live.resume();
    live.until(State::Live);
    assert_eq!(live.status().warnings, Vec::<String>::new());
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
}

#[test]
fn it_is_ordered_while_it_copies() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    Dataset::mixed(5000).load(&mut source.client()).unwrap();
    let way = Proxy::start(source.addr()).unwrap();
    let config = ferrite_migrate::Config::builder().source(way.url()).target(target.url());
    let live = Live::start(config);
    way.throttle(Some(400_000));
    live.until(State::Copying);
    let at_ms = now_ms() + 200;
    live.ordered(&at(at_ms));
    wait_until("the time to pass", || now_ms() > at_ms);
    assert_eq!(live.state(), State::Copying);
    assert!(refusal(&live, &cutover()).0.contains("a cutover is scheduled for"));
    way.throttle(None);
    live.until(State::Completed);
    assert_same_soon(&source, &target);
}
