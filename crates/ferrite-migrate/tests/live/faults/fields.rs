//! Fields of hashes whose time has come at the source, and which are still stored there: commands
//! see them at the source otherwise than on a target that holds expiries.

use ferrite_migrate::{State, Strategy};
use ferrite_testkit::{Client, Reply, Server, wait_until};

use super::{between, pair};
use crate::common::live::{Live, assert_same_soon};
use crate::common::ok;

/// A field's life in ms.
const LIFE_MS: u64 = 30;
/// When fields expire that outlive the test: the year 2100.
const LATER_MS: &str = "4102444800000";

fn send(client: &mut Client, line: &str) {
    ok(client, &line.split(' ').collect::<Vec<_>>());
}

/// Makes a hash with `gone`, which is expired and stored all the same, and two that are not.
fn with_others(client: &mut Client, key: &str) {
    send(client, &format!("HSET {key} gone 1 kept 2 late 3"));
    send(client, &format!("HPEXPIREAT {key} {LATER_MS} FIELDS 1 late"));
    send(client, &format!("HPEXPIRE {key} {LIFE_MS} FIELDS 1 gone"));
}

/// Makes a hash with nothing but an expired field in it, which expires itself much later.
fn alone(client: &mut Client, key: &str) {
    send(client, &format!("HSET {key} gone 1"));
    send(client, &format!("HPEXPIRE {key} {LIFE_MS} FIELDS 1 gone"));
    send(client, &format!("PEXPIREAT {key} {LATER_MS}"));
}

/// Waits until `gone` is expired to every command: to some it lives on in the very millisecond in
/// which HPTTL first says that it does not.
fn until_expired(client: &mut Client, key: &str) {
    wait_until("the field is expired", || {
        let left = ok(client, &["HPTTL", key, "FIELDS", "1", "gone"]);
        left.items().first().and_then(Reply::int) == Some(-2)
    });
    let then = now_ms(client);
    wait_until("a millisecond later", || now_ms(client) > then);
}

/// The server's time in ms.
fn now_ms(client: &mut Client) -> i64 {
    let time = ok(client, &["TIME"]);
    let part = |n: usize| time.items()[n].text().parse::<i64>().expect("a number");
    part(0) * 1_000 + part(1) / 1_000
}

/// What commands may do around an expired field; `@` is a hash that has one.
const COMMANDS: &[&str] = &[
    "HPEXPIREAT @ 4102444700000 FIELDS 2 gone kept",
    "HPEXPIREAT @ 4102444700000 LT FIELDS 2 gone late",
    "HPEXPIREAT @ 1 FIELDS 2 gone kept",
    "HPERSIST @ FIELDS 2 gone late",
    "HGETEX @ PXAT 4102444700000 FIELDS 2 gone kept",
    "HGETEX @ PERSIST FIELDS 2 gone late",
    "HGETEX @ PXAT 1 FIELDS 2 gone late",
    "HGETDEL @ FIELDS 2 gone kept",
    "HDEL @ gone kept",
    "HDEL @ gone kept late",
    "HSETEX @ KEEPTTL FIELDS 2 gone 7 late 7",
    "HSETEX @ KEEPTTL FIELDS 1 gone 7",
    "HSETEX @ PXAT 1 FIELDS 1 gone 7",
    "HSETEX @ FNX FIELDS 1 gone 7",
    "HSETEX @ FXX FIELDS 1 kept 7",
    "HSETNX @ gone 7",
    "HINCRBY @ gone 7",
    "HINCRBYFLOAT @ gone 7",
    "HSET @ gone 7",
    "COPY @ copy{@}",
    "RENAME @ renamed{@}",
    "MOVE @ 1",
];

