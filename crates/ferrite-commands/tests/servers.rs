//! The catalogue against running servers: what `COMMAND` lists must be in it with the same
//! arity, flags and places of keys, and key extraction must agree with `COMMAND GETKEYS`.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::HashMap;

use ferrite_commands::{
    Access, Command, Flag, Group, KeySpec, Place, Version, all, key_flags, keys, lookup, resolve,
};
use ferrite_testkit::{Peer, Reply, Server};

/// Commands whose arity was widened in some version: the catalogue has the widest.
const WIDENED: &[&str] = &[
    "cluster|replicate",
    "command|getkeys",
    "command|getkeysandflags",
    "expire",
    "expireat",
    "pexpire",
    "pexpireat",
    "pfdebug",
    "script|debug",
    "xsetid",
    "zrank",
    "zrevrank",
];

/// Gone since Redis 7.0 and never in a replication stream: an early form of LCS, and two words
/// that were commands so that HTTP requests hang up.
const GONE: &[&str] = &["stralgo", "post", "host:"];

/// Flags that some commands gained or lost between versions; the catalogue has those of the
/// newest server that lists the command.
const CHANGED_FLAGS: &[Flag] = &[
    Flag::NoScript,
    Flag::Loading,
    Flag::Stale,
    Flag::AllowBusy,
    Flag::NoMulti,
    Flag::SkipSlowlog,
];

fn start(server: Server) -> Peer {
    Peer::start(server).unwrap_or_else(|error| panic!("{error}"))
}

/// One line of `COMMAND`, subcommands flattened.
struct Listed {
    name: String,
    arity: i64,
    flags: Vec<String>,
    triple: (i64, i64, i64),
    categories: Vec<String>,
    specs: Vec<Reply>,
}

fn texts(reply: &Reply) -> Vec<String> {
    reply.items().iter().map(Reply::text).collect()
}

fn flatten(reply: &Reply, into: &mut Vec<Listed>) {
    for line in reply.items() {
        let field = line.items();
        let number = |at: usize| field[at].int().expect("a number");
        into.push(Listed {
            name: field[0].text().to_ascii_lowercase(),
            arity: number(1),
            flags: texts(&field[2]),
            triple: (number(3), number(4), number(5)),
            categories: texts(&field[6]),
            specs: field.get(8).map(|specs| specs.items().to_vec()).unwrap_or_default(),
        });
        if let Some(subcommands) = field.get(9) {
            flatten(subcommands, into);
        }
    }
}

fn listed(peer: &Peer) -> Vec<Listed> {
    let mut lines = Vec::new();
    flatten(&peer.client().ok(&["COMMAND"]), &mut lines);
    assert!(lines.len() > 200, "{} commands only", lines.len());
    lines
}

fn map(reply: &Reply) -> HashMap<String, Reply> {
    let items = reply.items();
    items.chunks_exact(2).map(|pair| (pair[0].text(), pair[1].clone())).collect()
}

/// A server's key specification in the catalogue's notation.
fn spec(reply: &Reply) -> Option<KeySpec> {
    let fields = map(reply);
    let flags = texts(&fields["flags"]);
    let has = |flag: &str| flags.iter().any(|it| it == flag);
    let access = match () {
        () if has("not_key") => Access::NotKey,
        () if has("RO") => Access::Read,
        () if has("OW") => Access::Overwrite,
        () if has("RM") => Access::Remove,
        () => Access::Update,
    };
    let (begin, find) = (map(&fields["begin_search"]), map(&fields["find_keys"]));
    let (begin_spec, find_spec) = (map(&begin["spec"]), map(&find["spec"]));
    let number = |spec: &HashMap<String, Reply>, name: &str| spec[name].int().expect("a number");
    let place = match (begin["type"].text().as_str(), find["type"].text().as_str()) {
        ("index", "range") => {
            let first = number(&begin_spec, "index");
            let last = number(&find_spec, "lastkey");
            Place::Range {
                first: first as u8,
                last: if last < 0 { last } else { first + last } as i16,
                step: number(&find_spec, "keystep") as u8,
            }
        }
        ("index", "keynum") => {
            let first = number(&begin_spec, "index");
            Place::Counted {
                count: (first + number(&find_spec, "keynumidx")) as u8,
                first: (first + number(&find_spec, "firstkey")) as u8,
                step: number(&find_spec, "keystep") as u8,
            }
        }
        ("keyword", "range") if begin_spec["keyword"].text() == "STREAMS" => {
            Place::Streams { from: number(&begin_spec, "startfrom") as u8 }
        }
        _ => return None,
    };
    Some(KeySpec { place, access })
}

