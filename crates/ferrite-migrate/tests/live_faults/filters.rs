//! Only a part of the keys is wanted.

use ferrite_migrate::State;
use ferrite_testkit::load::Feature;
use ferrite_testkit::{Client, Peer, Server, wait_until};

use crate::common::live::Live;
use crate::common::ok;
use crate::{between, load, pair, write_to};

/// The keys of a database that begin like this, with what `DUMP` and the expiry tell of them.
fn wanted(peer: &Peer, db: u32, is_wanted: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>, i64)> {
    let mut client = peer.client();
    ok(&mut client, &["SELECT", &db.to_string()]);
    let names = ok(&mut client, &["KEYS", "*"]);
    let mut names: Vec<String> = names.items().iter().map(ferrite_testkit::Reply::text).collect();
    names.retain(|name| is_wanted(name));
    names.sort_unstable();
    let value = |client: &mut Client, name: &str| {
        let payload = ok(client, &["DUMP", name]).bytes().unwrap_or_default().to_vec();
        (payload, ok(client, &["PEXPIRETIME", name]).int().unwrap_or_default())
    };
    let keys = names.into_iter().map(|name| {
        let (payload, expires) = value(&mut client, &name);
        (name, payload, expires)
    });
    keys.filter(|(_, payload, _)| !payload.is_empty()).collect()
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
    for db in [0, 1] {
        wait_until("both ends hold the same", || {
            wanted(&source, db, is_kept) == wanted(&target, db, |_| true)
        });
        assert!(!wanted(&target, db, is_kept).is_empty(), "the load wrote none of the keys");
    }
}

/// Which keys take part, and what happens to whole databases at the source meanwhile.
fn whole_databases(server: Server, pattern: Option<&str>, seed: u64) {
    let (source, target) = pair(server);
    let load = load()
        .dbs(&[0, 1, 2])
        .with(Feature::FlushDb)
        .with(Feature::SwapDb)
        .with(Feature::Functions)
        .with(Feature::FlushAll)
        .seed(seed);
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
    for db in 0..3 {
        wait_until("both ends hold the same", || {
            let keys = wanted(&source, db, |name| name.starts_with(prefix));
            keys == wanted(&target, db, |_| true)
        });
    }
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
    ok(&mut target.client(), &["SELECT", "1"]);
    let live = Live::start(between(format!("{}/0", source.url()), target.url()));
    live.until(State::Live);
    load.wait_for(10_000);
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
    load.stop();
    wait_until("both ends hold the same", || {
        wanted(&source, 0, |_| true) == wanted(&target, 0, |_| true)
    });
    assert_eq!(wanted(&target, 1, |_| true), []);
}
