//! What a replica of the oldest kind (SYNC) is sent, and what counts as a change: as a real server
//! says it.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ferrite_resp::{Limits, Value, decode};
use ferrite_server::Server;
use ferrite_server::config::Config;
use ferrite_testkit::client::Client;
use ferrite_testkit::{Peer, Server as Real, wait_until};

/// A server of ours that is open to DEBUG, as the real ones are.
fn ours(folder: &Path) -> Server {
    let config = Arc::new(Config::new(folder));
    for (name, value) in [("enable-debug-command", "yes"), ("port", "0"), ("save", "")] {
        config.put(name, &[value]).unwrap();
    }
    let builder = Server::builder().bind("127.0.0.1:0".parse().unwrap());
    builder.configured(&config, Vec::new()).start().unwrap()
}

/// Both servers.
struct Ends {
    real: Peer,
    ours: Server,
    _folder: tempfile::TempDir,
}

impl Ends {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let real = Peer::builder(Real::Redis80).arg("repl-diskless-sync", "no").start();
        let real = real.unwrap_or_else(|error| panic!("{error}"));
        Self { real, ours: ours(folder.path()), _folder: folder }
    }

    fn addresses(&self) -> [SocketAddr; 2] {
        [self.real.addr(), self.ours.addresses()[0]]
    }
}

/// A connection that was given all keys, and is given what changes.
struct Stream {
    socket: TcpStream,
    received: Vec<u8>,
}

impl Stream {
    fn attach(address: SocketAddr) -> Self {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket.write_all(b"SYNC\r\n").unwrap();
        let mut stream = Self { socket, received: Vec::new() };
        let length = loop {
            let end = stream.received.iter().position(|byte| *byte == b'\n');
            match end {
                Some(0) => drop(stream.received.drain(..1)),
                Some(end) => {
                    let line: Vec<u8> = stream.received.drain(..=end).collect();
                    let line = String::from_utf8(line).unwrap();
                    break line.trim().trim_start_matches('$').parse::<usize>().expect(&line);
                }
                None => stream.more(),
            }
        };
        while stream.received.len() < length {
            stream.more();
        }
        let rdb: Vec<u8> = stream.received.drain(..length).collect();
        assert!(rdb.starts_with(b"REDIS"), "{rdb:?}");
        stream
    }

    fn more(&mut self) {
        let mut buffer = [0; 65536];
        let read = self.socket.read(&mut buffer).expect("more in time");
        assert!(read > 0, "the connection was closed");
        self.received.extend_from_slice(&buffer[..read]);
    }

    /// The next command, without its times.
    fn command(&mut self) -> String {
        loop {
            if let Some((value, used)) = decode(&self.received, &Limits::default()).unwrap() {
                self.received.drain(..used);
                let Value::Array(words) = value else { panic!("no command") };
                let words: Vec<_> = words
                    .iter()
                    .map(|word| match word {
                        Value::Bulk(bytes) => String::from_utf8_lossy(bytes).to_lowercase(),
                        other => panic!("{other:?}"),
                    })
                    .collect();
                if words != ["ping"] {
                    return words.join(" ");
                }
                continue;
            }
            self.more();
        }
    }

    /// All commands up to one that says so.
    fn up_to(&mut self, last: &str) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let command = self.command();
            if command == last {
                return all;
            }
            all.push(command);
        }
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Runs lines on a server and returns what a replica was told.
fn told(address: SocketAddr, before: &[&str], lines: &[&str]) -> Vec<String> {
    let mut client = Client::connect(address).unwrap();
    before.iter().for_each(|line| drop(client.ok(&words(line))));
    let mut stream = Stream::attach(address);
    lines.iter().for_each(|line| drop(client.ok(&words(line))));
    client.ok(&["SET", "the", "end"]);
    let mut all = stream.up_to("set the end");
    // Which of several keys is met first is a matter of chance.
    all.sort();
    all
}

#[test]
fn a_replica_of_the_oldest_kind_is_told_the_same() {
    let ends = Ends::start();
    let expired =
        ["FLUSHALL", "DEBUG SET-ACTIVE-EXPIRE 0", "MSET a 1 b 2", "PEXPIRE a 1", "PEXPIRE b 1"];
    let before: Vec<&str> = expired.iter().copied().chain(["DEBUG SLEEP 0.01"]).collect();
    for lines in [
        ["SCAN 0 COUNT 1000", "GET missing"].as_slice(),
        &["MULTI", "SCAN 0 COUNT 1000", "EXEC"],
        &["RANDOMKEY"],
        &["GET a", "GET b"],
        &["MULTI", "GET a", "GET b", "EXEC"],
        &["SETBIT bits 0 1", "SETBIT bits 0 1", "BITFIELD bits SET u8 0 128"],
        &["SET f 0.1", "INCRBYFLOAT f 0.2"],
        &["SET t 1 pxat 33177117420000", "SET t 1 NX GET pxat 33177117420000"],
        &["FLUSHALL", "FLUSHDB"],
        &["CONFIG SET lazyfree-lazy-server-del yes", "SADD s a b", "SPOP s 5"],
        &["CONFIG SET lazyfree-lazy-expire yes", "GET a", "SET c 1", "EXPIRE c -1"],
    ] {
        let [real, ours] = ends.addresses().map(|address| told(address, &before, lines));
        assert_eq!(ours, real, "{lines:?}");
        assert!(!ours.is_empty(), "{lines:?}");
    }
}

