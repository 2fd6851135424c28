//! The load writes everything, everywhere, keeps count, and survives what is done to its server.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use ferrite_testkit::client::Connector;
use ferrite_testkit::load::{Feature, LoadBuilder};
use ferrite_testkit::{Client, Listing, Load, LoadReport, Peer, Server, snapshot};

const NOTHING: [&str; 0] = [];

fn to(peer: &Peer) -> Connector {
    Connector::new(peer.addr())
}

fn start(builder: LoadBuilder, peer: &Peer) -> Load {
    builder.start(to(peer)).unwrap()
}

fn kinds(listing: &Listing) -> BTreeSet<&str> {
    let entries = listing.databases.values().flat_map(|keys| keys.values());
    entries.map(|entry| entry.value.kind()).collect()
}

/// Names of the commands the server has executed.
fn executed(client: &mut Client) -> BTreeSet<String> {
    let info = client.ok(&["INFO", "commandstats"]).text();
    let names = info.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(':'));
    names.map(|(name, _)| name.to_owned()).collect()
}

fn stat(client: &mut Client, name: &str) -> u64 {
    let info = client.ok(&["INFO", "stats"]).text();
    let found = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    found.unwrap().trim().parse().unwrap()
}

/// Lets the load go on until something has come about.
fn load_until(load: &Load, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "not within 30 seconds and {}", load.operations());
        load.wait_for(1000);
    }
}

fn assert_counted(report: &LoadReport, peer: &Peer) {
    let increments: u64 = report.counters.iter().map(|counter| counter.min).sum();
    assert!(increments > 0, "{report:?}");
    assert_eq!(report.lost_or_doubled(&mut peer.client()).unwrap(), NOTHING);
}

#[test]
fn every_type_and_most_commands_on_every_server() {
    for (server, commands) in [
        (Server::Redis62, 85),
        (Server::Redis70, 88),
        (Server::Redis80, 96),
        (Server::Valkey91, 96),
    ] {
        let peer = Peer::start(server).unwrap();
        let load = start(Load::builder().dbs(&[0, 3]), &peer);
        load.wait_for(20_000);
        let name = server.name();
        let mut client = peer.client();
        load_until(&load, || stat(&mut client, "expired_keys") > 0);
        let report = load.stop();
        assert!(report.operations >= 20_000);
        assert!(report.failed * 2 < report.operations, "{name}: {report:?}");
        assert!(report.failed > 0, "{name}: errors are part of it");
        assert_eq!((report.refused, report.uncertain), (0, 0), "{name}: {report:?}");
        assert!(report.longest_stall > Duration::ZERO);
        assert_counted(&report, &peer);
        assert!(report.counters.iter().all(|counter| counter.min == counter.max));
        let executed = executed(&mut client);
        assert!(executed.len() >= commands, "{name}: {} {executed:?}", executed.len());
        let all = BTreeSet::from(["hash", "list", "set", "stream", "string", "zset"]);
        let listing = snapshot(&mut client).unwrap();
        assert_eq!(kinds(&listing), all, "{name}");
        assert_eq!(listing.databases.keys().copied().collect::<Vec<_>>(), [0, 3]);
    }
}

/// The syntax of each command must be right somewhere, or it would test nothing.
#[test]
fn no_command_is_malformed() {
    for server in Server::ALL {
        let peer = Peer::start(server).unwrap();
        let load = start(with_rare(Load::builder().dbs(&[0, 1, 2])), &peer);
        load.wait_for(20_000);
        let report = load.stop();
        let signs = ["syntax", "unknown", "wrong number", "not supported"];
        let malformed: Vec<&String> = report
            .errors_by_text
            .keys()
            .filter(|text| signs.iter().any(|sign| text.to_lowercase().contains(sign)))
            .collect();
        assert!(malformed.is_empty(), "{}: {:?}", server.name(), report.errors_by_text);
    }
}

fn with_rare(builder: LoadBuilder) -> LoadBuilder {
    builder.with(Feature::Functions).with(Feature::FlushDb).with(Feature::SwapDb)
}

#[test]
fn rare_commands_come_when_asked_for_and_counters_survive() {
    let peer = Peer::start(Server::Redis80).unwrap();
    let load = start(with_rare(Load::builder().dbs(&[2, 0, 1])), &peer);
    let mut client = peer.client();
    let rare = ["flushdb", "swapdb", "function|load", "function|delete", "fcall"];
    load_until(&load, || rare.iter().all(|name| executed(&mut client).contains(*name)));
    let report = load.stop();
    assert_counted(&report, &peer);
    assert!(!executed(&mut client).contains("flushall"));
}

