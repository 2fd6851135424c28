//! The data sets load everywhere and hold what they promise; a listing sees every change.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ferrite_testkit::dataset::{FAR_FUTURE_MS, Value, big};
use ferrite_testkit::{Client, Dataset, Listing, Peer, Reply, Server, snapshot};

const NOTHING: [&str; 0] = [];

fn loaded(server: Server) -> (Peer, Client, Listing) {
    let peer = Peer::start(server).unwrap();
    let mut client = peer.client();
    Dataset::everything().load(&mut client).unwrap();
    let listing = snapshot(&mut client).unwrap();
    (peer, client, listing)
}

#[test]
fn everything_loads_on_every_server_and_is_equal_to_itself() {
    for server in Server::ALL {
        let peer = Peer::start(server).unwrap();
        let mut client = peer.client();
        let loaded = Dataset::everything().load(&mut client).unwrap();
        let first = snapshot(&mut client).unwrap();
        assert_eq!(
            first.diff_strict(&snapshot(&mut client).unwrap()),
            NOTHING,
            "{}",
            server.name()
        );
        assert_eq!(first.len() as u64, loaded.keys);
        assert_eq!(first.databases.keys().copied().collect::<Vec<_>>(), [0, 1, 9]);
        let kinds: BTreeMap<&str, usize> = count_kinds(&first);
        for (kind, least) in
            [("string", 60), ("list", 15), ("set", 10), ("hash", 8), ("zset", 8), ("stream", 14)]
        {
            assert!(kinds[kind] >= least, "{}: {kinds:?}", server.name());
        }
        let expiring = first.databases[&0].values().filter(|entry| entry.expiry.is_some()).count();
        assert_eq!(expiring, first.databases[&0].len().div_ceil(3));
        let functions = first.functions.as_ref().map(BTreeMap::len);
        assert_eq!(functions, server.has_functions().then_some(2));
        assert_eq!(expiring_fields(&first), if server.has_field_expiry() { 1029 } else { 0 });
    }
}

fn count_kinds(listing: &Listing) -> BTreeMap<&str, usize> {
    let mut kinds = BTreeMap::new();
    for entry in listing.databases[&0].values() {
        *kinds.entry(entry.value.kind()).or_default() += 1;
    }
    kinds
}

fn expiring_fields(listing: &Listing) -> usize {
    let hashes = listing.databases[&0].values().filter_map(|entry| match &entry.value {
        Value::Hash(fields) => Some(fields),
        _ => None,
    });
    hashes.map(|fields| fields.values().filter(|(_, expiry)| expiry.is_some()).count()).sum()
}

#[test]
fn encodings_are_those_the_keys_are_named_for() {
    for server in Server::ALL {
        let (_peer, mut client, _) = loaded(server);
        let listpack = if server == Server::Redis62 { "ziplist" } else { "listpack" };
        let newer = !matches!(server, Server::Redis62 | Server::Redis70);
        for (key, encoding) in [
            ("string:int:-129", "int"),
            ("string:embstr", "embstr"),
            ("string:raw", "raw"),
            ("string:not-int:0", "embstr"),
            ("set:intset:16", "intset"),
            ("set:intset:many", "intset"),
            ("set:listpack", if newer { "listpack" } else { "hashtable" }),
            ("set:hashtable", "hashtable"),
            ("set:hashtable:ints", "hashtable"),
            ("hash:listpack", listpack),
            ("hash:hashtable", "hashtable"),
            ("hash:hashtable:big-value", "hashtable"),
            ("hash:over-limit", "hashtable"),
            ("zset:listpack:scores", listpack),
            ("zset:skiplist", "skiplist"),
            ("zset:skiplist:scores", "skiplist"),
            ("list:one", if newer { "listpack" } else { "quicklist" }),
            ("list:many-nodes", "quicklist"),
            ("stream:one", "stream"),
        ] {
            let told = client.ok(&["OBJECT", "ENCODING", key]);
            assert_eq!(told, encoding, "{} {key}", server.name());
        }
        let nodes = client.ok(&["DEBUG", "OBJECT", "list:many-nodes"]).text();
        assert!(!nodes.contains("ql_nodes:1 "), "{nodes}");
        let compressed = client.ok(&["DEBUG", "OBJECT", "list:compressed"]).text();
        assert!(compressed.contains("ql_nodes:25 "), "{compressed}");
        let reply = client.ok(&["CONFIG", "GET", "list-compress-depth"]);
        assert_eq!(reply.items()[1], "0", "settings are put back");
    }
}

