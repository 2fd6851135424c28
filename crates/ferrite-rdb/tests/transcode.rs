//! Payloads of every server, taken to every server: what arrives is what left, by the servers'
//! own commands and by our digest.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod values;

use ferrite_rdb::digest::{Digest, DigestOptions, StreamDetail, digest};
use ferrite_rdb::dump;
use ferrite_rdb::encode::{
    BackLengths, HashLayout, Layout, ListLayout, StreamLayout, ValueEncoder, ZsetLayout,
};
use ferrite_rdb::transcode::{Reencoded, Restorable, Transcoder, reencode};
use ferrite_rdb::{Format, decode};
use ferrite_testkit::{Client, Peer, Server};
use values::{Detail, Origin, format, same, strict_peer, target, view};

/// Every server with its values, and the same servers again, empty.
fn servers() -> (Vec<Origin>, Vec<(Server, Client, Peer)>) {
    let start = |server| {
        let peer = strict_peer(server);
        (server, peer.client(), peer)
    };
    (Server::ALL.map(Origin::start).into(), Server::ALL.map(start).into())
}

fn restore(client: &mut Client, key: &str, payload: &[u8]) -> Result<(), String> {
    let reply = client.call(&[b"RESTORE", key.as_bytes(), b"0", payload, b"REPLACE"]);
    if reply.is_error() { Err(reply.to_string()) } else { Ok(()) }
}

fn digest_of(from: Format, payload: &[u8], detail: Detail) -> Digest {
    let stream_detail =
        if detail.counters { StreamDetail::Counters } else { StreamDetail::Entries };
    let options = DigestOptions { now_ms: 0, stream_detail };
    let payload = dump::split(payload).unwrap();
    digest(from, payload.type_byte, payload.body, &options)
        .unwrap_or_else(|error| panic!("type {} of {from}: {error}", payload.type_byte))
}

/// Restores a payload and compares what is there then with the original.
fn check(
    origin: &Origin,
    key: &str,
    payload: &[u8],
    original: &[u8],
    to: Server,
    client: &mut Client,
) {
    let place = format!("{key} from {} to {}", origin.server.name(), to.name());
    restore(client, key, payload).unwrap_or_else(|error| panic!("{place}: {error}"));
    let detail = Detail::of(origin.server, to);
    let left = view(&mut origin.peer.client(), key, detail);
    same(&left, &view(client, key, detail), &place);
    let arrived = client.ok(&["DUMP", key]).bytes().unwrap().to_vec();
    assert_eq!(
        digest_of(format(to), &arrived, detail),
        digest_of(format(origin.server), original, detail),
        "digest of {place}"
    );
}

#[test]
fn every_value_arrives_at_every_server() {
    let (origins, mut ends) = servers();
    let mut impossible = Vec::new();
    for origin in &origins {
        for (to, client, _) in &mut ends {
            let transcoder = Transcoder::new(format(origin.server), &target(*to));
            for (key, payload) in &origin.keys {
                let mut out = Vec::new();
                match transcoder.payload(payload, &mut out).unwrap() {
                    Restorable::AsIs(same) => check(origin, key, same, payload, *to, client),
                    Restorable::Written(_) => check(origin, key, &out, payload, *to, client),
                    Restorable::Impossible(_) => {
                        impossible.push((key.clone(), origin.server, *to));
                        assert!(out.is_empty());
                    }
                }
            }
        }
    }
    // Nothing but fields that expire, and those only where the target cannot have them.
    let expected = [Server::Redis80, Server::Valkey91].into_iter().flat_map(|from| {
        [Server::Redis62, Server::Redis70, Server::Valkey81].into_iter().flat_map(move |to| {
            ["hash:ttl-large", "hash:ttl-small"].map(|key| (key.to_owned(), from, to))
        })
    });
    assert_eq!(impossible, expected.collect::<Vec<_>>());
}

#[test]
fn every_value_can_be_written_anew() {
    let (origins, mut ends) = servers();
    for origin in &origins {
        let from = format(origin.server);
        for (to, client, _) in &mut ends {
            let target = target(*to);
            for (key, payload) in &origin.keys {
                let value = dump::split(payload).unwrap();
                let mut out = Vec::new();
                let start = dump::begin(&out);
                let written = reencode(from, value.type_byte, value.body, &target, &mut out);
                if let Reencoded::Written(_) = written.unwrap() {
                    dump::finish(&mut out, start, target.footer_version());
                    check(origin, key, &out, payload, *to, client);
                }
            }
        }
    }
}

/// Streams packed from their entries, lists packed into nodes, long strings compressed.
#[test]
fn packed_and_compressed_layouts_are_read() {
    let (origins, mut ends) = servers();
    for origin in &origins {
        let from = format(origin.server);
        for (to, client, _) in &mut ends {
            let (stream, version) = match *to {
                Server::Redis62 => continue,
                Server::Redis70 => (StreamLayout::Two, 10),
                _ => (StreamLayout::Three, 11),
            };
            let layout = packed(stream, target(*to).back_lengths.unwrap());
            for (key, payload) in origin.keys.iter().filter(|(key, _)| !key.contains("ttl")) {
                let value = dump::split(payload).unwrap();
                let mut out = Vec::new();
                let start = dump::begin(&out);
                let mut encoder = ValueEncoder::new(&mut out, layout);
                decode(from, value.type_byte, value.body, &mut encoder).unwrap();
                encoder.finish().unwrap();
                dump::finish(&mut out, start, version);
                check(origin, key, &out, payload, *to, client);
            }
        }
    }
}

fn packed(stream: StreamLayout, back_lengths: BackLengths) -> Layout {
    Layout {
        list: ListLayout::Quicklist2,
        zset: ZsetLayout::Decimal,
        hash: HashLayout::Plain,
        stream,
        back_lengths,
        compress: true,
    }
}

/// The tests above would pass if everything was written anew: this says what each pair passes on.
#[test]
fn only_what_has_to_be_is_written_anew() {
    let passed_on = |origin: &Origin, to: Server| {
        let transcoder = Transcoder::new(format(origin.server), &target(to));
        let as_is = |payload: &[u8]| {
            let restorable = transcoder.payload(payload, &mut Vec::new()).unwrap();
            matches!(restorable, Restorable::AsIs(_))
        };
        let others = origin.keys.iter().filter(|(_, payload)| !as_is(payload));
        others.map(|(key, _)| key.clone()).collect::<Vec<_>>()
    };
    let [old, redis, valkey] =
        [Server::Redis62, Server::Redis80, Server::Valkey91].map(Origin::start);
    for (origin, to) in
        [(&old, Server::Redis70), (&redis, Server::Redis80), (&valkey, Server::Valkey91)]
    {
        assert_eq!(passed_on(origin, to), [""; 0], "to {}", to.name());
    }
    // Redis and Valkey 9.1 store some lengths in different ways.
    assert_eq!(passed_on(&old, Server::Valkey91), ["stream:long"]);
    let new = Origin::start(Server::Redis70);
    assert_eq!(passed_on(&new, Server::Valkey91), ["hash:16378", "list:long", "stream:long"]);
    // Higher versions need at least another footer.
    assert_eq!(passed_on(&redis, Server::Valkey91).len(), redis.keys.len());
}
