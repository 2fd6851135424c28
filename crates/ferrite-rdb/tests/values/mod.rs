//! Values of every type and encoding on a real server, and how to look at them.

use ferrite_rdb::transcode::Target;
use ferrite_rdb::{Dialect, Format};
use ferrite_testkit::{Client, Peer, Reply, Server};

/// A time that does not come while tests run: 2100-01-01.
pub const FAR_MS: u64 = 4_102_444_800_000;

/// The server as something to write for.
pub fn target(server: Server) -> Target {
    let (major, minor) = server.version();
    let dialect = if server.is_valkey() { Dialect::Valkey } else { Dialect::Redis };
    Target::for_server(dialect, major, minor)
}

/// The format of the server's own payloads.
pub fn format(server: Server) -> Format {
    target(server).format
}

/// A server that validates every byte of the payloads it is given, and that has small limits, so
/// that few elements make large encodings.
pub fn strict_peer(server: Server) -> Peer {
    let packed = if server == Server::Redis62 { "ziplist" } else { "listpack" };
    let peer = Peer::builder(server)
        .arg("sanitize-dump-payload", "yes")
        .arg(&format!("hash-max-{packed}-entries"), "32")
        .arg(&format!("hash-max-{packed}-value"), "20000")
        .arg(&format!("zset-max-{packed}-entries"), "32")
        .arg("set-max-intset-entries", "32")
        .arg("list-compress-depth", "1")
        .arg("stream-node-max-entries", "10");
    peer.start().unwrap_or_else(|error| panic!("{error}"))
}

/// A server with values, and their payloads.
pub struct Origin {
    pub server: Server,
    pub peer: Peer,
    pub keys: Vec<(String, Vec<u8>)>,
}

impl Origin {
    pub fn start(server: Server) -> Self {
        let peer = strict_peer(server);
        let mut client = peer.client();
        let names = populate(&mut client, server);
        let keys = names.into_iter().map(|key| {
            let payload = client.ok(&["DUMP", &key]).bytes().unwrap().to_vec();
            (key, payload)
        });
        let keys = keys.collect();
        Self { server, peer, keys }
    }
}

/// Compares two views, and shows the first difference only.
pub fn same(left: &str, arrived: &str, place: &str) {
    let at = left.bytes().zip(arrived.bytes()).take_while(|(a, b)| a == b).count();
    let shown = |view: &str| view.chars().skip(at.saturating_sub(60)).take(160).collect::<String>();
    assert!(left == arrived, "{place}:\n  left    {}\n  arrived {}", shown(left), shown(arrived));
}

/// Makes a key of every type and encoding the server has; their names.
fn populate(client: &mut Client, server: Server) -> Vec<String> {
    strings(client);
    lists(client);
    sets(client);
    zsets(client);
    hashes(client);
    streams(client);
    groups(client);
    if server.has_field_expiry() {
        expiring_hashes(client);
    }
    let mut keys: Vec<String> = client.ok(&["KEYS", "*"]).items().iter().map(Reply::text).collect();
    keys.sort();
    keys
}

fn call(client: &mut Client, command: &str) {
    client.ok(&command.split(' ').collect::<Vec<_>>());
}

fn add(client: &mut Client, command: &[&str], arguments: impl IntoIterator<Item = String>) {
    let mut all: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    all.extend(arguments);
    client.ok(&all);
}

/// Bytes nothing compresses.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(next).collect()
}

fn strings(client: &mut Client) {
    for (key, value) in [("empty", ""), ("text", "hello"), ("int8", "-5"), ("int16", "300")] {
        client.ok(&["SET", &format!("string:{key}"), value]);
    }
    for (key, value) in [("int32", "-70000"), ("int64", "9223372036854775807"), ("zero", "007")] {
        client.ok(&["SET", &format!("string:{key}"), value]);
    }
    client.ok(&["SET", "string:compressible", &"abcabcabd".repeat(5000)]);
    client.ok(&[b"SET".as_slice(), b"string:binary", &noise(70_000)]);
    client.ok(&["SETBIT", "string:bits", "1000", "1"]);
    add(client, &["PFADD", "string:hll"], (0..500).map(|i| i.to_string()));
}

