//! Bytes that are no requests.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use ferrite_resp::{Limits, Value, decode, encode};
use ferrite_server::Server;
use ferrite_store::memory::allocated;

use crate::{lives, server};

/// Longest wait for the server to close.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends bytes and nothing more; the replies until the server closes.
fn answers(server: &Server, bytes: &[u8]) -> Vec<Value> {
    let mut stream = TcpStream::connect(server.addresses()[0]).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may close before it has read all: then there is nobody to send to.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut received = Vec::new();
    // A reset is a way to close, too.
    match stream.read_to_end(&mut received) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("not closed"),
        _ => {}
    }
    let (mut replies, mut rest) = (Vec::new(), received.as_slice());
    while let Some((value, used)) = decode(rest, &Limits::default()).expect("replies") {
        replies.push(value);
        rest = &rest[used..];
    }
    assert!(rest.is_empty(), "half a reply: {}", String::from_utf8_lossy(rest));
    replies
}

/// Requests of several forms, as a client sends them.
fn valid_stream() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut add = |words: &[&str]| encode::command(&mut bytes, words);
    add(&["SET", "key", "value"]);
    add(&["MULTI"]);
    add(&["RPUSH", "list", "a", "", "\r\n"]);
    add(&["LRANGE", "list", "0", "-1"]);
    add(&["EXEC"]);
    add(&["EVAL", "return redis.call('GET', KEYS[1])", "1", "key"]);
    add(&["HELLO", "3"]);
    add(&["HGETALL", "hash"]);
    bytes.extend_from_slice(b"SET 'a b' \"\\x00\\n\"\r\n\r\nPING\r\n*0\r\n");
    encode::command(&mut bytes, &["ZADD", "zset", "1.5", "m"]);
    bytes
}

#[test]
fn every_byte_of_a_stream_may_be_wrong() {
    let server = server();
    let stream = valid_stream();
    assert_eq!(answers(&server, &stream).iter().filter(|reply| reply.is_error()).count(), 0);
    for place in 0..stream.len() {
        // All kinds of damage in turn, three at each byte.
        let kinds = [0, 0xff, b'\r', b'\n', b'*', b'$', b'-', b'9', b' ', b'"'];
        let drawn = [kinds[place % kinds.len()], kinds[(place + 4) % kinds.len()]];
        for byte in drawn.into_iter().chain([stream[place] ^ 1]) {
            let mut damaged = stream.clone();
            damaged[place] = byte;
            answers(&server, &damaged);
        }
        answers(&server, &stream[..place]);
    }
    lives(&server);
}

/// A length without what it promises costs nothing, and is refused where it is absurd.
#[test]
fn absurd_lengths_are_refused_and_take_no_memory() {
    let server = server();
    let huge = "9".repeat(100);
    let refused = [
        "*1048577\r\n".to_owned(),
        "*2147483648\r\n".into(),
        format!("*{huge}\r\n"),
        "*abc\r\n".into(),
        "*1\r\n$536870913\r\n".into(),
        "*1\r\n$-1\r\n".into(),
        format!("*1\r\n${huge}\r\n"),
        "*1\r\n:1\r\n".into(),
        "*1\r\n*1\r\n$4\r\nPING\r\n".into(),
        format!("*{}", "1".repeat(70_000)),
        format!("*1\r\n${}", "1".repeat(70_000)),
        "x".repeat(70_000),
        "SET \"a\r\n".into(),
    ];
    for bytes in refused {
        let replies = answers(&server, bytes.as_bytes());
        let last = replies.last().and_then(Value::as_error).unwrap_or_default();
        let shown: String = bytes.chars().take(30).collect();
        assert!(last.starts_with(b"ERR Protocol error"), "{shown}: {replies:?}");
    }
    let before = allocated();
    let mut open = Vec::new();
    for bytes in ["*1048576\r\n", "*1\r\n$536870912\r\n", "*1000000\r\n$1\r\na\r\n$500000000\r\n"] {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(server.addresses()[0]).unwrap();
            stream.write_all(bytes.as_bytes()).unwrap();
            open.push(stream);
        }
    }
    lives(&server);
    let taken = allocated().saturating_sub(before);
    assert!(taken < 8 << 20, "{} connections that promise much take {taken} bytes", open.len());
}
