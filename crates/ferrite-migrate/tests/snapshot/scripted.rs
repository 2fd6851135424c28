//! Servers that cannot be had for tests, by the bytes they send: an active KeyDB, a Dragonfly.

use crate::common::live::Live;
use crate::common::{ok, run, start};
use ferrite_migrate::{Config, Report, State, Strategy};
use ferrite_rdb::{crc64, dump};
use ferrite_testkit::{Client, Peer, Reply, Script, Scripted, Server, wait_until};

const KEYDB: &str = "# Server\r\nredis_version:6.3.4\r\nmvcc_depth:0\r\nrun_id:keydb\r\n";
const DRAGONFLY: &str =
    "# Server\r\nredis_version:7.4.0\r\ndragonfly_version:df-v1.27.1\r\nrun_id:dragonfly\r\n";
/// The year 2100, and a millisecond.
const LATER_MS: &str = "4102444800123";
const HERE: &str = "11111111-1111-1111-1111-111111111111";
const THERE: &str = "22222222-2222-2222-2222-222222222222";

/// What an active KeyDB sends to a replica: a stamp in front of every key, and behind it when its
/// members expire.
fn keydb_rdb() -> Vec<u8> {
    let stamp = b"\xfa\x0bmvcc-tstamp\x0512345";
    let when = b"\xfa\x14keydb-subexpire-when\x0d4102444800123";
    let mut out = b"REDIS0009\xfe\x00".to_vec();
    out.extend(stamp);
    out.extend(b"\x04\x01h\x02\x04gone\x011\x04kept\x012");
    out.extend(b"\xfa\x13keydb-subexpire-key\x04gone");
    out.extend(when);
    out.extend(stamp);
    out.extend(b"\x02\x01s\x02\x01a\x01b\xfa\x13keydb-subexpire-key\x01a");
    out.extend(when);
    out.extend(stamp);
    out.extend(b"\x00\x05plain\x01v\xff");
    let crc = crc64(&out);
    out.extend(crc.to_le_bytes());
    out
}

