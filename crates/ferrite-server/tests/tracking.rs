//! Who is told of keys that change: the same conversation with a real server and with ours.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ferrite_resp::{Limits, Value, decode, encode};
use ferrite_server::Server;
use ferrite_testkit::{Peer, Server as Real, wait_until};

struct Client {
    stream: TcpStream,
    received: Vec<u8>,
    id: i64,
}

impl Client {
    fn new(address: SocketAddr, resp3: bool) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut client = Self { stream, received: Vec::new(), id: 0 };
        let hello = client.call(&["HELLO", if resp3 { "3" } else { "2" }]);
        let pairs = hello.into_pairs().unwrap();
        let id = pairs.iter().find(|(key, _)| key.as_str() == Some("id"));
        client.id = id.unwrap().1.as_int().unwrap();
        client
    }

    fn send(&mut self, words: &[&str]) {
        let mut request = Vec::new();
        encode::command(&mut request, words);
        self.stream.write_all(&request).unwrap();
    }

    fn call(&mut self, words: &[&str]) -> Value {
        self.send(words);
        self.next()
    }

    /// The next reply or message.
    fn next(&mut self) -> Value {
        loop {
            if let Some((value, used)) = decode(&self.received, &Limits::default()).unwrap() {
                self.received.drain(..used);
                return value;
            }
            let mut piece = [0; 4096];
            let count = self.stream.read(&mut piece).unwrap();
            assert!(count > 0, "the connection was closed");
            self.received.extend_from_slice(&piece[..count]);
        }
    }

    /// What has come until a PING is answered.
    fn until_pong(&mut self) -> Vec<Value> {
        let mut all = Vec::new();
        let mut request = Vec::new();
        encode::command(&mut request, &["PING", "end"]);
        self.stream.write_all(&request).unwrap();
        loop {
            let value = self.next();
            let is_end = value.as_bytes() == Some(b"end")
                || value
                    .as_array()
                    .is_some_and(|items| items.last().and_then(Value::as_str) == Some("end"));
            if is_end {
                return all;
            }
            all.push(value);
        }
    }
}

fn invalidate(key: &str) -> Value {
    let key = Value::Array(vec![Value::Bulk(key.as_bytes().to_vec())]);
    Value::Push(vec![Value::Bulk(b"invalidate".to_vec()), key])
}

fn both(conversation: impl Fn(SocketAddr)) {
    let real = Peer::start(Real::Redis70).unwrap();
    conversation(real.addr());
    let ours = Server::builder().bind("127.0.0.1:0".parse().unwrap()).start().unwrap();
    conversation(ours.addresses()[0]);
}

#[test]
fn what_was_read_is_told_once() {
    both(|address| {
        let mut reader = Client::new(address, true);
        let mut writer = Client::new(address, true);
        reader.call(&["CLIENT", "TRACKING", "ON"]);
        reader.call(&["GET", "a"]);
        reader.call(&["MGET", "b", "c"]);
        writer.call(&["SET", "a", "1"]);
        assert_eq!(reader.next(), invalidate("a"));
        writer.call(&["SET", "a", "2"]);
        writer.call(&["SET", "other", "2"]);
        writer.call(&["SET", "c", "2"]);
        assert_eq!(reader.next(), invalidate("c"), "not a again, and never what was not read");
        reader.call(&["SET", "b", "1"]);
        assert_eq!(reader.next(), invalidate("b"), "also by itself, behind the reply");
        reader.call(&["GET", "a"]);
        writer.call(&["EVAL", "redis.call('set', 'a', 3)", "0"]);
        assert_eq!(reader.next(), invalidate("a"));
        reader.call(&["GET", "a"]);
        reader.call(&["CLIENT", "TRACKING", "OFF"]);
        writer.call(&["SET", "a", "5"]);
        assert_eq!(reader.until_pong(), []);
    });
}

#[test]
fn opting_in_and_out() {
    both(|address| {
        let mut reader = Client::new(address, true);
        let mut writer = Client::new(address, true);
        reader.call(&["CLIENT", "TRACKING", "ON", "OPTIN"]);
        reader.call(&["GET", "a"]);
        reader.call(&["CLIENT", "CACHING", "YES"]);
        reader.call(&["GET", "b"]);
        reader.call(&["GET", "c"]);
        writer.call(&["MSET", "a", "1", "b", "1", "c", "1"]);
        assert_eq!(reader.next(), invalidate("b"));
        assert_eq!(reader.until_pong(), []);
        reader.call(&["CLIENT", "CACHING", "YES"]);
        reader.call(&["MULTI"]);
        reader.call(&["GET", "a"]);
        reader.call(&["GET", "b"]);
        reader.call(&["EXEC"]);
        writer.call(&["SET", "a", "1"]);
        writer.call(&["SET", "b", "1"]);
        assert_eq!([reader.next(), reader.next()], [invalidate("a"), invalidate("b")]);
        reader.call(&["CLIENT", "TRACKING", "OFF"]);
        reader.call(&["CLIENT", "TRACKING", "ON", "OPTOUT", "NOLOOP"]);
        reader.call(&["CLIENT", "CACHING", "NO"]);
        reader.call(&["GET", "a"]);
        reader.call(&["GET", "b"]);
        reader.call(&["GET", "c"]);
        reader.call(&["SET", "b", "1"]);
        writer.call(&["SET", "a", "1"]);
        writer.call(&["SET", "c", "1"]);
        assert_eq!(reader.next(), invalidate("c"));
        assert_eq!(reader.until_pong(), []);
    });
}

