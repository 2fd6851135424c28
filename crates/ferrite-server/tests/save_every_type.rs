//! Snapshots with a value of every type, in both directions, and save points.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::start;
use ferrite_testkit::client::Client;
use ferrite_testkit::{Peer, Server as Real, wait_until};

/// Values of every type, small and large; the last word of a line may be repeated with numbers.
const WRITES: &[&[&str]] = &[
    &["SET", "string", "text"],
    &["SET", "number", "-9223372036854775808"],
    &["APPEND", "raw", "changed in place"],
    &["RPUSH", "list", "a", "1", "b"],
    &["SADD", "integers", "1", "2", "3"],
    &["SADD", "set", "a", "b"],
    &["HSET", "hash", "f", "v", "g", "1"],
    &["ZADD", "sorted", "1.5", "a", "-inf", "b", "3", "c"],
    &["XADD", "stream", "1-1", "f", "v"],
    &["XADD", "stream", "2-1", "g", "w"],
    &["XGROUP", "CREATE", "stream", "group", "0"],
    &["XREADGROUP", "GROUP", "group", "consumer", "COUNT", "1", "STREAMS", "stream", ">"],
    &["XADD", "emptied", "1-1", "f", "v"],
    &["XDEL", "emptied", "1-1"],
    &["XGROUP", "CREATE", "never written", "group", "$", "MKSTREAM"],
    &["PFADD", "loglog", "a", "b", "c"],
    &["GEOADD", "places", "13.361389", "38.115556", "Palermo"],
    &["SET", "later", "v", "PXAT", "4102444800000"],
];

const READS: &[&[&str]] = &[
    &["GET", "string"],
    &["GET", "number"],
    &["GET", "raw"],
    &["LRANGE", "list", "0", "-1"],
    &["SORT", "integers"],
    &["SORT", "set", "ALPHA"],
    &["HGET", "hash", "g"],
    &["HLEN", "hash"],
    &["ZRANGE", "sorted", "0", "-1", "WITHSCORES"],
    &["XRANGE", "stream", "-", "+"],
    &["XPENDING", "stream", "group"],
    &["XLEN", "emptied"],
    &["XPENDING", "never written", "group"],
    &["PFCOUNT", "loglog"],
    &["GEOHASH", "places", "Palermo"],
    &["PEXPIRETIME", "later"],
    &["LRANGE", "large list", "0", "-1"],
    &["SORT", "large set"],
    &["HGET", "large hash", "777"],
    &["HLEN", "large hash"],
    &["ZRANGE", "large sorted", "0", "-1", "WITHSCORES"],
    &["XLEN", "large stream"],
    &["DBSIZE"],
];

fn write(client: &mut Client) {
    for words in WRITES {
        client.ok(words);
    }
    for number in 0..1000 {
        let (number, value) = (number.to_string(), format!("value {number}"));
        client.ok(&["RPUSH", "large list", &value.repeat(20)]);
        client.ok(&["SADD", "large set", &format!("{number}00000000")]);
        client.ok(&["HSET", "large hash", &number, &value]);
        client.ok(&["ZADD", "large sorted", &number, &value]);
        client.ok(&["XADD", "large stream", &format!("{number}-1"), "field", &value]);
    }
}

fn compare(what: &str, left: &mut Client, right: &mut Client) {
    for words in READS {
        assert_eq!(left.ok(words), right.ok(words), "{what}: {words:?}");
    }
}

#[test]
fn real_servers_load_every_type_that_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, mut ours) = start(folder.path());
    write(&mut ours);
    ours.ok(&["SAVE"]);
    let bytes = std::fs::read(folder.path().join("dump.rdb")).unwrap();
    for server in [Real::Redis80, Real::Valkey81, Real::Valkey91] {
        let real = Peer::builder(server).rdb(&bytes).start().unwrap_or_else(|e| panic!("{e}"));
        compare(&format!("{server:?}"), &mut ours, &mut real.client());
    }
}

#[test]
fn every_type_that_real_servers_saved_is_loaded() {
    for server in [Real::Redis62, Real::Redis70, Real::Redis80, Real::Valkey81, Real::Valkey91] {
        let peer = Peer::builder(server).start().unwrap_or_else(|e| panic!("{e}"));
        let mut real = peer.client();
        write(&mut real);
        real.ok(&["SAVE"]);
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(peer.dir().join("dump.rdb"), folder.path().join("dump.rdb")).unwrap();
        let (_server, mut ours) = start(folder.path());
        let what = format!("{server:?}");
        // Redis 6.2 cannot say when a key expires.
        let all = READS.iter().filter(|words| server != Real::Redis62 || words[0] != "PEXPIRETIME");
        for words in all {
            assert_eq!(real.ok(words), ours.ok(words), "{what}: {words:?}");
        }
    }
}

#[test]
fn libraries_of_functions_are_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut ours) = start(folder.path());
    let code = "#!lua name=counting\nredis.register_function('up', function(keys)\n\
        return redis.call('INCR', keys[1])\nend)";
    ours.ok(&["FUNCTION", "LOAD", code]);
    assert_eq!(ours.ok(&["FCALL", "up", "1", "counter"]).int(), Some(1));
    ours.ok(&["SAVE"]);
    drop((ours, server));
    let bytes = std::fs::read(folder.path().join("dump.rdb")).unwrap();
    let (_server, mut again) = start(folder.path());
    assert_eq!(again.ok(&["FCALL", "up", "1", "counter"]).int(), Some(2));
    let real = Peer::builder(Real::Redis80).rdb(&bytes).start().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(real.client().ok(&["FCALL", "up", "1", "counter"]).int(), Some(2));
}

#[test]
fn a_save_point_writes_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, mut client) = start(folder.path());
    client.ok(&["CONFIG", "SET", "save", "1 3"]);
    client.ok(&["MSET", "a", "1", "b", "2"]);
    let file = folder.path().join("dump.rdb");
    client.ok(&["SET", "c", "3"]);
    wait_until("the file is written", || file.exists());
}
