//! What others see of a server at work: MONITOR, the counts of INFO, latencies, clients that take
//! too much memory, keys that are sent away.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ferrite_resp::encode;
use ferrite_server::{Builder, Server};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

struct Client(BufReader<TcpStream>);

impl Client {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, words: &[&str]) {
        let mut bytes = Vec::new();
        encode::command(&mut bytes, words);
        self.0.get_mut().write_all(&bytes).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).expect("a line in time") > 0, "it was closed");
        line.trim_end().to_owned()
    }

    /// A reply: the text of a bulk string, the line of anything else, elements joined by blanks.
    fn reply(&mut self) -> String {
        let line = self.line();
        let (kind, rest) = line.split_at(1);
        match (kind, rest.parse::<usize>()) {
            ("$", Ok(length)) => {
                let mut bytes = vec![0; length + 2];
                self.0.read_exact(&mut bytes).unwrap();
                String::from_utf8_lossy(&bytes[..length]).into_owned()
            }
            ("*" | ">", Ok(count)) => {
                (0..count).map(|_| self.reply()).collect::<Vec<_>>().join(" ")
            }
            _ => line,
        }
    }

    fn call(&mut self, words: &[&str]) -> String {
        self.send(words);
        self.reply()
    }

    /// A line of INFO.
    fn info(&mut self, section: &str, name: &str) -> String {
        let text = self.call(&["INFO", section]);
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().to_owned()
    }

    fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0) | Err(_))
    }
}

/// A server in a folder of its own, where it may write.
fn server() -> ((Server, tempfile::TempDir), SocketAddr) {
    start(Server::builder())
}

