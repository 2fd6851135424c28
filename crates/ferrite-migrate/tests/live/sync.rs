//! Moving what differs between two servers that both have keys.

use crate::common::live::{Live, assert_nothing_held, assert_same_soon};
use crate::common::{between, ok, run, start, start_with_everything};
use ferrite_migrate::{Config, ErrorKind, State};
use ferrite_testkit::load::{Feature, Load};
use ferrite_testkit::{Client, Dataset, Peer, Server, snapshot};

const KEYS: u64 = 5000;

/// Two servers with the same keys.
fn same(source: Server, target: Server) -> (Peer, Peer) {
    let (source, target) = (start(source), start(target));
    for peer in [&source, &target] {
        Dataset::mixed(KEYS).load(&mut peer.client()).unwrap();
    }
    (source, target)
}

/// Changes keys of every kind on the source; how many, beside those only the target has.
fn change(source: &mut Client, target: &mut Client) -> u64 {
    for number in 0..10 {
        let number = number.to_string();
        let key = |kind: &str| format!("changed:{kind}:{number}");
        for client in [&mut *source, &mut *target] {
            ok(client, &["SET", &key("string"), "before"]);
            ok(client, &["SET", &key("expiry"), "same", "PXAT", "4102444800000"]);
            ok(client, &["RPUSH", &key("list"), "a", "b"]);
            ok(client, &["ZADD", &key("zset"), "1", "member"]);
            ok(client, &["XADD", &key("stream"), "1-1", "f", "v"]);
            ok(client, &["SADD", &key("type"), "member"]);
        }
        ok(source, &["SET", &key("string"), "after"]);
        ok(source, &["PEXPIREAT", &key("expiry"), "4102445800000"]);
        ok(source, &["LSET", &key("list"), "1", "c"]);
        ok(source, &["ZADD", &key("zset"), "2", "member"]);
        ok(source, &["XADD", &key("stream"), "2-1", "f", "v"]);
        ok(source, &["DEL", &key("type")]);
        ok(source, &["HSET", &key("type"), "f", "v"]);
        ok(source, &["SELECT", "3"]);
        ok(source, &["SET", &key("other"), "database"]);
        ok(source, &["SELECT", "0"]);
        ok(target, &["SET", &format!("target:{number}"), "own"]);
    }
    70
}

fn moves_what_differs(source: Server, target: Server) {
    let (source, target) = same(source, target);
    let (mut from, mut to) = (source.client(), target.client());
    let changed = change(&mut from, &mut to);
    let before = snapshot(&mut to).unwrap();
    let config = || between(&source, &target).only_differing(true);

    let tried = run(config().delete_missing(true).dry_run(true)).unwrap();
    assert_eq!((tried.keys.copied, tried.keys.deleted), (changed, 10));
    assert_eq!(before.diff(&snapshot(&mut to).unwrap()), Vec::<String>::new());

    let moved = run(config().verify(true)).unwrap();
    assert_eq!((moved.keys.copied, moved.keys.deleted), (changed, 0));
    assert_eq!(moved.keys.identical, KEYS);
    assert_eq!(moved.verification.unwrap().missing_source, 10);

    let again = run(config().delete_missing(true).verify(true)).unwrap();
    assert_eq!((again.keys.copied, again.keys.deleted), (0, 10));
    assert!(again.verification.unwrap().success);
    assert_same_soon(&source, &target);
}

#[test]
fn between_servers_of_one_format() {
    moves_what_differs(Server::Redis70, Server::Redis70);
}

#[test]
fn between_servers_of_two_formats() {
    moves_what_differs(Server::Redis62, Server::Valkey91);
}

#[test]
fn everything_is_moved_once() {
    let source = start_with_everything(Server::Redis80);
    let target = start(Server::Redis80);
    let config = || between(&source, &target).only_differing(true);
    let first = run(config().verify(true)).unwrap();
    assert!(first.verification.unwrap().success);
    assert!(first.keys.copied > 0 && first.keys.identical == 0, "{:?}", first.keys);
    let second = run(config()).unwrap();
    assert_eq!(second.keys.identical, first.keys.copied, "{:?}", second.keys);
}

#[test]
fn an_empty_source_does_not_empty_the_target() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    ok(&mut target.client(), &["SET", "key", "value"]);
    let config = between(&source, &target).only_differing(true).delete_missing(true);
    let refused = run(config).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Config);
    assert!(refused.cause.contains("no keys"), "{refused}");
    assert_eq!(ok(&mut target.client(), &["DBSIZE"]).int(), Some(1));
}

#[test]
fn what_was_there_before_is_followed_like_the_rest() {
    let (source, target) = same(Server::Redis80, Server::Redis80);
    // Expiries on the target that nobody holds, near enough to come while it catches up.
    let load = Load::builder().writers(2).dbs(&[0, 1]).rate(Some(10_000)).seed(71);
    let load = load.without(Feature::HyperLogLogs);
    let load = load.start(ferrite_testkit::client::Connector::new(source.addr())).unwrap();
    load.wait_for(10_000);
    let first = Config::builder().source(source.url()).target(target.url());
    run(first.only_differing(true)).unwrap();
    change(&mut source.client(), &mut target.client());
    let config = between(&source, &target).only_differing(true).delete_missing(true);
    let live = Live::start(config);
    live.until(State::Live);
    load.wait_for(10_000);
    live.finish(load, &source, &target);
    assert_nothing_held(&target);
}
