//! Redis 7.0 as a replica of ours: it reads RDB version 10, and does not say so.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use ferrite_server::Server;
use ferrite_testkit::client::Client;
use ferrite_testkit::{Peer, Server as Real, wait_until};

const WRITES: &[&[&str]] = &[
    &["SET", "{n}:string", "v"],
    &["SET", "{n}:expires", "v", "PXAT", "4102444800000"],
    &["SADD", "{n}:set", "one", "two", "3"],
    &["SADD", "{n}:ints", "1", "2", "3"],
    &["HSET", "{n}:hash", "f", "v"],
    &["RPUSH", "{n}:list", "a", "b"],
    &["ZADD", "{n}:sorted", "1.5", "a", "2", "b"],
    &["XADD", "{n}:stream", "5-1", "field", "value"],
    &["XADD", "{n}:stream", "5-2", "other", "value"],
    &["XDEL", "{n}:stream", "5-1"],
    &["XGROUP", "CREATE", "{n}:stream", "group", "5-1", "ENTRIESREAD", "1"],
];

fn fill(client: &mut Client, name: &str) {
    for words in WRITES {
        let words: Vec<String> = words.iter().map(|word| word.replace("{n}", name)).collect();
        client.ok(&words);
    }
}

/// The first bytes of the RDB stream for a replica that says this of itself.
fn magic(address: SocketAddr, introduction: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{introduction}REPLCONF rdb-only 1\r\nSYNC\r\n").unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let at = all.windows(7).position(|bytes| bytes == b"REDIS00").unwrap();
    String::from_utf8_lossy(&all[at..at + 9]).into_owned()
}

fn start() -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let builder = Server::builder().bind("127.0.0.1:0".parse().unwrap());
    (builder.snapshot(folder.path().to_owned(), "dump.rdb").start().unwrap(), folder)
}

/// Both have the same under these names.
fn same(ours: &mut Client, replica: &mut Client, name: &str) {
    for read in [
        &["GET", "string"][..],
        &["PEXPIRETIME", "expires"],
        &["SMISMEMBER", "set", "one", "two", "3"],
        &["SMEMBERS", "ints"],
        &["HGETALL", "hash"],
        &["LRANGE", "list", "0", "-1"],
        &["ZRANGE", "sorted", "0", "-1", "WITHSCORES"],
        &["XRANGE", "stream", "-", "+"],
    ] {
        let key = format!("{name}:{}", read[1]);
        let words = [&[read[0], key.as_str()], &read[2..]].concat();
        assert_eq!(replica.ok(&words), ours.ok(&words), "{words:?}");
    }
    let key = format!("{name}:stream");
    let info = ["XINFO", "STREAM", key.as_str(), "FULL"];
    let field = |client: &mut Client, field: &str| {
        let reply = client.ok(&info);
        let at = reply.items().iter().position(|item| item.text() == field).unwrap();
        reply.items()[at + 1].clone()
    };
    for name in ["entries-added", "max-deleted-entry-id", "last-generated-id"] {
        assert_eq!(field(replica, name), field(ours, name), "{name}");
    }
    let groups = ["XINFO", "GROUPS", key.as_str()];
    assert_eq!(replica.ok(&groups), ours.ok(&groups));
}

#[test]
fn redis_7_0_follows_while_its_version_holds_what_is_there() {
    let (server, _folder) = start();
    let address = server.addresses()[0];
    let mut ours = Client::connect(address).unwrap();
    fill(&mut ours, "before");
    ours.ok(&["FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() end)"]);
    let real = Peer::start(Real::Redis70).unwrap_or_else(|error| panic!("{error}"));
    let newest = Peer::start(Real::Redis80).unwrap_or_else(|error| panic!("{error}"));
    for peer in [&real, &newest] {
        peer.client().ok(&["REPLICAOF", "127.0.0.1", &address.port().to_string()]);
    }
    let all = |ours: &mut Client| {
        wait_until("both replicas", || ours.ok(&["WAIT", "2", "100"]).int() == Some(2));
    };
    all(&mut ours);
    fill(&mut ours, "after");
    all(&mut ours);
    for peer in [&real, &newest] {
        let mut replica = peer.client();
        same(&mut ours, &mut replica, "before");
        same(&mut ours, &mut replica, "after");
        assert_eq!(replica.ok(&["DBSIZE"]), ours.ok(&["DBSIZE"]));
        assert_eq!(replica.ok(&["FUNCTION", "LIST"]).items().len(), 1);
    }
    // A small set is again as it was with those that have the form.
    let encoding = ["OBJECT", "ENCODING", "before:set"];
    assert_eq!(newest.client().ok(&encoding), ours.ok(&encoding));

    assert_eq!(magic(address, ""), "REDIS0010");
    assert_eq!(magic(address, "REPLCONF version 8.1.1\r\n"), "REDIS0011");
    let (other, _folder) = start();
    let mut client = Client::connect(other.addresses()[0]).unwrap();
    client.ok(&["HSET", "hash", "f", "v"]);
    assert_eq!(magic(other.addresses()[0], ""), "REDIS0010");
    client.ok(&["HPEXPIREAT", "hash", "4102444800000", "FIELDS", "1", "f"]);
    assert_eq!(magic(other.addresses()[0], ""), "REDIS0011", "a field expires");
    client.ok(&["SELECT", "1"]);
    client.ok(&["FLUSHDB"]);
    assert_eq!(magic(other.addresses()[0], ""), "REDIS0011", "the other database was emptied");
    client.ok(&["FLUSHALL"]);
    assert_eq!(magic(other.addresses()[0], ""), "REDIS0010", "all is gone");
    ours.ok(&["XGROUP", "CREATECONSUMER", "after:stream", "group", "consumer"]);
    assert_eq!(magic(address, ""), "REDIS0011", "it was given nothing yet");
    assert_eq!(magic(other.addresses()[0], ""), "REDIS0010", "another server has the consumer");
    ours.ok(&["RENAME", "after:stream", "renamed"]);
    ours.ok(&["DEL", "before:stream"]);
    assert_eq!(magic(address, ""), "REDIS0011", "it has another name");
    ours.ok(&["FLUSHALL"]);
    assert_eq!(magic(address, ""), "REDIS0010", "all is gone");
}