/// A `DUMP` payload of RDB 9, with the stamp that KeyDB leaves behind the value.
fn stamped(type_byte: u8, body: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    dump::write(&mut payload, type_byte, &[body, b"\xfa\x0bmvcc-tstamp\x0512345"].concat(), 9);
    payload
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// Only `both` and its like can be read again.
fn keydb_answers(words: &[String]) -> Option<Vec<u8>> {
    match words {
        [name, key] if name == "DUMP" && key == "both" => Some(bulk(&stamped(0, b"\x05there"))),
        [name, key] if name == "PTTL" && key == "both" => Some(b":-1\r\n".to_vec()),
        _ => None,
    }
}

fn keydb() -> Scripted {
    let script = Script { info: KEYDB.into(), rdb: keydb_rdb(), answer: keydb_answers };
    Scripted::start(script).unwrap()
}

fn encoded(words: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    words.iter().for_each(|word| out.extend(bulk(word)));
    out
}

fn command(line: &str) -> Vec<u8> {
    encoded(&line.split(' ').map(str::as_bytes).collect::<Vec<_>>())
}

/// A command as an active KeyDB sends it.
fn wrapped(master: &str, payload: &[u8], db: &str) -> Vec<u8> {
    encoded(&[b"RREPLAY", master.as_bytes(), payload, db.as_bytes(), b"117440512"])
}

fn field_expiry(target: &Peer, key: &str, field: &str) -> Option<i64> {
    let times = ok(&mut target.client(), &["HPEXPIRETIME", key, "FIELDS", "1", field]);
    times.items().first().and_then(Reply::int)
}

fn get(client: &mut Client, db: &str, key: &str) -> String {
    ok(client, &["SELECT", db]);
    ok(client, &["GET", key]).text()
}

fn copied(source: &Scripted, target: &Peer, strategy: Strategy) -> Report {
    let config = Config::builder().source(source.url()).target(target.url()).strategy(strategy);
    run(config)
        .unwrap_or_else(|error| panic!("{error} {:?}, refused: {:?}", error.hint, source.refused()))
}

fn expiries_of_fields_arrive(server: Server) {
    let (source, target) = (keydb(), start(server));
    let report = copied(&source, &target, Strategy::Psync);
    assert_eq!(report.keys.copied, 3, "{report:?}");
    assert_eq!(field_expiry(&target, "h", "gone"), Some(4_102_444_800_123));
    assert_eq!(field_expiry(&target, "h", "kept"), Some(-1));
    let members = ok(&mut target.client(), &["SMEMBERS", "s"]);
    assert_eq!(members.items().len(), 2);
    // A member of a set cannot expire there: that is said.
    let named: Vec<String> = report.warnings.iter().map(|warning| format!("{warning:?}")).collect();
    let said = format!("{named:?} {:?}", report.skipped);
    assert!(said.contains("expiry of a KeyDB subkey"), "{said}");
}

#[test]
fn expiries_of_a_keydb_hash_arrive_on_redis_80() {
    expiries_of_fields_arrive(Server::Redis80);
}

#[test]
fn expiries_of_a_keydb_hash_arrive_on_valkey_91() {
    expiries_of_fields_arrive(Server::Valkey91);
}

#[test]
fn a_target_without_such_expiries_gets_the_hash_and_the_loss_is_named() {
    let (source, target) = (keydb(), start(Server::Redis70));
    let report = copied(&source, &target, Strategy::Psync);
    assert_eq!(ok(&mut target.client(), &["HLEN", "h"]).int(), Some(2));
    let loss = report.skipped.iter().find(|skip| skip.reason.contains("KeyDB subkey"));
    assert_eq!(loss.map(|loss| loss.count), Some(2), "{:?}", report.skipped);
}

#[test]
fn a_live_migration_follows_an_active_keydb() {
    let (source, target) = (keydb(), start(Server::Redis80));
    let config = Config::builder().source(source.url()).target(target.url());
    let live = Live::start(config.strategy(Strategy::Psync));
    live.until(State::Live);
    source.send(&command("SELECT 0"));
    let own = |line: &str, db: &str| source.send(&wrapped(HERE, &command(line), db));
    let forwarded = |line: &str, db: &str| {
        source.send(&wrapped(HERE, &wrapped(THERE, &command(line), "0"), db));
    };
    own("SET one 1", "0");
    own("SET one 2", "3");
    own("PING", "0");
    ["MULTI", "INCR one", "INCR one", "EXEC"].iter().for_each(|line| own(line, "0"));
    forwarded("SET far there", "0");
    own(&format!("PEXPIREMEMBERAT h kept {LATER_MS}"), "0");
    own(&format!("PEXPIREMEMBERAT s b {LATER_MS}"), "0");
    // Executed when its EXEC comes, behind what the source's own client wrote meanwhile.
    forwarded("MULTI", "0");
    forwarded("SET both there", "0");
    own("SET both here", "0");
    forwarded("EXEC", "0");
    own("SET last 1", "0");
    let mut client = target.client();
    wait_until("everything is applied", || get(&mut client, "0", "last") == "1");
    assert_eq!(get(&mut client, "0", "one"), "3");
    assert_eq!(get(&mut client, "3", "one"), "2");
    assert_eq!(get(&mut client, "0", "far"), "there");
    assert_eq!(get(&mut client, "0", "both"), "there");
    // Held, as all expiries are while a migration follows.
    let held = 4_102_444_800_123 + (1 << 45);
    assert_eq!(field_expiry(&target, "h", "gone"), Some(held));
    assert_eq!(field_expiry(&target, "h", "kept"), Some(held));
    let status = live.status();
    let applied = status.shards.first().and_then(|shard| shard.applied);
    assert_eq!(applied, Some(source.offset()), "{:?}", source.refused());
}

#[test]
fn commands_nobody_knows_are_named_and_the_rest_is_followed() {
    let (source, target) = (keydb(), start(Server::Redis70));
    let config = Config::builder().source(source.url()).target(target.url());
    let live = Live::start(config.strategy(Strategy::Psync));
    live.until(State::Live);
    for line in [
        "SELECT 0",
        "SET one 1",
        "FROBNICATE one",
        // Of a module the target does not have: its key is read again.
        "JSON.SET both $ 1",
        "INCR one",
        "SET last 1",
    ] {
        source.send(&command(line));
    }
    let mut client = target.client();
    wait_until("everything is applied", || get(&mut client, "0", "last") == "1");
    assert_eq!(get(&mut client, "0", "one"), "2");
    assert_eq!(get(&mut client, "0", "both"), "there");
    let warnings = live.status().warnings.join("\n");
    assert!(warnings.contains("FROBNICATE, whose keys nobody knows"), "{warnings}");
    assert!(warnings.contains("ferrite-migrate verify"), "{warnings}");
}

/// A set and a string, whose payloads end with a stamp.
fn stamped_answers(words: &[String]) -> Option<Vec<u8>> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["SCAN", ..] => Some(b"*2\r\n$1\r\n0\r\n*2\r\n$1\r\ns\r\n$5\r\nplain\r\n".to_vec()),
        ["DUMP", "s"] => Some(bulk(&stamped(2, b"\x02\x01a\x01b"))),
        ["DUMP", "plain"] => Some(bulk(&stamped(0, b"\x01v"))),
        ["PTTL", _] => Some(b":-1\r\n".to_vec()),
        _ => None,
    }
}

