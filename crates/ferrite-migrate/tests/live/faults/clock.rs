//! The hosts' clocks are five seconds apart.

use ferrite_migrate::State;
use ferrite_testkit::load::Feature;
use ferrite_testkit::{Client, Peer, Server, wait_until};

use super::{between, load, write_to};
use crate::common::live::{Live, assert_nothing_held, assert_same_soon};
use crate::common::ok;

/// How far, in seconds.
const APART: i32 = 5;
/// A key's life in ms: over on a target whose clock is ahead when it has only begun.
const LIFE_MS: u64 = 2000;

/// A server whose clock is so many seconds ahead of ours.
fn start(server: Server, ahead: i32) -> Peer {
    let builder = Peer::builder(server).clock_ahead(ahead);
    builder.start().unwrap_or_else(|error| panic!("{error}"))
}

fn now_ms(peer: &Peer) -> u64 {
    let time = ok(&mut peer.client(), &["TIME"]);
    let part = |index: usize| u64::try_from(time.items()[index].int().unwrap()).unwrap();
    part(0) * 1000 + part(1) / 1000
}

/// Everything is copied and followed, and a warning tells of the clocks.
fn is_exact(server: Server, (source, target): (i32, i32), seed: u64) {
    let apart = u64::from((source - target).unsigned_abs()) * 1000;
    let mut load = load().seed(seed);
    if source > target {
        // A server does not believe that an entry was delivered in its future: XCLAIM … TIME then
        // counts from now, as on its own replicas (docs/limits.md).
        load = load.without(Feature::GroupReads).without(Feature::Claims);
    }
    let (source, target) = (start(server, source), start(server, target));
    assert!(now_ms(&source).abs_diff(now_ms(&target)).abs_diff(apart) < 1000);
    ok(&mut source.client(), &["SET", "far", "1", "EX", "100000"]);
    let load = write_to(&source, load);
    load.wait_for(2000);
    let mut live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    load.wait_for(5000);
    assert!(live.status().lag.seconds < Some(1.0), "{:?}", live.status().lag);
    live.kill();
    load.wait_for(2000);
    live.resume();
    load.wait_for(5000);
    let report = live.finish(load, &source, &target);
    let checks = &report.preflight.checks;
    let clocks = checks.iter().find(|check| check.name == "clocks").expect("a check of clocks");
    assert_eq!(clocks.status, ferrite_migrate::CheckStatus::Warn, "{clocks:?}");
    assert!(clocks.detail.contains("ms apart"), "{clocks:?}");
}

#[test]
fn a_source_of_valkey_91_that_is_ahead() {
    is_exact(Server::Valkey91, (APART, 0), 60);
}

#[test]
fn a_source_of_valkey_91_that_is_behind() {
    is_exact(Server::Valkey91, (-APART, 0), 61);
}

#[test]
fn a_target_of_valkey_91_that_is_ahead() {
    is_exact(Server::Valkey91, (0, APART), 62);
}

#[test]
fn a_source_of_redis_62_that_is_ahead() {
    is_exact(Server::Redis62, (APART, 0), 63);
}

#[test]
fn a_target_of_redis_62_that_is_ahead() {
    is_exact(Server::Redis62, (0, APART), 64);
}

/// A key that is renewed before each of its ends at the source.
fn a_renewed_key_lives(server: Server) {
    let (source, target) = (start(server, 0), start(server, APART));
    let mut writer = source.client();
    let renew = |client: &mut Client| ok(client, &["PEXPIRE", "short", &LIFE_MS.to_string()]);
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    ok(&mut writer, &["SET", "short", "a"]);
    let end = now_ms(&source) + 2 * LIFE_MS;
    wait_until("its first life is over", || {
        renew(&mut writer);
        ok(&mut writer, &["APPEND", "short", "b"]);
        live.until_applied(&source);
        let value = ok(&mut target.client(), &["STRLEN", "short"]).int();
        assert_eq!(value, ok(&mut writer, &["STRLEN", "short"]).int());
        now_ms(&source) > end
    });
    ok(&mut writer, &["PEXPIRE", "short", "600000"]);
    live.until_applied(&source);
    live.cut_over();
    assert_nothing_held(&target);
    assert_same_soon(&source, &target);
}

#[test]
fn a_key_renewed_on_valkey_91_lives_on_a_target_that_is_ahead() {
    a_renewed_key_lives(Server::Valkey91);
}

#[test]
fn a_key_renewed_on_redis_62_lives_on_a_target_that_is_ahead() {
    a_renewed_key_lives(Server::Redis62);
}
