//! Clusters as source and target: all routes, slots that move, nodes that die.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::common::{listing, run, start, start_with_everything};
use ferrite_migrate::{
    Config, ConfigBuilder, ErrorKind, Limits, MigrateError, OnConflict, Strategy,
};
use ferrite_testkit::dataset::big::{self, Collection};
use ferrite_testkit::{Cluster, Dataset, Listing, Peer, Server, wait_until};

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
    assert!(ours.len() > 20, "only {} keys", ours.len());
    let differences = ours.diff(theirs);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn held(cluster: &Cluster) -> Listing {
    cluster.snapshot().unwrap_or_else(|error| panic!("{error}"))
}

/// A cluster with so many ordinary keys, which it got from a server.
fn filled(builder: ferrite_testkit::ClusterBuilder, keys: u64) -> (Cluster, Listing) {
    let (from, to) = (start(Server::Redis70), builder.start().unwrap());
    Dataset::mixed(keys).load(&mut from.client()).unwrap();
    run(config(&from.url(), &to.url())).unwrap();
    (to, listing(&from))
}

fn refused(config: ConfigBuilder) -> MigrateError {
    run(config).expect_err("a refusal")
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
    for mut node in a.primaries() {
        let libraries = node.ok(&["FUNCTION", "LIST"]).items().len();
        assert_eq!(Some(libraries), ours.functions.as_ref().map(|all| all.len()), "on every node");
    }
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
    assert_eq!(b.call(&["SET", "not on the source", "x"]), "OK");
    let config = config(&a.url(), &b.url()).only_differing(true).delete_missing(true);
    assert_eq!(run(config).unwrap().keys.deleted, 1);
    assert_equal(&ours, &held(&b));
    let back = start(Server::Valkey91);
    run(self::config(&b.url(), &back.url()).strategy(Strategy::Psync)).unwrap();
    assert_equal(&ours, &listing(&back));
}

/// Between two clusters whose slots move all the while, one of them open from before the copy to
/// after it.
#[test]
fn keys_of_slots_that_move_are_neither_lost_nor_doubled() {
    let (a, ours) = filled(Cluster::builder(Server::Redis70), 3000);
    for strategy in [Strategy::Scan, Strategy::Psync] {
        let b = cluster(Server::Redis70);
        let slots: Vec<u16> = (0..40).map(|number| number * 401 + 7).collect();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for cluster in [&a, &b] {
                let (slots, done) = (&slots, &done);
                scope.spawn(move || {
                    let other = (cluster.owner(16_000) + 1) % 3;
                    cluster.open_slot(16_000, other);
                    for round in 0..4 {
                        for slot in slots {
                            if done.load(Ordering::Relaxed) {
                                break;
                            }
                            cluster.move_slot(*slot, (cluster.owner(*slot) + 1 + round % 2) % 3);
                        }
                    }
                    wait_until("the copy is through", || done.load(Ordering::Relaxed));
                    cluster.close_slot(16_000, other);
                });
            }
            let limits = Limits { rate: Some(512 << 10), ..Limits::default() };
            let config = config(&a.url(), &b.url()).strategy(strategy).verify(false);
            let report = run(config.limits(limits));
            done.store(true, Ordering::Relaxed);
            let report = report.unwrap_or_else(|error| panic!("{error}"));
            let keys = report.keys;
            assert!(keys.copied >= 3000 && keys.skipped == 0, "{strategy:?}: {keys:?}");
        });
        assert_equal(&ours, &travelled(held(&b)));
        assert_equal(&ours, &travelled(held(&a)));
    }
}

/// Keys move from primaries that are still to be read to the one that was read first.
#[test]
fn keys_that_move_to_where_nobody_looks_any_more_are_found() {
    let (a, ours) = filled(Cluster::builder(Server::Redis70), 3000);
    let names = ours.databases[&0].keys().step_by(60);
    let slots = names.map(|name| {
        let slot = a.call(&[&b"CLUSTER"[..], b"KEYSLOT", name]).int().unwrap();
        u16::try_from(slot).unwrap()
    });
    let slots: BTreeSet<u16> = slots.filter(|slot| a.owner(*slot) != 0).collect();
    let target = start(Server::Redis70);
    thread::scope(|scope| {
        let (from, to) = (a.url(), target.url());
        let limits = Limits { rate: Some(512 << 10), ..Limits::default() };
        let config = config(&from, &to).strategy(Strategy::Psync).parallel(1).verify(false);
        let copying = scope.spawn(move || run(config.limits(limits)));
        let mut client = target.client();
        wait_until("keys arrive", || client.ok(&["DBSIZE"]).int() > Some(20));
        slots.iter().for_each(|slot| a.move_slot(*slot, 0));
        copying.join().unwrap().unwrap_or_else(|error| panic!("{error}"));
    });
    assert_equal(&ours, &travelled(listing(&target)));
}

/// What was moved by `MIGRATE`, which carries the time that is left, not the time.
fn travelled(mut listing: Listing) -> Listing {
    for keys in listing.databases.values_mut() {
        for expiry in keys.values_mut().filter_map(|entry| entry.expiry.as_mut()) {
            expiry.tolerance_ms = 1000;
        }
    }
    listing
}

