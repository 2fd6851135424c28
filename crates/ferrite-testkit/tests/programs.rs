//! The programs of this crate, run as a user runs them.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ferrite_testkit::client::Connector;
use ferrite_testkit::{Client, ClientLibrary, OtherServer, Peer, Server};
use rustix::process::{Pid, Signal, kill_process};

const PEERS: &str = env!("CARGO_BIN_EXE_peers");
const DATASET: &str = env!("CARGO_BIN_EXE_dataset");

/// Runs a program to its end: exit code, standard output, standard error.
fn run(program: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// `peers run`, its server's connection and folder.
fn running() -> (Child, Client, PathBuf) {
    let mut child =
        Command::new(PEERS).args(["run", "redis-7.0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let listens = lines.next().unwrap();
    let url = listens.strip_prefix("redis-7.0 listens on ").unwrap();
    let log = lines.next().unwrap();
    let dir = PathBuf::from(log.strip_prefix("log: ").unwrap()).parent().unwrap().to_path_buf();
    let client = Connector::from_url(url).unwrap().connect().unwrap();
    (child, client, dir)
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "{what} within 20 seconds");
    }
}

#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    for signal in [Signal::INT, Signal::TERM] {
        let (mut child, mut client, dir) = running();
        client.ok(&["SET", "k", "v"]);
        send(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert!(client.try_call(&["PING"]).is_err());
        assert!(!dir.exists());
    }
}

#[test]
fn a_killed_owner_takes_its_server_along() {
    let (mut child, mut client, dir) = running();
    client.ok(&["PING"]);
    send(&child, Signal::KILL);
    child.wait().unwrap();
    wait_until("server ends", || client.try_call(&["PING"]).is_err());
    wait_until("folder is removed", || !dir.exists());
}

#[test]
fn the_path_of_a_server_runs_it() {
    for server in Server::ALL {
        let (code, words, _) = run(PEERS, &["path", server.name()]);
        assert_eq!(code, Some(0));
        let mut words = words.split_whitespace();
        let version =
            Command::new(words.next().unwrap()).args(words).arg("--version").output().unwrap();
        let (major, minor) = server.version();
        let version = String::from_utf8(version.stdout).unwrap();
        assert!(version.contains(&format!(" v={major}.{minor}.")), "{version}");
    }
}

#[test]
fn unknown_servers_are_refused_with_the_names_there_are() {
    let (code, _, error) = run(PEERS, &["fetch", "redis-1.0"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("redis-6.2, redis-7.0, redis-8.0, valkey-8.1, valkey-9.1"), "{error}");
}

#[test]
fn fetching_starts_each_server_once() {
    let (code, text, error) = run(PEERS, &["fetch"]);
    assert_eq!(code, Some(0), "{error}");
    let names = Server::ALL.map(Server::name);
    let others = OtherServer::ALL.map(OtherServer::name);
    let libraries = ClientLibrary::ALL.map(ClientLibrary::name);
    let all: Vec<_> = names.iter().chain(&others).chain(&libraries).collect();
    for (line, name) in text.lines().zip(&all) {
        let good = [format!("{name} works"), format!("{name} is in ")];
        assert!(good.iter().any(|words| line.starts_with(words)), "{line}");
    }
    assert_eq!(text.lines().count(), all.len());
}

#[test]
fn two_servers_are_filled_and_compared() {
    let first = Peer::builder(Server::Redis80).password("a/b").start().unwrap();
    let second = Peer::start(Server::Redis80).unwrap();
    for url in [first.url(), second.url()] {
        let (code, text, error) = run(DATASET, &["everything", "--url", &url]);
        assert_eq!(code, Some(0), "{error}");
        assert!(text.starts_with("loaded "), "{text}");
        assert_eq!(run(DATASET, &["mixed", "--keys", "500", "--url", &url]).0, Some(0));
    }
    let compare = ["diff", "--url", &first.url(), "--other", &second.url()];
    let (code, text, error) = run(DATASET, &compare);
    assert_eq!(code, Some(0), "{text} {error}");
    second.client().ok(&["HSET", "hash:listpack", "city", "Paris"]);
    let (code, text, _) = run(DATASET, &compare);
    assert_eq!(code, Some(1));
    assert_eq!(
        text,
        "db 0 \"hash:listpack\": field \"city\" is \"London\", in the second \"Paris\"\n"
    );
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let peer = Peer::start(Server::Redis70).unwrap();
    let url = peer.url();
    drop(peer);
    let (code, _, error) = run(DATASET, &["everything", "--url", &url]);
    assert_eq!(code, Some(1));
    assert!(error.contains("cannot connect to 127.0.0.1"), "{error}");
}
