//! What replicas are told of commands on collections whose outcome time, chance or other clients
//! decide: a real server that follows ours has the same values.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use ferrite_server::Server;
use ferrite_testkit::client::Client;
use ferrite_testkit::{Peer, Server as Real, wait_until};

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// A reply's parts in an order that says nothing of how they are kept.
fn sorted(client: &mut Client, line: &str) -> Vec<String> {
    let reply = client.ok(&words(line));
    let mut parts: Vec<_> = reply.items().iter().map(ToString::to_string).collect();
    parts.sort();
    parts
}

fn follower(server: &Server, client: &mut Client) -> Peer {
    let real = Peer::start(Real::Redis80).unwrap_or_else(|error| panic!("{error}"));
    let port = server.addresses()[0].port().to_string();
    real.client().ok(&["REPLICAOF", "127.0.0.1", &port]);
    wait_until("a replica", || client.ok(&["WAIT", "1", "100"]).int() == Some(1));
    real
}

fn start() -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let builder = Server::builder().bind("127.0.0.1:0".parse().unwrap());
    (builder.snapshot(folder.path().to_owned(), "dump.rdb").start().unwrap(), folder)
}

#[test]
fn a_real_replica_has_what_chance_and_time_have_left() {
    let (server, _folder) = start();
    let mut client = Client::connect(server.addresses()[0]).unwrap();
    let real = follower(&server, &mut client);
    for number in 0..3000 {
        client.ok(&["SADD", "set", &format!("member:{number}")]);
        client.ok(&["HSET", "hash", &format!("field:{number}"), "1"]);
    }
    for line in [
        "SPOP set",
        "SPOP set 7",
        "SPOP set 1500",
        "SADD gone a b c",
        "SPOP gone 5",
        "SUNIONSTORE copy set nothing",
        "RPUSH list a b c d e f g",
        "BLPOP nothing list 0",
        "BRPOP list 0",
        "BLMOVE list other LEFT RIGHT 0",
        "BRPOPLPUSH list other 0",
        "BLMPOP 0 1 list LEFT COUNT 2",
        "LMPOP 1 other RIGHT COUNT 1",
        "HEXPIRE hash 1000 FIELDS 3 field:0 field:1 missing",
        "HPEXPIRE hash 2000000 FIELDS 1 field:2",
        "HINCRBYFLOAT hash field:2 0.5",
        "HEXPIRE hash 0 FIELDS 2 field:3 field:4",
        "HGETDEL hash FIELDS 2 field:5 missing",
        "HGETEX hash EX 1000 FIELDS 2 field:6 field:7",
        "HGETEX hash PERSIST FIELDS 1 field:7",
        "HGETEX hash EXAT 1 FIELDS 1 field:8",
        "HSETEX hash EX 1000 FIELDS 2 field:9 x new y",
        "HSETEX hash EXAT 1 FIELDS 1 field:10 x",
        "HPERSIST hash FIELDS 1 field:1",
        "HSET brief a 1 b 2",
        "HPEXPIRE brief 1 FIELDS 2 a b",
    ] {
        client.ok(&words(line));
    }
    // Nobody asks for these fields: the clock removes them, and the hash with them.
    wait_until("fields to expire", || client.ok(&["EXISTS", "brief"]).int() == Some(0));
    wait_until("a replica", || client.ok(&["WAIT", "1", "100"]).int() == Some(1));
    let mut replica = real.client();
    for line in [
        "SMEMBERS set",
        "SMEMBERS copy",
        "EXISTS gone brief",
        "LRANGE list 0 -1",
        "LRANGE other 0 -1",
        "HGETALL hash",
        "HPEXPIRETIME hash FIELDS 9 field:0 field:1 field:2 field:3 field:6 field:7 field:8 field:9 new",
        "DBSIZE",
    ] {
        assert_eq!(sorted(&mut client, line), sorted(&mut replica, line), "{line}");
    }
    assert_eq!(client.ok(&["SCARD", "set"]).int(), Some(1492));
    assert_eq!(client.ok(&["HLEN", "hash"]).int(), Some(2996));
}

#[test]
fn fields_expire_by_themselves_wherever_their_hash_went() {
    let (server, _folder) = start();
    let mut client = Client::connect(server.addresses()[0]).unwrap();
    for (line, db) in [
        ("RENAME hash other", "0"),
        ("RENAMENX hash other", "0"),
        ("MOVE hash 1", "1"),
        ("COPY hash other DB 2", "2"),
        ("SWAPDB 0 3", "3"),
    ] {
        client.ok(&["FLUSHALL"]);
        client.ok(&["HSET", "hash", "field", "value"]);
        client.ok(&["HPEXPIRE", "hash", "500", "FIELDS", "1", "field"]);
        client.ok(&words(line));
        client.ok(&["SELECT", db]);
        assert_eq!(client.ok(&["DBSIZE"]), 1, "{line}");
        // It counts what is kept, and looks at no key.
        wait_until(line, || client.ok(&["DBSIZE"]).int() == Some(0));
        client.ok(&["SELECT", "0"]);
    }
}