#[test]
fn a_node_that_dies_is_replaced_or_named() {
    let builder = || Cluster::builder(Server::Redis70).replicas(1);
    let (mut a, ours) = filled(builder(), 3000);
    let limits = Limits { rate: Some(512 << 10), ..Limits::default() };
    // Of the source.
    let target = start(Server::Redis70);
    let url = a.url();
    thread::scope(|scope| {
        let to = target.url();
        let copying = scope.spawn(move || {
            run(config(&url, &to).strategy(Strategy::Scan).limits(limits).verify(false))
        });
        wait_until("keys arrive", || target.client().ok(&["DBSIZE"]).int() > Some(200));
        a.node_mut(1).kill();
        copying.join().unwrap().unwrap_or_else(|error| panic!("{error}"));
    });
    assert_equal(&ours, &listing(&target));
    // Of the target.
    let mut b = builder().start().unwrap();
    let url = b.url();
    let warnings = thread::scope(|scope| {
        let from = target.url();
        let copying = scope.spawn(move || run(config(&from, &url).limits(limits).verify(false)));
        let mut node = b.node(2).client();
        wait_until("keys arrive", || node.ok(&["DBSIZE"]).int() > Some(200));
        b.node_mut(2).kill();
        copying.join().unwrap().unwrap_or_else(|error| panic!("{error}")).warnings
    });
    assert!(warnings.iter().any(|told| told.contains("1 primaries")), "{warnings:?}");
    run(config(&target.url(), &b.url()).only_differing(true)).unwrap();
    assert_equal(&ours, &held(&b));
    // Without a replica: the replica that took over dies too.
    a.node_mut(4).kill();
    let error = refused(config(&a.url(), &start(Server::Redis70).url()));
    let port = a.node(4).port().to_string();
    assert!(error.to_string().contains(&port), "{error}");
}

#[test]
fn clusters_that_cannot_be_copied_are_refused_with_the_reason() {
    let hole = vec![vec![(0, 5460)], vec![(5461, 10922)], vec![(10923, 16000), (16002, 16383)]];
    let a = Cluster::builder(Server::Valkey91).slots(hole).start().unwrap();
    let target = start(Server::Redis70);
    let said = |config: ConfigBuilder, words: &[&str]| {
        let error = refused(config);
        assert_eq!(error.kind, ErrorKind::Blocked, "{error}");
        for word in words {
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
    };
    said(config(&a.url(), &target.url()), &["nobody owns the slots 16001"]);
    said(config(&target.url(), &a.url()), &["target topology", "16001"]);
    let other = start(Server::Redis70);
    said(config(&other.url(), &target.url()).clusters(true), &["is no node of a cluster"]);

    let b = Cluster::builder(Server::Redis70).password("right").start().unwrap();
    let mut client = target.client();
    client.ok(&["SELECT", "3"]);
    client.ok(&["SET", "key", "value"]);
    said(config(&target.url(), &b.url()), &["the target has no database 3"]);
    b.node(1).client().ok(&["CONFIG", "SET", "requirepass", "other"]);
    let port = b.node(1).port().to_string();
    said(config(&b.url(), &target.url()), &["source reachable", &port, "password is wrong"]);
}

#[test]
fn large_keys_policies_and_databases() {
    let from = start(Server::Valkey91);
    let mut client = from.client();
    for key in ["large", "{tag}large", "a}large", "large{}"] {
        big::collection(&mut client, Collection::List, key.as_bytes(), 5 << 20).unwrap();
    }
    client.ok(&["SELECT", "2"]);
    for number in 0..30 {
        client.ok(&["SET", &format!("{{one}}{number}"), "same slot"]);
    }
    let ours = listing(&from);
    // Valkey 9 has databases in clusters.
    let a = Cluster::builder(Server::Valkey91).arg("cluster-databases", "16").start().unwrap();
    let small = || config(&from.url(), &a.url()).memory_limit(32 << 20);
    let rehearsed = run(small().verify(false).dry_run(true)).unwrap();
    assert_eq!((rehearsed.keys.copied, held(&a).len()), (34, 0));
    // A key that is built in parts cannot be built while its slot is on the way.
    let slot = a.call(&["CLUSTER", "KEYSLOT", "large"]).int().unwrap();
    let slot = u16::try_from(slot).unwrap();
    let other = (a.owner(slot) + 1) % 3;
    a.open_slot(slot, other);
    thread::scope(|scope| {
        scope.spawn(|| {
            wait_until("the small keys are there", || {
                let sizes = a.primaries().into_iter().map(|mut node| {
                    node.ok(&["SELECT", "2"]);
                    node.ok(&["DBSIZE"]).int().unwrap()
                });
                sizes.sum::<i64>() == 30
            });
            a.close_slot(slot, other);
        });
        assert_eq!(run(small()).unwrap().keys.copied, 34);
    });
    assert_eq!(a.owner(slot), other);
    assert_equal(&ours, &held(&a));
    let error = refused(small());
    assert!(error.to_string().contains("34 keys are on the target already"), "{error}");
    let skipped = run(small().on_conflict(OnConflict::Skip).strategy(Strategy::Scan)).unwrap();
    assert_eq!((skipped.keys.copied, skipped.keys.skipped + skipped.keys.identical), (0, 34));
    let back = start(Server::Valkey91);
    let report = run(config(&a.url(), &back.url()).strategy(Strategy::Scan).memory_limit(32 << 20));
    assert_eq!(report.unwrap().keys.copied, 34);
    assert_equal(&ours, &listing(&back));
}
