//! Every server really starts, is the version it claims to be, and obeys.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::time::{Duration, Instant};

use ferrite_testkit::client::Connector;
use ferrite_testkit::{Client, Peer, PeerError, Reply, Server, TlsFiles};

fn info(client: &mut Client, section: &str) -> String {
    client.ok(&["INFO", section]).text()
}

#[test]
fn every_server_answers_its_own_version() {
    for server in Server::ALL {
        let peer = Peer::start(server).unwrap();
        let info = info(&mut peer.client(), "server");
        let field = if server.is_valkey() { "valkey_version" } else { "redis_version" };
        let (major, minor) = server.version();
        assert!(info.contains(&format!("{field}:{major}.{minor}.")), "{}: {info}", server.name());
        assert!(info.contains(&format!("tcp_port:{}", peer.port())), "{info}");
    }
}

#[test]
fn abilities_are_as_declared() {
    for server in Server::ALL {
        let peer = Peer::start(server).unwrap();
        let mut client = peer.client();
        let mut knows = |name: &str| client.ok(&["COMMAND", "INFO", name]).items() != [Reply::Nil];
        assert_eq!(knows("FUNCTION"), server.has_functions(), "{}", server.name());
        assert_eq!(knows("HPEXPIRETIME"), server.has_field_expiry(), "{}", server.name());
        assert_eq!(client.call(&["DEBUG", "SLEEP", "0"]), "OK", "{}", server.name());
    }
}

#[test]
fn a_peer_and_its_folder_are_gone_after_drop() {
    let peer = Peer::start(Server::Redis70).unwrap();
    let (dir, addr) = (peer.dir().to_path_buf(), peer.addr());
    assert!(dir.is_dir());
    drop(peer);
    assert!(!dir.exists());
    assert!(Client::connect(addr).is_err());
}

/// Whether a process runs: one that nobody has waited for yet is dead all the same.
fn is_alive(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}

/// How often a process has gone to sleep.
fn pauses(pid: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.unwrap().trim().parse().unwrap()
}

#[test]
fn a_server_dropped_while_saving_takes_the_saving_child_along() {
    let peer = Peer::builder(Server::Redis70).arg("--rdb-key-save-delay", "50000").start().unwrap();
    let mut client = peer.client();
    client.ok(&["DEBUG", "POPULATE", "100000"]);
    client.ok(&["BGSAVE"]);
    assert!(info(&mut client, "persistence").contains("rdb_bgsave_in_progress:1"));
    let (dir, pid) = (peer.dir().to_path_buf(), peer.pid());
    let child = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    // Before its first keys the child looks whether its parent lives; then not for long.
    while pauses(child.trim()) < 5 {
        assert!(Instant::now() < deadline, "nothing is being saved");
    }
    drop(peer);
    assert!(!dir.exists());
    while is_alive(child.trim()) {
        assert!(Instant::now() < deadline, "the saving child lives on");
    }
}

#[test]
fn options_password_and_unix_socket_take_effect() {
    let builder = Peer::builder(Server::Redis70).arg("--maxmemory", "10mb").password("s3c/ret");
    let peer = builder.unix_socket().start().unwrap();
    let reply = peer.client().ok(&["CONFIG", "GET", "maxmemory"]);
    assert_eq!(reply.items()[1], "10485760");
    assert_eq!(peer.url(), format!("redis://:s3c%2Fret@127.0.0.1:{}", peer.port()));
    let mut stranger = Client::connect_unix(peer.unix_path().unwrap()).unwrap();
    assert!(stranger.call(&["PING"]).is_error());
    assert_eq!(stranger.call(&["AUTH", "s3c/ret"]), "OK");
    let mut connector = Connector::new(peer.addr());
    connector.password = Some("wrong".to_owned());
    let refused = connector.connect().unwrap_err().to_string();
    assert!(refused.contains("refused the password: (error) WRONGPASS"), "{refused}");
}

#[test]
fn tls_servers_speak_tls_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let files = TlsFiles::generate(dir.path()).unwrap();
    for server in Server::ALL.into_iter().filter(|server| server.has_tls()) {
        let peer = Peer::builder(server).tls(&files).password("pw").start().unwrap();
        assert_eq!(peer.client().call(&["SET", "k", "v"]), "OK", "{}", server.name());
        assert_eq!(peer.url(), format!("rediss://:pw@localhost:{}", peer.port()));
        let mut plain = Client::connect(peer.addr()).unwrap();
        assert!(plain.try_call(&["PING"]).is_err(), "{}", server.name());
    }
}