/// The load asks nothing of a migration that a server's own replication cannot do.
#[test]
fn a_replica_becomes_equal() {
    for server in [Server::Redis62, Server::Redis70, Server::Redis80, Server::Valkey91] {
        let (source, replica) = (Peer::start(server).unwrap(), Peer::start(server).unwrap());
        let mut builder = with_rare(Load::builder().rate(Some(20_000)).dbs(&[0, 1, 2]));
        if server == Server::Redis70 {
            builder = builder.without(Feature::GroupReads);
        }
        let load = start(builder, &source);
        load.wait_for(2000);
        let mut client = replica.client();
        client.ok(&["REPLICAOF", "127.0.0.1", &source.port().to_string()]);
        load_until(&load, || {
            client.ok(&["INFO", "replication"]).text().contains("master_link_status:up")
        });
        load.wait_for(10_000);
        let report = load.stop();
        let mut source = source.client();
        let exact = server != Server::Redis62;
        let differences = settled(&mut source, &mut client, exact);
        assert_eq!(differences, NOTHING, "{}", server.name());
        assert_eq!(report.lost_or_doubled(&mut client).unwrap(), NOTHING);
    }
}

/// Differences once the replica has caught up, and what lives shortly has ended on both. Moments of
/// expiry are no difference where the source only tells the time left.
fn settled(source: &mut Client, replica: &mut Client, exact: bool) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let is_last = Instant::now() > deadline;
        let looked = snapshot(source).and_then(|ours| Ok(ours.diff(&snapshot(replica)?)));
        // A key that comes and goes while the replica catches up is no reason to give up.
        let mut differences = looked.unwrap_or_else(|error| vec![error.to_string()]);
        differences.retain(|line| exact || !line.contains("the second expires at"));
        if differences.is_empty() || is_last {
            return differences;
        }
    }
}

#[test]
fn what_is_left_out_does_not_come() {
    let peer = Peer::start(Server::Redis70).unwrap();
    let without = [
        Feature::Scripts,
        Feature::Transactions,
        Feature::Streams,
        Feature::GroupReads,
        Feature::Claims,
        Feature::Restore,
    ];
    let builder = without.iter().fold(Load::builder(), |builder, one| builder.without(*one));
    let load = start(builder, &peer);
    load.wait_for(5000);
    assert_counted(&load.stop(), &peer);
    let executed = executed(&mut peer.client());
    for name in
        ["eval", "multi", "exec", "xadd", "xgroup|create", "xclaim", "restore", "dump", "move"]
    {
        assert!(!executed.contains(name), "{name}");
    }
    assert!(executed.contains("incr"));
}

#[test]
fn flushall_takes_the_lower_bound_of_counters() {
    let peer = Peer::start(Server::Valkey81).unwrap();
    let load = start(Load::builder().with(Feature::FlushAll), &peer);
    let mut client = peer.client();
    load_until(&load, || executed(&mut client).contains("flushall"));
    let report = load.stop();
    assert!(report.counters.iter().all(|counter| counter.min == 0));
    assert_eq!(report.lost_or_doubled(&mut client).unwrap(), NOTHING);
}

#[test]
fn lost_and_doubled_writes_are_told_apart() {
    let peer = Peer::start(Server::Redis70).unwrap();
    let load = start(Load::builder().writers(1), &peer);
    load.wait_for(5000);
    let report = load.stop();
    let mut client = peer.client();
    client.ok(&["DECR", "counter:0:3"]);
    client.ok(&["INCR", "counter:0:5"]);
    let wrong = report.lost_or_doubled(&mut client).unwrap();
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong[0].contains("counter:0:3") && wrong[0].contains("lost"), "{wrong:?}");
    assert!(wrong[1].contains("counter:0:5") && wrong[1].contains("doubled"), "{wrong:?}");
}

/// A second load goes on counting where the first has left the counters.
#[test]
fn loads_can_follow_each_other() {
    let peer = Peer::start(Server::Redis70).unwrap();
    for seed in [1, 2] {
        let load = start(Load::builder().seed(seed), &peer);
        load.wait_for(2000);
        assert_counted(&load.stop(), &peer);
    }
}

