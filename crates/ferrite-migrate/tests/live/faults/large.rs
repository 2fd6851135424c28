//! Values larger than what is held at once, and strangers who write to the target.

use ferrite_migrate::{MEMORY_LIMIT_MIN, State};
use ferrite_testkit::Server;

use super::{between, load, pair, write_to};
use crate::common::live::{Live, assert_same_soon};
use crate::common::ok;

#[test]
fn large_values_are_written_all_the_while() {
    let (source, target) = pair(Server::Redis70);
    let mut client = source.client();
    let fill = |client: &mut ferrite_testkit::Client, round: u64| {
        let member = |number: u64| format!("{round}:{number}:{}", "m".repeat(1000));
        for number in 0..3000 {
            client.queue(&["RPUSH", "large:list", &member(number)]);
            client.queue(&["HSET", "large:hash", &format!("f{number}"), &member(number)]);
        }
        client.queue(&["SET", "large:string", &round.to_string().repeat(5_000_000)]);
        client.queue(&["RENAME", "large:hash", "large:other"]);
        client.queue(&["COPY", "large:other", "large:copy", "REPLACE"]);
        client.queue(&["APPEND", "large:string", "x"]);
        client.flush().unwrap();
        for _ in 0..6004 {
            client.read().unwrap();
        }
    };
    fill(&mut client, 1);
    let load = write_to(&source, load().seed(28));
    // Not all that is copied is wanted: COPY and RENAME have their keys read again.
    let config = between(source.url(), target.url()).memory_limit(MEMORY_LIMIT_MIN);
    let mut live = Live::start(config.exclude_pattern("large:hash"));
    for round in 2..6 {
        fill(&mut client, round);
        live.until(State::Live);
        fill(&mut client, round);
        live.kill();
        live.resume();
    }
    live.until(State::Live);
    ok(&mut client, &["DEL", "large:hash"]);
    live.finish(load, &source, &target);
}

#[test]
fn what_a_stranger_writes_to_the_target_is_found() {
    let (source, target) = pair(Server::Redis70);
    let mut client = source.client();
    for number in 0..100 {
        ok(&mut client, &["SET", &format!("key:{number}"), "1"]);
    }
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    ok(&mut target.client(), &["SET", "key:7", "2"]);
    ok(&mut target.client(), &["DEL", "key:8"]);
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
    let found = crate::common::runtime().block_on(async {
        let config = between(source.url(), target.url()).build().unwrap();
        ferrite_migrate::Migration::new(config).await?.verify().await
    });
    let found = found.unwrap();
    assert_eq!((found.mismatched, found.missing_target), (1, 1));
    ok(&mut target.client(), &["SET", "key:7", "1"]);
    ok(&mut target.client(), &["SET", "key:8", "1"]);
    assert_same_soon(&source, &target);
}
