//! What an application does with redis-rs, at the server whose port is given, in RESP2 and RESP3.
//! Prints a line for each thing that was done with what came back: the same for every server.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::thread;
use std::time::Duration;

use redis::streams::{StreamRangeReply, StreamReadOptions, StreamReadReply};
use redis::{Client, Commands, Connection, RedisResult, Script, Value, cmd, pipe, transaction};

fn told(name: &str, value: impl Debug) {
    println!("{name}: {value:?}");
}

/// What came back, or what the error says; the name of a script is not the same everywhere.
fn result<T: Debug>(result: RedisResult<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => error.to_string().split(" script:").next().unwrap_or_default().to_owned(),
    }
}

fn connect(client: &Client) -> Connection {
    let connection = client.get_connection_with_timeout(Duration::from_secs(10)).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    connection
}

fn plain(c: &mut Connection) {
    told("ping", result(c.ping::<String>()));
    told("set", result(c.set_ex::<_, _, ()>("k", "v", 1000)));
    told("get", (result(c.get::<_, String>("k")), result(c.get::<_, Option<i64>>("none"))));
    told("ttl", c.ttl::<_, i64>("k").unwrap() > 900);
    told("numbers", (c.incr::<_, _, i64>("n", 5), c.incr::<_, _, f64>("f", 1.5)));
    told("many", (c.mset::<_, _, ()>(&[("a", 1), ("b", 2)]), c.mget::<_, Vec<Option<i64>>>(&["a", "b", "none"])));
    told("hash", (c.hset_multiple::<_, _, _, ()>("h", &[("x", 1), ("y", 2)]), c.hgetall::<_, BTreeMap<String, i64>>("h")));
    told("list", (c.rpush::<_, _, i64>("l", &[1, 2, 3]), c.lrange::<_, Vec<i64>>("l", 0, -1)));
    told("set type", (c.sadd::<_, _, i64>("s", &["a", "b"]), c.smembers::<_, BTreeSet<String>>("s")));
    told("sorted set", (c.zadd::<_, _, _, i64>("z", "one", 1), c.zadd::<_, _, _, i64>("z", "two", 2.5)));
    told("range", c.zrange_withscores::<_, Vec<(String, f64)>>("z", 0, -1));
    told("as sent", [
        cmd("HGETALL").arg("h").query::<Value>(c),
        cmd("ZSCORE").arg("z").arg("two").query(c),
        cmd("SISMEMBER").arg("s").arg("a").query(c),
        cmd("CONFIG").arg("GET").arg("maxmemory-policy").query(c),
        cmd("GET").arg("none").query(c),
    ]);
    for words in [&["LPUSH", "k", "1"][..], &["NOSUCH", "a"], &["GET"]] {
        told("error", result(cmd(words[0]).arg(&words[1..]).query::<Value>(c)));
    }
}

fn pipelines(client: &Client, c: &mut Connection) {
    told("pipeline", pipe().set("p", 1).incr("p", 1).get("p").query::<(String, i64, i64)>(c));
    told("wrong in it", result(pipe().set("p", "a").incr("p", 1).query::<Vec<Value>>(c)));
    told("transaction", pipe().atomic().set("t", 1).ignore().hgetall("h").query::<Vec<Value>>(c));
    let mut tries = 0;
    let mut other = connect(client);
    let changed = transaction(c, &["t"], |c, pipe| {
        let seen: i64 = c.get("t")?;
        tries += 1;
        if tries == 1 {
            other.set::<_, _, ()>("t", 9)?;
        }
        pipe.set("t", seen + 1).ignore().get("t").query::<Option<(i64,)>>(c)
    });
    told("watched", (result(changed), tries));
}

fn scripts(c: &mut Connection) {
    let script = Script::new("return {KEYS[1], redis.call('INCRBY', KEYS[1], ARGV[1])}");
    for _ in 0..2 {
        told("script", script.key("counter").arg(2).invoke::<(String, i64)>(c));
    }
    told("flush", result(cmd("SCRIPT").arg("FLUSH").query::<Value>(c)));
    told("script again", script.key("counter").arg(4).invoke::<(String, i64)>(c));
    let wrong = Script::new("return redis.call('LPUSH', KEYS[1], 1)");
    told("script error", result(wrong.key("k").invoke::<Value>(c)));
}

fn messages(client: &Client, c: &mut Connection) {
    let mut listening = connect(client);
    let mut listener = listening.as_pubsub();
    listener.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    told("subscribed", (listener.subscribe("news"), listener.psubscribe("n*")));
    told("receivers", c.publish::<_, _, i64>("news", "hello"));
    for _ in 0..2 {
        let message = listener.get_message().unwrap();
        let text = message.get_payload::<String>();
        told("message", (message.get_channel_name(), message.get_pattern::<Option<String>>(), text));
    }
    told("left", (listener.unsubscribe("news"), listener.punsubscribe("n*")));
}

fn waiting(client: &Client, c: &mut Connection) {
    let mut other = connect(client);
    let waiter = thread::spawn(move || other.blpop::<_, (String, String)>(&["q1", "q2"], 5.0));
    while !cmd("INFO").arg("clients").query::<String>(c).unwrap().contains("blocked_clients:1") {}
    told("push", c.rpush::<_, _, i64>("q2", "element"));
    told("blpop", waiter.join().unwrap());
    told("in vain", c.blpop::<_, Option<(String, String)>>("q1", 0.01));
}

fn streams(c: &mut Connection) {
    for id in ["1-1", "2-1"] {
        told("xadd", c.xadd::<_, _, _, _, String>("x", id, &[("f", "v")]));
    }
    told("group", c.xgroup_create::<_, _, _, ()>("x", "g", "0"));
    let options = StreamReadOptions::default().group("g", "me").count(1);
    told("read", c.xread_options::<_, _, StreamReadReply>(&["x"], &[">"], &options));
    told("acknowledged", c.xack::<_, _, _, i64>("x", "g", &["1-1"]));
    told("range", c.xrange_all::<_, StreamRangeReply>("x").map(|range| range.ids.len()));
}

fn scanning(c: &mut Connection) {
    for n in 0..300 {
        c.set::<_, _, ()>(format!("scan:{n}"), n).unwrap();
    }
    let names = c.scan_match::<_, String>("scan:*").unwrap().map(Result::unwrap);
    told("scan", names.collect::<BTreeSet<_>>().len());
}

fn main() {
    let port = std::env::args().nth(1).expect("the port of a server");
    for protocol in ["resp2", "resp3"] {
        told("protocol", protocol);
        let client = Client::open(format!("redis://127.0.0.1:{port}/?protocol={protocol}")).unwrap();
        let c = &mut connect(&client);
        told("flush", result(cmd("FLUSHALL").query::<Value>(c)));
        plain(c);
        pipelines(&client, c);
        scripts(c);
        messages(&client, c);
        waiting(&client, c);
        streams(c);
        scanning(c);
    }
}
