//! Cutovers that are given up, refused, or end well.

use ferrite_migrate::State;
use ferrite_migrate::control::{CallError, Request};
use ferrite_testkit::{Peer, Server, wait_until};

use super::{between, load, pair, proxy, write_to};
use crate::common::live::{Live, assert_nothing_held, assert_same_soon, cutover, held};
use crate::common::{ok, start};

/// Keys whose expiry is far off.
const EXPIRING: usize = 50;

fn asked(max_pause_ms: Option<u64>, hook: Option<&str>) -> Request {
    Request::Cutover {
        max_pause_ms,
        dry_run: false,
        when_ready: false,
        hook: hook.map(str::to_owned),
        reverse: false,
        guard: None,
    }
}

/// How often a cutover is asked for at most.
const ATTEMPTS: usize = 20;

fn expiring_keys(source: &Peer) {
    let mut client = source.client();
    for number in 0..EXPIRING {
        ok(&mut client, &["SET", &format!("far:{number}"), "1", "EX", "100000"]);
    }
}

/// The message of a refusal and its reasons.
fn refusal(live: &Live, request: &Request) -> String {
    match live.order(request) {
        Err(CallError::Refused { message, reasons, .. }) => format!("{message} {reasons:?}"),
        other => panic!("{request:?}: {other:?}"),
    }
}

/// Nothing is left of a cutover that was given up, and the next one works.
fn assert_as_before(live: Live, source: &Peer, target: &Peer) {
    assert_eq!(live.state(), State::Live);
    ok(&mut source.client(), &["SET", "written after it", "1"]);
    let far = held(target, 0).into_iter().filter(|key| key.starts_with("far:"));
    assert_eq!(far.count(), EXPIRING);
    live.until_applied(source);
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
    assert_same_soon(source, target);
    assert_nothing_held(target);
    let reply = source.client().call(&["SET", "written too late", "1"]);
    assert!(reply.is_error(), "the source takes writes after the cutover");
}

#[test]
fn a_cutover_that_takes_too_long_is_given_up() {
    let (source, target) = pair(Server::Redis70);
    expiring_keys(&source);
    let way = proxy(&target);
    let live = Live::start(between(source.url(), way.url()));
    live.until(State::Live);
    let load = write_to(&source, load().rate(Some(2000)).seed(15));
    load.wait_for(2000);
    let mut said = String::new();
    for _ in 0..ATTEMPTS {
        way.throttle(Some(500_000));
        said = refusal(&live, &asked(Some(1), None));
        if !said.contains("not ready") {
            break;
        }
        // It had fallen too far behind to begin with.
        way.throttle(None);
        live.until_applied(&source);
    }
    load.stop();
    assert!(said.contains("given up") && said.contains("--max-pause"), "{said}");
    way.throttle(None);
    assert_as_before(live, &source, &target);
}

#[test]
fn a_hook_that_fails_gives_the_cutover_up() {
    let (source, target) = pair(Server::Redis80);
    expiring_keys(&source);
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    let said = refusal(&live, &asked(None, Some("echo the balancer is away >&2; exit 3")));
    assert!(said.contains("the balancer is away"), "{said}");
    assert_as_before(live, &source, &target);
}

#[test]
fn a_hook_runs_while_writes_are_held_back() {
    let (source, target) = pair(Server::Valkey91);
    let load = write_to(&source, load().seed(14));
    load.wait_for(2000);
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    load.wait_for(2000);
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let hook = format!("echo $FERRITE_JOB > {}", told.display());
    let done = live.ordered(&Request::Cutover {
        max_pause_ms: None,
        dry_run: false,
        when_ready: true,
        hook: Some(hook),
        reverse: false,
        guard: None,
    });
    assert!(done["hook_us"].as_u64() > Some(0), "{done}");
    let told = std::fs::read_to_string(told).unwrap();
    assert_eq!(told.trim(), live.id());
    assert_eq!(live.end().1, State::Completed);
    let written = load.stop();
    assert_same_soon(&source, &target);
    assert_eq!(written.lost_or_doubled(&mut target.client()).unwrap(), Vec::<String>::new());
    assert_nothing_held(&target);
}

#[test]
fn a_cutover_before_it_is_time_is_refused() {
    let (source, target) = pair(Server::Redis70);
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    live.ordered(&Request::Pause);
    let said = refusal(&live, &asked(None, None));
    assert!(said.contains("paused"), "{said}");
    live.ordered(&Request::Resume);
    live.until(State::Live);
    live.cut_over();
    assert_same_soon(&source, &target);
}

#[test]
fn a_cutover_that_waits_lets_other_orders_through() {
    let (source, target) = pair(Server::Redis70);
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    live.ordered(&Request::Pause);
    live.order_and_forget(&cutover());
    ok(&mut source.client(), &["SET", "k", "v"]);
    live.ordered(&Request::Resume);
    live.until(State::Completed);
    assert_same_soon(&source, &target);
}