#[test]
fn payloads_with_a_stamp_behind_the_value_are_taken() {
    for server in [Server::Redis62, Server::Redis80, Server::Valkey91] {
        let info = format!("{KEYDB}db0:keys=2,expires=0,avg_ttl=0\r\n");
        let script = Script { info, rdb: Vec::new(), answer: stamped_answers };
        let (source, target) = (Scripted::start(script).unwrap(), start(server));
        let report = copied(&source, &target, Strategy::Scan);
        assert_eq!(report.keys.copied, 2, "{report:?}");
        let mut client = target.client();
        assert_eq!(ok(&mut client, &["SCARD", "s"]).int(), Some(2));
        assert_eq!(get(&mut client, "0", "plain"), "v");
        // Nothing of the stamp is left, which another server might not take.
        let payload = ok(&mut client, &["DUMP", "s"]);
        let payload = payload.bytes().unwrap();
        assert!(!payload.windows(4).any(|four| four == b"mvcc"));
    }
}

/// A Dragonfly lets nobody be its replica, and writes payloads of RDB 9.
fn dragonfly_answers(words: &[String]) -> Option<Vec<u8>> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut payload = Vec::new();
    dump::write(&mut payload, 18, b"\x01\x02\x09\x09\0\0\0\x01\0\x01\x01\xff", 9);
    match words.as_slice() {
        ["SCAN", ..] => Some(b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nl\r\n".to_vec()),
        ["DUMP", "l"] => Some(bulk(&payload)),
        ["PEXPIRETIME", "l"] => Some(format!(":{LATER_MS}\r\n").into_bytes()),
        ["REPLCONF", ..] => Some(b"-ERR unknown command\r\n".to_vec()),
        _ => None,
    }
}

#[test]
fn a_dragonfly_is_read_key_by_key() {
    let info = format!("{DRAGONFLY}db0:keys=1,expires=1,avg_ttl=0\r\n");
    let script = Script { info, rdb: Vec::new(), answer: dragonfly_answers };
    let source = Scripted::start(script).unwrap();
    for server in [Server::Redis62, Server::Redis80] {
        let target = start(server);
        let report = copied(&source, &target, Strategy::Scan);
        assert_eq!(report.keys.copied, 1, "{report:?}");
        let mut client = target.client();
        assert!(ok(&mut client, &["PTTL", "l"]).int().is_some_and(|left| left > 0));
        let items = ok(&mut client, &["LRANGE", "l", "0", "-1"]);
        assert_eq!(items.items().iter().filter_map(Reply::bytes).collect::<Vec<_>>(), [b"1"]);
    }
}
