//! What real servers put into their streams: every write is classified and can be applied, and
//! a target that applies it holds in the end what its source does.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ferrite_resp::{Limits, decode};
use ferrite_testkit::{Client, Dataset, Listing, Peer, Reply, Server, dataset, snapshot};

use super::*;
use crate::live::rewrite::servers::{
    CONDITIONS, Case, FIELDS, NEWER, STRINGS, abilities_between, start,
};
use crate::live::rewrite::tests::parsed;
use crate::live::rewrite::{Abilities, HOLD_MS, Rewrite, Times, release, rewrite};

/// Every write of Redis 7.0 that [`STRINGS`] has not; `P` stands for a payload.
const WRITES: &[&str] = &[
    "APPEND str ab",
    "SETRANGE str 1 x",
    "SETBIT bits 7 1",
    "BITFIELD bits SET u8 0 200",
    "BITOP NOT bits2 bits",
    "INCR n",
    "INCRBY n 5",
    "DECR n",
    "DECRBY n 2",
    "INCRBYFLOAT n 1.5",
    "SET ttl 1 EX 1000",
    "INCRBYFLOAT ttl 2",
    "GETSET str new",
    "GETEX str PERSIST",
    "MSET m1 a m2 b",
    "MSETNX m3 a m4 b",
    "SETNX m5 a",
    "GETDEL m5",
    "DEL m1 m2",
    "UNLINK m3 m4",
    "COPY str str2",
    "COPY str str3 DB 3 REPLACE",
    "MOVE str2 2",
    "RENAME str str4",
    "RENAMENX str4 str5",
    "EXPIRE str5 1000",
    "PERSIST str5",
    "RPUSH l c a b",
    "LPUSH l z",
    "LPUSHX l y",
    "RPUSHX l w",
    "LINSERT l BEFORE a q",
    "LSET l 0 s",
    "LREM l 1 q",
    "LTRIM l 0 20",
    "LPOP l",
    "RPOP l 1",
    "LMOVE l l2 LEFT RIGHT",
    "RPOPLPUSH l l2",
    "RPUSH l 5 6 7 8 9 10 11",
    "BLPOP l 1",
    "BRPOP l 1",
    "BLMOVE l l2 LEFT LEFT 1",
    "BRPOPLPUSH l l2 1",
    "LMPOP 1 l LEFT",
    "BLMPOP 1 1 l RIGHT COUNT 2",
    "SORT l2 ALPHA STORE l3",
    "SORT l2 BY nosort GET w_* STORE l4",
    "SADD s a b c d e",
    "SADD s2 c x",
    "SREM s a",
    "SMOVE s s2 b",
    "SPOP s",
    "SPOP s 1",
    "SUNIONSTORE s3 s s2",
    "SINTERSTORE s4 s s2",
    "SDIFFSTORE s5 s s2",
    "HSET h f 1 g 2",
    "HMSET h i 3",
    "HSETNX h j 4",
    "HINCRBY h f 2",
    "HINCRBYFLOAT h f 0.5",
    "HDEL h g",
    "ZADD z 1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h",
    "ZADD z2 GT CH 3 c",
    "ZINCRBY z 1.5 a",
    "ZREM z b",
    "ZPOPMIN z",
    "ZPOPMAX z",
    "BZPOPMIN z 1",
    "BZPOPMAX z 1",
    "ZMPOP 1 z MIN",
    "BZMPOP 1 1 z MAX",
    "ZUNIONSTORE z3 2 z z2 WEIGHTS 1 2",
    "ZINTERSTORE z4 2 z z2",
    "ZDIFFSTORE z5 2 z2 z",
    "ZRANGESTORE z6 z2 0 -1",
    "ZADD z7 0 a 0 b 0 c 0 d",
    "ZREMRANGEBYLEX z7 [a [a",
    "ZREMRANGEBYRANK z7 0 0",
    "ZREMRANGEBYSCORE z6 9 10",
    "GEOADD geo 13.36 38.11 p 15.08 37.50 q",
    "GEORADIUS geo 15 37 300 km STORE geo2",
    "GEORADIUSBYMEMBER geo p 300 km STOREDIST geo3",
    "GEOSEARCHSTORE geo4 geo FROMMEMBER p BYRADIUS 300 km",
    "PFADD hll a b c",
    "PFADD hll2 d",
    "PFCOUNT hll",
    "PFMERGE hll3 hll hll2",
    "PFDEBUG TODENSE hll",
    "XADD x * f 1",
    "XADD x 9999999999999-1 f 2",
    "XADD x MAXLEN ~ 100 * f 3",
    "XGROUP CREATE x g 0",
    "XGROUP CREATECONSUMER x g c",
    "XREADGROUP GROUP g c COUNT 2 STREAMS x >",
    "XACK x g 9999999999999-1",
    "XAUTOCLAIM x g d 0 0",
    "XCLAIM x g c 0 9999999999999-1 FORCE",
    "XGROUP SETID x g 0",
    "XGROUP CREATE x gone $",
    "XGROUP DELCONSUMER x g d",
    "XGROUP DESTROY x gone",
    "XTRIM x MAXLEN 2",
    "XDEL x 9999999999999-2",
    "XSETID x 9999999999999-9",
    "EVAL return(redis.call('set',KEYS[1],'e','ex',1000)) 1 by_script",
    "EVAL redis.call('incr',KEYS[1])redis.call('incr',KEYS[2]) 2 by_script2 by_script3",
    "RESTORE restored 0 P",
    "RESTORE-ASKING restored2 1000000 P",
    "SELECT 5",
    "SET five 5",
    "SET six 6 PX 1000000",
    "SWAPDB 5 6",
    "FLUSHDB",
    "SELECT 7",
    "SET seven 7",
    "SELECT 0",
    "PUBLISH channel text",
];

