//! Rewritten commands on real servers: each does to one key what the original does to another,
//! and its expiry is the same one, held.

use std::ops::RangeInclusive;

use ferrite_rdb::transcode::Target;
use ferrite_rdb::{Dialect, Format};
use ferrite_testkit::{Client, Peer, Server};

use super::tests::parsed;
use super::*;

/// What is there before a command, and the command; `@` stands for a key, `P` for a payload.
pub(in crate::live) type Case = (&'static str, &'static str);

/// Forms all servers from Redis 6.2 on take. 4102444800 is the start of the year 2100.
pub(in crate::live) const STRINGS: &[Case] = &[
    ("", "SET @ v EX 1000"),
    ("", "set @ v px 1000000"),
    ("", "SET @ v EXAT 4102444800"),
    ("", "SET @ v PXAT 4102444800123"),
    ("", "SET @ v NX PX 1000000"),
    ("SET @ old", "SET @ v XX EX 1000"),
    ("SET @ old", "SET @ v EX 1000 GET"),
    ("SET @ old EX 1000", "SET @ v"),
    ("", "SETEX @ 1000 v"),
    ("", "PSETEX @ 1000000 v"),
    ("SET @ v", "GETEX @ EX 1000"),
    ("SET @ v", "GETEX @ PX 1000000"),
    ("SET @ v", "GETEX @ EXAT 4102444800"),
    ("SET @ v", "GETEX @ PXAT 4102444800123"),
    ("RPUSH @ a b", "EXPIRE @ 1000"),
    ("RPUSH @ a b", "PEXPIRE @ 1000000"),
    ("RPUSH @ a b", "EXPIREAT @ 4102444800"),
    ("RPUSH @ a b", "PEXPIREAT @ 4102444800123"),
    ("", "RESTORE @ 1000000 P"),
    ("SET @ old", "RESTORE @ 4102444800123 P REPLACE ABSTTL"),
    ("SET @ old", "RESTORE @ 0 P REPLACE IDLETIME 10"),
    ("", "RESTORE-ASKING @ 1000000 P"),
];

pub(in crate::live) const CONDITIONS: &[Case] = &[
    ("SET @ v", "EXPIRE @ 1000 NX"),
    ("SET @ v PX 2000000", "PEXPIREAT @ 4102444800123 GT"),
    ("SET @ v PX 2000000", "EXPIRE @ 1000 LT"),
    ("SET @ v PX 2000000", "EXPIRE @ 3000 XX"),
];

/// Forms of servers with field expiry.
pub(in crate::live) const FIELDS: &[Case] = &[
    ("HSET @ f 1 g 2", "HEXPIRE @ 1000 FIELDS 1 f"),
    ("HSET @ f 1 g 2", "HPEXPIRE @ 1000000 NX FIELDS 2 f g"),
    ("HSET @ f 1 g 2", "HEXPIREAT @ 4102444800 FIELDS 1 g"),
    ("HSET @ f 1 g 2", "HPEXPIREAT @ 4102444800123 FIELDS 1 g"),
    ("HSET @ f 1 g 2", "HSETEX @ EX 1000 FIELDS 1 f 3"),
    ("HSET @ h 1", "HSETEX @ FNX PXAT 4102444800123 FIELDS 2 f 1 g 2"),
    ("HSET @ f 1 g 2", "HSETEX @ FXX PX 1000000 FIELDS 1 f 2"),
    ("HSET @ f 1 g 2", "HSETEX @ FIELDS 1 f 2"),
    ("HSET @ f 1 g 2", "HGETEX @ EX 1000 FIELDS 2 f g"),
    ("HSET @ f 1 g 2", "HGETEX @ PXAT 4102444800123 FIELDS 1 f"),
];

pub(in crate::live) const NEWER: &[Case] = &[
    ("SET @ old", "SET @ v IFEQ old EX 1000"),
    ("", "MSETEX 1 @ v NX EX 1000"),
    ("SET @ old", "MSETEX 1 @ v XX PXAT 4102444800123"),
    ("", "MSETEX 1 @ v"),
];

pub(in crate::live) fn start(server: Server) -> Peer {
    Peer::start(server).unwrap_or_else(|error| panic!("{error}"))
}

