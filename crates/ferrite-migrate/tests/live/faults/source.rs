//! The source dies and comes back, with its data or without.

use ferrite_migrate::{State, Strategy};
use ferrite_testkit::{Dataset, Peer, Server, wait_until};

use super::{between, load, pair, write_to};
use crate::common::live::{Live, assert_same_soon, reversible_cutover};
use crate::common::{listing, ok, start};

#[test]
fn a_source_that_comes_back_with_its_data_is_copied_again() {
    let mut source = Peer::builder(Server::Redis70)
        .arg("appendonly", "yes")
        .arg("appendfsync", "always")
        .start()
        .unwrap();
    let target = start(Server::Redis70);
    let load = write_to(&source, load().seed(20));
    load.wait_for(2000);
    let live = Live::start(between(source.url(), target.url()));
    for round in 1..=3 {
        live.until_copied(round);
        load.wait_for(1000);
        source.kill();
        source.restart().unwrap();
    }
    live.until_copied(4);
    load.wait_for(1000);
    live.finish(load, &source, &target);
}

#[test]
fn a_source_that_comes_back_without_its_data_does_not_take_the_targets() {
    let (mut source, target) = pair(Server::Redis80);
    let mut client = source.client();
    for number in 0..5000 {
        ok(&mut client, &["SET", &format!("lost:{number}"), "1"]);
    }
    let mut live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    let here = listing(&target);
    for keys in ["0 keys", "1 keys"] {
        source.kill();
        source.restart().unwrap();
        if keys == "1 keys" {
            ok(&mut source.client(), &["SET", "new", "1"]);
            live.resume();
        }
        let refused = live.ended().unwrap_err();
        let told = format!("the source came back with {keys}, the target has 5,000");
        assert!(refused.cause.contains(&told), "{refused}");
        assert!(refused.hint.unwrap().contains(&format!("{} --source-emptied", live.id())));
        assert_eq!(live.state(), State::Failed);
        assert_eq!(listing(&target).diff(&here), Vec::<String>::new());
    }
    // Whoever says so has the target follow, once.
    live.source_emptied(true);
    live.resume();
    live.until_copied(2);
    ok(&mut source.client(), &["SET", "newer", "1"]);
    live.until_applied(&source);
    // Those of the source, and how far the target is.
    assert_eq!(ok(&mut target.client(), &["DBSIZE"]).int(), Some(3));
    for number in 0..100 {
        ok(&mut source.client(), &["SET", &format!("again:{number}"), "1"]);
    }
    live.until_applied(&source);
    source.kill();
    source.restart().unwrap();
    let refused = live.ended().unwrap_err();
    assert!(refused.cause.contains("with 0 keys, the target has 102"), "{refused}");
}

#[test]
fn a_source_that_gets_its_data_back_is_followed_again() {
    let (mut source, target) = pair(Server::Redis70);
    let mut client = source.client();
    Dataset::mixed(5000).load(&mut client).unwrap();
    let mut live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    // As somebody would who has a file of it somewhere.
    let file = source.dir().join("dump.rdb");
    wait_until("no other save is at work", || !client.try_call(&["SAVE"]).unwrap().is_error());
    std::fs::rename(&file, file.with_extension("kept")).unwrap();
    source.kill();
    source.restart().unwrap();
    assert!(live.ended().unwrap_err().cause.contains("came back with 0 keys"));
    source.kill();
    std::fs::rename(file.with_extension("kept"), &file).unwrap();
    source.restart().unwrap();
    live.resume();
    live.until(State::Live);
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
    assert_same_soon(&source, &target);
}

#[test]
fn a_source_that_was_empty_may_be_so_again() {
    let (mut source, target) = pair(Server::Redis70);
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    source.kill();
    source.restart().unwrap();
    live.until_copied(2);
    ok(&mut source.client(), &["SET", "key", "value"]);
    ok(&mut source.client(), &["FLUSHALL"]);
    live.until_applied(&source);
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
    assert_same_soon(&source, &target);
}

#[test]
fn a_job_killed_while_it_copies_again_drops_what_is_gone() {
    let (source, target) = pair(Server::Redis70);
    let mut client = source.client();
    for number in 0..20_000 {
        client.queue(&["SET", &format!("doomed:{number}"), "1"]);
    }
    client.flush().unwrap();
    for _ in 0..20_000 {
        client.read().unwrap();
    }
    let mut live = Live::start(between(source.url(), target.url()).strategy(Strategy::Psync));
    live.until(State::Live);
    live.kill();
    // Makes the source forget where the job was, and the keys.
    ok(&mut client, &["FLUSHALL"]);
    ok(&mut client, &["DEBUG", "CHANGE-REPL-ID"]);
    ok(&mut client, &["SET", "new", "1"]);
    Dataset::mixed(20_000).load(&mut client).unwrap();
    for _ in 0..3 {
        live.resume();
        wait_until("it copies again", || live.copies() >= 2);
        live.kill();
    }
    live.resume();
    live.until(State::Live);
    live.cut_over();
    assert_same_soon(&source, &target);
}

#[test]
fn a_way_back_that_is_lost_leaves_the_old_source_alone() {
    let (source, mut target) = pair(Server::Redis70);
    ok(&mut source.client(), &["SET", "key", "value"]);
    let mut live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    live.ordered(&reversible_cutover());
    // The server that everybody writes to loses everything.
    target.kill();
    target.restart().unwrap();
    let lost = live.ended().unwrap_err();
    assert!(lost.cause.contains("nothing is copied over it"), "{lost}");
    assert_eq!(ok(&mut source.client(), &["GET", "key"]).text(), "value");
    assert_eq!(live.state(), State::Completed);
}