/// What they do to a hash with other fields and to one without, where the source leaves expired
/// fields where they are; and what is written there next.
fn does_the_same(server: Server) {
    let (source, target) = pair(server);
    let mut writer = source.client();
    send(&mut writer, "DEBUG SET-ACTIVE-EXPIRE 0");
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    let keys = |kind: &str| (0..COMMANDS.len()).map(|n| format!("{kind}:{n}")).collect::<Vec<_>>();
    let (hashes, alones) = (keys("hash"), keys("alone"));
    hashes.iter().for_each(|key| with_others(&mut writer, key));
    alones.iter().for_each(|key| alone(&mut writer, key));
    until_expired(&mut writer, alones.last().unwrap());
    for (key, command) in hashes.iter().chain(&alones).zip(COMMANDS.iter().cycle()) {
        send(&mut writer, &command.replace('@', key));
        send(&mut writer, &format!("HSET {key} more 1"));
        if command.starts_with("COPY") && server.is_valkey() {
            // What a copy lacks cannot keep an expiry.
            send(&mut writer, &format!("HSETEX copy{{{key}}} KEEPTTL FIELDS 1 gone 7"));
        }
    }
    live.cut_over();
    assert_same_soon(&source, &target);
}

/// An expired field is nothing to a sort, and is deleted by none.
fn sorts_the_same(server: Server) {
    let (source, target) = pair(server);
    let mut writer = source.client();
    send(&mut writer, "DEBUG SET-ACTIVE-EXPIRE 0");
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    with_others(&mut writer, "hash:1");
    send(&mut writer, "HSET hash:2 gone 0");
    send(&mut writer, "RPUSH list 1 2");
    until_expired(&mut writer, "hash:1");
    send(&mut writer, "SORT list BY hash:*->gone GET # STORE sorted");
    send(&mut writer, "SORT list BY nosort GET hash:*->gone STORE taken");
    live.cut_over();
    assert_same_soon(&source, &target);
}

#[test]
fn valkey_91_and_its_target_see_expired_fields_alike() {
    does_the_same(Server::Valkey91);
}

#[test]
fn redis_80_and_its_target_see_expired_fields_alike() {
    does_the_same(Server::Redis80);
}

#[test]
fn valkey_91_and_its_target_sort_alike_by_expired_fields() {
    sorts_the_same(Server::Valkey91);
}

#[test]
fn redis_80_and_its_target_sort_alike_by_expired_fields() {
    sorts_the_same(Server::Redis80);
}

/// A hash that Valkey makes by copying one of expired fields: no server loads such a value, and
/// the job goes on without it until it has a field.
fn goes_on_without_empty_hashes(strategy: Strategy) {
    let (source, target) = pair(Server::Valkey91);
    let mut writer = source.client();
    send(&mut writer, "DEBUG SET-ACTIVE-EXPIRE 0");
    let empty = |writer: &mut Client, from: &str, to: &str| {
        alone(writer, from);
        until_expired(writer, from);
        send(writer, &format!("COPY {from} {to}"));
        assert_eq!(ok(writer, &["HLEN", to]).int(), Some(0));
    };
    empty(&mut writer, "first", "before");
    send(&mut writer, "SET other 1");
    let live = Live::start(between(source.url(), target.url()).strategy(strategy).verify(true));
    live.until(State::Live);
    empty(&mut writer, "second", "meanwhile");
    live.until_applied(&source);
    send(&mut writer, "COPY second filled");
    live.until_applied(&source);
    for key in ["before", "filled"] {
        send(&mut writer, &format!("HSETEX {key} KEEPTTL FIELDS 1 new 7"));
    }
    live.cut_over();
    let (report, state) = live.end();
    assert_eq!(state, State::Completed);
    assert_eq!(report.keys.skipped, 3, "{:?}", report.skipped);
    assert!(report.skipped[0].reason.contains("no elements"), "{:?}", report.skipped);
    assert_same_soon(&source, &target);
}

#[test]
fn a_hash_without_fields_is_left_out_key_by_key() {
    goes_on_without_empty_hashes(Strategy::Fenced);
}

#[test]
fn a_hash_without_fields_is_left_out_of_an_rdb() {
    goes_on_without_empty_hashes(Strategy::Psync);
}
