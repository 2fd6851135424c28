//! Clients that go away, in each of the ways there are: the server notices at once.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::TcpStream;

use ferrite_server::Server;
use ferrite_testkit::client::Client;
use ferrite_testkit::wait_until;

fn only_one_is_left(server: &Server) {
    let mut client = Client::connect(server.addresses()[0]).unwrap();
    wait_until("the others are forgotten", || {
        client.ok(&["CLIENT", "LIST"]).text().lines().count() == 1
    });
}

fn start() -> Server {
    let folder = std::env::temp_dir();
    let builder = Server::builder().bind("127.0.0.1:0".parse().unwrap());
    builder.snapshot(folder, "there-is-no-such-file.rdb").start().unwrap()
}

/// The end comes together with the last request.
#[test]
fn with_the_last_request() {
    let server = start();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(server.addresses()[0]).unwrap();
        stream.write_all(b"SET a 1\r\nQUIT\r\n").unwrap();
        let mut stream = TcpStream::connect(server.addresses()[0]).unwrap();
        stream.write_all(b"SET a 1\r\nGET a\r\n").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answers = Vec::new();
        stream.read_to_end(&mut answers).unwrap();
        assert_eq!(answers, b"+OK\r\n$1\r\n1\r\n");
    }
    only_one_is_left(&server);
}

/// Answers are not read: the system resets the connection.
#[test]
fn with_answers_unread() {
    let server = start();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(server.addresses()[0]).unwrap();
        stream.write_all(&b"PING\r\n".repeat(1000)).unwrap();
        stream.read_exact(&mut [0]).unwrap();
    }
    only_one_is_left(&server);
}

/// While its command waits.
#[test]
fn while_waiting() {
    let server = start();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(server.addresses()[0]).unwrap();
        stream.write_all(b"BLPOP nothing 0\r\n").unwrap();
    }
    only_one_is_left(&server);
}