#[test]
fn the_same_seed_gives_the_same_data_and_another_does_not() {
    let (_first_peer, mut client, first) = loaded(Server::Redis70);
    let (_second_peer, _, second) = loaded(Server::Redis70);
    assert_eq!(first.diff(&second), NOTHING);
    client.ok(&["FLUSHALL"]);
    Dataset::everything().seed(1).load(&mut client).unwrap();
    assert!(!first.diff(&snapshot(&mut client).unwrap()).is_empty());
}

/// A replica of another version holds the same by other encodings: the oracle must see no
/// difference. Servers only read the files of older ones, hence the pairs.
#[test]
fn a_replica_of_a_newer_version_is_equal() {
    use Server::{Redis62, Redis70, Redis80, Valkey81, Valkey91};
    for (source, target) in [
        (Redis62, Redis70),
        (Redis62, Valkey91),
        (Redis70, Redis80),
        (Redis70, Valkey81),
        (Valkey81, Valkey91),
        (Redis80, Redis80),
        (Valkey91, Valkey91),
    ] {
        let (peer, _, expected) = loaded(source);
        let replica = Peer::start(target).unwrap();
        let mut client = replica.client();
        client.ok(&["REPLICAOF", "127.0.0.1", &peer.port().to_string()]);
        wait_for(&mut client, "master_link_status:up");
        let differences = expected.diff(&snapshot(&mut client).unwrap());
        assert_eq!(differences, NOTHING, "{} to {}", source.name(), target.name());
    }
}

fn wait_for(client: &mut Client, line: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !client.ok(&["INFO", "replication"]).text().lines().any(|found| found == line) {
        assert!(Instant::now() < deadline, "no {line} within 30 seconds");
    }
}

#[test]
fn every_kind_of_change_is_seen_and_named() {
    for server in [Server::Redis62, Server::Redis80, Server::Valkey91] {
        let (_peer, mut client, mut before) = loaded(server);
        for (key, command) in changes(server) {
            client.ok(&command);
            let after = snapshot(&mut client).unwrap();
            let differences = before.diff(&after);
            assert!(!differences.is_empty(), "{}: {command:?} went unseen", server.name());
            for line in &differences {
                assert!(line.contains(key), "{}: {command:?} gave {line}", server.name());
            }
            before = after;
        }
    }
}

