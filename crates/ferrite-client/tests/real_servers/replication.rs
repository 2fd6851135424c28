//! Attaching as a replica: both framings of the RDB, the stream behind it, and everything that
//! can go wrong on the way.

use std::time::{Duration, Instant};

use ferrite_client::replication::{AttachOptions, Position, RdbFill, ReplicationLink};
use ferrite_client::{ClientError, Connector};
use ferrite_testkit::{Direction, Peer, Proxy, Server, TlsFiles};

use super::{address, connect, connector, soon};

/// A server with data in several databases, saving to disk or straight to us.
fn filled(server: Server, diskless: bool) -> Peer {
    let peer = builder(server, diskless).start().unwrap_or_else(|error| panic!("{error}"));
    fill(&peer, 20_000);
    peer
}

fn builder(server: Server, diskless: bool) -> ferrite_testkit::PeerBuilder {
    let diskless = if diskless { "yes" } else { "no" };
    Peer::builder(server).arg("repl-diskless-sync", diskless)
}

fn fill(peer: &Peer, keys: usize) {
    let mut client = peer.client();
    client.ok(&["DEBUG", "POPULATE", &keys.to_string(), "key", "100"]);
    client.ok(&["SELECT", "3"]);
    client.ok(&["RPUSH", "list", "a", "b", "c"]);
    client.ok(&["SET", "expiring", "x", "EX", "10000"]);
}

fn digest(peer: &Peer) -> String {
    peer.client().ok(&["DEBUG", "DIGEST"]).text()
}

/// Reads the whole RDB in pieces of no more than `piece`.
async fn read_rdb(link: &mut ReplicationLink, piece: usize) -> Result<Vec<u8>, ClientError> {
    let mut rdb = Vec::new();
    loop {
        let fill = link.rdb_fill().await?;
        while !link.rdb_bytes().is_empty() {
            let count = link.rdb_bytes().len().min(piece);
            rdb.extend_from_slice(&link.rdb_bytes()[..count]);
            link.rdb_consume(count);
        }
        if fill == RdbFill::End {
            assert_eq!(link.rdb_received(), rdb.len() as u64);
            assert_eq!(link.rdb_total(), Some(rdb.len() as u64));
            return Ok(rdb);
        }
    }
}

/// The RDB must be whole (its own checksum) and mean what the server holds (another server
/// loads it).
fn check_rdb(rdb: &[u8], source: &Peer) {
    let (body, checksum) = rdb.split_at(rdb.len() - 8);
    assert!(body.starts_with(b"REDIS") || body.starts_with(b"VALKEY"));
    assert_eq!(body.last(), Some(&0xff));
    assert_eq!(ferrite_rdb::crc64(body).to_le_bytes(), checksum);
    let copy = Peer::builder(source.server()).rdb(rdb).start();
    let copy = copy.unwrap_or_else(|error| panic!("the RDB does not load: {error}"));
    assert_eq!(digest(&copy), digest(source));
}