fn target(server: Server) -> Target {
    let dialect = if server.is_valkey() { Dialect::Valkey } else { Dialect::Redis };
    let (major, minor) = server.version();
    Target::for_server(dialect, major, minor)
}

fn abilities(server: Server) -> Abilities {
    abilities_between(server, server)
}

pub(in crate::live) fn abilities_between(from: Server, to: Server) -> Abilities {
    let redis_version = if to.is_valkey() { (7, 2) } else { to.version() };
    Abilities::new(target(from).format, &target(to), redis_version)
}

/// One server and what is done to it.
struct Bench {
    client: Client,
    server: Server,
    abilities: Abilities,
    /// `DUMP` of a string.
    payload: Vec<u8>,
}

impl Bench {
    fn new(peer: &Peer, abilities: Abilities) -> Self {
        let mut client = peer.client();
        client.ok(&["SET", "{payload}", "a restored value"]);
        let payload = client.ok(&["DUMP", "{payload}"]).bytes().unwrap().to_vec();
        Self { client, server: peer.server(), abilities, payload }
    }

    fn words(&self, line: &str, key: &str) -> Vec<Vec<u8>> {
        let word = |word| match word {
            "@" => key.as_bytes().to_vec(),
            "P" => self.payload.clone(),
            word => word.as_bytes().to_vec(),
        };
        line.split(' ').map(word).collect()
    }

    fn now(&mut self) -> i64 {
        let time = self.client.ok(&["TIME"]);
        let [seconds, micros] = time.items() else { panic!("{time}") };
        seconds.int().unwrap() * 1000 + micros.int().unwrap() / 1000
    }

    /// Runs a case on two keys: the original on one, its rewritten form on the other.
    fn check(&mut self, case: Case) {
        let (before, line) = case;
        self.client.ok(&["FLUSHALL"]);
        for key in ["original", "rewritten"] {
            if !before.is_empty() {
                self.client.ok(&self.words(before, key));
            }
        }
        let received = self.now();
        self.client.ok(&self.words(line, "original"));
        let passed = self.now() - received;
        self.run_rewritten(line, received);
        let value = |bench: &mut Self, key| bench.client.ok(&bench.reading(line, key));
        assert_eq!(value(self, "original"), value(self, "rewritten"), "{line}");
        self.compare(line, passed);
    }

    fn run_rewritten(&mut self, line: &str, received: i64) {
        let words = self.words(line, "rewritten");
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let received_at_ms = u64::try_from(received).unwrap();
        let times = Times { received_at_ms, hold_ms: HOLD_MS, hold_before_ms: u64::MAX };
        let mut out = Vec::new();
        match rewrite(&words, &times, &self.abilities, &mut out) {
            Rewrite::AsIs => drop(self.client.ok(&words)),
            Rewrite::Commands(_) => {
                parsed(&out).iter().for_each(|command| drop(self.client.ok(command)));
            }
            Rewrite::Refetch => panic!("{line} cannot be rewritten"),
        }
    }

    fn reading(&self, line: &str, key: &str) -> Vec<Vec<u8>> {
        match line.as_bytes().first() {
            Some(b'H') => self.words("HMGET @ f g h", key),
            _ => self.words("DUMP @", key),
        }
    }

    /// Expiries of both keys and their fields: the same but for the hold, and for the time that
    /// passed until the original was executed.
    fn compare(&mut self, line: &str, passed: i64) {
        let original = self.expiries("original", line);
        let rewritten = self.expiries("rewritten", line);
        assert!(!original.is_empty());
        for (original, rewritten) in original.into_iter().zip(rewritten) {
            let (Some(original), Some(rewritten)) = (&original, &rewritten) else {
                assert_eq!(original, rewritten, "{line}");
                continue;
            };
            let hold = i64::try_from(HOLD_MS).unwrap();
            let (first, last) = (rewritten.start() - hold, rewritten.end() - hold + passed);
            let meet = first <= *original.end() && *original.start() <= last;
            assert!(meet, "{line}: {original:?}, {first} to {last}");
        }
    }

