//! `maxmemory`: what is refused, what is evicted, and that memory stays below the limit.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::System;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;

use ferrite_resp::{Limits, Value, decode, encode};
use ferrite_server::Server;
use ferrite_server::config::Scalar;
use ferrite_server::eviction::Policy;
use ferrite_store::memory::{Counting, allocated};

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting::new(System);

struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    fn of(server: &Server) -> Self {
        let stream = TcpStream::connect(server.addresses()[0]).unwrap();
        Self { stream, received: Vec::new() }
    }

    fn call(&mut self, words: &[&str]) -> Value {
        let mut bytes = Vec::new();
        encode::command(&mut bytes, words);
        self.stream.write_all(&bytes).unwrap();
        loop {
            if let Some((value, used)) = decode(&self.received, &Limits::default()).unwrap() {
                self.received.drain(..used);
                return value;
            }
            let mut buffer = [0; 4096];
            let read = self.stream.read(&mut buffer).unwrap();
            assert!(read > 0, "the connection was closed");
            self.received.extend_from_slice(&buffer[..read]);
        }
    }

    fn int(&mut self, words: &[&str]) -> i64 {
        match self.call(words) {
            Value::Integer(number) => number,
            other => panic!("{other:?}"),
        }
    }
}

fn server() -> Server {
    let folder = std::env::temp_dir().join("ferrite-without-a-snapshot");
    let builder = Server::builder().bind("127.0.0.1:0".parse().unwrap());
    builder.snapshot(folder, "none.rdb").threads(1).start().unwrap()
}

/// Bytes that the keys of a test may take.
const ROOM: u64 = 4 << 20;

const KEYS: usize = 20_000;

fn is_oom(value: &Value) -> bool {
    matches!(value, Value::Error(text) if text.starts_with(b"OOM "))
}

/// One test at a time: the counter of memory is that of the whole process.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn memory_stays_below_the_limit_by_each_policy() {
    let _alone = ALONE.lock();
    let payload = "x".repeat(1000);
    for (name, number) in Policy::WORDS.iter().copied() {
        let policy = Policy::from_number(number);
        let server = server();
        let mut client = Client::of(&server);
        client.call(&["SET", "first", "v"]);
        client.call(&["SET", "soon", "v", "EX", "10000"]);
        let limit = allocated() as u64 + ROOM;
        client.call(&["CONFIG", "SET", "maxmemory-policy", name]);
        client.call(&["CONFIG", "SET", "maxmemory", &limit.to_string()]);
        assert_eq!(server.shared().eviction.policy(), policy);
        let mut refused = 0;
        for number in 0..KEYS {
            let key = format!("key:{number}");
            let time = (100_000 + number).to_string();
            let reply = match number % 2 {
                0 => client.call(&["SET", &key, &payload, "EX", &time]),
                _ => client.call(&["SET", &key, &payload]),
            };
            refused += usize::from(is_oom(&reply));
            // Used all the time.
            if number % 10 == 0 {
                client.call(&["GET", "first"]);
            }
            let used = allocated() as u64;
            assert!(used < limit + (1 << 20), "{name}: {used} bytes");
        }
        let evicted = server
            .shared()
            .counts
            .iter()
            .map(|counts| counts.evicted.load(std::sync::atomic::Ordering::Relaxed));
        let evicted = evicted.sum::<u64>() as usize;
        let there = client.int(&["DBSIZE"]) as usize;
        assert_eq!(there + evicted + refused, KEYS + 2, "{name}");
        match policy {
            Policy::NoEviction => assert!(refused > KEYS / 2 && evicted == 0, "{name}"),
            policy if policy.is_volatile() => {
                assert!(evicted > 0 && refused > 0, "{name}: {evicted} and {refused}");
                assert_eq!(client.int(&["EXISTS", "first", "key:1"]), 2, "{name}");
            }
            _ => assert!(evicted > KEYS / 2 && refused == 0, "{name}: {evicted}, {refused}"),
        }
        if matches!(policy, Policy::AllKeysLfu) {
            assert_eq!(client.int(&["EXISTS", "first"]), 1, "{name}: what is used most stays");
        }
        if matches!(policy, Policy::VolatileTtl) {
            assert_eq!(client.int(&["EXISTS", "soon"]), 0, "{name}: what expires next goes");
        }
        assert!(!is_oom(&client.call(&["GET", "first"])), "{name}: reading is always allowed");
        assert!(!is_oom(&client.call(&["DEL", "first"])), "{name}: and so is deleting");
    }
}

/// Clients that are told of each key that goes: the messages need memory, and no more keys go for
/// them.
#[test]
fn who_is_told_of_evicted_keys_drives_out_no_others() {
    const TRACKED: usize = 300;
    let _alone = ALONE.lock();
    let server = server();
    let mut client = Client::of(&server);
    let mut readers: Vec<_> = (0..10).map(|_| Client::of(&server)).collect();
    for reader in &mut readers {
        reader.call(&["HELLO", "3"]);
        reader.call(&["CLIENT", "TRACKING", "ON"]);
    }
    client.call(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    for number in 0..TRACKED {
        let key = format!("{number}{}", "k".repeat(1000));
        client.call(&["SET", &key, "x"]);
        readers.iter_mut().for_each(|reader| drop(reader.call(&["GET", &key])));
    }
    let limit = (allocated() - 40_000).to_string();
    client.call(&["CONFIG", "SET", "maxmemory", &limit]);
    let left = client.int(&["DBSIZE"]) as usize;
    assert!((TRACKED - 100..TRACKED).contains(&left), "{left}");
}