fn changes(client: &mut Client) -> i64 {
    let info = client.ok(&["INFO", "persistence"]).text();
    let line = info.lines().find_map(|line| line.strip_prefix("rdb_changes_since_last_save:"));
    line.unwrap().trim().parse().unwrap()
}

/// What may count as a change, or as several.
const COUNTED: &[&str] = &[
    "SETBIT s 0 0",
    "SETBIT s 0 0",
    "SETBIT s 0 1",
    "SETBIT s 90 0",
    "BITFIELD f SET u8 0 0",
    "BITFIELD f SET u8 0 0",
    "BITFIELD f SET u8 0 1 SET u8 8 0",
    "BITFIELD f SET u8 0 2 SET u8 8 3",
    "BITFIELD f GET u8 0",
    "BITFIELD f OVERFLOW FAIL INCRBY u2 400 9",
    "MSET a 1 b 2 c 3",
    "SET a 1 EX 100",
    "GETSET a 2",
    "GETDEL a",
    "APPEND b x",
    "SETRANGE b 9 y",
    "INCR n",
    "DEL b c nothing",
    "RPUSH l a b c d e",
    "LPOP l 2",
    "LPUSHX nothing a",
    "LINSERT l BEFORE d x",
    "LSET l 0 z",
    "LREM l 0 z",
    "LTRIM l 0 1",
    "LMOVE l m LEFT RIGHT",
    "RPOPLPUSH l m",
    "LMPOP 1 m LEFT COUNT 2",
    "SADD s1 a b c",
    "SADD s1 a",
    "SMOVE s1 s2 a",
    "SPOP s1 1",
    "SREM s1 a b c",
    "SADD s3 1 2 3",
    "SUNIONSTORE s4 s3 s2",
    "SINTERSTORE s4 s3 nothing",
    "HSET h a 1 b 2",
    "HSET h a 3 c 4",
    "HDEL h a b x",
    "HINCRBY h c 1",
    "HSETNX h c 1",
    "ZADD z 1 a 2 b 3 c",
    "ZADD z 1 a",
    "ZINCRBY z 1 a",
    "ZPOPMIN z 2",
    "ZADD z 1 a 2 b 3 c",
    "ZRANGESTORE y z 0 1",
    "ZREMRANGEBYRANK z 0 1",
    "ZUNIONSTORE x 1 y",
    "ZMPOP 1 y MIN COUNT 5",
    "XADD t 1-1 a 1",
    "XADD t 1-2 a 1",
    "XADD t 1-3 a 1",
    "XGROUP CREATE t g 0",
    "XREADGROUP GROUP g me COUNT 2 STREAMS t >",
    "XACK t g 1-1 1-2",
    "XGROUP DELCONSUMER t g me",
    "XDEL t 1-1",
    "XTRIM t MAXLEN 0",
    "XGROUP DESTROY t g",
    "PFADD p a b",
    "PFADD p a",
    "PFMERGE q p",
    "EXPIRE h 100",
    "PERSIST h",
    "PERSIST h",
    "RENAME h i",
    "COPY i h",
    "MOVE h 3",
    "SORT s3 STORE sorted",
    "GEOADD g 13 38 a",
    "GEOSEARCHSTORE g2 g FROMMEMBER a BYRADIUS 1 m",
    "UNLINK i g",
    "EVAL return{redis.call('set','e','1'),redis.call('incr','e')} 0",
    "SADD s5 a b c d e f",
    "SREM s5 a b x",
    "SPOP s5 2",
    "RPUSH l2 a a a b c",
    "LREM l2 0 a",
    "RPUSH l3 a b c d e",
    "LTRIM l3 1 2",
    "ZADD z5 1 a 2 b 3 c",
    "ZREM z5 a b",
    "HMSET h5 a 1 b 2 c 3",
    "HDEL h5 a b c",
    "LPUSH l4 a b",
    "LPOP l4",
    "FLUSHDB",
    "FLUSHALL",
    "SWAPDB 0 1",
];