    /// When the key, or each of its fields, expires, as exactly as the server tells.
    fn expiries(&mut self, key: &str, line: &str) -> Vec<Option<RangeInclusive<i64>>> {
        let exactly = |at: i64| (at >= 0).then_some(at..=at);
        if line.starts_with('H') {
            let command = self.words("HPEXPIRETIME @ FIELDS 2 f g", key);
            let times = self.client.ok(&command);
            return times.items().iter().map(|time| exactly(time.int().unwrap())).collect();
        }
        if self.server.version() >= (7, 0) {
            return vec![exactly(self.client.ok(&["PEXPIRETIME", key]).int().unwrap())];
        }
        let before = self.now();
        let left = self.client.ok(&["PTTL", key]).int().unwrap();
        let after = self.now();
        vec![(left >= 0).then_some(before + left..=after + left)]
    }
}

fn check_all(peer: &Peer, abilities: Abilities, cases: &[&[Case]]) {
    let mut bench = Bench::new(peer, abilities);
    cases.iter().copied().flatten().for_each(|case| bench.check(*case));
}

#[test]
fn redis_6_2() {
    let peer = start(Server::Redis62);
    check_all(&peer, abilities(Server::Redis62), &[STRINGS]);
}

/// Also in the forms that older targets get.
#[test]
fn redis_7_0() {
    let peer = start(Server::Redis70);
    check_all(&peer, abilities(Server::Redis70), &[STRINGS, CONDITIONS]);
    let payloads = Target::new(Format::redis(8));
    let old = Abilities::new(target(Server::Redis70).format, &payloads, (4, 0));
    check_all(&peer, old, &[STRINGS, CONDITIONS]);
}

#[test]
fn redis_8_0() {
    let peer = start(Server::Redis80);
    check_all(&peer, abilities(Server::Redis80), &[STRINGS, CONDITIONS, FIELDS]);
    let target = target(Server::Redis80);
    let without_hsetex = Abilities::new(target.format, &target, (7, 4));
    assert!(!without_hsetex.hsetex);
    check_all(&peer, without_hsetex, &[FIELDS]);
}

#[test]
fn valkey_9_1() {
    let peer = start(Server::Valkey91);
    check_all(&peer, abilities(Server::Valkey91), &[STRINGS, CONDITIONS, FIELDS, NEWER]);
}

/// A key keeps its expiry through `KEEPTTL`, and the fields of a hash through `HSETEX … KEEPTTL`.
#[test]
fn kept_expiries_stay_held() {
    let peer = start(Server::Redis80);
    let mut bench = Bench::new(&peer, abilities(Server::Redis80));
    let steps = ["SET @ v PXAT 4102444800123", "SET @ w XX KEEPTTL GET"];
    steps.iter().for_each(|line| bench.run_rewritten(line, 1));
    let held = i64::try_from(hold(4_102_444_800_123, HOLD_MS)).unwrap();
    assert_eq!(release(held.unsigned_abs()), Some(4_102_444_800_123));
    assert_eq!(bench.client.ok(&["PEXPIRETIME", "rewritten"]), held);
    assert_eq!(bench.client.ok(&["GET", "rewritten"]), "w");
    bench.client.ok(&["DEL", "rewritten"]);
    let steps = ["HSETEX @ PXAT 4102444800123 FIELDS 1 f v", "HSETEX @ FXX KEEPTTL FIELDS 1 f w"];
    steps.iter().for_each(|line| bench.run_rewritten(line, 1));
    let times = bench.client.ok(&["HPEXPIRETIME", "rewritten", "FIELDS", "1", "f"]);
    assert_eq!(times.items(), [held]);
}

/// The latest expiry of a field that can be held is one the server takes.
#[test]
fn the_latest_field_expiry_fits() {
    let latest = HOLD_MS - 1;
    for server in [Server::Redis80, Server::Valkey91] {
        let peer = start(server);
        let mut bench = Bench::new(&peer, abilities(server));
        bench.client.ok(&["HSET", "rewritten", "f", "v"]);
        bench.run_rewritten(&format!("HPEXPIREAT @ {latest} FIELDS 1 f"), 1);
        let times = bench.client.ok(&["HPEXPIRETIME", "rewritten", "FIELDS", "1", "f"]);
        assert_eq!(times.items()[0].int().map(i64::unsigned_abs), Some(latest + HOLD_MS));
    }
}