#[test]
fn client_certificates_are_presented() {
    let dir = tempfile::tempdir().unwrap();
    let files = TlsFiles::generate(dir.path()).unwrap();
    let builder = Peer::builder(Server::Redis80).tls(&files).arg("tls-auth-clients", "yes");
    assert_eq!(builder.start().unwrap().client().call(&["PING"]), "PONG");
}

#[test]
fn data_saved_before_a_kill_is_there_after_restart() {
    for server in Server::ALL {
        let mut peer = Peer::start(server).unwrap();
        let (mut client, pid) = (peer.client(), peer.pid());
        client.ok(&["SET", "kept", "1"]);
        client.ok(&["SAVE"]);
        client.ok(&["SET", "lost", "1"]);
        peer.kill();
        assert!(peer.exited().is_some());
        peer.restart().unwrap();
        assert_ne!(peer.pid(), pid);
        assert_eq!(peer.client().call(&["MGET", "kept", "lost"]).items()[1], Reply::Nil);
        assert_eq!(peer.client().call(&["DBSIZE"]), 1, "{}", server.name());
    }
}

#[test]
fn an_rdb_file_can_be_given_at_start() {
    let first = Peer::start(Server::Redis62).unwrap();
    first.client().ok(&["SET", "k", "v"]);
    first.client().ok(&["SAVE"]);
    let rdb = fs::read(first.dir().join("dump.rdb")).unwrap();
    let second = Peer::builder(Server::Valkey91).rdb(&rdb).start().unwrap();
    assert_eq!(second.client().call(&["GET", "k"]), "v");
}

#[test]
fn a_frozen_peer_answers_when_thawed() {
    let peer = Peer::start(Server::Valkey81).unwrap();
    let mut client = peer.client();
    client.set_timeout(Some(Duration::from_millis(50))).unwrap();
    peer.freeze();
    assert!(client.try_call(&["PING"]).is_err());
    peer.thaw();
    client.set_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(client.read().unwrap(), "PONG");
}

#[test]
fn usage_grows_with_work_and_memory() {
    let peer = Peer::start(Server::Redis80).unwrap();
    let before = peer.usage();
    peer.client().ok(&["SETRANGE", "big", "104857600", "x"]);
    peer.client().ok(&["EVAL", "local n = 0 for i = 1, 3e7 do n = n + i end return n", "0"]);
    let after = peer.usage();
    assert!(after.peak_rss >= before.peak_rss + 100_000_000, "{before:?} {after:?}");
    assert!(after.user_s > before.user_s + 0.02, "{before:?} {after:?}");
}

#[test]
fn a_server_that_refuses_its_options_shows_its_log() {
    let error = Peer::builder(Server::Redis70).arg("no-such-option", "1").start().unwrap_err();
    assert!(matches!(error, PeerError::Start { .. }));
    let text = error.to_string();
    assert!(text.contains("redis-7.0 stopped while starting"), "{text}");
    assert!(text.contains("no-such-option"), "{text}");
}

#[test]
fn command_line_clients_of_the_same_release_run() {
    for server in [Server::Redis62, Server::Redis70, Server::Redis80, Server::Valkey81] {
        let peer = Peer::start(server).unwrap();
        let cli = server.cli().unwrap().unwrap();
        let output = cli.command().args(["-p", &peer.port().to_string(), "PING"]).output().unwrap();
        assert_eq!(output.stdout, b"PONG\n", "{}", server.name());
    }
    assert_eq!(Server::Valkey91.cli().unwrap(), None);
}

#[test]
fn a_cluster_moves_slots_and_fails_over() {
    let started = ferrite_testkit::Cluster::builder(Server::Redis70).replicas(1).start();
    let cluster = started.unwrap_or_else(|error| panic!("{error}"));
    // CLUSTER KEYSLOT foo is 12182.
    assert_eq!(cluster.call(&["SET", "foo", "bar"]), "OK");
    assert_eq!(cluster.owner(12182), 2);
    cluster.move_slot(12182, 0);
    assert_eq!(cluster.owner(12182), 0);
    assert_eq!(cluster.call(&["GET", "foo"]), "bar");
    assert_eq!(cluster.fail_over(1), 4);
    assert_eq!(cluster.owner(6000), 4);
    assert_eq!(cluster.snapshot().unwrap().len(), 1);
}

#[test]
fn sentinels_fail_over() {
    let started = ferrite_testkit::Sentinels::start(Server::Redis70, Some("data"), Some("watch"));
    let setup = started.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(setup.primary(), 0);
    setup.fail_over();
    assert_eq!(setup.primary(), 1);
}
