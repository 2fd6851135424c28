//! The binary killed, out of disk, and under ten thousand connections.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ferrite_testkit::{Client, wait_until};
use rustix::process::{Pid, Signal, kill_process};

/// A server in a folder; it is killed when the test ends early.
struct Running {
    child: Child,
    port: u16,
}

impl Running {
    /// Starts it, by the words of a shell where `shell` is not empty: `exec "$@"` is behind them.
    fn start(folder: &Path, shell: &str, options: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{shell} exec \"$@\""), "sh", env!("CARGO_BIN_EXE_ferrite")]);
        command.args(["--port", &port.to_string(), "--dir"]).arg(folder).args(options);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let running = Self { child, port };
        wait_until("it serves", || {
            let client = Client::connect(running.address());
            client.is_ok_and(|mut client| {
                client.try_call(&["PING"]).is_ok_and(|reply| reply == "PONG")
            })
        });
        running
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn client(&self) -> Client {
        Client::connect(self.address()).unwrap()
    }

    fn end(&mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keys enough that a snapshot takes a while.
fn fill(client: &mut Client, keys: usize) {
    let value = "x".repeat(1000);
    for key in 0..keys {
        client.queue(&["SET", &format!("key:{key}"), &value]);
        if client.queued() > 1 << 20 || key + 1 == keys {
            client.flush().unwrap();
        }
    }
    (0..keys).for_each(|_| assert_eq!(client.read().unwrap(), "OK"));
}

fn temporary_file(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("temp-"))
}

#[test]
fn killed_while_it_saves_it_has_the_old_file() {
    const KEYS: usize = 60_000;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dump.rdb");
    let mut server = Running::start(folder.path(), "", &["--save", ""]);
    let mut client = server.client();
    client.ok(&["SET", "which", "old"]);
    client.ok(&["SAVE"]);
    let old = std::fs::read(&file).unwrap();
    fill(&mut client, KEYS);
    client.ok(&["SET", "which", "new"]);
    client.ok(&["BGSAVE"]);
    wait_until("the new file is begun", || temporary_file(folder.path()) || read(&file) != old);
    server.end(Signal::KILL);
    let left = read(&file);
    let mut server = Running::start(folder.path(), "", &["--save", ""]);
    let mut client = server.client();
    let (which, keys) = (client.ok(&["GET", "which"]), client.ok(&["DBSIZE"]));
    match left == old {
        true => assert_eq!((which.text(), keys.int()), ("old".into(), Some(1))),
        false => assert_eq!((which.text(), keys.int()), ("new".into(), Some(KEYS as i64 + 1))),
    }
    server.end(Signal::TERM);
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap()
}

#[test]
fn without_room_on_disk_it_says_so_and_keeps_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dump.rdb");
    // Files end at 512 KiB, and writing on is an error instead of a signal.
    let limit = "trap '' XFSZ; ulimit -f 1024;";
    let server = Running::start(folder.path(), limit, &["--save", ""]);
    let mut client = server.client();
    client.ok(&["SET", "which", "old"]);
    client.ok(&["SAVE"]);
    let old = read(&file);
    fill(&mut client, 2_000);
    for key in 0..400 {
        let value: Vec<u8> =
            (0..4000_u32).map(|n| (n.wrapping_mul(key * 2 + 7919) >> 5) as u8).collect();
        client.ok(&[b"SET".as_slice(), format!("noise:{key}").as_bytes(), &value]);
    }
    let reply = client.call(&["SAVE"]);
    assert!(reply.is_error(), "{reply}");
    assert_eq!(read(&file), old);
    assert!(!temporary_file(folder.path()), "what was begun is gone");
    assert!(client.ok(&["INFO", "persistence"]).text().contains("rdb_last_bgsave_status:err"));
    client.ok(&["FLUSHALL"]);
    client.ok(&["SET", "which", "new"]);
    client.ok(&["SAVE"]);
    assert_ne!(read(&file), old, "with room it saves again");
}

#[test]
fn what_was_acknowledged_before_it_was_told_to_end_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Running::start(folder.path(), "", &["--save", "3600 1"]);
    let address = server.address();
    let acknowledged: i64 = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(move || {
                    let mut client = Client::connect(address).unwrap();
                    let mut last = 0;
                    while let Ok(reply) = client.try_call(&["INCR", "counter"]) {
                        match reply.int() {
                            Some(number) => last = number,
                            None => break,
                        }
                    }
                    last
                })
            })
            .collect();
        let mut client = server.client();
        wait_until("they write", || {
            client.ok(&["GET", "counter"]).int().is_some_and(|number| number > 1000)
        });
        server.end(Signal::TERM);
        writers.into_iter().map(|writer| writer.join().unwrap()).max().unwrap()
    });
    let server = Running::start(folder.path(), "", &["--save", ""]);
    let saved = server.client().ok(&["GET", "counter"]).int().unwrap();
    assert!(saved >= acknowledged, "{saved} of {acknowledged}");
}

/// Bytes of the server's memory.
fn resident(server: &Running) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() << 10
}

#[test]
fn ten_thousand_connections_are_served_and_one_more_is_refused() {
    const CONNECTIONS: usize = 10_000;
    /// What a connection that has asked once may take.
    const EACH: usize = 8 << 10;
    let folder = tempfile::tempdir().unwrap();
    let most = CONNECTIONS.to_string();
    let server = Running::start(folder.path(), "", &["--save", "", "--maxclients", &most]);
    let mut watcher = server.client();
    wait_until("the others of the start have left", || {
        watcher.ok(&["CLIENT", "LIST"]).text().lines().count() == 1
    });
    let before = resident(&server);
    let mut open = Vec::with_capacity(CONNECTIONS);
    while open.len() < CONNECTIONS - 1 {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        open.push(stream);
    }
    let mut pong = [0; 7];
    for stream in &mut open {
        stream.write_all(b"PING\r\n").unwrap();
        stream.read_exact(&mut pong).unwrap();
        assert_eq!(&pong, b"+PONG\r\n");
    }
    let each = resident(&server).saturating_sub(before) / CONNECTIONS;
    assert!(each < EACH, "{each} bytes a connection");
    let mut text = String::new();
    let mut refused = TcpStream::connect(server.address()).unwrap();
    refused.read_to_string(&mut text).unwrap();
    assert_eq!(text, "-ERR max number of clients reached\r\n");
    drop(open);
    wait_until("all have left", || watcher.ok(&["CLIENT", "LIST"]).text().lines().count() == 1);
}