#[test]
fn a_source_that_was_restarted_is_not_cut_over_from() {
    let mut source = Peer::builder(Server::Redis70).arg("appendonly", "yes").start().unwrap();
    let target = start(Server::Redis70);
    let mut client = source.client();
    for number in 0..2000 {
        ok(&mut client, &["SET", &format!("key:{number}"), "1"]);
    }
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    live.ordered(&Request::Pause);
    for number in 0..1000 {
        ok(&mut client, &["SET", &format!("new:{number}"), "1"]);
    }
    ok(&mut client, &["BGREWRITEAOF"]);
    live.order_and_forget(&cutover());
    source.kill();
    source.restart().unwrap();
    let _ = live.order(&Request::Resume);
    live.until(State::Completed);
    assert_same_soon(&source, &target);
    wait_until("the source takes no writes", || {
        source.client().call(&["SET", "k", "v"]).is_error()
    });
}

#[test]
fn a_write_that_waits_for_the_switch_is_not_made_behind_it() {
    let (source, target) = pair(Server::Redis70);
    ok(&mut source.client(), &["INCR", "counter"]);
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    let folder = tempfile::tempdir().unwrap();
    let (begun, go_on) = (folder.path().join("begun"), folder.path().join("go-on"));
    let (begun_text, go_on_text) = (begun.display(), go_on.display());
    let hook = format!("touch {begun_text}; while [ ! -e {go_on_text} ]; do :; done");
    let (max_pause_ms, dry_run, when_ready) = (None, false, true);
    let hook = Some(hook);
    live.order_and_forget(&Request::Cutover {
        max_pause_ms,
        dry_run,
        when_ready,
        hook,
        reverse: true,
        guard: None,
    });
    wait_until("the hook runs", || begun.exists());
    let mut late = source.client();
    let waiting = std::thread::spawn(move || late.try_call(&["INCR", "counter"]).is_ok());
    let mut watch = source.client();
    wait_until("the write waits", || {
        ok(&mut watch, &["INFO", "clients"]).text().contains("blocked_clients:1")
    });
    std::fs::write(&go_on, "").unwrap();
    live.until(State::CutOver);
    assert!(!waiting.join().unwrap(), "the write was made");
    ok(&mut target.client(), &["SET", "after", "1"]);
    wait_until("the source follows", || {
        ok(&mut source.client(), &["EXISTS", "after"]).int() == Some(1)
    });
    for server in [&source, &target] {
        assert_eq!(ok(&mut server.client(), &["GET", "counter"]).text(), "1");
    }
}

/// How long a key lives, in ms, that is renewed before that.
const BRIEFLY_MS: &str = "12000";

/// A cutover with a key that lives briefly, whose hook runs until a file is there, and then fails;
/// the file.
fn cutover_in_a_hook(live: &Live, source: &Peer, folder: &std::path::Path) -> std::path::PathBuf {
    let mut client = source.client();
    ok(&mut client, &["SADD", "brief", "member"]);
    ok(&mut client, &["PEXPIRE", "brief", BRIEFLY_MS]);
    live.until_applied(source);
    let (begun, go_on) = (folder.join("begun"), folder.join("go-on"));
    let hook =
        format!("touch {}; until [ -e {} ]; do :; done; exit 1", begun.display(), go_on.display());
    live.order_and_forget(&asked(None, Some(&hook)));
    wait_until("the hook runs", || begun.exists());
    go_on
}

/// Renews the key at the source, and waits until it has expired on the target.
fn renew_where_the_target_does_not_see_it(source: &Peer, target: &Peer) {
    let renewed = ok(&mut source.client(), &["PEXPIRE", "brief", "1000000"]);
    assert_eq!(renewed.int(), Some(1), "it expired at the source first");
    ok(&mut source.client(), &["SUNIONSTORE", "made of it", "brief"]);
    let mut client = target.client();
    wait_until("it expires on the target", || {
        ok(&mut client, &["EXISTS", "brief"]).int() == Some(0)
    });
}

#[test]
fn a_key_that_is_renewed_after_a_cutover_was_given_up_is_not_lost() {
    let (source, target) = pair(Server::Redis70);
    let way = proxy(&target);
    let live = Live::start(between(source.url(), way.url()));
    live.until(State::Live);
    let folder = tempfile::tempdir().unwrap();
    let go_on = cutover_in_a_hook(&live, &source, folder.path());
    way.refuse(true);
    way.cut();
    std::fs::write(go_on, "").unwrap();
    renew_where_the_target_does_not_see_it(&source, &target);
    way.refuse(false);
    live.until_applied(&source);
    live.cut_over();
    assert_same_soon(&source, &target);
    assert_nothing_held(&target);
}

#[test]
fn a_key_that_is_renewed_after_a_process_died_in_a_cutover_is_not_lost() {
    let (source, target) = pair(Server::Redis80);
    let mut live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    let folder = tempfile::tempdir().unwrap();
    let go_on = cutover_in_a_hook(&live, &source, folder.path());
    live.kill();
    std::fs::write(go_on, "").unwrap();
    ok(&mut source.client(), &["CLIENT", "UNPAUSE"]);
    renew_where_the_target_does_not_see_it(&source, &target);
    live.traffic_stayed();
    live.resume();
    live.until(State::Live);
    live.until_applied(&source);
    live.cut_over();
    assert_same_soon(&source, &target);
    assert_nothing_held(&target);
}