/// What only a cluster or another server can be made to send, or what would empty the server.
const NOT_RUN: &[&str] = &["migrate"];

/// How long a stream may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// A replication link with nothing but the stream in it.
struct Link {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Link {
    fn attach(peer: &Peer) -> Self {
        let stream = TcpStream::connect(peer.addr()).unwrap();
        stream.set_read_timeout(Some(SILENCE)).unwrap();
        let mut link = Self { stream, unread: Vec::new() };
        link.stream.write_all(b"PSYNC ? -1\r\n").unwrap();
        assert!(link.line().starts_with("+FULLRESYNC"));
        let size: usize = link.line().strip_prefix('$').unwrap().parse().unwrap();
        while link.unread.len() < size {
            link.read_more();
        }
        link.unread.drain(..size);
        link
    }

    fn read_more(&mut self) {
        let mut room = [0; 65536];
        let length = self.stream.read(&mut room).unwrap();
        assert!(length > 0, "the source hung up");
        self.unread.extend_from_slice(&room[..length]);
    }

    /// The next line that is not empty: servers send empty ones to keep the link alive.
    fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                let text = String::from_utf8(line).unwrap().trim().to_owned();
                if !text.is_empty() {
                    return text;
                }
            } else {
                self.read_more();
            }
        }
    }

    /// The next command and the time it came.
    fn command(&mut self) -> (Vec<Vec<u8>>, u64) {
        loop {
            if let Some((command, length)) = decode(&self.unread, &Limits::default()).unwrap() {
                self.unread.drain(..length);
                let words = command.into_array().unwrap().into_iter();
                let words = words.map(|word| word.into_bytes().unwrap()).collect();
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                return (words, u64::try_from(now.as_millis()).unwrap());
            }
            self.read_more();
        }
    }
}

fn text(words: &[Vec<u8>]) -> String {
    words.iter().map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
}

/// Runs a line; a server that does not know the command or its options may say so.
fn run(client: &mut Client, line: &str, payload: &[u8]) {
    let word = |word| if word == "P" { payload.to_vec() } else { str::as_bytes(word).to_vec() };
    let words: Vec<Vec<u8>> = line.split(' ').map(word).collect();
    let reply = client.call(&words);
    let unknown = ["unknown", "syntax error", "Unknown", "wrong number"];
    let is_unknown = |text: &String| unknown.iter().any(|word| text.contains(word));
    let fails = matches!(&reply, Reply::Error(text) if !is_unknown(text));
    assert!(!fails, "{line}: {reply}");
}

/// Writes everything there is to write, and something that expires before the end.
fn write_everything(client: &mut Client, cases: &[&[Case]]) {
    Dataset::everything().load(client).unwrap();
    client.ok(&["SELECT", "0"]);
    client.ok(&["SET", "{payload}", "a restored value"]);
    let payload = client.ok(&["DUMP", "{payload}"]).bytes().unwrap().to_vec();
    WRITES.iter().for_each(|line| run(client, line, &payload));
    for (number, (before, line)) in cases.iter().copied().flatten().enumerate() {
        let key = format!("case:{number}");
        for line in [before, line].into_iter().filter(|line| !line.is_empty()) {
            run(client, &line.replace('@', &key), &payload);
        }
    }
    for (key, value) in [("gone", "soon"), ("renewed", "soon")] {
        client.ok(&["SET", key, value, "PX", "1"]);
        while client.ok(&["EXISTS", key]) != 0 {}
    }
    client.ok(&["SET", "renewed", "again"]);
}