#[test]
fn prefixes_are_told_of_whatever_was_read() {
    both(|address| {
        let mut listener = Client::new(address, true);
        let mut writer = Client::new(address, true);
        listener.call(&["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "user:", "PREFIX", "item:"]);
        writer.call(&["SET", "user:1", "x"]);
        assert_eq!(listener.next(), invalidate("user:1"));
        writer.call(&["SET", "other", "x"]);
        writer.call(&["SET", "item:1", "x"]);
        assert_eq!(listener.next(), invalidate("item:1"));
        writer.call(&["SET", "user:1", "y"]);
        assert_eq!(listener.next(), invalidate("user:1"));
        listener.call(&["CLIENT", "TRACKING", "OFF"]);
        writer.call(&["SET", "user:1", "z"]);
        assert_eq!(listener.until_pong(), []);
    });
}

#[test]
fn another_client_can_be_told_instead() {
    both(|address| {
        let mut told = Client::new(address, false);
        told.call(&["SUBSCRIBE", "__redis__:invalidate"]);
        let mut reader = Client::new(address, true);
        let mut writer = Client::new(address, false);
        let id = told.id.to_string();
        reader.call(&["CLIENT", "TRACKING", "ON", "REDIRECT", &id]);
        assert_eq!(reader.call(&["CLIENT", "GETREDIR"]).as_int(), Some(told.id));
        reader.call(&["GET", "a"]);
        writer.call(&["SET", "a", "1"]);
        let text = |text: &str| Value::Bulk(text.into());
        let message =
            [text("message"), text("__redis__:invalidate"), Value::Array(vec![text("a")])];
        assert_eq!(told.next(), Value::Array(message.to_vec()));
        drop(told);
        // The server notices in its own time that the client is gone.
        loop {
            reader.call(&["GET", "a"]);
            writer.call(&["SET", "a", "1"]);
            let messages = reader.until_pong();
            if let [message] = messages.as_slice() {
                let broken = [text("tracking-redir-broken"), Value::Integer(id.parse().unwrap())];
                assert_eq!(*message, Value::Push(broken.to_vec()));
                break;
            }
        }
        let info = format!("{:?}", reader.call(&["CLIENT", "TRACKINGINFO"]));
        assert!(info.contains(&format!("{:?}", b"broken_redirect".to_vec())), "{info}");
    });
}

#[test]
fn what_a_client_changes_itself_is_told_behind_its_reply() {
    both(|address| {
        let mut reader = Client::new(address, true);
        let mut writer = Client::new(address, true);
        let mut asker = Client::new(address, false);
        reader.call(&["CLIENT", "TRACKING", "ON"]);
        writer.call(&["RPUSH", "to", "a"]);
        reader.call(&["LRANGE", "to", "0", "-1"]);
        let number = |number| Value::Integer(number);
        assert_eq!(reader.call(&["RPUSH", "to", "b"]), number(2));
        assert_eq!(reader.next(), invalidate("to"));
        reader.call(&["LRANGE", "to", "0", "-1"]);
        reader.send(&["BLMOVE", "from", "to", "LEFT", "LEFT", "0"]);
        wait_until("the reader waits", || {
            let info = asker.call(&["INFO", "clients"]);
            String::from_utf8_lossy(info.as_bytes().unwrap()).contains("blocked_clients:1")
        });
        writer.call(&["RPUSH", "from", "moved"]);
        assert_eq!(reader.next(), Value::Bulk("moved".into()));
        assert_eq!(reader.next(), invalidate("to"));
    });
}

#[test]
fn keys_above_the_limit_are_given_up_before_the_next_command() {
    both(|address| {
        let mut reader = Client::new(address, true);
        let mut other = Client::new(address, true);
        reader.call(&["CLIENT", "TRACKING", "ON"]);
        reader.call(&["MGET", "a", "b"]);
        reader.call(&["MULTI"]);
        other.call(&["DEBUG", "PAUSE-CRON", "1"]);
        other.call(&["CONFIG", "SET", "tracking-table-max-keys", "1"]);
        let first = reader.call(&["PING"]);
        assert!(first == invalidate("a") || first == invalidate("b"), "{first:?}");
        assert_eq!(reader.next(), Value::Simple("QUEUED".into()));
        other.call(&["CONFIG", "SET", "tracking-table-max-keys", "1000000"]);
        other.call(&["DEBUG", "PAUSE-CRON", "0"]);
    });
}