fn lists(client: &mut Client) {
    call(client, "RPUSH list:small a 1 -1 127 128 -4096 4096 32768 8388608 2147483648 99999999999");
    add(client, &["RPUSH", "list:many"], (0..3000).map(|i| format!("item {i}")));
    add(client, &["RPUSH", "list:sizes"], [0, 63, 64, 125, 126, 4095, 4096].map(|n| "x".repeat(n)));
    add(client, &["RPUSH", "list:long"], [16_377, 16_378, 16_379, 16_384].map(|n| "y".repeat(n)));
    client.ok(&[b"RPUSH".as_slice(), b"list:huge", &noise(300_000), b"after"]);
}

fn sets(client: &mut Client) {
    call(client, "SADD set:int16 1 -2 3");
    call(client, "SADD set:int32 1 70000");
    call(client, "SADD set:int64 1 -9223372036854775808");
    call(client, "SADD set:small a b 3 dddd");
    add(client, &["SADD", "set:large"], (0..600).map(|i| format!("member {i}")));
    add(client, &["SADD", "set:numbers"], (0..600).map(|i| i.to_string()));
}

fn zsets(client: &mut Client) {
    call(client, "ZADD zset:small 1 a -1.5 b inf c -inf d 0.1 e 1e300 f 3.0000000000000004 g");
    add(
        client,
        &["ZADD", "zset:large"],
        (0..200).flat_map(|i| [(f64::from(i) / 7.0).to_string(), format!("member {i}")]),
    );
    call(client, "GEOADD zset:geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
}

fn hashes(client: &mut Client) {
    call(client, "HSET hash:small field value number 12 empty-not x");
    add(client, &["HSET", "hash:large"], (0..200).map(|i| format!("{i}")));
    client.ok(&["HSET", "hash:long", "field", &"v".repeat(5000), "", ""]);
    for len in [16_377, 16_378, 16_379] {
        client.ok(&["HSET", &format!("hash:{len}"), "field", &"v".repeat(len), "after", "1"]);
    }
}

fn streams(client: &mut Client) {
    for i in 1..=50 {
        let id = format!("{}-{}", i * 1000, i % 3);
        client.ok(&["XADD", "stream:same", &id, "name", &format!("n{i}"), "age", &i.to_string()]);
    }
    call(client, "XADD stream:mixed 5-1 a 1");
    call(client, "XADD stream:mixed 5-9 a 1 b 2 a 3");
    call(client, "XADD stream:mixed 6-0 other -99999999999");
    call(client, "XADD stream:mixed 18446744073709551615-5 a last");
    for command in ["XDEL stream:same 5000-2 7000-1 1000-1", "XTRIM stream:same MAXLEN = 40"] {
        call(client, command);
    }
    call(client, "XADD stream:empty 9-9 a 1");
    call(client, "XDEL stream:empty 9-9");
    client.ok(&["XADD", "stream:long", "1-1", "field", &"w".repeat(20_000)]);
    // Lengths at which the layout of listpacks changes, not at the same length everywhere.
    for len in [16_377, 16_378, 16_379, 2_097_145, 2_097_146, 2_097_147] {
        client.ok(&["XADD", "stream:long", &format!("{len}-0"), "field", &"f".repeat(len)]);
    }
}

fn groups(client: &mut Client) {
    call(client, "XGROUP CREATE stream:groups unread $ MKSTREAM");
    for i in 1..=30 {
        client.ok(&["XADD", "stream:groups", &format!("{i}-0"), "value", &i.to_string()]);
    }
    call(client, "XGROUP CREATE stream:groups readers 0");
    call(client, "XREADGROUP GROUP readers alice COUNT 12 STREAMS stream:groups >");
    call(client, "XREADGROUP GROUP readers bob COUNT 5 STREAMS stream:groups >");
    call(client, "XCLAIM stream:groups readers bob 0 3-0 4-0");
    call(client, "XACK stream:groups readers 1-0 14-0");
    call(client, "XGROUP CREATECONSUMER stream:groups readers idle");
    call(client, "XDEL stream:groups 6-0 30-0");
    call(client, "XGROUP CREATE stream:bare only $ MKSTREAM");
}

fn expiring_hashes(client: &mut Client) {
    call(client, "HSET hash:ttl-small a 1 b 2 c 3");
    call(client, &format!("HPEXPIREAT hash:ttl-small {FAR_MS} FIELDS 1 b"));
    add(client, &["HSET", "hash:ttl-large"], (0..200).map(|i| format!("{i}")));
    for field in 0..40 {
        let at = FAR_MS + 1000 - field;
        call(client, &format!("HPEXPIREAT hash:ttl-large {at} FIELDS 1 {}", 2 * field));
    }
    add(client, &["HSET", "hash:ttl-gone"], (0..200).map(|i| format!("{i}")));
    call(client, &format!("HPEXPIREAT hash:ttl-gone {FAR_MS} FIELDS 1 4"));
    call(client, "HPERSIST hash:ttl-gone FIELDS 1 4");
}

/// Whether a stream's counters are part of what is compared, and fields' expiry.
#[derive(Clone, Copy)]
pub struct Detail {
    pub counters: bool,
    pub field_expiry: bool,
}

impl Detail {
    /// What both servers can say.
    pub fn of(one: Server, other: Server) -> Self {
        let old = |server| server == Server::Redis62;
        Self {
            counters: !old(one) && !old(other),
            field_expiry: one.has_field_expiry() && other.has_field_expiry(),
        }
    }
}

/// A key as the server's own commands show it, in an order that does not depend on the encoding.
pub fn view(client: &mut Client, key: &str, detail: Detail) -> String {
    let kind = client.ok(&["TYPE", key]).text();
    let value = match kind.as_str() {
        "string" => full(&client.ok(&["GET", key])),
        "list" => full(&client.ok(&["LRANGE", key, "0", "-1"])),
        "set" => sorted(&client.ok(&["SMEMBERS", key])),
        "zset" => scored(&client.ok(&["ZRANGE", key, "0", "-1", "WITHSCORES"])),
        "hash" => hash(client, key, detail),
        "stream" => stream(client, key, detail),
        _ => "absent".to_owned(),
    };
    format!("{kind} {value}")
}

/// The reply in full; its own `Display` cuts.
fn full(reply: &Reply) -> String {
    match reply {
        Reply::Bulk(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        Reply::Array(items) => {
            format!("[{}]", items.iter().map(full).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Servers print the same score with different digits, so it is shown as its bits.
fn scored(reply: &Reply) -> String {
    let pairs = reply.items().chunks(2).map(|pair| {
        let score: f64 = pair[1].text().parse().unwrap();
        format!("{} {:016x}", full(&pair[0]), score.to_bits())
    });
    pairs.collect::<Vec<_>>().join(" ")
}

fn sorted(reply: &Reply) -> String {
    let mut items: Vec<String> = reply.items().iter().map(full).collect();
    items.sort();
    items.join(" ")
}

fn hash(client: &mut Client, key: &str, detail: Detail) -> String {
    let fields = client.ok(&["HGETALL", key]);
    let mut shown: Vec<String> = Vec::new();
    for pair in fields.items().chunks(2) {
        let mut one = full(&Reply::Array(pair.to_vec()));
        if detail.field_expiry {
            let name = pair[0].bytes().unwrap();
            let at = client.ok(&[b"HPEXPIRETIME", key.as_bytes(), b"FIELDS", b"1", name]);
            one.push_str(&full(&at));
        }
        shown.push(one);
    }
    shown.sort();
    shown.join(" ")
}

fn stream(client: &mut Client, key: &str, detail: Detail) -> String {
    let entries = full(&client.ok(&["XRANGE", key, "-", "+"]));
    let info = client.ok(&["XINFO", "STREAM", key, "FULL", "COUNT", "0"]);
    format!("{entries} {}", state(&info, detail))
}

/// What matters of `XINFO STREAM FULL`, recursively.
fn state(info: &Reply, detail: Detail) -> String {
    const ALWAYS: &[&str] =
        &["length", "last-generated-id", "name", "last-delivered-id", "pel-count"];
    const COUNTERS: &[&str] = &[
        "max-deleted-entry-id",
        "entries-added",
        "recorded-first-entry-id",
        "entries-read",
        "lag",
    ];
    let mut shown = String::new();
    for pair in info.items().chunks_exact(2) {
        let name = pair[0].text();
        match name.as_str() {
            "groups" | "consumers" => {
                let each = pair[1].items().iter().map(|item| state(item, detail));
                shown.push_str(&format!("{name}: [{}] ", each.collect::<Vec<_>>().join(" | ")));
            }
            // Ids, owner, absolute time and number of deliveries.
            "pending" | "pel" => shown.push_str(&format!("{name}: {} ", full(&pair[1]))),
            known if ALWAYS.contains(&known) || (detail.counters && COUNTERS.contains(&known)) => {
                shown.push_str(&format!("{name}: {} ", full(&pair[1])));
            }
            _ => {}
        }
    }
    shown
}
