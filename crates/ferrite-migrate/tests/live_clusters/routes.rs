//! Cluster to server, server to cluster, cluster to cluster: under load, to a cutover that loses
//! and doubles nothing.

use super::*;

#[test]
fn a_cluster_is_followed_into_a_server() {
    let (from, to) = (cluster(Server::Redis70), common::start(Server::Redis70));
    let load = ClusterLoad::start(nodes(&from, 3), 2);
    load.wait_for(3000);
    let live = Live::start(config(&from.url(), &to.url()));
    load.wait_for(10_000);
    let done = live.cut_over();
    assert!(done["pause_us"].as_u64().unwrap() > 0, "{done}");
    let (report, state) = live.end();
    assert_eq!(state, ferrite_migrate::State::Completed);
    assert!(report.live.unwrap().refetched > 100);
    let counters = load.stop();
    assert_same_soon(|| held(&from), || held_by(&to));
    let mut client = to.client();
    let wrong = wrong(&counters, |key| counter(&mut client, key));
    assert!(wrong.is_empty(), "{wrong:?}");
    for mut primary in from.primaries() {
        assert!(primary.call(&["SET", "x", "y"]).is_error(), "it takes no writes any more");
    }
}
