//! Clusters as source and target: all routes, slots that move, nodes that die.

mod common;

use common::{listing, run, start, start_with_everything};
use ferrite_migrate::{Config, ConfigBuilder, OnConflict, Strategy};
use ferrite_testkit::{Cluster, Dataset, Listing, Peer, Server};

fn cluster(server: Server) -> Cluster {
    Cluster::builder(server).start().unwrap_or_else(|error| panic!("{error}"))
}

fn config(source: &str, target: &str) -> ConfigBuilder {
    Config::builder().source(source).target(target).verify(true)
}

/// What a server has in database 0.
fn first_database(peer: &Peer) -> Listing {
    let mut all = listing(peer);
    all.databases.retain(|number, _| *number == 0);
    all
}

fn assert_equal(ours: &Listing, theirs: &Listing) {
    assert!(ours.len() > 100, "only {} keys", ours.len());
    let differences = ours.diff(theirs);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn held(cluster: &Cluster) -> Listing {
    cluster.snapshot().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_route_keeps_every_key() {
    let from = start_with_everything(Server::Redis70);
    Dataset::mixed(3000).load(&mut from.client()).unwrap();
    let ours = first_database(&from);
    let a = cluster(Server::Redis70);
    let report = run(config(&format!("{}/0", from.url()), &format!("{}/0", a.url()))).unwrap();
    assert_eq!(report.keys.copied, ours.len() as u64);
    assert!(report.verification.is_some_and(|verified| verified.success));
    assert_equal(&ours, &held(&a));
    // Another layout, another family, found from the last node.
    let layout = vec![vec![(0, 100), (8000, 12000)], vec![(101, 7999), (12001, 16383)]];
    let b = Cluster::builder(Server::Valkey91).slots(layout).start().unwrap();
    for (strategy, to) in [(Strategy::Psync, b.node(1).url()), (Strategy::Scan, b.url())] {
        let config = config(&a.node(2).url(), &to).strategy(strategy);
        let report = run(config.on_conflict(OnConflict::Replace)).unwrap();
        assert_eq!(report.keys.copied, ours.len() as u64, "{strategy:?}");
        assert_eq!(report.functions, ours.functions.as_ref().map_or(0, |all| all.len() as u64));
        assert_equal(&ours, &held(&b));
        b.primaries().iter_mut().for_each(|node| {
            node.ok(&["FLUSHALL"]);
        });
    }
    let config = config(&a.url(), &b.url()).only_differing(true);
    run(config).unwrap();
    assert_equal(&ours, &held(&b));
    let back = start(Server::Valkey91);
    run(self::config(&b.url(), &back.url()).strategy(Strategy::Psync)).unwrap();
    assert_equal(&ours, &listing(&back));
}