fn check_line(server: Server, line: &Listed, wrong: &mut Vec<String>) {
    let name = &line.name;
    let Some(command) = lookup(name.as_bytes()) else {
        if server.version() < (7, 0) && GONE.contains(&name.as_str()) {
            return;
        }
        wrong.push(format!("{name}: not in the catalogue"));
        return;
    };
    let mut differs = |what: &str, ours: String, theirs: String| {
        if ours != theirs {
            wrong.push(format!("{name}: {what} is {theirs}, the catalogue says {ours}"));
        }
    };
    if WIDENED.contains(&name.as_str()) {
        let smallest = usize::try_from(line.arity.unsigned_abs()).unwrap();
        differs("arity", command.accepts(smallest).to_string(), "true".to_owned());
    } else {
        differs("arity", command.arity.to_string(), line.arity.to_string());
    }
    // Redis 6.2 has no entries for subcommands, so its containers carry their keys, and it knows
    // fewer flags.
    let old = server.version() < (7, 0);
    if !old || command.subcommands.is_empty() {
        let (first, last, step) = command.first_last_step();
        let ours = (i64::from(first), i64::from(last), i64::from(step));
        differs("key positions", format!("{ours:?}"), format!("{:?}", line.triple));
        let flags = if old { &[Flag::Write, Flag::ReadOnly] } else { Flag::ALL };
        for flag in flags.iter().filter(|flag| !CHANGED_FLAGS.contains(flag)) {
            // WAIT became blocking in Redis 7.2.
            if !(command.name == "wait" && *flag == Flag::Blocking) {
                let theirs = line.flags.iter().any(|it| it == flag.name());
                differs(flag.name(), command.flags.contains(*flag).to_string(), theirs.to_string());
            }
        }
    }
    if !old {
        check_details(command, line, &mut differs);
    }
}

fn check_details(command: &Command, line: &Listed, differs: &mut impl FnMut(&str, String, String)) {
    let mut ours: Vec<_> =
        command.categories().iter().map(|it| format!("@{}", it.name())).collect();
    let mut theirs = line.categories.clone();
    ours.sort();
    theirs.sort();
    if command.name != "wait" {
        differs("categories", format!("{ours:?}"), format!("{theirs:?}"));
    }
    let plain = |spec: &&KeySpec| {
        !matches!(spec.place, Place::SortStore | Place::GeoStore { .. } | Place::MigrateKeys)
    };
    let mut ours: Vec<_> = command.keys.iter().filter(plain).copied().collect();
    let mut theirs: Vec<_> = line.specs.iter().filter_map(spec).collect();
    // XREADGROUP changes the consumer group, which servers call reading; Redis 7.0 says of
    // SINTERSTORE alone that it reads its destination.
    if ["xreadgroup", "sinterstore"].contains(&command.name) {
        ours.iter_mut().chain(&mut theirs).for_each(|spec| spec.access = Access::Update);
    }
    differs("keys", format!("{ours:?}"), format!("{theirs:?}"));
    // Redis 8 calls the keys of XREAD incomplete; HSETEX is another command in Valkey.
    if !["xread", "xreadgroup", "sinterstore", "hsetex"].contains(&command.name) {
        let places = command.keys.iter().enumerate().filter(|(_, spec)| plain(spec));
        let ours: Vec<Vec<&str>> = places
            .filter_map(|(place, _)| Some(key_flags(command, place)?.names().collect()))
            .collect();
        let known = line.specs.iter().filter(|it| spec(it).is_some());
        let theirs: Vec<Vec<String>> = known.map(|it| texts(&map(it)["flags"])).collect();
        differs("key flags", format!("{ours:?}"), format!("{theirs:?}"));
    }
}

/// Commands the server should have by the catalogue and does not list.
fn missing(server: Server, lines: &[Listed]) -> Vec<String> {
    let (major, minor) = server.version();
    let version = Version { major: major as u8, minor: minor as u8, patch: u8::MAX };
    let old = server.version() < (7, 0);
    let subcommands = |it: &'static Command| if old { &[] } else { it.subcommands };
    all()
        .flat_map(|command| std::iter::once(command).chain(subcommands(command)))
        .filter(|command| command.group != Group::Sentinel)
        .filter(|command| !(old && command.name == "quit"))
        .filter(|command| {
            let since = command.since;
            let since = if server.is_valkey() { since.valkey } else { since.redis };
            since.is_some_and(|since| since <= version)
        })
        .filter(|command| !lines.iter().any(|line| line.name == command.name))
        .map(|command| format!("{}: in the catalogue, not in the server", command.name))
        .collect()
}

