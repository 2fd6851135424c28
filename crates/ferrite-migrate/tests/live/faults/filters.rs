//! Only a part of the keys is wanted.

use ferrite_migrate::State;
use ferrite_testkit::load::Feature;
use ferrite_testkit::{Peer, Server};

use super::{between, load, pair, write_to};
use crate::common::live::{Live, assert_same_soon};
use crate::common::ok;

/// Deletes what is not wanted from a source that was cut over from.
fn keep(source: &Peer, dbs: &[u32], is_wanted: impl Fn(&str) -> bool) {
    let mut client = source.client();
    ok(&mut client, &["CONFIG", "SET", "min-replicas-to-write", "0"]);
    for db in dbs {
        ok(&mut client, &["SELECT", &db.to_string()]);
        for name in ok(&mut client, &["KEYS", "*"]).items() {
            if !is_wanted(&name.text()) {
                ok(&mut client, &["DEL", &name.text()]);
            }
        }
    }
}

fn is_kept(name: &str) -> bool {
    name.starts_with("string:") || name.starts_with("list:") || name.starts_with("zset:")
}

#[test]
fn only_wanted_keys_arrive_and_they_are_equal() {
    let (source, target) = pair(Server::Redis70);
    let load = write_to(&source, load().seed(21));
    load.wait_for(3000);
    let config = between(source.url(), target.url())
        .include_pattern("string:*")
        .include_pattern("list:*")
        .include_pattern("zset:*");
    let mut live = Live::start(config);
    live.until(State::Live);
    for _ in 0..3 {
        load.wait_for(4000);
        live.kill();
        load.wait_for(500);
        live.resume();
    }
    load.wait_for(2000);
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
    load.stop();
    keep(&source, &[0, 1], is_kept);
    assert_same_soon(&source, &target);
    let keys = ok(&mut target.client(), &["DBSIZE"]).int();
    assert!(keys > Some(10), "the load wrote few of the keys: {keys:?}");
}

/// Which keys take part, and what happens to whole databases at the source meanwhile.
fn whole_databases(server: Server, pattern: Option<&str>, seed: u64) {
    let (source, target) = pair(server);
    let mut load = load()
        .dbs(&[0, 1, 2])
        .with(Feature::FlushDb)
        .with(Feature::Functions)
        .with(Feature::FlushAll)
        .seed(seed);
    if pattern.is_none() {
        // Where a part is wanted, everything is copied again each time.
        load = load.with(Feature::SwapDb);
    }
    let load = write_to(&source, load);
    load.wait_for(2000);
    let mut config = between(source.url(), target.url());
    if let Some(pattern) = pattern {
        config = config.include_pattern(pattern);
    }
    let live = Live::start(config);
    live.until(State::Live);
    load.wait_for(15_000);
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
    load.stop();
    let prefix = pattern.map(|pattern| pattern.trim_end_matches('*')).unwrap_or_default();
    keep(&source, &[0, 1, 2], |name| name.starts_with(prefix));
    assert_same_soon(&source, &target);
    let functions =
        |peer: &Peer| ok(&mut peer.client(), &["FUNCTION", "DUMP"]).bytes().map(<[u8]>::to_vec);
    assert_eq!(functions(&source), functions(&target));
}

#[test]
fn whole_databases_are_flushed_and_exchanged() {
    whole_databases(Server::Redis70, None, 22);
}

#[test]
fn whole_databases_are_flushed_and_exchanged_where_a_part_is_wanted() {
    whole_databases(Server::Redis70, Some("s*"), 23);
}

#[test]
fn one_database_is_followed_whatever_happens_to_others() {
    let (source, target) = pair(Server::Redis70);
    let load = load().with(Feature::FlushDb).with(Feature::FlushAll).seed(24);
    let load = write_to(&source, load);
    load.wait_for(2000);
    let live = Live::start(between(format!("{}/0", source.url()), target.url()));
    live.until(State::Live);
    load.wait_for(10_000);
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
    load.stop();
    keep(&source, &[1], |_| false);
    assert_same_soon(&source, &target);
}