fn changes(server: Server) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut changes = vec![
        (
            "string:1mb:incompressible",
            vec!["SETRANGE", "string:1mb:incompressible", "1000000", "x"],
        ),
        ("string:embstr", vec!["DEL", "string:embstr"]),
        ("string:new", vec!["SET", "string:new", ""]),
        ("list:many-nodes", vec!["LSET", "list:many-nodes", "777", "changed"]),
        ("list:one", vec!["RPUSH", "list:one", "two"]),
        ("set:listpack", vec!["SREM", "set:listpack", "member:3"]),
        ("set:hashtable", vec!["SADD", "set:hashtable", "new"]),
        ("hash:hashtable", vec!["HSET", "hash:hashtable", "entry:10", "changed"]),
        ("zset:skiplist", vec!["ZINCRBY", "zset:skiplist", "0.0000001", "member:5"]),
        ("zset:listpack:scores", vec!["ZADD", "zset:listpack:scores", "-inf", "score inf"]),
        ("hll:dense", vec!["PFADD", "hll:dense", "new", "newer", "newest", "last", "x", "y"]),
        ("geo:small", vec!["GEOADD", "geo:small", "2.36", "48.86", "Paris"]),
        ("bitmap:sparse", vec!["SETBIT", "bitmap:sparse", "1000", "1"]),
        ("string:raw", vec!["PEXPIREAT", "string:raw", "4000000000000"]),
        ("string:raw", vec!["PERSIST", "string:raw"]),
        ("stream:one", vec!["XADD", "stream:one", "2-0", "field", "value"]),
        ("stream:thousand", vec!["XDEL", "stream:thousand", "500-0"]),
        ("stream:emptied", vec!["XSETID", "stream:emptied", "4-0"]),
        ("group \"all\" pending 7-0", vec!["XACK", "stream:groups", "all", "7-0"]),
        ("group \"middle\"", vec!["XGROUP", "SETID", "stream:groups", "middle", "15-0"]),
        ("never-read", vec!["XGROUP", "DELCONSUMER", "stream:groups", "all", "never-read"]),
        ("new-consumer", vec!["XGROUP", "CREATECONSUMER", "stream:groups", "none", "new-consumer"]),
        (
            "pending 1-0",
            vec![
                "XCLAIM",
                "stream:groups",
                "all",
                "alice",
                "0",
                "1-0",
                "TIME",
                "1600000000000",
                "JUSTID",
            ],
        ),
        ("string:int:0", vec!["MOVE", "string:int:0", "9"]),
        ("functions", vec!["SET", "functions", "next"]),
    ];
    if server.has_functions() {
        changes.push(("function library reading", vec!["FUNCTION", "DELETE", "reading"]));
        changes.push((
            "entries-added",
            vec!["XSETID", "stream:one", "2-0", "ENTRIESADDED", "77", "MAXDELETEDID", "0-0"],
        ));
    }
    if server.has_field_expiry() {
        let persist = vec!["HPERSIST", "hash:fields:all-of-many", "FIELDS", "1", "field:3"];
        changes.push(("hash:fields:all-of-many", persist));
        let move_on =
            vec!["HPEXPIREAT", "hash:fields:one", "4102444800001", "FIELDS", "1", "field:0"];
        changes.push(("hash:fields:one", move_on));
    }
    changes
}

#[test]
fn the_mixed_set_has_its_shares() {
    let peer = Peer::start(Server::Redis80).unwrap();
    let mut client = peer.client();
    let mut told = Vec::new();
    Dataset::mixed(10_000).load_telling(&mut client, |keys| told.push(keys)).unwrap();
    assert_eq!(told, (1..=10).map(|tenth| tenth * 1000).collect::<Vec<_>>());
    let listing = snapshot(&mut client).unwrap();
    let kinds = count_kinds(&listing);
    let expected = [
        ("hash", 1500),
        ("list", 1000),
        ("set", 800),
        ("stream", 200),
        ("string", 6000),
        ("zset", 500),
    ];
    assert_eq!(kinds, BTreeMap::from(expected));
    let expiries: Vec<_> =
        listing.databases[&0].values().filter_map(|entry| entry.expiry).collect();
    assert!((1800..2200).contains(&expiries.len()), "{}", expiries.len());
    assert!(expiries.iter().all(|expiry| expiry.at_ms >= FAR_FUTURE_MS as i64));
    for entry in listing.databases[&0].values() {
        match &entry.value {
            Value::String(text) => assert_eq!(text.len(), 100),
            Value::Hash(fields) => assert_eq!(fields.len(), 10),
            Value::List(items) => assert_eq!(items.len(), 20),
            Value::Set(members) => assert_eq!(members.len(), 20),
            Value::SortedSet(members) => assert_eq!(members.len(), 20),
            Value::Stream(facts) => {
                let pending = facts.keys().filter(|fact| fact.contains("pending")).count();
                assert_eq!(pending, 3, "{facts:?}");
            }
            other @ Value::Other(..) => panic!("{other:?}"),
        }
    }
}

#[test]
fn big_keys_have_the_size_asked_for() {
    let peer = Peer::start(Server::Redis70).unwrap();
    let mut client = peer.client();
    big::string(&mut client, b"big", 50_000_001).unwrap();
    assert_eq!(client.ok(&["STRLEN", "big"]), 50_000_001);
    for kind in big::Collection::ALL {
        let key = format!("{kind:?}");
        let members = big::collection(&mut client, kind, key.as_bytes(), 3_000_000).unwrap();
        assert_eq!(members, 30_000);
        let Reply::Int(bytes) = client.ok(&["MEMORY", "USAGE", &key, "SAMPLES", "0"]) else {
            panic!("no size of {key}")
        };
        assert!((2_500_000..9_000_000).contains(&bytes), "{key}: {bytes}");
    }
}
