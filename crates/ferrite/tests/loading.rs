//! While the snapshot is loaded: who is answered, and how, as a real server answers them.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ferrite_testkit::{Client, Peer, Server, wait_until};

/// Keys of the file.
const KEYS: i64 = 20_000;
/// What loading each of them is delayed by: ten seconds for all, unless told otherwise meanwhile.
const DELAY_US: &str = "500";

/// What is asked while keys are loaded. Those that follow MULTI belong to its transaction.
const QUESTIONS: &[&str] = &[
    "PING",
    "ECHO text",
    "GET key:1",
    "SET key:1 value",
    "DEL key:1",
    "TYPE key:1",
    "OBJECT ENCODING key:1",
    "MEMORY USAGE key:1",
    "DBSIZE",
    "KEYS *",
    "SCAN 0",
    "EXISTS key:1",
    "FLUSHALL",
    "BGSAVE",
    "SAVE",
    "EVAL return(1) 0",
    "SCRIPT EXISTS none",
    "FUNCTION LIST",
    "PUBLISH channel message",
    "SELECT 1",
    "SELECT 0",
    "WATCH key:1",
    "UNWATCH",
    "MULTI",
    "GET key:1",
    "EXEC",
    "MULTI",
    "PING",
    "DISCARD",
    "CLIENT GETNAME",
    "SLOWLOG LEN",
    "CONFIG GET key-load-delay",
    "NOSUCH command",
    "GET",
    "LATENCY RESET",
    "WAIT 0 0",
    "REPLCONF capa eof",
    "PSYNC ? -1",
    "DEBUG RELOAD",
];

/// Where both differ: DEBUG RELOAD of a server that loads is refused here, where it is executed by
/// a real one.
const NOT_COMPARED: &[&str] = &["DEBUG RELOAD"];

/// The answers of a server that loads, which goes on at once after them.
fn ask(client: &mut Client) -> Vec<String> {
    let mut answers = Vec::new();
    for question in QUESTIONS.iter().filter(|question| !NOT_COMPARED.contains(question)) {
        let answer = client.call(&question.split(' ').collect::<Vec<_>>());
        answers.push(format!("{question}: {answer}"));
    }
    let info = client.ok(&["INFO", "persistence"]).text();
    let told = info.lines().filter(|line| line.starts_with("loading"));
    // Names of all, values of those that do not move.
    let steady = ["loading:", "loading_total_bytes:"];
    answers.extend(told.map(|line| match steady.iter().any(|name| line.starts_with(name)) {
        true => line.trim().to_owned(),
        false => line.split(':').next().unwrap_or_default().to_owned(),
    }));
    client.ok(&["CONFIG", "SET", "key-load-delay", "0"]);
    answers
}

/// Connects to a server that is being started, once it says that it loads.
fn while_it_loads(address: SocketAddr) -> Client {
    let mut found = None;
    wait_until("the server loads its file", || {
        found = Client::connect(address).ok();
        let answer = found.as_mut().and_then(|client| client.try_call(&["PING"]).ok());
        answer.is_some_and(|answer| answer.to_string().contains("LOADING"))
    });
    found.unwrap()
}

/// A real server that loads slowly, and its file in that folder, too.
fn real(folder: &Path) -> Peer {
    let builder = Peer::builder(Server::Redis80).arg("key-load-delay", DELAY_US);
    let builder = builder.arg("loading-process-events-interval-bytes", "1024");
    let peer = builder.start().unwrap_or_else(|error| panic!("{error}"));
    let mut client = peer.client();
    client.ok(&["DEBUG", "POPULATE", &KEYS.to_string()]);
    client.ok(&["SAVE"]);
    std::fs::copy(peer.dir().join("dump.rdb"), folder.join("dump.rdb")).unwrap();
    peer
}

/// What a server answers that loads its file.
fn answers(mut peer: Peer) -> Vec<String> {
    peer.kill();
    let address = peer.addr();
    std::thread::scope(|scope| {
        let asking = scope.spawn(move || ask(&mut while_it_loads(address)));
        peer.restart().unwrap();
        asking.join().unwrap()
    })
}

/// Our server, which loads the file of that folder slowly.
fn ours(folder: &Path) -> (Ferrite, SocketAddr) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dir = folder.display().to_string();
    let child = Command::new(env!("CARGO_BIN_EXE_ferrite"))
        .args(["--port", &port.to_string(), "--dir", &dir])
        .args(["--key-load-delay", DELAY_US, "--save", "", "--enable-debug-command", "yes"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    (Ferrite(child), SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// It is killed when the test ends early.
struct Ferrite(Child);

impl Drop for Ferrite {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn whoever_comes_while_it_loads_is_told_as_by_a_real_server() {
    let folder = tempfile::tempdir().unwrap();
    let expected = answers(real(folder.path()));
    let (_server, address) = ours(folder.path());
    let mut client = while_it_loads(address);
    let reload = client.call(&["DEBUG", "RELOAD"]);
    assert!(reload.to_string().contains("LOADING"), "{reload}");
    assert_eq!(ask(&mut client), expected);
    wait_until("the file is loaded", || client.call(&["PING"]) == "PONG");
    assert_eq!(client.ok(&["DBSIZE"]).int(), Some(KEYS));
}