fn agrees(server: Server) {
    let peer = start(server);
    let lines = listed(&peer);
    let mut wrong = missing(server, &lines);
    for line in &lines {
        check_line(server, line, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}:\n{}", server.name(), wrong.join("\n"));
}

#[test]
fn catalogue_agrees_with_redis_6_2() {
    agrees(Server::Redis62);
}

#[test]
fn catalogue_agrees_with_redis_7_0() {
    agrees(Server::Redis70);
}

#[test]
fn catalogue_agrees_with_redis_8_0() {
    agrees(Server::Redis80);
}

#[test]
fn catalogue_agrees_with_valkey_8_1() {
    agrees(Server::Valkey81);
}

#[test]
fn catalogue_agrees_with_valkey_9_1() {
    agrees(Server::Valkey91);
}

/// Calls whose words are all different, so that GETKEYS' answer says which words are keys.
const CALLS: &[&str] = &[
    "GET a",
    "SET a v EX 10",
    "SET a v GET",
    "MSET a 1 b 2 c 3",
    "MSETEX 2 a v b w EX 10",
    "DEL a b c",
    "RENAME a b",
    "COPY a b DB 2",
    "BITOP NOT d s",
    "BITOP AND d s t u",
    "LCS a b IDX",
    "BLPOP a b c 0",
    "BLMOVE a b LEFT RIGHT 0",
    "LMPOP 2 a b LEFT COUNT 3",
    "BLMPOP 0 2 a b LEFT",
    "HEXPIRE a 10 FIELDS 1 f",
    "HSETEX a EX 10 FIELDS 1 f v",
    "SINTERCARD 2 a b LIMIT 5",
    "SDIFFSTORE d a b",
    "SMOVE a b m",
    "ZADD a 1 m",
    "ZUNION 2 a b WITHSCORES",
    "ZUNIONSTORE d 2 a b WEIGHTS 1 3",
    "ZINTERSTORE d 1 a",
    "ZDIFF 2 a b",
    "ZMPOP 1 a MIN",
    "BZMPOP 0 1 a MIN",
    "ZRANGESTORE d s 0 -1",
    "XADD a * f v",
    "XREAD COUNT 2 STREAMS a b 0 1",
    "XREAD BLOCK 5 STREAMS a $",
    "XREADGROUP GROUP streams c COUNT 2 STREAMS a b > 0",
    "XGROUP CREATE a g $ MKSTREAM",
    "XINFO STREAM a FULL",
    "PFMERGE d a b",
    "PFCOUNT a b",
    "SORT a BY w_* LIMIT 0 5 GET # STORE d",
    "SORT a STORE d STORE e",
    "SORT_RO a BY nosort",
    "GEOADD a 1 2 m",
    "GEORADIUS a 1 2 3 km STORE d",
    "GEORADIUS a 1 2 3 km COUNT 5 STOREDIST d",
    "GEORADIUSBYMEMBER a m 3 km STORE d",
    "GEOSEARCHSTORE d s FROMMEMBER m BYRADIUS 1 km",
    "EVAL return 2 a b x",
    "EVALSHA_RO sha 1 a x",
    "FCALL f 2 a b x",
    "MIGRATE host 6379 a 0 1000 COPY",
    "MIGRATE host 6379  0 1000 AUTH pass KEYS a b c",
    "MIGRATE host 6379  0 1000 AUTH2 user pass KEYS a",
    "OBJECT ENCODING a",
    "MEMORY USAGE a SAMPLES 5",
    "WATCH a b",
    "RESTORE a 0 payload",
    "DELIFEQ a v",
    "ZUNION 9 a b",
    "XREAD COUNT 1 a 0",
    "GET a b",
];

fn has(server: Server, command: &Command, lines: &[Listed]) -> bool {
    let container = command.name.split('|').next().unwrap_or_default();
    let name = if server.version() < (7, 0) { container } else { command.name };
    lines.iter().any(|line| line.name == name)
}

fn check_call(peer: &Peer, call: &str, wrong: &mut Vec<String>) {
    let words: Vec<&str> = call.split(' ').collect();
    let command = resolve(&words).expect("in the catalogue");
    let ask: Vec<&str> = ["COMMAND", "GETKEYS"].into_iter().chain(words.iter().copied()).collect();
    let reply = peer.client().call(&ask);
    let sorted = |mut words: Vec<String>| {
        words.sort();
        words
    };
    let theirs = (!reply.is_error()).then(|| sorted(texts(&reply)));
    let ours = keys(command, &words).ok();
    let ours = ours.map(|found| sorted(found.positions().map(|at| words[at].to_owned()).collect()));
    if ours != theirs {
        wrong.push(format!("{call}: the server says {reply}, we say {ours:?}"));
    }
}

#[test]
fn key_extraction_agrees_with_getkeys() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for server in Server::ALL {
        let peer = start(server);
        let lines = listed(&peer);
        for call in CALLS {
            let words: Vec<&str> = call.split(' ').collect();
            if has(server, resolve(&words).expect("in the catalogue"), &lines) {
                let before = wrong.len();
                check_call(&peer, call, &mut wrong);
                wrong[before..].iter_mut().for_each(|it| *it = format!("{}: {it}", server.name()));
                compared += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 200, "{compared} calls compared only");
}

#[test]
fn slots_agree_with_cluster_keyslot() {
    let peer = Peer::builder(Server::Redis70).arg("cluster-enabled", "yes").start();
    let peer = peer.unwrap_or_else(|error| panic!("{error}"));
    let keys: [&[u8]; 8] =
        [b"", b"foo", b"{foo}bar", b"a{}b", b"{{x}}", b"}{", b"\x00\xff{\xfe}", b"user:1000"];
    for key in keys {
        let reply = peer.client().ok(&[&b"CLUSTER"[..], b"KEYSLOT", key]);
        assert_eq!(reply.int(), Some(i64::from(ferrite_commands::slot(key))), "{key:?}");
    }
}