#[test]
fn the_same_counts_as_a_change() {
    let ends = Ends::start();
    let counted = ends.addresses().map(|address| {
        let mut client = Client::connect(address).unwrap();
        let mut counted = Vec::new();
        for line in COUNTED.iter().copied() {
            let before = changes(&mut client);
            client.ok(&words(line));
            counted.push((line, changes(&mut client) - before));
        }
        let before = changes(&mut client);
        let mut waiting = TcpStream::connect(address).unwrap();
        waiting.write_all(b"BLPOP list 0\r\n").unwrap();
        wait_until("a client waits", || {
            client.ok(&["INFO", "clients"]).text().contains("blocked_clients:1")
        });
        client.ok(&["RPUSH", "list", "a"]);
        wait_until("it was served", || client.ok(&["EXISTS", "list"]).int() == Some(0));
        counted.push(("BLPOP", changes(&mut client) - before));
        counted
    });
    let [real, ours] = counted;
    assert_eq!(ours, real);
}

/// The lines of INFO that begin with these words, without how long anything took.
fn told_of(client: &mut Client, section: &str, begins: &[&str]) -> Vec<String> {
    let info = client.ok(&["INFO", section]).text();
    let lines = info.lines().filter(|line| begins.iter().any(|begin| line.starts_with(begin)));
    lines
        .map(|line| line.split(',').filter(|part| !part.contains("usec")).collect::<Vec<_>>())
        .map(|parts| parts.join(",").trim().to_owned())
        .collect()
}

#[test]
fn an_error_that_ends_waiting_is_counted() {
    let ends = Ends::start();
    let counted = ends.addresses().map(|address| {
        let mut client = Client::connect(address).unwrap();
        for line in ["XADD s 1-1 a 1", "XGROUP CREATE s g $", "CONFIG RESETSTAT"] {
            client.ok(&words(line));
        }
        let mut waiting = TcpStream::connect(address).unwrap();
        waiting.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        waiting.write_all(b"XREADGROUP GROUP g c BLOCK 0 STREAMS s >\r\n").unwrap();
        wait_until("a client waits", || {
            client.ok(&["INFO", "clients"]).text().contains("blocked_clients:1")
        });
        let mut counted = told_of(&mut client, "clients", &["total_blocking_keys"]);
        client.ok(&["XGROUP", "DESTROY", "s", "g"]);
        let mut reply = [0; 8];
        waiting.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"-NOGROUP");
        counted.extend(told_of(&mut client, "errorstats", &["errorstat_NOGROUP"]));
        counted.extend(told_of(&mut client, "commandstats", &["cmdstat_xreadgroup"]));
        counted
    });
    let [real, ours] = counted;
    assert_eq!(ours, real);
    assert_eq!(ours.len(), 4, "{ours:?}");
}

#[test]
fn a_command_that_waits_runs_at_the_time_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let server = ours(folder.path());
    let mut client = Client::connect(server.addresses()[0]).unwrap();
    client.ok(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
    let mut waiting = TcpStream::connect(server.addresses()[0]).unwrap();
    waiting.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    waiting.write_all(b"BLPOP list 0.5\r\n").unwrap();
    wait_until("a client waits", || {
        client.ok(&["INFO", "clients"]).text().contains("total_blocking_keys:1")
    });
    for line in ["MULTI", "RPUSH list a", "PEXPIRE list 10", "DEBUG SLEEP 0.05", "EXEC"] {
        client.ok(&words(line));
    }
    let mut reply = [0; 5];
    waiting.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"*-1\r\n", "what has expired in the transaction is not popped");
}

/// A link that has just ended is still among those that INFO tells of.
#[test]
fn links_may_end_while_they_are_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let server = ours(folder.path());
    let mut client = Client::connect(server.addresses()[0]).unwrap();
    for _ in 0..100 {
        drop(Stream::attach(server.addresses()[0]));
        wait_until("it is gone", || {
            client.ok(&["INFO", "replication"]).text().contains("connected_slaves:0")
        });
    }
}

/// An RDB without keys has the libraries of functions where they are asked for.
#[test]
fn an_rdb_may_be_of_functions_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = ours(folder.path());
    let mut client = Client::connect(server.addresses()[0]).unwrap();
    let library = "#!lua name=named\nredis.register_function('f', function() return 1 end)";
    client.ok(&["FUNCTION", "LOAD", library]);
    client.ok(&["SET", "a_key", "1"]);
    for (filter, has) in [("", false), ("functions", true)] {
        let mut stream = TcpStream::connect(server.addresses()[0]).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut request = Vec::new();
        for words in [["capa", "eof"], ["rdb-only", "1"], ["rdb-filter-only", filter]] {
            ferrite_resp::encode::command(&mut request, &["REPLCONF", words[0], words[1]]);
        }
        ferrite_resp::encode::command(&mut request, &["SYNC"]);
        stream.write_all(&request).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        let received = String::from_utf8_lossy(&received);
        assert_eq!(received.contains("register_function"), has, "{filter}");
        assert!(received.contains("REDIS00") && !received.contains("a_key"), "{filter}");
    }
    let refused = client.call(&["REPLCONF", "rdb-filter-only", "keys"]);
    assert!(refused.to_string().contains("Unsupported"), "{refused}");
}
