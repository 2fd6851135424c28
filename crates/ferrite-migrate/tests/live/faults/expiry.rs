//! Keys that live short lives while the target is behind.

use std::sync::atomic::{AtomicBool, Ordering};

use ferrite_migrate::State;
use ferrite_migrate::control::Request;
use ferrite_testkit::{Client, Server, wait_until};

use super::{between, pair};
use crate::common::live::{Live, assert_nothing_held, assert_same_soon, cutover, held};
use crate::common::ok;

/// A key's first life in ms: over before the target hears of it.
const LIFE_MS: u64 = 800;
/// Keys in each of two databases that change places.
const SWAPPED: usize = 5000;
/// How often it is renewed.
const RENEWALS: u64 = 4;

fn now_ms(client: &mut Client) -> u64 {
    let time = ok(client, &["TIME"]);
    let part = |index: usize| u64::try_from(time.items()[index].int().unwrap()).unwrap();
    part(0) * 1000 + part(1) / 1000
}

/// A key is renewed at the source right before each of its ends, and written to; the target hears
/// of all that at once, later.
fn a_renewed_key_lives(server: Server) {
    let (source, target) = pair(server);
    let mut writer = source.client();
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    ok(&mut writer, &["SET", "short", "a", "PX", "60000"]);
    live.until_applied(&source);
    live.ordered(&Request::Pause);
    ok(&mut writer, &["PEXPIRE", "short", &LIFE_MS.to_string()]);
    let first_end = now_ms(&mut writer) + LIFE_MS;
    for _ in 0..RENEWALS {
        ok(&mut writer, &["PEXPIRE", "short", &LIFE_MS.to_string()]);
        ok(&mut writer, &["APPEND", "short", "b"]);
        ok(&mut writer, &["SET", "gone", "1", "PX", "20"]);
        let half = now_ms(&mut writer) + LIFE_MS / 2;
        wait_until("half of its life is over", || now_ms(&mut writer) >= half);
    }
    ok(&mut writer, &["PEXPIRE", "short", "600000"]);
    assert!(now_ms(&mut target.client()) > first_end);
    assert_eq!(ok(&mut writer, &["GET", "gone"]).text(), ferrite_testkit::Reply::Nil.text());
    live.ordered(&Request::Resume);
    live.until_applied(&source);
    let value = ok(&mut writer, &["GET", "short"]);
    assert!(value.text().ends_with('b'), "{value}");
    assert_eq!(ok(&mut target.client(), &["GET", "short"]), value);
    assert_eq!(held(&target, 0), ["short"]);
    live.cut_over();
    assert_nothing_held(&target);
    if server.version() >= (7, 0) {
        assert_same_soon(&source, &target);
        let at = |client: &mut Client| ok(client, &["PEXPIRETIME", "short"]).int();
        assert_eq!(at(&mut source.client()), at(&mut target.client()));
    } else {
        // It sends how long a key has left, which counts from when that is received.
        let left = |client: &mut Client| ok(client, &["PTTL", "short"]).int().unwrap();
        let apart = left(&mut source.client()).abs_diff(left(&mut target.client()));
        assert!(apart < 1000, "{apart} ms");
    }
}

#[test]
fn a_key_renewed_on_redis_62_lives() {
    a_renewed_key_lives(Server::Redis62);
}

#[test]
fn a_key_renewed_on_redis_70_lives() {
    a_renewed_key_lives(Server::Redis70);
}

#[test]
fn a_key_renewed_on_valkey_91_lives() {
    a_renewed_key_lives(Server::Valkey91);
}

#[test]
fn a_job_killed_while_it_cuts_over_holds_expiries_again() {
    let (source, target) = pair(Server::Redis70);
    let mut writer = source.client();
    for number in 0..100 {
        ok(&mut writer, &["SET", &format!("key:{number}"), "1", "PX", "100000000"]);
    }
    let mut live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    assert_eq!(held(&target, 0).len(), 100);
    // The hook hangs: the job is killed behind the releases.
    live.order_and_forget(&Request::Cutover {
        max_pause_ms: None,
        dry_run: false,
        when_ready: true,
        hook: Some(String::from("while :; do :; done")),
        reverse: false,
        guard: None,
    });
    wait_until("expiries are released", || held(&target, 0).is_empty());
    live.kill();
    // Nobody knows whether the hook had moved the traffic: it has to be said.
    live.try_resume().unwrap();
    let refused = live.ended().unwrap_err();
    assert!(refused.hint.unwrap().contains("--traffic-stayed"));
    live.traffic_stayed();
    live.resume();
    live.until(State::Live);
    wait_until("expiries are held again", || held(&target, 0).len() == 100);
    live.cut_over();
    assert_same_soon(&source, &target);
    assert_nothing_held(&target);
}

#[test]
fn databases_that_change_places_while_expiries_are_released_keep_none_held() {
    let (source, target) = pair(Server::Redis70);
    let mut writer = source.client();
    for db in ["1", "2"] {
        writer.queue(&["SELECT", db]);
        for number in 0..SWAPPED {
            writer.queue(&["SET", &format!("{db}:{number}"), "1", "EX", "100000"]);
        }
        writer.flush().unwrap();
        (0..=SWAPPED).for_each(|_| drop(writer.read().unwrap()));
    }
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = source.client();
            while !stop.load(Ordering::Relaxed) {
                ok(&mut client, &["SWAPDB", "1", "2"]);
            }
        });
        let refused = live.order(&cutover());
        stop.store(true, Ordering::Relaxed);
        let refused = format!("{refused:?}");
        assert!(refused.contains("exchanged two databases"), "{refused}");
    });
    wait_until("everything is held again", || {
        [1, 2].iter().all(|db| held(&target, *db).len() == SWAPPED)
    });
    live.cut_over();
    for db in [1, 2] {
        assert_eq!(held(&target, db), Vec::<String>::new());
    }
    assert_same_soon(&source, &target);
}