async fn attach(
    connector: &Connector,
    options: &AttachOptions,
) -> (ReplicationLink, ferrite_client::replication::Start) {
    ReplicationLink::attach(connector, options).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn refused(connector: &Connector) -> ClientError {
    let attached = ReplicationLink::attach(connector, &AttachOptions::default()).await;
    attached.err().unwrap_or_else(|| panic!("attached although it should not"))
}

/// Fills the stream until it holds `text`.
async fn stream_until(link: &mut ReplicationLink, text: &[u8]) {
    while !link.stream_bytes().windows(text.len()).any(|window| window == text) {
        let filled = link.stream_fill().await;
        assert!(filled.is_ok_and(|count| count > 0), "the stream ended");
    }
}

#[tokio::test]
async fn rdb_by_length_and_by_marker() {
    for server in Server::ALL {
        for diskless in [false, true] {
            let peer = filled(server, diskless);
            let options = AttachOptions::default();
            let (mut link, start) = attach(&connector(&peer.url()), &options).await;
            assert!(start.full && start.replid.len() == 40, "{start:?}");
            let valkey = server.is_valkey();
            assert_eq!(start.refused.contains(&"version"), !valkey, "{:?}", start.refused);
            let rdb = read_rdb(&mut link, usize::MAX).await.unwrap();
            check_rdb(&rdb, &peer);
        }
    }
}

#[tokio::test]
async fn commands_follow_the_rdb_without_a_gap() {
    for diskless in [false, true] {
        let peer = filled(Server::Redis70, diskless);
        let connector = connector(&peer.url());
        let (mut link, start) = attach(&connector, &AttachOptions::default()).await;
        assert!(link.stream_bytes().is_empty());
        assert!(link.stream_fill().await.is_err(), "the RDB comes first");
        // Written while the RDB is on its way: it must come behind it.
        peer.client().ok(&["SET", "later", "1"]);
        read_rdb(&mut link, 1000).await.unwrap();
        stream_until(&mut link, b"$5\r\nlater\r\n$1\r\n1\r\n").await;
        assert!(link.stream_bytes().starts_with(b"*2\r\n$6\r\nSELECT\r\n"));
        let count = link.stream_bytes().len();
        link.stream_consume(count);
        assert_eq!(link.offset(), start.offset + count as u64);
        // The server knows us and counts as we do.
        link.acknowledge(link.offset());
        link.acknowledge_now();
        let acknowledged = format!("offset={},", link.offset());
        let mut client = peer.client();
        let heard = async {
            while !client.ok(&["INFO", "replication"]).text().contains(&acknowledged) {
                link.acknowledge_now();
                tokio::task::yield_now().await;
            }
        };
        soon("the server hears our offset", heard).await;
    }
}

#[tokio::test]
async fn continues_where_it_was_left() {
    let peer = filled(Server::Redis70, true);
    let connector = connector(&peer.url());
    let (mut link, start) = attach(&connector, &AttachOptions::default()).await;
    read_rdb(&mut link, usize::MAX).await.unwrap();
    peer.client().ok(&["SET", "first", "1"]);
    stream_until(&mut link, b"first\r\n$1\r\n1\r\n").await;
    link.stream_consume(link.stream_bytes().len());
    let position = Position { replid: start.replid.clone(), offset: link.offset() };
    drop(link);
    peer.client().ok(&["SET", "second", "2"]);
    let options = AttachOptions { resume: Some(position.clone()), ..AttachOptions::default() };
    let (mut link, again) = attach(&connector, &options).await;
    assert_eq!(
        (again.full, &again.replid, again.offset),
        (false, &position.replid, position.offset)
    );
    assert_eq!(link.rdb_fill().await.unwrap(), RdbFill::End);
    stream_until(&mut link, b"second\r\n$1\r\n2\r\n").await;
    assert!(!link.stream_bytes().windows(5).any(|window| window == b"first"));
    // A history the server does not know starts over.
    let unknown = Position { replid: "0".repeat(40), offset: 5 };
    let options = AttachOptions { resume: Some(unknown), ..AttachOptions::default() };
    assert!(attach(&connector, &options).await.1.full);
}

#[tokio::test]
async fn rdb_alone_and_filtered() {
    let peer = filled(Server::Redis70, true);
    let connector = connector(&peer.url());
    let only = AttachOptions { rdb_only: true, listening_port: Some(7777), ..Default::default() };
    let (mut link, start) = attach(&connector, &only).await;
    assert_eq!(start.refused, ["version"]);
    check_rdb(&read_rdb(&mut link, 100).await.unwrap(), &peer);
    let empty = AttachOptions { rdb_filter: Some(String::new()), ..Default::default() };
    let (mut link, _) = attach(&connector, &empty).await;
    let rdb = read_rdb(&mut link, usize::MAX).await.unwrap();
    assert!(rdb.len() < 300, "{} bytes", rdb.len());
    let old = filled(Server::Redis62, true);
    let (_link, start) = attach(&super::connector(&old.url()), &only).await;
    assert_eq!(start.refused, ["version"]);
    let (_link, start) = attach(&super::connector(&old.url()), &empty).await;
    assert_eq!(start.refused, ["version", "rdb-filter-only"]);
}

#[tokio::test]
async fn over_tls_with_a_password() {
    let dir = tempfile::tempdir().unwrap();
    let files = TlsFiles::generate(dir.path()).unwrap();
    let peer = builder(Server::Redis70, true).tls(&files).password("pw").start().unwrap();
    fill(&peer, 20_000);
    let tls = ferrite_client::TlsOptions { ca: Some(files.ca.clone()), ..Default::default() };
    let connector = connector(&peer.url()).tls(tls);
    let (mut link, _) = attach(&connector, &AttachOptions::default()).await;
    let rdb = read_rdb(&mut link, usize::MAX).await.unwrap();
    assert_eq!(rdb.last_chunk::<8>().unwrap()[..], {
        ferrite_rdb::crc64(&rdb[..rdb.len() - 8]).to_le_bytes()
    });
    peer.client().ok(&["SET", "later", "1"]);
    stream_until(&mut link, b"later").await;
}

#[tokio::test]
async fn refusals_name_the_command() {
    let peer = filled(Server::Redis70, true);
    peer.client().ok(&["ACL", "SETUSER", "u", "on", ">pw", "~*", "+@all", "-psync", "-replconf"]);
    let restricted = connector(&peer.url_with("u", "pw"));
    let error = refused(&restricted).await;
    assert!(error.is_refusal() && !error.is_transient(), "{error}");
    assert!(error.to_string().contains("refused PSYNC: NOPERM"), "{error}");

    // Managed services remove the command altogether.
    let renamed = builder(Server::Redis70, true).arg("rename-command", "PSYNC \"\"");
    let renamed = renamed.start().unwrap();
    let error = refused(&connector(&renamed.url())).await;
    assert!(error.is_refusal(), "{error}");
    assert!(error.to_string().contains("refused PSYNC: ERR unknown command"), "{error}");

    // A replica that has lost its master may answer later.
    let orphan = builder(Server::Redis70, true).arg("replicaof", "127.0.0.1 1").start().unwrap();
    let error = refused(&connector(&orphan.url())).await;
    assert_eq!(error.reply().unwrap().code, "NOMASTERLINK");
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn a_killed_server_is_noticed_at_once() {
    for diskless in [false, true] {
        let mut peer = builder(Server::Redis70, diskless).start().unwrap();
        fill(&peer, 300_000);
        let connector = connector(&peer.url());
        let (mut link, _) = attach(&connector, &AttachOptions::default()).await;
        link.set_max_buffer(1 << 16);
        assert!(matches!(link.rdb_fill().await.unwrap(), RdbFill::More(_)));
        let began = Instant::now();
        peer.kill();
        let error = read_rdb(&mut link, usize::MAX).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(10));
        assert!(error.is_transient(), "{error}");
        assert!(error.to_string().contains("receiving its RDB ("), "{error}");
    }
}

#[tokio::test]
async fn a_cut_at_any_distance_is_an_error() {
    let peer = filled(Server::Redis70, true);
    let proxy = Proxy::start(peer.addr()).unwrap();
    let connector = connector(&proxy.url());
    for bytes in [3, 30, 90, 150, 1000, 100_000, 500_000] {
        proxy.cut_after(Direction::ToClient, bytes);
        let copied = async {
            let attached = ReplicationLink::attach(&connector, &AttachOptions::default()).await;
            read_rdb(&mut attached?.0, usize::MAX).await.map(|rdb| rdb.len())
        };
        let error = copied.await.expect_err("cut");
        assert!(error.is_transient(), "after {bytes} bytes: {error}");
    }
}

#[tokio::test]
async fn a_frozen_server_times_out() {
    let peer = builder(Server::Redis70, false).start().unwrap();
    fill(&peer, 300_000);
    let connector = connector(&peer.url());
    // Longer than the second between the keep-alives of a server that saves.
    let silence = Duration::from_secs(3);
    let options = AttachOptions { silence, ..AttachOptions::default() };
    let (mut link, _) = attach(&connector, &options).await;
    assert!(matches!(link.rdb_fill().await.unwrap(), RdbFill::More(_)));
    peer.freeze();
    // The link goes on acknowledging meanwhile, which must not pass for life.
    let read = read_rdb(&mut link, usize::MAX);
    let error = soon("the silence is noticed", read).await.unwrap_err();
    peer.thaw();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert!(error.to_string().contains(&peer.port().to_string()), "{error}");
}

#[tokio::test]
async fn keepalives_count_as_life() {
    // The server waits four seconds for more replicas and says a newline every second.
    let peer = builder(Server::Redis70, true).arg("repl-diskless-sync-delay", "4");
    let peer = peer.arg("repl-ping-replica-period", "1").start().unwrap();
    fill(&peer, 100);
    let silence = Duration::from_secs(3);
    let options = AttachOptions { silence, ..AttachOptions::default() };
    let began = Instant::now();
    let (mut link, _) = attach(&connector(&peer.url()), &options).await;
    check_rdb(&read_rdb(&mut link, usize::MAX).await.unwrap(), &peer);
    assert!(began.elapsed() > silence, "the server did not make us wait");
}

#[tokio::test]
async fn the_address_may_name_a_database() {
    let peer = filled(Server::Redis70, true);
    let third = Connector::new(address(&peer.url()).with_database(3));
    let (mut link, _) = attach(&third, &AttachOptions::default()).await;
    check_rdb(&read_rdb(&mut link, usize::MAX).await.unwrap(), &peer);
    let mut connection = connect(&peer).await;
    assert_eq!(connection.call(&["DBSIZE"]).await.unwrap().as_int(), Some(20_000));
}

/// A server that sends its RDB alone closes the connection behind it. Bytes of ours that it had
/// not read by then made its kernel reset the connection, and ours dropped up to a socket
/// buffer full of RDB: so nothing may be written once the RDB has begun. The link is slow enough
/// here for two acknowledgements, one a second.
#[tokio::test]
async fn an_rdb_alone_is_received_in_silence() {
    let peer = builder(Server::Redis70, true).start().unwrap_or_else(|error| panic!("{error}"));
    fill(&peer, 40_000);
    let proxy = Proxy::start(peer.addr()).unwrap();
    let options = AttachOptions { rdb_only: true, ..Default::default() };
    let (mut link, _) = attach(&connector(&proxy.url()), &options).await;
    let said = proxy.moved(Direction::ToServer);
    proxy.throttle(Some(700_000));
    let began = Instant::now();
    let rdb = read_rdb(&mut link, usize::MAX).await.unwrap();
    assert!(began.elapsed() > Duration::from_millis(1500), "{} bytes were too quick", rdb.len());
    assert_eq!(proxy.moved(Direction::ToServer), said);
}
