//! RESTORE with every kind of damage: refused, or taken as a value with which everything can be
//! done that can be done with such a value.

use ferrite_rdb::dump;
use ferrite_testkit::dataset::Random;
use ferrite_testkit::{Client, Dataset, Reply};

use crate::{connect, lives, server};

/// Longest payload of which every byte is damaged; of longer ones so many are drawn. The decoders'
/// fuzzers go further.
const EVERY_BYTE: usize = 24;
/// The version payloads are sealed with.
const VERSION: u16 = 11;
/// Keys whose payloads are larger are left out: they are made of the same parts.
const LARGEST: usize = 4096;

/// Does what can be done with a value of any type. Replies may be errors, and must come.
fn use_all(client: &mut Client, key: &str) {
    let calls: &[&[&str]] = &[
        &["TYPE", key],
        &["OBJECT", "ENCODING", key],
        &["MEMORY", "USAGE", key],
        &["DUMP", key],
        &["APPEND", key, "x"],
        &["SETRANGE", key, "3", "x"],
        &["PFCOUNT", key],
        &["PFADD", key, "x"],
        &["LRANGE", key, "0", "-1"],
        &["LINSERT", key, "BEFORE", "a", "b"],
        &["LPUSH", key, "x"],
        &["LREM", key, "0", "x"],
        &["RPOP", key],
        &["SMEMBERS", key],
        &["SADD", key, "x", "17"],
        &["SREM", key, "x"],
        &["SPOP", key],
        &["HGETALL", key],
        &["HSET", key, "x", "1"],
        &["HTTL", key, "FIELDS", "1", "x"],
        &["HDEL", key, "x"],
        &["HSCAN", key, "0"],
        &["ZRANGE", key, "0", "-1", "WITHSCORES"],
        &["ZADD", key, "1", "x"],
        &["ZRANGEBYSCORE", key, "-inf", "+inf"],
        &["ZPOPMIN", key],
        &["XRANGE", key, "-", "+"],
        &["XREVRANGE", key, "+", "-"],
        &["XINFO", "STREAM", key, "FULL"],
        &["XADD", key, "*", "a", "b"],
        &["XTRIM", key, "MAXLEN", "1"],
        &["XGROUP", "CREATE", key, "new", "0"],
        &["XREADGROUP", "GROUP", "new", "me", "STREAMS", key, ">"],
        &["COPY", key, "copy", "REPLACE"],
        &["SORT", key, "ALPHA"],
        &["DEL", key],
    ];
    calls.iter().for_each(|call| client.queue(call));
    client.flush().unwrap();
    for call in calls {
        client.read().unwrap_or_else(|error| panic!("{call:?}: {error}"));
    }
}

/// Gives a damaged value; whether it was taken.
fn restore(client: &mut Client, payload: &[u8]) -> bool {
    let words: [&[u8]; 5] = [b"RESTORE", b"damaged", b"0", payload, b"REPLACE"];
    let reply = client.call(&words);
    if reply.is_error() {
        let known = ["Bad data format", "version or checksum are wrong"];
        assert!(known.iter().any(|text| reply.to_string().contains(text)), "{reply}");
        return false;
    }
    use_all(client, "damaged");
    true
}

#[test]
fn damaged_payloads_are_refused_or_are_values() {
    let server = server();
    let mut client = connect(&server);
    Dataset::everything().load(&mut client).unwrap();
    client.ok(&["SELECT", "0"]);
    let keys = client.ok(&["KEYS", "*"]);
    let random = &mut Random::new(1);
    let (mut taken, mut refused) = (0, 0);
    for key in keys.items() {
        let Reply::Bulk(payload) = client.ok(&[b"DUMP", key.bytes().unwrap()]) else { continue };
        if payload.len() > LARGEST {
            continue;
        }
        // Without a checksum that fits nothing is looked at.
        for place in (0..payload.len()).take(EVERY_BYTE) {
            let mut damaged = payload.clone();
            damaged[place] ^= 1 << random.below(8);
            assert!(!restore(&mut client, &damaged), "a checksum that is wrong");
        }
        let (kind, body) = (payload[0], &payload[1..payload.len() - 10]);
        for place in 0..body.len().min(EVERY_BYTE) {
            let place = match body.len() > EVERY_BYTE {
                true => random.below(body.len() as u64) as usize,
                false => place,
            };
            let mut damages = vec![body[..place].to_vec()];
            for byte in [0, 0xff, 0x7f, 0x80, body[place] ^ (1 << random.below(8))] {
                damages.push(body.to_vec());
                damages.last_mut().unwrap()[place] = byte;
            }
            for damage in damages {
                let mut sealed = Vec::new();
                dump::write(&mut sealed, kind, &damage, VERSION);
                match restore(&mut client, &sealed) {
                    true => taken += 1,
                    false => refused += 1,
                }
            }
        }
        for kind in 0..=30 {
            let mut sealed = Vec::new();
            dump::write(&mut sealed, kind, body, VERSION);
            restore(&mut client, &sealed);
        }
    }
    assert!(taken > 200 && refused > 1000, "{taken} taken, {refused} refused");
    lives(&server);
}