#[test]
fn all_writers_go_on_elsewhere() {
    let (source, target) =
        (Peer::start(Server::Redis62).unwrap(), Peer::start(Server::Valkey91).unwrap());
    let load = start(Load::builder().writers(3), &source);
    load.wait_for(3000);
    load.switch_to(to(&target));
    load.wait_switched();
    let left = stat(&mut source.client(), "total_commands_processed");
    load.wait_for(3000);
    // Asking once more is the only command since.
    assert_eq!(stat(&mut source.client(), "total_commands_processed"), left + 1);
    let report = load.stop();
    assert_eq!((report.refused, report.uncertain), (0, 0), "{report:?}");
    let total: u64 = report.counters.iter().map(|counter| counter.min).sum();
    let mut on_both = 0;
    for counter in &report.counters {
        for peer in [&source, &target] {
            let reply = peer.client().ok(&["GET", &counter.key]);
            on_both += reply.int().unwrap_or_default().unsigned_abs();
        }
    }
    assert_eq!(on_both, total);
}

/// Everything is written to the file before it is acknowledged, so that nothing may be missing.
#[test]
fn a_killed_server_is_waited_for() {
    let builder = Peer::builder(Server::Redis70).arg("appendonly", "yes");
    let mut peer = builder.arg("appendfsync", "always").start().unwrap();
    let load = start(Load::builder().without(Feature::Scripts), &peer);
    load.wait_for(3000);
    for _ in 0..3 {
        peer.kill();
        peer.restart().unwrap();
        load.wait_for(3000);
    }
    let report = load.stop();
    assert!(report.uncertain > 0, "{report:?}");
    assert!(report.errors_by_text.keys().any(|text| text.contains("connection")), "{report:?}");
    assert_counted(&report, &peer);
}

#[test]
fn stalls_are_measured_while_they_last_and_forgotten_on_request() {
    let peer = Peer::start(Server::Redis70).unwrap();
    let load = start(Load::builder(), &peer);
    load.wait_for(1000);
    let mut client = peer.client();
    client.ok(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    let start = Instant::now();
    while load.longest_stall() < Duration::from_millis(500) {
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", load.longest_stall());
        thread::yield_now();
    }
    client.ok(&["CLIENT", "UNPAUSE"]);
    load.wait_for(1000);
    let stalled = load.longest_stall();
    assert!(stalled >= Duration::from_millis(500), "{stalled:?}");
    load.reset_stall();
    load.wait_for(1000);
    assert!(load.longest_stall() < stalled, "{:?}", load.longest_stall());
    assert_counted(&load.stop(), &peer);
}

#[test]
fn refusals_are_not_acknowledgements() {
    let peer = Peer::start(Server::Redis80).unwrap();
    let load = start(Load::builder(), &peer);
    load.wait_for(1000);
    let mut client = peer.client();
    // A replica of nobody: it keeps its data and takes no writes.
    client.ok(&["REPLICAOF", "127.0.0.1", "1"]);
    let start = Instant::now();
    while load.longest_stall() < Duration::from_millis(100) {
        assert!(start.elapsed() < Duration::from_secs(10), "refusals count as answers");
        thread::yield_now();
    }
    client.ok(&["REPLICAOF", "NO", "ONE"]);
    load.wait_for(1000);
    let report = load.stop();
    assert!(report.refused > 0, "{report:?}");
    assert!(report.errors_by_text.keys().any(|text| text.starts_with("READONLY")), "{report:?}");
    assert_counted(&report, &peer);
}

#[test]
fn the_rate_is_kept() {
    let peer = Peer::start(Server::Redis70).unwrap();
    let start_of_load = Instant::now();
    let load = start(Load::builder().rate(Some(2000)).pipeline(8), &peer);
    load.wait_for(1000);
    let took = start_of_load.elapsed();
    assert!(took >= Duration::from_millis(400), "1000 at 2000 a second took {took:?}");
    load.stop();
}

#[test]
fn a_load_needs_a_server_and_its_databases() {
    let mut peer = Peer::start(Server::Redis70).unwrap();
    let error = Load::builder().dbs(&[0, 99]).start(to(&peer)).unwrap_err().to_string();
    assert!(error.contains("database 99"), "{error}");
    let address = to(&peer);
    peer.kill();
    let error = Load::builder().start(address).unwrap_err().to_string();
    assert!(error.contains("cannot connect"), "{error}");
}
