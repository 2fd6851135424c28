//! What happens while keys are copied one by one: the job dies, the source changes everything.

use ferrite_migrate::{OnConflict, State, Strategy};
use ferrite_testkit::load::Feature;
use ferrite_testkit::{Dataset, Peer, Server, wait_until};

use super::{between, load, pair, proxy, write_to};
use crate::common::live::{Live, assert_nothing_held, assert_same_soon};
use crate::common::ok;

/// Keys of a source whose copy takes a while.
const KEYS: u64 = 60_000;
/// Bytes a second to a target whose copy takes a while.
const SLOW: u64 = 4 << 20;

/// Where the copy is, as the target has it: `scan:<run>[:<db>:<cursor>]`; nothing when it is whole.
fn place(live: &Live, target: &Peer) -> Option<String> {
    let key = format!("ferrite-migrate:checkpoint:{}", live.id());
    let checkpoint = ok(&mut target.client(), &["GET", &key]).bytes()?.to_vec();
    let checkpoint = String::from_utf8(checkpoint).unwrap();
    checkpoint.split(' ').find(|word| word.starts_with("scan:")).map(str::to_owned)
}

/// Waits until the copy is at another place than this one, in the midst of a database.
fn until_further_than(live: &Live, target: &Peer, last: &str) -> String {
    let mut now = String::new();
    wait_until("the copy gets on", || {
        now = place(live, target).unwrap_or_default();
        now.split(':').count() == 4 && now != last
    });
    now
}

fn goes_on_where_it_was(server: Server, seed: u64) {
    let (source, target) = pair(server);
    Dataset::mixed(KEYS).load(&mut source.client()).unwrap();
    let rare = load().dbs(&[0, 1, 2]).with(Feature::FlushDb).with(Feature::Functions);
    let load = write_to(&source, rare.seed(seed));
    load.wait_for(2000);
    let slow = proxy(&target);
    slow.throttle(Some(SLOW));
    let config = between(source.url(), slow.url()).strategy(Strategy::Fenced);
    let mut live = Live::start(config);
    let mut last = String::new();
    for _ in 0..3 {
        last = until_further_than(&live, &target, &last);
        live.kill();
        load.wait_for(2000);
        live.resume();
        let kept = place(&live, &target).expect("a copy that is not whole");
        assert_eq!(kept.split(':').count(), 4, "it does not begin again: {kept}");
    }
    slow.throttle(None);
    live.until(State::Live);
    assert_eq!(place(&live, &target), None);
    load.wait_for(5000);
    let report = live.finish(load, &source, &target);
    assert!(report.keys.copied < KEYS, "{:?}", report.keys);
}

#[test]
fn a_copy_from_redis_62_that_is_killed_goes_on_where_it_was() {
    goes_on_where_it_was(Server::Redis62, 61);
}

#[test]
fn a_copy_from_valkey_91_that_is_killed_goes_on_where_it_was() {
    goes_on_where_it_was(Server::Valkey91, 62);
}

