//! Real servers as replicas of ours.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use ferrite_server::Server;
use ferrite_testkit::client::Client;
use ferrite_testkit::{Peer, Reply, Server as Real, wait_until};

/// Stops writers at the end of a test, also one that fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn start() -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let builder = Server::builder().bind("127.0.0.1:0".parse().unwrap());
    (builder.snapshot(folder.path().to_owned(), "dump.rdb").start().unwrap(), folder)
}

fn follow(real: &Peer, master: SocketAddr) {
    let port = master.port().to_string();
    real.client().ok(&["REPLICAOF", "127.0.0.1", &port]);
}

fn info(client: &mut Client, field: &str) -> String {
    let text = client.ok(&["INFO", "replication"]).text();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{field}:")));
    line.unwrap_or_default().to_owned()
}

fn wait_for_replicas(client: &mut Client, replicas: i64) {
    wait_until(&format!("{replicas} replicas"), || {
        client.ok(&["WAIT", &replicas.to_string(), "100"]).int() == Some(replicas)
    });
}

/// All replicas have what the master has, though it was written to while they came.
#[test]
fn real_servers_follow_under_load() {
    let (server, _folder) = start();
    let address = server.addresses()[0];
    let mut client = Client::connect(address).unwrap();
    for number in 0..5_000 {
        client.ok(&["SET", &format!("before:{number}"), "x"]);
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _guard = StopAtEnd(&stop);
        for writer in 0..3 {
            let stop = &stop;
            scope.spawn(move || {
                let mut writer_client = Client::connect(address).unwrap();
                let mut number = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    let key = format!("key:{writer}:{}", number % 500);
                    writer_client.ok(&["INCR", "all"]);
                    writer_client.ok(&["SET", &key, &number.to_string()]);
                    writer_client.ok(&["SELECT", &(number % 3).to_string()]);
                }
            });
        }
        let kinds = [Real::Redis80, Real::Valkey81, Real::Valkey91];
        let reals = kinds.map(|kind| Peer::start(kind).unwrap_or_else(|error| panic!("{error}")));
        reals.iter().for_each(|real| follow(real, address));
        for real in &reals {
            wait_until("a link", || info(&mut real.client(), "master_link_status") == "up");
        }
        stop.store(true, Ordering::Relaxed);
        wait_for_replicas(&mut client, 3);
        let mut reader = Client::connect(address).unwrap();
        for db in 0..3 {
            reader.ok(&["SELECT", &db.to_string()]);
            let ours = reader.ok(&["GET", "all"]).text();
            for real in &reals {
                let mut replica = real.client();
                replica.ok(&["SELECT", &db.to_string()]);
                wait_until("the same counter", || replica.ok(&["GET", "all"]).text() == ours);
                for writer in 0..3 {
                    for number in 0..500 {
                        let get = ["GET", &format!("key:{writer}:{number}")];
                        assert_eq!(replica.ok(&get), reader.ok(&get), "{get:?}");
                    }
                }
            }
        }
        let role = reader.ok(&["ROLE"]);
        assert_eq!(role.items().get(2).map(|list| list.items().len()), Some(3), "{role}");
    });
}

/// A replica whose link is cut goes on from where it was.
#[test]
fn a_link_that_breaks_is_taken_up_again() {
    let (server, _folder) = start();
    let address = server.addresses()[0];
    let mut client = Client::connect(address).unwrap();
    client.ok(&["SET", "k", "1"]);
    let real = Peer::start(Real::Valkey91).unwrap_or_else(|error| panic!("{error}"));
    follow(&real, address);
    wait_for_replicas(&mut client, 1);
    server.shared().replicas.all().iter().for_each(|replica| replica.close());
    client.ok(&["INCR", "k"]);
    wait_for_replicas(&mut client, 1);
    assert_eq!(real.client().ok(&["GET", "k"]), "2");
    let replicas = &server.shared().replicas;
    let (full, partial) = (&replicas.full, &replicas.partial);
    assert_eq!((full.load(Ordering::Relaxed), partial.load(Ordering::Relaxed)), (1, 1));
}

/// Writes are refused while too few replicas keep up.
#[test]
fn writes_may_need_replicas() {
    let (server, _folder) = start();
    let mut client = Client::connect(server.addresses()[0]).unwrap();
    server.shared().replicas.needed.store(1, Ordering::Relaxed);
    server.shared().replicas.needed_lag.store(10, Ordering::Relaxed);
    let refused = client.call(&["SET", "k", "v"]);
    assert_eq!(refused, Reply::Error("NOREPLICAS Not enough good replicas to write.".into()));
    assert_eq!(client.ok(&["GET", "k"]), Reply::Nil);
    let real = Peer::start(Real::Valkey91).unwrap_or_else(|error| panic!("{error}"));
    follow(&real, server.addresses()[0]);
    wait_until("a write", || !client.call(&["SET", "k", "v"]).is_error());
}
