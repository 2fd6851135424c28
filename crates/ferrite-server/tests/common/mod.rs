//! A connection that gives replies as they came, and replies as text that can be compared; a server
//! with a snapshot.
#![allow(dead_code, reason = "no test uses all of it")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ferrite_resp::{Limits, Value, decode, encode};
use ferrite_server::Server;
use ferrite_testkit::client::Client;

/// Longest wait for a reply.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub fn new(address: SocketAddr, resp3: bool) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut connection = Self { stream, received: Vec::new() };
        if resp3 {
            connection.call(&["HELLO", "3"]);
        }
        connection
    }

    pub fn send<W: AsRef<[u8]>>(&mut self, words: &[W]) {
        let mut bytes = Vec::new();
        encode::command(&mut bytes, words);
        self.stream.write_all(&bytes).unwrap();
    }

    pub fn reply(&mut self) -> Value {
        loop {
            if let Some((value, used)) = decode(&self.received, &Limits::default()).unwrap() {
                self.received.drain(..used);
                return value;
            }
            let mut buffer = [0; 65536];
            let read = self.stream.read(&mut buffer).expect("a reply in time");
            assert!(read > 0, "the connection was closed");
            self.received.extend_from_slice(&buffer[..read]);
        }
    }

    pub fn call<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Value {
        self.send(words);
        self.reply()
    }
}

/// A reply with its type, its bytes as text.
pub fn shown(value: &Value) -> String {
    let all = |items: &[Value]| items.iter().map(shown).collect::<Vec<_>>().join(", ");
    match value {
        Value::Bulk(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        Value::Simple(bytes) => format!("+{}", String::from_utf8_lossy(bytes)),
        Value::Error(bytes) => format!("-{}", String::from_utf8_lossy(bytes)),
        Value::Array(items) => format!("[{}]", all(items)),
        Value::Set(items) => format!("set[{}]", all(items)),
        Value::Push(items) => format!("push[{}]", all(items)),
        Value::Map(pairs) => {
            let pair = |(key, value): &(Value, Value)| format!("{}: {}", shown(key), shown(value));
            format!("map[{}]", pairs.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
        other => format!("{other:?}"),
    }
}

/// The same for elements without an order, here and in what is inside.
pub fn unordered(value: &Value) -> String {
    let (Value::Array(items) | Value::Set(items)) = value else { return shown(value) };
    let mut items: Vec<_> = items.iter().map(unordered).collect();
    items.sort();
    format!("{items:?}")
}

/// A server with its snapshot in this folder.
pub fn start(folder: &std::path::Path) -> (Server, Client) {
    let builder = Server::builder().bind("127.0.0.1:0".parse().unwrap());
    let server = builder.snapshot(folder.to_owned(), "dump.rdb").start().unwrap();
    let client = Client::connect(server.addresses()[0]).unwrap();
    (server, client)
}
