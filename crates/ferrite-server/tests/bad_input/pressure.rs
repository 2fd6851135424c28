//! Clients that send much, or do not read.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ferrite_resp::encode;
use ferrite_store::memory::allocated;
use ferrite_testkit::{Client, wait_until};

use crate::{connect, lives, server};

/// Bytes of the pipeline, and of one value in it.
const PIPELINE: usize = 1 << 30;
const VALUE: usize = 64 << 10;
/// What the process may have allocated meanwhile.
const BOUND: usize = 96 << 20;

fn set(key: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode::command(&mut bytes, &[b"SET", key.as_bytes(), &vec![b'x'; VALUE]]);
    bytes
}

#[test]
fn a_pipeline_of_a_gigabyte_takes_little_memory() {
    let server = server();
    let before = allocated();
    let mut stream = TcpStream::connect(server.addresses()[0]).unwrap();
    let mut reader = stream.try_clone().unwrap();
    let requests: Vec<_> = (0..4).map(|key| set(&format!("key:{key}"))).collect();
    let commands = PIPELINE / VALUE;
    let peak = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut replies = vec![0; commands * b"+OK\r\n".len()];
            reader.read_exact(&mut replies).unwrap();
            assert!(replies.chunks(5).all(|reply| reply == b"+OK\r\n"));
        });
        for number in 0..commands {
            stream.write_all(&requests[number % requests.len()]).unwrap();
            peak.fetch_max(allocated().saturating_sub(before), Ordering::Relaxed);
        }
    });
    let peak = peak.into_inner();
    assert!(peak < BOUND, "{peak} bytes at the most");
    lives(&server);
}

/// Somebody asks for much and reads nothing: at the limit of its class it is closed.
#[test]
fn a_client_that_does_not_read_is_closed_at_its_limit() {
    let server = server();
    let mut client = connect(&server);
    client.ok(&["CONFIG", "SET", "client-output-buffer-limit", "normal 4mb 0 0"]);
    client.ok(&["SET", "key", &"x".repeat(1 << 20)]);
    let before = allocated();
    let mut slow = connect(&server);
    slow.ok(&["CLIENT", "SETNAME", "slow"]);
    let many: Vec<&str> = std::iter::once("MGET").chain(["key"; 40]).collect();
    slow.queue(&many);
    slow.flush().unwrap();
    wait_until("it is closed", || !client.ok(&["CLIENT", "LIST"]).text().contains("name=slow"));
    assert!(allocated().saturating_sub(before) < BOUND);
    assert!(slow.read().is_err(), "all was sent");
    lives(&server);
}

/// Nothing of a reply above the limit is sent, chance does not write it for ever, and what a
/// transaction does is done.
#[test]
fn a_reply_above_the_limit_closes_its_client() {
    let server = server();
    let mut client = connect(&server);
    client.ok(&["CONFIG", "SET", "client-output-buffer-limit", "normal 100000 0 0"]);
    client.ok(&["SET", "large", &"x".repeat(90_000)]);
    client.ok(&["HSET", "hash", "field", "value"]);
    client.ok(&["SADD", "set", "member"]);
    client.ok(&["ZADD", "sorted", "1", "member"]);
    let before = allocated();
    for words in [
        ["MGET", "large", "large"],
        ["HRANDFIELD", "hash", "-999999999"],
        ["SRANDMEMBER", "set", "-999999999"],
        ["ZRANDMEMBER", "sorted", "-999999999"],
    ] {
        let mut greedy = connect(&server);
        greedy.queue(&words);
        greedy.flush().unwrap();
        assert!(greedy.read().is_err(), "{words:?} was answered");
    }
    assert!(allocated().saturating_sub(before) < BOUND);
    let mut greedy = connect(&server);
    for words in
        [["MULTI"].as_slice(), &["MGET", "large", "large"], &["SET", "done", "yes"], &["EXEC"]]
    {
        greedy.queue(words);
    }
    greedy.flush().unwrap();
    wait_until("it is closed", || greedy.read().is_err());
    assert_eq!(client.ok(&["GET", "done"]), "yes");
    assert_eq!(client.ok(&["STRLEN", "large"]), 90_000);
}

