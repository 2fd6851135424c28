//! Links break, slow down, and stay away until the source has forgotten where they were.

use ferrite_migrate::State;
use ferrite_testkit::{Direction, Server, wait_until};

use super::{Dice, between, full_synchronizations, load, pair, proxy, write_to};
use crate::common::live::{Live, offset};
use crate::common::{ok, start};

/// How often a link is cut in a test.
const CUTS: u64 = 12;

#[test]
fn a_source_link_that_breaks_goes_on_where_it_was() {
    let (source, target) = pair(Server::Redis80);
    let way = proxy(&source);
    let load = write_to(&source, load().seed(4));
    let mut dice = Dice(4);
    let live = Live::start(between(way.url(), target.url()));
    live.until(State::Live);
    for _ in 0..CUTS {
        let links = way.accepted();
        way.cut_after(Direction::ToClient, dice.below(400_000));
        wait_until("the link is there again", || way.accepted() > links);
        load.wait_for(1 + dice.below(1000));
    }
    let full = full_synchronizations(&source);
    assert!(full <= 2, "the source copied everything {full} times");
    live.finish(load, &source, &target);
}

#[test]
fn a_target_link_that_breaks_applies_nothing_twice() {
    let (source, target) = pair(Server::Redis70);
    let way = proxy(&target);
    let load = write_to(&source, load().seed(5));
    let mut dice = Dice(5);
    let live = Live::start(between(source.url(), way.url()));
    live.until(State::Live);
    for round in 0..CUTS {
        let direction = if round % 3 == 0 { Direction::ToClient } else { Direction::ToServer };
        let links = way.accepted();
        way.cut_after(direction, dice.below(200_000) / if round % 3 == 0 { 20 } else { 1 });
        wait_until("the link is there again", || way.accepted() > links);
        load.wait_for(1 + dice.below(500));
    }
    live.finish(load, &source, &target);
}

#[test]
fn a_lost_backlog_has_everything_copied_again() {
    let source = ferrite_testkit::Peer::builder(Server::Redis70)
        .arg("repl-backlog-size", "1mb")
        .start()
        .unwrap();
    let target = start(Server::Redis70);
    let way = proxy(&source);
    let mut client = source.client();
    for number in 0..1000 {
        ok(&mut client, &["SET", &format!("doomed:{number}"), "1"]);
    }
    let load = write_to(&source, load().seed(6));
    let live = Live::start(between(way.url(), target.url()));
    live.until(State::Live);
    way.refuse(true);
    way.cut();
    for number in 0..1000 {
        ok(&mut client, &["DEL", &format!("doomed:{number}")]);
    }
    let filler = "x".repeat(100_000);
    for number in 0..30 {
        ok(&mut client, &["SET", &format!("filler:{number}"), &filler]);
    }
    load.wait_for(3000);
    let before = full_synchronizations(&source);
    way.refuse(false);
    wait_until("the source copies again", || full_synchronizations(&source) > before);
    live.until_copied(2);
    live.finish(load, &source, &target);
}

#[test]
fn a_small_output_buffer_and_a_slow_target_do_not_meet() {
    let source = ferrite_testkit::Peer::builder(Server::Redis70)
        .arg("client-output-buffer-limit", "replica 1mb 1mb 0")
        .start()
        .unwrap();
    let target = start(Server::Redis70);
    let way = proxy(&target);
    let load = write_to(&source, load().seed(7));
    load.wait_for(5000);
    let live = Live::start(between(source.url(), way.url()));
    live.until(State::Live);
    way.throttle(Some(100_000));
    let before = full_synchronizations(&source);
    let mut client = source.client();
    let filler = "x".repeat(200_000);
    for number in 0..50 {
        ok(&mut client, &["SET", &format!("filler:{number}"), &filler]);
        // The source's buffer holds five of them: it is the target that is slow, not we.
        let sent = offset(&source);
        wait_until("we have received it", || {
            live.status().shards.first().and_then(|shard| shard.received) >= Some(sent)
        });
    }
    wait_until("the target is behind", || live.status().lag.bytes > Some(1 << 20));
    way.throttle(None);
    assert_eq!(full_synchronizations(&source), before);
    live.finish(load, &source, &target);
}