fn start(builder: Builder) -> ((Server, tempfile::TempDir), SocketAddr) {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().to_path_buf();
    let server = builder.bind("127.0.0.1:0".parse().unwrap()).snapshot(folder, "none.rdb");
    let server = server.start().unwrap();
    let address = server.addresses()[0];
    ((server, temporary), address)
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_monitor_is_shown_commands_in_order_and_no_secrets() {
    let (_server, address) = server();
    let (mut monitor, mut client) = (Client::new(address), Client::new(address));
    assert_eq!(monitor.call(&["MONITOR"]), "+OK");
    assert_eq!(monitor.call(&["GET", "k"]), "-ERR Replica can't interact with the keyspace");
    client.call(&["MULTI"]);
    client.call(&["SET", "k", "a b"]);
    client.call(&["EXEC"]);
    client.call(&["AUTH", "secret"]);
    client.call(&["CONFIG", "GET", "port"]);
    client.call(&["EVAL", "return redis.call('get', KEYS[1])", "1", "k"]);
    client.call(&["BLPOP", "list", "0.01"]);
    client.call(&["PING"]);
    let shown: Vec<String> = (0..8).map(|_| monitor.line()).collect();
    let ends = [
        "\"MULTI\"",
        "\"SET\" \"k\" \"a b\"",
        "\"EXEC\"",
        "\"AUTH\" \"(redacted)\"",
        "\"1\" \"k\"",
        " lua] \"get\" \"k\"",
        "\"BLPOP\" \"list\" \"0.01\"",
        "\"PING\"",
    ];
    for (line, end) in shown.iter().zip(ends) {
        assert!(line.ends_with(end), "{line} does not end with {end}");
    }
    assert_eq!(monitor.call(&["RESET"]), "+RESET");
    client.call(&["PING"]);
    assert_eq!(monitor.call(&["ECHO", "still"]), "still");
}

#[test]
fn calls_errors_and_durations_are_counted() {
    let (_server, address) = server();
    let (mut client, mut waiting) = (Client::new(address), Client::new(address));
    client.call(&["SET", "k"]);
    client.call(&["SET", "k", "v"]);
    client.call(&["LPUSH", "k", "v"]);
    client.call(&["nonsense"]);
    client.call(&["EVAL", "return redis.pcall('lpush', KEYS[1], 'v')", "1", "k"]);
    waiting.send(&["BLPOP", "list", "0"]);
    until("it waits", || client.info("clients", "blocked_clients") == "1");
    assert_eq!(client.info("commandstats", "cmdstat_blpop"), "", "it counts when it is through");
    client.call(&["LPUSH", "list", "v"]);
    assert_eq!(waiting.reply(), "list v");
    let of = |client: &mut Client, name: &str| client.info("commandstats", name);
    let set = of(&mut client, "cmdstat_set");
    assert!(
        set.starts_with("calls=1,") && set.ends_with("rejected_calls=1,failed_calls=0"),
        "{set}"
    );
    let lpush = of(&mut client, "cmdstat_lpush");
    assert!(lpush.starts_with("calls=3,") && lpush.ends_with("failed_calls=2"), "{lpush}");
    assert!(of(&mut client, "cmdstat_blpop").starts_with("calls=1,"));
    assert!(of(&mut client, "cmdstat_eval").starts_with("calls=1,"), "once, wherever it ran");
    assert_eq!(client.info("errorstats", "errorstat_ERR"), "count=2");
    assert_eq!(client.info("errorstats", "errorstat_WRONGTYPE"), "count=2");
    assert_eq!(client.info("stats", "total_error_replies"), "4");
    let latency = client.info("latencystats", "latency_percentiles_usec_set");
    assert!(latency.starts_with("p50=") && latency.contains(",p99.9="), "{latency}");
    assert!(
        client.call(&["LATENCY", "HISTOGRAM", "set"]).starts_with("set calls :1 histogram_usec")
    );
    client.call(&["CONFIG", "SET", "latency-monitor-threshold", "1", "latency-tracking", "no"]);
    client.call(&["EVAL", "local n = 0 for i = 1, 3000000 do n = n + i end return n", "0"]);
    assert!(client.call(&["LATENCY", "LATEST"]).starts_with("command :"));
    assert_eq!(client.info("latencystats", "latency_percentiles_usec_set"), "");
    client.call(&["CONFIG", "RESETSTAT"]);
    assert_eq!(client.info("errorstats", "errorstat_ERR"), "");
    assert_eq!(client.info("commandstats", "cmdstat_set"), "");
}

#[test]
fn the_client_that_takes_most_memory_goes() {
    let (_server, address) = server();
    let (mut control, mut greedy) = (Client::new(address), Client::new(address));
    control.call(&["CLIENT", "NO-EVICT", "on"]);
    assert_eq!(control.call(&["CONFIG", "SET", "maxmemory-clients", "1mb"]), "+OK");
    greedy.call(&["MULTI"]);
    let value = "v".repeat(300_000);
    for _ in 0..5 {
        greedy.send(&["SET", "k", &value]);
    }
    until("it is evicted", || control.info("stats", "evicted_clients") == "1");
    while !greedy.is_closed() {}
    assert_eq!(control.call(&["PING"]), "+PONG");
}

#[test]
fn keys_are_sent_to_another_server_and_leave_this_one() {
    let ((_one, from), (_two, to)) = (server(), server());
    let (mut source, mut target) = (Client::new(from), Client::new(to));
    let port = to.port().to_string();
    let migrate = |source: &mut Client, rest: &[&str]| {
        let mut words = vec!["MIGRATE", "127.0.0.1", &port];
        words.extend_from_slice(rest);
        source.call(&words)
    };
    assert_eq!(migrate(&mut source, &["missing", "0", "1000"]), "+NOKEY");
    source.call(&["SET", "a", "1", "PX", "600000"]);
    source.call(&["RPUSH", "b", "x", "y"]);
    source.call(&["SET", "c", "3"]);
    assert_eq!(migrate(&mut source, &["a", "9", "1000", "COPY"]), "+OK");
    assert_eq!(
        migrate(&mut source, &["a", "9", "1000"]),
        "-ERR Target instance replied with error: BUSYKEY Target key name already exists."
    );
    assert_eq!(source.call(&["EXISTS", "a"]), ":1");
    let all = ["", "9", "1000", "REPLACE", "KEYS", "a", "b", "missing"];
    assert_eq!(migrate(&mut source, &all), "+OK");
    assert_eq!(source.call(&["EXISTS", "a", "b"]), ":0");
    target.call(&["SELECT", "9"]);
    assert_eq!(target.call(&["LRANGE", "b", "0", "-1"]), "x y");
    let left: i64 = target.call(&["PTTL", "a"])[1..].parse().unwrap();
    assert!((1..=600_000).contains(&left), "{left}");
    source.call(&["MULTI"]);
    migrate(&mut source, &["c", "9", "1000"]);
    assert_eq!(source.call(&["EXEC"]), "+OK");
    assert_eq!(
        (source.call(&["EXISTS", "c"]), target.call(&["GET", "c"])),
        (":0".into(), "3".into())
    );
    source.call(&["SET", "d", "4"]);
    let nowhere = source.call(&["MIGRATE", "127.0.0.1", "1", "d", "0", "100"]);
    assert_eq!(nowhere, "-IOERR error or timeout connecting to the client");
    assert_eq!(source.call(&["GET", "d"]), "4");
}

#[test]
fn whoever_says_sync_gets_all_keys_by_length_and_then_what_is_written() {
    let (_server, address) = server();
    let (mut client, mut follower) = (Client::new(address), Client::new(address));
    client.call(&["SET", "k", "v"]);
    follower.send(&["SYNC"]);
    let head = follower.line();
    let length: usize = head.strip_prefix('$').expect(&head).parse().unwrap();
    let mut rdb = vec![0; length];
    follower.0.read_exact(&mut rdb).unwrap();
    assert!(rdb.starts_with(b"REDIS"));
    client.call(&["SET", "other", "w"]);
    assert_eq!(follower.reply(), "SELECT 0");
    assert_eq!(follower.reply(), "SET other w");
    until("it is a replica", || {
        client.call(&["CLIENT", "LIST", "TYPE", "replica"]).contains(" flags=S ")
    });
    assert_eq!(client.call(&["CLIENT", "KILL", "TYPE", "replica"]), ":1");
    assert!(follower.is_closed());
}

#[test]
fn clients_are_served_while_a_great_many_keys_expire_together() {
    const KEYS: u32 = 200_000;
    let (_server, address) = start(Server::builder().threads(1));
    let mut client = Client::new(address);
    let script = "for i = 1, tonumber(ARGV[1]) do redis.call('SET', 'k' .. i, 'v', 'PX', 1) end";
    client.call(&["EVAL", script, "0", &KEYS.to_string()]);
    let mut left = Vec::new();
    until("keys expire", || {
        left.push(client.call(&["DBSIZE"]));
        left.last().is_some_and(|left| left == ":0")
    });
    let (all, none) = (format!(":{KEYS}"), ":0".to_owned());
    let between = left.iter().filter(|left| ![&all, &none].contains(left)).count();
    assert!(between >= 10, "it was answered {between} times of {} meanwhile", left.len());
}