/// While replies wait for a client, its next commands wait too.
#[test]
fn a_client_that_asks_on_and_does_not_read_takes_little_memory() {
    let server = server();
    let mut client = connect(&server);
    client.ok(&["SET", "key", &"x".repeat(1 << 20)]);
    let before = allocated();
    let mut slow = connect(&server);
    (0..2000).for_each(|_| slow.queue(&["GET", "key"]));
    slow.flush().unwrap();
    for _ in 0..200 {
        assert_eq!(client.ok(&["PING"]), "PONG");
    }
    assert!(allocated().saturating_sub(before) < BOUND);
    for _ in 0..2000 {
        assert_eq!(slow.read().unwrap().bytes().map(<[u8]>::len), Some(1 << 20));
    }
}

/// The same for a subscriber; whoever publishes goes on.
#[test]
fn a_subscriber_that_does_not_read_is_closed_and_publishers_go_on() {
    let server = server();
    let mut slow = connect(&server);
    slow.ok(&["SUBSCRIBE", "channel"]);
    let mut publisher = connect(&server);
    publisher.ok(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 4mb 0 0"]);
    let before = allocated();
    let message = "x".repeat(256 << 10);
    wait_until("nobody listens", || publisher.ok(&["PUBLISH", "channel", &message]) == 0);
    assert!(allocated().saturating_sub(before) < BOUND);
    assert_eq!(publisher.ok(&["PING"]), "PONG");
}

/// Many threads that connect, ask and leave, some without reading the reply.
#[test]
fn a_storm_of_connections_leaves_nothing_behind() {
    let server = server();
    let address = server.addresses()[0];
    let failed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let failed = &failed;
            scope.spawn(move || {
                for number in 0..250 {
                    let Ok(mut client) = Client::connect(address) else {
                        return failed.store(true, Ordering::Relaxed);
                    };
                    match (thread + number) % 4 {
                        0 => {}
                        1 => {
                            client.queue(&["BLPOP", "nothing", "0"]);
                            client.flush().unwrap();
                        }
                        2 => {
                            client.queue(&["SUBSCRIBE", "channel"]);
                            client.flush().unwrap();
                        }
                        _ => assert_eq!(client.ok(&["PING"]), "PONG"),
                    }
                }
            });
        }
    });
    assert!(!failed.into_inner());
    let mut client = connect(&server);
    wait_until("all have left", || client.ok(&["CLIENT", "LIST"]).text().lines().count() == 1);
    assert_eq!(client.ok(&["PUBLISH", "channel", "anybody?"]), 0);
    client.ok(&["RPUSH", "nothing", "element"]);
    assert_eq!(client.ok(&["LLEN", "nothing"]), 1, "nobody waits for it any more");
}

#[test]
fn memory_above_the_limit_refuses_writes_and_lets_the_rest_go_on() {
    let server = server();
    let mut client = connect(&server);
    for key in 0..128 {
        client.ok(&["SET", &format!("key:{key}"), &"x".repeat(VALUE)]);
    }
    let below = allocated().saturating_sub(2 << 20).to_string();
    client.ok(&["CONFIG", "SET", "maxmemory", &below]);
    assert!(client.call(&["SET", "another", "v"]).to_string().contains("OOM"));
    assert!(client.call(&["EVAL", "return redis.call('SET', 'a', 'b')", "0"]).is_error());
    assert_eq!(client.ok(&["STRLEN", "key:1"]), VALUE as i64);
    assert_eq!(client.ok(&["DEL", "key:1"]), 1);
    client.ok(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    client.ok(&["SET", "another", "v"]);
    assert!(client.ok(&["DBSIZE"]).int().unwrap() < 127, "keys were evicted");
    client.ok(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(client.call(&["SET", "another", "v"]).to_string().contains("OOM"));
    client.ok(&["CONFIG", "SET", "maxmemory", "0"]);
    client.ok(&["SET", "another", "v"]);
}