#[test]
fn whatever_the_source_does_meanwhile_is_done() {
    let (source, target) = pair(Server::Redis70);
    let mut client = source.client();
    Dataset::mixed(KEYS).load(&mut client).unwrap();
    let library = |name: &str, answer: u32| {
        format!(
            "#!lua name={name}\nredis.register_function('{name}', function() return {answer} end)"
        )
    };
    ok(&mut client, &["FUNCTION", "LOAD", &library("stays", 1)]);
    ok(&mut client, &["FUNCTION", "LOAD", &library("goes", 1)]);
    for db in ["1", "2", "3"] {
        ok(&mut client, &["SELECT", db]);
        ok(&mut client, &["SET", &format!("of:{db}"), db]);
        ok(&mut client, &["RPUSH", "list", db, "x"]);
    }
    let slow = proxy(&target);
    slow.throttle(Some(SLOW));
    let live = Live::start(between(source.url(), slow.url()).strategy(Strategy::Fenced));
    until_further_than(&live, &target, "");
    // The functions were copied before: these commands find them there.
    ok(&mut client, &["FUNCTION", "LOAD", "REPLACE", &library("stays", 2)]);
    ok(&mut client, &["FUNCTION", "DELETE", "goes"]);
    ok(&mut client, &["FUNCTION", "LOAD", &library("comes", 3)]);
    let dump = ok(&mut client, &["FUNCTION", "DUMP"]).bytes().unwrap().to_vec();
    client.ok(&[&b"FUNCTION"[..], b"RESTORE", &dump, b"FLUSH"]);
    ok(&mut client, &["SELECT", "1"]);
    ok(&mut client, &["FLUSHDB"]);
    ok(&mut client, &["SET", "after", "1"]);
    ok(&mut client, &["SELECT", "0"]);
    ok(&mut client, &["SET", "moved", "1"]);
    ok(&mut client, &["MOVE", "moved", "3"]);
    ok(&mut client, &["SET", "copied", "1"]);
    ok(&mut client, &["COPY", "copied", "copied", "DB", "2"]);
    ok(&mut client, &["SET", "counter", "1"]);
    slow.throttle(None);
    live.until(State::Live);
    ok(&mut client, &["INCR", "counter"]);
    assert_eq!(live.copies(), 1);
    live.cut_over();
    let (report, state) = live.end();
    assert_eq!(state, State::Completed);
    assert_same_soon(&source, &target);
    assert_nothing_held(&target);
    let told: Vec<_> = report.warnings.iter().filter(|one| one.contains("FUNCTION")).collect();
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn databases_exchanged_meanwhile_are_copied_again() {
    let (source, target) = pair(Server::Redis70);
    let mut client = source.client();
    Dataset::mixed(KEYS).load(&mut client).unwrap();
    let slow = proxy(&target);
    slow.throttle(Some(SLOW));
    let live = Live::start(between(source.url(), slow.url()).strategy(Strategy::Fenced));
    until_further_than(&live, &target, "");
    ok(&mut client, &["SWAPDB", "0", "1"]);
    ok(&mut client, &["SET", "after", "1"]);
    slow.throttle(None);
    live.until_copied(2);
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
    assert_same_soon(&source, &target);
}

#[test]
fn keys_the_target_had_are_overwritten_or_left_alone() {
    let (source, target) = pair(Server::Redis80);
    Dataset::mixed(KEYS).load(&mut source.client()).unwrap();
    let (mut from, mut to) = (source.client(), target.client());
    for number in 0..200 {
        ok(&mut from, &["SET", &format!("both:{number}"), "source"]);
        ok(&mut to, &["RPUSH", &format!("both:{number}"), "target"]);
        ok(&mut to, &["RPUSH", &format!("late:{number}"), "target"]);
    }
    ok(&mut to, &["SET", "own", "target"]);
    let slow = proxy(&target);
    slow.throttle(Some(SLOW));
    let config = between(source.url(), slow.url()).strategy(Strategy::Fenced);
    let live = Live::start(config.on_conflict(OnConflict::Replace));
    until_further_than(&live, &target, "");
    for number in 0..200 {
        // What the target has under these names is not what these commands work on.
        ok(&mut from, &["RPUSH", &format!("late:{number}"), "source"]);
        ok(&mut from, &["APPEND", &format!("both:{number}"), "!"]);
    }
    slow.throttle(None);
    live.until(State::Live);
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
    assert_eq!(ok(&mut to, &["GETDEL", "own"]).bytes(), Some(&b"target"[..]));
    assert_same_soon(&source, &target);
}

#[test]
fn a_second_copy_writes_what_differs_and_keeps_the_rest() {
    let (source, target) = pair(Server::Redis70);
    let (mut from, mut to) = (source.client(), target.client());
    Dataset::mixed(KEYS).load(&mut from).unwrap();
    for number in 0..100 {
        ok(&mut from, &["SET", &format!("doomed:{number}"), "1", "EX", "1000"]);
        ok(&mut from, &["SET", &format!("kept:{number}"), "1", "EX", "1000"]);
    }
    let mut live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    live.kill();
    for number in 0..100 {
        ok(&mut from, &["DEL", &format!("doomed:{number}")]);
        ok(&mut from, &["RPUSH", &format!("new:{number}"), "1", "2"]);
        ok(&mut from, &["PEXPIRE", &format!("kept:{number}"), "2000000"]);
    }
    // The source forgets where the job was.
    ok(&mut from, &["DEBUG", "CHANGE-REPL-ID"]);
    let load = write_to(&source, load().seed(63));
    ok(&mut to, &["CONFIG", "RESETSTAT"]);
    live.resume();
    live.until_copied(2);
    let deleted = ok(&mut to, &["INFO", "commandstats"]).text();
    assert!(!deleted.contains("cmdstat_flush"), "{deleted}");
    let report = live.finish(load, &source, &target);
    let copied = report.keys.copied;
    assert!((200..KEYS / 2).contains(&copied), "{copied} keys were written again");
}
