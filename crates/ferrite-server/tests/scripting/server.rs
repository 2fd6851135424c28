//! Scripts in the server: slow ones, those that are killed, what replicas are told.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ferrite_server::Server;
use ferrite_server::replication::log::Found;

use crate::support::Raw;

const ENDLESS: &[u8] = b"while true do end";
const ENDLESS_WRITER: &[u8] = b"redis.call('set', 'k', 'v') while true do end";
const LIBRARY: &[u8] =
    b"#!lua name=lib\nredis.register_function('endless', function() while true do end end)";

fn server() -> Server {
    let server = Server::builder().bind("127.0.0.1:0".parse().unwrap()).start().unwrap();
    server.shared().scripting.patience.store(50, Ordering::Relaxed);
    server
}

fn connect(server: &Server) -> Raw {
    Raw::connect(server.addresses()[0])
}

/// Sends a call whose reply is read later.
fn send(server: &Server, words: &[&[u8]]) -> Raw {
    let mut stream = TcpStream::connect(server.addresses()[0]).unwrap();
    let mut request = Vec::new();
    ferrite_resp::encode::command(&mut request, words);
    stream.write_all(&request).unwrap();
    Raw::from(stream)
}

fn text(reply: Vec<u8>) -> String {
    String::from_utf8(reply).unwrap()
}

/// Calls until others are told that the server is busy.
fn until_busy(client: &mut Raw) -> String {
    let start = Instant::now();
    loop {
        let reply = text(client.call(&[b"GET", b"k"]));
        if reply.starts_with("-BUSY") {
            return reply;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "never busy: {reply}");
    }
}

#[test]
fn every_client_is_told_of_a_slow_script_and_any_may_kill_it() {
    let server = server();
    let mut clients: Vec<Raw> = (0..6).map(|_| connect(&server)).collect();
    for round in 0..3 {
        let mut waiting = send(&server, &[b"EVAL", ENDLESS, b"0"]);
        for client in &mut clients {
            assert_eq!(
                until_busy(client),
                "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n"
            );
            assert!(text(client.call(&[b"FUNCTION", b"KILL"])).starts_with("-BUSY"));
            assert!(text(client.call(&[b"PING"])).starts_with("-BUSY"));
            let stats = text(client.call(&[b"FUNCTION", b"STATS"]));
            assert!(
                stats.contains("while true do end") && stats.contains("duration_ms"),
                "{stats}"
            );
        }
        let killer = &mut clients[round];
        assert_eq!(text(killer.call(&[b"SCRIPT", b"KILL"])), "+OK\r\n");
        let reply = text(waiting.read());
        assert!(reply.contains("Script killed by user with SCRIPT KILL"), "{reply}");
        for client in &mut clients {
            assert_eq!(text(client.call(&[b"PING"])), "+PONG\r\n");
        }
        assert!(text(clients[0].call(&[b"SCRIPT", b"KILL"])).starts_with("-NOTBUSY"));
    }
}

#[test]
fn a_script_that_wrote_is_not_killed_and_the_server_can_end() {
    let mut server = server();
    let mut client = connect(&server);
    let _waiting = send(&server, &[b"EVAL", ENDLESS_WRITER, b"0"]);
    until_busy(&mut client);
    assert!(text(client.call(&[b"SCRIPT", b"KILL"])).starts_with("-UNKILLABLE "));
    server.stop().unwrap();
}

#[test]
fn a_slow_function_is_killed_by_its_own_command() {
    let server = server();
    let mut client = connect(&server);
    assert_eq!(text(client.call(&[b"FUNCTION", b"LOAD", LIBRARY])), "$3\r\nlib\r\n");
    let mut waiting = send(&server, &[b"FCALL", b"endless", b"0"]);
    assert!(until_busy(&mut client).contains("FUNCTION KILL"));
    assert!(text(client.call(&[b"SCRIPT", b"KILL"])).starts_with("-BUSY"));
    assert_eq!(text(client.call(&[b"FUNCTION", b"KILL"])), "+OK\r\n");
    assert!(text(waiting.read()).contains("Script killed by user with FUNCTION KILL"));
    assert_eq!(text(client.call(&[b"PING"])), "+PONG\r\n");
}

#[test]
fn a_client_that_leaves_does_not_stop_others() {
    let server = server();
    let mut client = connect(&server);
    drop(send(&server, &[b"EVAL", ENDLESS, b"0"]));
    until_busy(&mut client);
    assert_eq!(text(client.call(&[b"SCRIPT", b"KILL"])), "+OK\r\n");
    let mut other = connect(&server);
    assert_eq!(text(other.call(&[b"EVAL", b"return 1", b"0"])), ":1\r\n");
}

#[test]
fn replicas_are_told_the_effects() {
    let server = server();
    let log = &server.shared().log;
    let mut reader = log.follow();
    let mut client = connect(&server);
    let mut effects = |script: &str| {
        client.call(&[b"EVAL", script.as_bytes(), b"0"]);
        let bytes = match log.read(&mut reader, Duration::ZERO) {
            Found::Bytes(bytes) => bytes,
            Found::Nothing => Vec::new(),
            Found::Lost => panic!("the log was given up"),
        };
        let text = String::from_utf8(bytes).unwrap();
        let words: Vec<_> = text
            .split("\r\n")
            .filter(|line| !line.starts_with(['*', '$']) && *line != "PING")
            .collect();
        words.join(" ").trim().to_owned()
    };
    assert_eq!(effects("redis.call('set', 'a', 1)"), "SELECT 0 set a 1");
    assert_eq!(effects("redis.call('set', 'a', 1)"), "set a 1", "in its client's thread, too");
    assert_eq!(
        effects("redis.call('set', 'a', 1) redis.call('incr', 'a')"),
        "MULTI set a 1 incr a EXEC"
    );
    assert_eq!(effects("redis.call('get', 'a')"), "");
    assert_eq!(effects("redis.set_repl(redis.REPL_NONE) redis.call('set', 'a', 1)"), "");
    assert_eq!(effects("redis.call('set', 'a', 1) redis.call('nosuch')"), "set a 1");
    assert_eq!(effects("redis.call('select', 3) redis.call('set', 'a', 1)"), "SELECT 3 set a 1");
}
