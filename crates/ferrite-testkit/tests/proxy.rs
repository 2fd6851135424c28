//! The proxy lets everything through unchanged, and breaks exactly what it is told to break.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::{Duration, Instant};

use ferrite_testkit::{Client, Direction, Peer, Proxy, Server};

fn through_proxy() -> (Peer, Proxy, Client) {
    let peer = Peer::start(Server::Redis70).unwrap();
    let proxy = Proxy::start(peer.addr()).unwrap();
    let client = Client::connect(proxy.addr()).unwrap();
    (peer, proxy, client)
}

#[test]
fn bytes_pass_unchanged() {
    let (peer, proxy, mut client) = through_proxy();
    let value: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    client.ok(&[b"SET", b"k".as_slice(), &value]);
    assert_eq!(client.ok(&["GET", "k"]).bytes().unwrap(), value);
    assert_eq!(peer.client().ok(&["STRLEN", "k"]), 3_000_000);
    assert_eq!((proxy.accepted(), proxy.live()), (1, 1));
    assert!(proxy.moved(Direction::ToServer) > 3_000_000);
    assert_eq!(proxy.url(), format!("redis://127.0.0.1:{}", proxy.port()));
}

#[test]
fn a_cut_ends_connections_and_lets_new_ones_in() {
    let (_peer, proxy, mut client) = through_proxy();
    client.ok(&["PING"]);
    assert_eq!(proxy.cut(), 1);
    assert!(client.try_call(&["PING"]).is_err());
    assert_eq!(Client::connect(proxy.addr()).unwrap().call(&["PING"]), "PONG");
}

#[test]
fn a_cut_after_bytes_comes_at_that_byte_and_once() {
    let (peer, proxy, mut client) = through_proxy();
    peer.client().ok(&["SETRANGE", "big", "999999", "x"]);
    let before = proxy.moved(Direction::ToClient);
    proxy.cut_after(Direction::ToClient, 100_000);
    assert!(client.try_call(&["GET", "big"]).is_err());
    assert_eq!(proxy.moved(Direction::ToClient) - before, 100_000);
    let mut again = Client::connect(proxy.addr()).unwrap();
    assert_eq!(again.ok(&["GET", "big"]).bytes().unwrap().len(), 1_000_000);
}

#[test]
fn a_cut_towards_the_server_leaves_the_command_undone() {
    let (peer, proxy, mut client) = through_proxy();
    proxy.cut_after(Direction::ToServer, 20);
    assert!(client.try_call(&["SET", "key", "value"]).is_err());
    assert_eq!(peer.client().call(&["DBSIZE"]), 0);
}

#[test]
fn a_stall_holds_bytes_back_until_resumed() {
    let (_peer, proxy, mut client) = through_proxy();
    client.ok(&["PING"]);
    proxy.stall();
    client.set_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(client.try_call(&["ECHO", "late"]).is_err());
    proxy.resume();
    client.set_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(client.read().unwrap(), "late");
}

#[test]
fn a_stalled_connection_can_be_cut() {
    let (_peer, proxy, mut client) = through_proxy();
    client.ok(&["PING"]);
    proxy.stall();
    client.queue(&["PING"]);
    client.flush().unwrap();
    assert_eq!(proxy.cut(), 1);
    assert!(client.read().is_err());
}

#[test]
fn a_throttle_slows_down_to_its_rate() {
    let (peer, proxy, mut client) = through_proxy();
    peer.client().ok(&["SETRANGE", "big", "49999", "x"]);
    proxy.throttle(Some(200_000));
    let start = Instant::now();
    client.ok(&["GET", "big"]);
    let slow = start.elapsed();
    assert!(slow >= Duration::from_millis(200), "50 KB at 200 KB/s took {slow:?}");
    proxy.throttle(None);
    let start = Instant::now();
    client.ok(&["GET", "big"]);
    assert!(start.elapsed() < slow / 2, "{:?} {slow:?}", start.elapsed());
}

#[test]
fn a_delay_makes_every_round_trip_longer() {
    let (_peer, proxy, mut client) = through_proxy();
    client.ok(&["PING"]);
    proxy.delay(Duration::from_millis(50));
    let start = Instant::now();
    client.ok(&["PING"]);
    let late = start.elapsed();
    assert!(late >= Duration::from_millis(100), "{late:?}");
    proxy.delay(Duration::ZERO);
    let start = Instant::now();
    client.ok(&["PING"]);
    assert!(start.elapsed() < late / 2, "{:?} {late:?}", start.elapsed());
}

#[test]
fn refused_and_redirected_connections() {
    let (_peer, proxy, _client) = through_proxy();
    proxy.refuse(true);
    let refused = Client::connect(proxy.addr()).and_then(|mut client| client.try_call(&["PING"]));
    assert!(refused.is_err());
    proxy.refuse(false);
    let other = Peer::start(Server::Valkey81).unwrap();
    proxy.set_upstream(other.addr());
    let info = Client::connect(proxy.addr()).unwrap().ok(&["INFO", "server"]).text();
    assert!(info.contains("valkey_version"), "{info}");
}
