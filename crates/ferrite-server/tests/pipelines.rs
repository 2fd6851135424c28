//! Many requests in one piece: answered byte for byte as a real server answers them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ferrite_resp::encode;
use ferrite_server::Server;
use ferrite_testkit::{Peer, Server as Real};

/// The bytes of requests, one a line; a line that begins with `<` is sent as it is behind it.
fn requests(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix('<') {
            Some(raw) => {
                bytes.extend_from_slice(raw.as_bytes());
                bytes.extend_from_slice(b"\r\n");
            }
            None => encode::command(&mut bytes, &line.split(' ').collect::<Vec<_>>()),
        }
    }
    bytes
}

/// Sends `bytes` in pieces of this size; everything that is answered until the server closes.
fn converse(address: SocketAddr, bytes: &[u8], piece: usize) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut writer = stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A server that has closed takes no more.
            let _ = bytes.chunks(piece).try_for_each(|piece| writer.write_all(piece));
        });
        let mut answer = Vec::new();
        // What a server has not read when it closes ends in a reset; the answer came before.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    })
}

/// Compares conversations, each sent as a whole and in small pieces.
fn compare(conversations: &[String]) {
    let real = Peer::start(Real::Redis70).unwrap_or_else(|error| panic!("{error}"));
    let ours = Server::builder().bind("127.0.0.1:0".parse().unwrap()).start().unwrap();
    let ours = ours.addresses()[0];
    for text in conversations {
        let bytes = requests(text);
        for piece in [bytes.len(), 7] {
            let expected = converse(real.addr(), &bytes, piece);
            assert!(!expected.is_empty(), "{text}");
            assert_eq!(converse(ours, &bytes, piece), expected, "{text}");
        }
    }
}

#[test]
fn what_changes_the_connection_is_in_effect_for_the_next_request() {
    let texts = [
        "FLUSHALL\nSET a 0\nSELECT 1\nSET a 1\nGET a\nSELECT 0\nGET a\nSELECT 99\nGET a\nQUIT",
        "FLUSHALL\nMULTI\nSET a 1\nGET\nGET a\nEXEC\nMULTI\nINCR b\nINCR b\nEXEC\nGET b\nQUIT",
        "CLIENT REPLY SKIP\nSET a 1\nGET a\nCLIENT REPLY OFF\nGET a\nCLIENT REPLY ON\nGET a\nQUIT",
        "SET a 1\nQUIT\nSET a 2",
        "GET a\n<GET a\n<\n<*0\nGET a\n<*1\n<+wrong\nGET a",
        "DEL l\nRPUSH l x\nBLPOP l 0\nBLPOP l 0.01\nRPUSH l y\nBLPOP l 0\nSET a 3\nGET a\nQUIT",
        "CLIENT PAUSE 20 WRITE\nSET a 4\nGET a\nCLIENT PAUSE 20 ALL\nGET a\nQUIT",
        "CONFIG SET requirepass secret\nGET a\nQUIT",
        "GET a\nAUTH wrong\nSET a 5\nAUTH secret\nGET a\nMGET a b a b a b a b a b a b\nQUIT",
        "<*11\nQUIT",
        "AUTH secret\nCONFIG SET requirepass \nQUIT",
    ];
    compare(&texts.map(str::to_owned));
}

/// Keys of one, several and no words, of all types, in two databases, without order.
#[test]
fn a_long_pipeline_is_executed_in_order() {
    let mut random = 7_u32;
    let mut next = |below: u32| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) % below
    };
    let mut text = "FLUSHALL\n".to_owned();
    for number in 0..3000 {
        let (a, b, c) = (next(12), next(12), next(4));
        text += &match next(14) {
            0 | 1 => format!("SET k{a} {number}\n"),
            2 => format!("GET k{a}\n"),
            3 => format!("INCR k{a}\n"),
            4 => format!("RENAME k{a} k{b}\n"),
            5 => format!("MSET k{a} x{number} k{b} y{number}\n"),
            6 => format!("MGET k{a} k{b} k{a} l{c} k{b}\n"),
            7 => format!("LPUSH l{c} {number}\nLLEN l{c}\n"),
            8 => format!("LMOVE l{c} l{} LEFT RIGHT\n", next(4)),
            9 => format!("HSET h{c} f{a} {b}\nHGET h{c} f{b}\n"),
            10 => format!("ZADD z{c} {b} m{a}\nZSCORE z{c} m{b}\n"),
            11 => format!("DEL k{a} l{c}\nEXISTS k{a} k{b} h{c}\n"),
            12 => format!("SELECT {}\n", next(2)),
            _ => format!("<APPEND k{a} z\nEVAL return(redis.call('GET',KEYS[1])) 1 k{b}\n"),
        };
    }
    compare(&[text + "QUIT"]);
}

/// As many keys as a third of the shards, and more commands than are executed under one lock.
#[test]
fn clients_that_send_commands_of_many_keys_do_not_wait_for_each_other_for_ever() {
    const CLIENTS: usize = 8;
    const COMMANDS: usize = 64 * 20;
    let keys: String = (0..40).map(|number| format!(" key:{number} value")).collect();
    let text = format!("MSET{keys}\n").repeat(COMMANDS) + "QUIT\n";
    let bytes = requests(&text);
    let builder = Server::builder().bind("127.0.0.1:0".parse().unwrap());
    let server = builder.threads(2).start().unwrap();
    let address = server.addresses()[0];
    let answers: Vec<String> = std::thread::scope(|scope| {
        let client = |_| scope.spawn(|| converse(address, &bytes, bytes.len()));
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let expected = "+OK\r\n".repeat(COMMANDS + 1);
    let answered = answers.iter().filter(|answer| **answer == expected).count();
    if answered < CLIENTS {
        // Its threads wait for each other and do not end.
        std::mem::forget(server);
    }
    assert_eq!(answered, CLIENTS);
}