/// Applies one command of the stream to the target.
fn apply(target: &mut Client, words: &[Vec<u8>], times: &Times, abilities: &Abilities) {
    let slices: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let replies: Vec<Reply> = match classify(&slices) {
        Class::Ignore | Class::GetAck | Class::Publish => return,
        Class::Keys(_) => {
            let mut out = Vec::new();
            match rewrite(&slices, times, abilities, &mut out) {
                Rewrite::AsIs => vec![target.ok(words)],
                Rewrite::Commands(_) => parsed(&out).iter().map(|words| target.ok(words)).collect(),
                Rewrite::Refetch => panic!("not to be rewritten: {}", text(words)),
            }
        }
        Class::Unknown(_) | Class::DropSlots => panic!("not to be applied: {}", text(words)),
        _ => vec![target.ok(words)],
    };
    for reply in replies.iter().flat_map(Reply::items) {
        assert!(!reply.is_error(), "{}: {reply}", text(words));
    }
}

/// What the target holds, its expiries released.
fn released(peer: &Peer) -> Listing {
    let mut listing = snapshot(&mut peer.client()).unwrap();
    let back = |at: &mut i64| {
        let held = u64::try_from(*at).unwrap();
        *at = i64::try_from(release(held).expect("every expiry is held")).unwrap();
    };
    for entry in listing.databases.values_mut().flat_map(|keys| keys.values_mut()) {
        entry.expiry.iter_mut().for_each(|expiry| back(&mut expiry.at_ms));
        if let dataset::Value::Hash(fields) = &mut entry.value {
            fields.values_mut().filter_map(|(_, at)| at.as_mut()).for_each(back);
        }
    }
    listing
}

/// Follows a source from empty and compares in the end. Gives the names of commands that came.
fn follow(from: Server, to: Server, cases: &[&[Case]]) -> BTreeSet<String> {
    let (source, target) = (start(from), start(to));
    let abilities = abilities_between(from, to);
    let mut link = Link::attach(&source);
    let mut client = target.client();
    let started = Instant::now();
    write_everything(&mut source.client(), cases);
    source.client().ok(&["PUBLISH", "the", "end"]);
    let mut names = BTreeSet::new();
    loop {
        let (words, received_at_ms) = link.command();
        if text(&words) == "PUBLISH the end" {
            break;
        }
        names.insert(text(&words[..1]).to_ascii_lowercase());
        let times = Times { received_at_ms, hold_ms: HOLD_MS, hold_before_ms: u64::MAX };
        apply(&mut client, &words, &times, &abilities);
    }
    let passed = i64::try_from(started.elapsed().as_millis()).unwrap();
    let mut theirs = released(&target);
    if from == Server::Redis62 {
        let entries = theirs.databases.values_mut().flat_map(|keys| keys.values_mut());
        entries.filter_map(|entry| entry.expiry.as_mut()).for_each(|it| it.tolerance_ms += passed);
    }
    let ours = snapshot(&mut source.client()).unwrap();
    let mut differences = ours.diff(&theirs);
    // Redis 7.0 does not tell its replicas how many entries a group has read; its own replicas
    // answer nil too.
    differences.retain(|line| from != Server::Redis70 || !line.contains(" entries-read "));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(ours.len() > 100);
    names
}

/// Sends relative times.
#[test]
fn redis_6_2() {
    let names = follow(Server::Redis62, Server::Redis62, &[STRINGS]);
    assert!(names.contains("expire"), "{names:?}");
    follow(Server::Redis62, Server::Redis80, &[STRINGS]);
}

#[test]
fn redis_7_0() {
    let names = follow(Server::Redis70, Server::Redis70, &[STRINGS, CONDITIONS]);
    assert!(!names.contains("expire"), "{names:?}");
    follow(Server::Redis70, Server::Valkey91, &[STRINGS, CONDITIONS]);
}

#[test]
fn redis_8_0() {
    let names = follow(Server::Redis80, Server::Redis80, &[STRINGS, CONDITIONS, FIELDS]);
    assert!(names.contains("hpexpireat"), "{names:?}");
}

#[test]
fn valkey_9_1() {
    follow(Server::Valkey91, Server::Valkey91, &[STRINGS, CONDITIONS, FIELDS, NEWER]);
}

/// The list above is complete: what Redis 7.0 calls a write was run.
#[test]
fn every_write_is_run() {
    let peer = start(Server::Redis70);
    let lines = STRINGS.iter().map(|(_, line)| line).chain(WRITES);
    let run: BTreeSet<String> = lines
        .filter_map(|line| line.split(' ').next())
        .map(str::to_ascii_lowercase)
        .chain(["flushall".to_owned()])
        .collect();
    for command in peer.client().ok(&["COMMAND"]).items() {
        let [name, _, flags, ..] = command.items() else { panic!("{command}") };
        let is_write = flags.items().iter().any(|flag| *flag == "write");
        let name = name.text();
        let excused = NOT_RUN.contains(&name.as_str());
        assert!(!is_write || excused || run.contains(&name), "{name} is a write and not run");
    }
}
