//! Cluster to server, server to cluster, cluster to cluster: under load, to a cutover that loses
//! and doubles nothing.

use ferrite_testkit::load::{Feature, Load};

use super::*;

/// Follows a cluster under load, cuts over, and compares.
fn follows(from: &Cluster, to_url: &str, to: impl Fn() -> Result<Listing, String>) {
    let load = ClusterLoad::start(nodes(from, 3), 2);
    load.wait_for(3000);
    let live = Live::start(config(&from.url(), to_url));
    load.wait_for(8000);
    let status = live.status();
    assert_eq!(status.shards.len(), 3, "{:?}", status.shards);
    assert!(status.shards.iter().all(|shard| shard.slots.is_some() && shard.applied.is_some()));
    let done = live.cut_over();
    assert!(done["pause_us"].as_u64().unwrap() > 0, "{done}");
    let (report, state) = live.end();
    assert_eq!(state, State::Completed);
    assert!(report.live.unwrap().refetched > 100);
    let counters = load.stop();
    assert_same_soon(|| held(from), &to);
    let values = to().unwrap();
    let wrong = wrong(&counters, |key| counter_in(&values, key));
    assert!(wrong.is_empty(), "{wrong:?}");
    for mut primary in from.primaries() {
        let refused = primary.call(&["SET", "x", "y"]).to_string();
        assert!(refused.contains("NOREPLICAS") || refused.contains("MOVED"), "{refused}");
    }
}

#[test]
fn a_cluster_into_a_server() {
    let (from, to) = (cluster(Server::Redis70), crate::common::start(Server::Redis70));
    follows(&from, &to.url(), || held_by(&to));
}

#[test]
fn a_cluster_into_a_cluster_of_another_family_and_layout() {
    let layout = vec![vec![(0, 100), (8000, 12000)], vec![(101, 7999), (12001, 16383)]];
    let to = Cluster::builder(Server::Valkey91).slots(layout).start().unwrap();
    let from = cluster(Server::Redis70);
    follows(&from, &to.node(1).url(), || held(&to));
}

/// Among the load's commands are those that cross slots (RENAME, SUNIONSTORE, MSET, transactions
/// and scripts), which a cluster would refuse.
#[test]
fn a_server_into_a_cluster() {
    let (from, to) = (crate::common::start(Server::Redis70), cluster(Server::Redis70));
    let load = Load::builder().writers(2).dbs(&[0]).rate(Some(5000)).seed(3);
    // Redis 7.0 does not replicate how many entries a group has read, and PFCOUNT remembers its
    // result in the key, even where no writes are taken.
    let load = load.without(Feature::GroupReads).without(Feature::HyperLogLogs);
    let load = load.start(ferrite_testkit::client::Connector::new(from.addr())).unwrap();
    load.wait_for(5000);
    let live = Live::start(config(&format!("{}/0", from.url()), &format!("{}/0", to.url())));
    live.until(State::Live);
    load.wait_for(15_000);
    live.cut_over();
    let (_, state) = live.end();
    assert_eq!(state, State::Completed);
    load.stop();
    assert_same_soon(|| held_by(&from), || held(&to));
}

/// FLUSHALL of one primary, libraries, and keys that only the source deletes.
#[test]
fn what_is_about_no_single_key_arrives() {
    let (from, to) = (cluster(Server::Redis70), cluster(Server::Redis70));
    for number in 0..1000 {
        from.call(&["SET", &format!("key:{number}"), "value"]);
    }
    let live = Live::start(config(&from.url(), &to.url()));
    live.until(State::Live);
    let code = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
    for mut primary in from.primaries() {
        primary.ok(&["FUNCTION", "LOAD", code]);
    }
    from.node(1).client().ok(&["FLUSHALL"]);
    from.call(&["SET", "last", "value"]);
    live.cut_over();
    let (_, state) = live.end();
    assert_eq!(state, State::Completed);
    assert_same_soon(|| held(&from), || held(&to));
    for mut primary in to.primaries() {
        assert_eq!(primary.ok(&["FUNCTION", "LIST"]).items().len(), 1);
    }
}
