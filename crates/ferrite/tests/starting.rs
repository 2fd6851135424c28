//! The binary as an operator meets it: configuration, log, signals, exit codes.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use ferrite_testkit::{Client, wait_until};
use rustix::process::{Pid, Signal, kill_process};

fn ferrite(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ferrite")).args(words).output().unwrap()
}

/// A server and its log; it is killed when the test ends early.
struct Running {
    child: Child,
    log: BufReader<std::process::ChildStdout>,
    seen: String,
}

impl Running {
    fn start(words: &[&str]) -> Self {
        let mut running = Self::begin(words);
        running.wait_for("Ready to accept connections");
        running
    }

    fn begin(words: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ferrite"))
            .args(words)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stdout.take().unwrap());
        Self { child, log, seen: String::new() }
    }

    fn wait_for(&mut self, what: &str) {
        let from = self.seen.len();
        while !self.seen[from..].contains(what) {
            let read = self.log.read_line(&mut self.seen).unwrap();
            assert!(read > 0, "the log ended before {what:?}:\n{}", self.seen);
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn client(port: u16) -> Client {
    Client::connect(SocketAddr::from(([127, 0, 0, 1], port))).unwrap()
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn it_serves_with_a_redis_conf_and_ends_by_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display().to_string();
    let file = write(folder.path(), "redis.conf", "save 3600 1\npidfile f.pid\nport 1\n");
    let port = free_port().to_string();
    let mut server = Running::start(&[&file, "--port", &port, "--dir", &dir]);
    let pid = server.child.id();
    assert!(server.seen.lines().all(|line| line.starts_with(&format!("{pid}:M "))));
    let written = std::fs::read_to_string(folder.path().join("f.pid")).unwrap();
    assert_eq!(written, format!("{pid}\n"));
    let mut client = client(port.parse().unwrap());
    client.ok(&["SET", "key", "value"]);
    assert_eq!(client.ok(&["CONFIG", "GET", "port"]).items()[1].text(), port);
    server.signal(Signal::TERM);
    server.wait_for("bye bye");
    assert!(server.child.wait().unwrap().success());
    assert!(folder.path().join("dump.rdb").exists(), "a save point is set, so it is saved");
    assert!(!folder.path().join("f.pid").exists());
}

#[test]
fn it_serves_with_a_ferrite_toml_and_users() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let text = format!(
        "[network]\nport = {port}\n[persistence.rdb]\nsave = []\n[security]\nrequirepass = \"pw\"\n\
         users = [\"alice on >secret ~a* +get\"]\n"
    );
    let file = write(folder.path(), "ferrite.toml", &text);
    let server = Running::start(&["--config", &file]);
    let mut client = client(port);
    assert!(client.call(&["PING"]).text().contains("NOAUTH"));
    assert!(client.call(&["AUTH", "wrong"]).text().contains("WRONGPASS"));
    client.ok(&["AUTH", "alice", "secret"]);
    client.ok(&["GET", "a1"]);
    assert!(client.call(&["GET", "b1"]).text().contains("NOPERM No permissions to access a key"));
    assert!(client.call(&["SET", "a1", "v"]).text().contains("NOPERM User alice has no perm"));
    client.ok(&["AUTH", "pw"]);
    let log = client.ok(&["ACL", "LOG"]);
    assert_eq!(log.items().len(), 3);
    drop(server);
}

#[test]
fn commands_are_called_as_the_configuration_says() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let text = format!(
        "port {port}\nsave \"\"\nrename-command FLUSHALL wipe\nrename-command KEYS \"\"\n\
         rename-command config setting\nrename-command lpush shove\nuser alice on nopass ~* +flushall\n"
    );
    let file = write(folder.path(), "redis.conf", &text);
    let mut server = Running::start(&[&file]);
    let mut client = client(port);
    for words in
        [&["FLUSHALL"][..], &["KEYS", "*"], &["CONFIG", "GET", "port"], &["LPUSH", "l", "a"]]
    {
        let error = client.call(words).text();
        assert!(error.contains(&format!("unknown command '{}'", words[0])), "{error}");
    }
    assert_eq!(client.ok(&["SHOVE", "l", "a", "b"]).int(), Some(2));
    client.ok(&["MULTI"]);
    client.ok(&["shove", "l", "c"]);
    assert_eq!(client.ok(&["EXEC"]).items()[0].int(), Some(3));
    assert_eq!(
        client.ok(&["EVAL", "return redis.call('shove', KEYS[1], 'd')", "1", "l"]).int(),
        Some(4)
    );
    let unknown = client.call(&["EVAL", "return redis.call('lpush', KEYS[1], 'd')", "1", "l"]);
    assert!(unknown.text().contains("Unknown Redis command called from script"));
    assert_eq!(client.ok(&["SETTING", "GET", "port"]).items().len(), 2);
    client.ok(&["SETTING", "REWRITE"]);
    assert!(std::fs::read_to_string(&file).unwrap().contains("rename-command FLUSHALL wipe\n"));
    // Commands are described and counted, and rules are given, by their own names.
    assert_eq!(client.ok(&["COMMAND", "INFO", "wipe"]).items()[0].items()[0].text(), "flushall");
    assert!(client.ok(&["COMMAND", "INFO", "flushall"]).items()[0].items().is_empty());
    let listed: Vec<_> =
        client.ok(&["COMMAND", "LIST"]).items().iter().map(|it| it.text()).collect();
    assert!(listed.contains(&"flushall".to_owned()) && !listed.contains(&"keys".to_owned()));
    assert_eq!(client.ok(&["COMMAND", "GETKEYS", "shove", "l", "a"]).items()[0].text(), "l");
    assert!(client.ok(&["INFO", "commandstats"]).text().contains("cmdstat_lpush:calls=3"));
    client.ok(&["AUTH", "alice", ""]);
    assert!(
        client
            .call(&["SHOVE", "l", "e"])
            .text()
            .contains("no permissions to run the 'lpush' command")
    );
    client.ok(&["WIPE"]);
    server.signal(Signal::TERM);
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_wrong_configuration_ends_it_with_the_line() {
    let output = ferrite(&["--port", "abc"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("*** FATAL CONFIG FILE ERROR (Redis"), "{error}");
    assert!(error.contains(">>> 'port \"abc\"'"), "{error}");
    let refused = ferrite(&["--appendonly", "yes"]);
    assert!(String::from_utf8(refused.stderr).unwrap().contains("no append-only file"));
}

#[test]
fn configurations_can_be_tested_and_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.toml").display().to_string();
    assert!(ferrite(&["init", &path]).status.success());
    assert_eq!(ferrite(&["init", &path]).status.code(), Some(1), "it replaces nothing");
    let tested = ferrite(&["--config", &path, "--test-config"]);
    assert_eq!(String::from_utf8(tested.stdout).unwrap(), "Configuration OK\n");
    let version = String::from_utf8(ferrite(&["--version"]).stdout).unwrap();
    assert!(version.starts_with("Ferrite server v="), "{version}");
}

#[test]
fn standard_input_is_configuration_behind_a_dash() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ferrite"))
        .args(["--test-config", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"maxmemory 1gb\nnosuch 1\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("at line 2\n>>> 'nosuch 1'"), "{error}");
}

/// Whoever changes `bind` by mistake can still come in and change it again.
#[test]
fn a_bind_that_nobody_could_reach_is_refused() {
    let port = free_port();
    let _running = Running::start(&["--port", &port.to_string(), "--save", ""]);
    let mut first = client(port);
    for nonsense in [&b"\x00\xff\r\n"[..], b"-nonsense.invalid", b"nonsense.invalid"] {
        let words: [&[u8]; 4] = [b"CONFIG", b"SET", b"bind", nonsense];
        assert!(first.call(&words).is_error(), "{nonsense:?}");
        assert_eq!(client(port).ok(&["PING"]), "PONG", "{nonsense:?}");
    }
}

/// Whether a process gets huge pages, as the kernel tells it.
fn huge_pages(pid: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("THP_enabled:")).map(str::to_owned)
}

#[test]
fn huge_pages_are_for_those_who_hold_much() {
    let port = free_port().to_string();
    let server = Running::start(&["--port", &port, "--save", "", "--enable-debug-command", "yes"]);
    let pid = server.child.id().to_string();
    let of_everybody = huge_pages("self");
    assert_eq!(huge_pages(&pid).as_deref().unwrap_or("\t0"), "\t0");
    client(port.parse().unwrap()).ok(&["DEBUG", "POPULATE", "40000", "key", "1024"]);
    wait_until("it gets what everybody gets", || huge_pages(&pid) == of_everybody);
}

/// Keys of the file that [`slow_load`] reads; 256 of them take a second.
const KEYS: usize = 2000;

/// A server with save points that has begun to read a file of three megabytes, slowly.
fn slow_load(folder: &Path) -> (Running, Client) {
    let (dir, port) = (folder.display().to_string(), free_port());
    let number = port.to_string();
    let mut words = vec!["--dir", &dir, "--port", &number, "--save", "1 1"];
    let server = Running::start(&words);
    let mut writer = client(port);
    let value: String = (0..1500_u32).map(|at| char::from(b'a' + (at * at % 26) as u8)).collect();
    for key in 0..KEYS {
        writer.ok(&["SET", &format!("key:{key}"), &format!("{key}{value}")]);
    }
    writer.ok(&["CONFIG", "SET", "rdbcompression", "no"]);
    writer.ok(&["SAVE"]);
    drop(server);
    words.extend(["--key-load-delay", "3900"]);
    let mut server = Running::begin(&words);
    server.wait_for("RDB age");
    (server, client(port))
}

fn info(client: &mut Client, name: &str) -> String {
    let text = client.ok(&["INFO", "persistence"]).text();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.unwrap_or_else(|| panic!("{name} is not in:\n{text}")).to_owned()
}

#[test]
fn clients_are_answered_while_the_file_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, mut client) = slow_load(folder.path());
    let loading = "LOADING Redis is loading the dataset in memory";
    for words in [
        &["PING"][..],
        &["GET", "key:1"],
        &["SET", "key:1", "v"],
        &["DBSIZE"],
        &["PSYNC", "?", "-1"],
    ] {
        let reply = client.call(words).text();
        assert!(reply.contains(loading), "{words:?}: {reply}");
    }
    client.ok(&["MULTI"]);
    assert!(client.call(&["GET", "key:1"]).text().contains(loading));
    assert!(client.call(&["EXEC"]).text().contains("EXECABORT"));
    assert_eq!(info(&mut client, "loading"), "1");
    let size = std::fs::metadata(folder.path().join("dump.rdb")).unwrap().len();
    assert_eq!(info(&mut client, "loading_total_bytes"), size.to_string());
    let mut done = || info(&mut client, "loading_loaded_bytes").parse::<u64>().unwrap();
    let before = done();
    wait_until("more to be read", || done() > before);
    assert!(done() < size);
    let percent: f64 = info(&mut client, "loading_loaded_perc").parse().unwrap();
    assert!(percent > 0.0 && percent < 100.0, "{percent}");
    client.ok(&["CONFIG", "SET", "key-load-delay", "0"]);
    server.wait_for("Ready to accept connections");
    for line in ["Loading RDB produced by version", "RDB age", "DB loaded from disk"] {
        assert!(server.seen.contains(line), "{line} is not in:\n{}", server.seen);
    }
    assert_eq!(client.ok(&["DBSIZE"]).int(), Some(KEYS as i64));
    assert_eq!(info(&mut client, "loading"), "0");
}

#[test]
fn a_load_is_ended_by_a_signal_and_the_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, mut client) = slow_load(folder.path());
    let file = folder.path().join("dump.rdb");
    let before = std::fs::read(&file).unwrap();
    assert!(client.call(&["SHUTDOWN", "ABORT"]).text().contains("No shutdown in progress"));
    server.signal(Signal::TERM);
    server.wait_for("bye bye");
    assert!(server.child.wait().unwrap().success());
    assert!(!server.seen.contains("Ready to accept connections"));
    assert!(std::fs::read(&file).unwrap() == before, "the file was written anew");
}
