//! Another server takes the source's place: its replica, which has all it had or not.

use ferrite_migrate::State;
use ferrite_testkit::client::Connector;
use ferrite_testkit::{Peer, Proxy, Server, wait_until};

use super::{between, full_synchronizations, load, proxy, write_to};
use crate::common::live::{Live, offset};
use crate::common::{ok, start};

/// A replica of a server that has everything it has.
fn replica_of(source: &Peer) -> Peer {
    let replica = start(source.server());
    let port = source.port().to_string();
    ok(&mut replica.client(), &["REPLICAOF", "127.0.0.1", &port]);
    wait_until("the replica is in step", || {
        let role = ok(&mut replica.client(), &["ROLE"]);
        role.items().get(3).is_some_and(|state| state.text() == "connected")
    });
    replica
}

/// The name of a server's history.
fn history(peer: &Peer) -> String {
    let info = ok(&mut peer.client(), &["INFO", "replication"]).text();
    let line = info.lines().find_map(|line| line.strip_prefix("master_replid:"));
    line.unwrap().trim().to_owned()
}

/// The offset up to which a replica has its source's commands.
fn received(replica: &Peer) -> Option<u64> {
    let role = ok(&mut replica.client(), &["ROLE"]);
    u64::try_from(role.items().get(4)?.int()?).ok()
}

/// Where the job is: the name of the history, and the offset the target has.
fn position(live: &Live) -> (String, u64) {
    let shard = live.status().shards.remove(0);
    (shard.replid.unwrap(), shard.applied.unwrap())
}

/// Promotes a replica, and leads to it whoever comes through the proxy.
fn promote(replica: &Peer, way: &Proxy) {
    ok(&mut replica.client(), &["REPLICAOF", "NO", "ONE"]);
    way.set_upstream(replica.addr());
}

/// The source's replica takes over with all the source had, and the job goes on with it.
fn follows_the_replica(server: Server, seed: u64) {
    let mut source = start(server);
    let target = start(server);
    let load = write_to(&source, load().seed(seed));
    let replica = replica_of(&source);
    let way = proxy(&source);
    load.wait_for(2000);
    let mut live = Live::start(between(way.url(), target.url()));
    live.until(State::Live);
    load.wait_for(2000);
    // What a failover in order does: nothing is written while the replica catches up.
    ok(&mut source.client(), &["CLIENT", "PAUSE", "60000", "WRITE"]);
    let last = offset(&source);
    wait_until("the replica has everything", || received(&replica) >= Some(last));
    promote(&replica, &way);
    load.switch_to(Connector::new(replica.addr()));
    source.kill();
    load.wait_for(4000);

    live.until_applied(&replica);
    assert_eq!(position(&live).0, history(&replica));
    assert_eq!(live.copies(), 1, "everything was copied again");
    assert_eq!(full_synchronizations(&replica), 0);
    // What the target says is a position of the new source.
    live.kill();
    load.wait_for(1000);
    live.resume();
    live.until(State::Live);
    assert_eq!((live.copies(), full_synchronizations(&replica)), (1, 0));
    live.finish(load, &replica, &target);
}

#[test]
fn a_redis_70_failover_goes_on_without_a_copy() {
    follows_the_replica(Server::Redis70, 30);
}

#[test]
fn a_redis_80_failover_goes_on_without_a_copy() {
    follows_the_replica(Server::Redis80, 31);
}

#[test]
fn a_valkey_91_failover_goes_on_without_a_copy() {
    follows_the_replica(Server::Valkey91, 32);
}

#[test]
fn a_failover_while_the_job_does_not_run_goes_on_without_a_copy() {
    let mut source = start(Server::Redis70);
    let target = start(Server::Redis70);
    let replica = replica_of(&source);
    let way = proxy(&source);
    ok(&mut source.client(), &["INCR", "counter"]);
    let mut live = Live::start(between(way.url(), target.url()));
    live.until(State::Live);
    live.until_applied(&source);
    live.kill();
    ok(&mut source.client(), &["INCR", "counter"]);
    let last = offset(&source);
    wait_until("the replica has everything", || received(&replica) >= Some(last));
    promote(&replica, &way);
    source.kill();
    ok(&mut replica.client(), &["INCR", "counter"]);
    live.resume();
    live.until_applied(&replica);
    assert_eq!(ok(&mut target.client(), &["GET", "counter"]).text(), "3");
    assert_eq!((live.copies(), full_synchronizations(&replica)), (1, 0));
}

#[test]
fn a_replica_that_lacks_what_we_have_is_copied() {
    let mut source = start(Server::Redis70);
    let target = start(Server::Redis70);
    let load = write_to(&source, load().seed(33));
    let replica = replica_of(&source);
    let way = proxy(&source);
    load.wait_for(2000);
    let live = Live::start(between(way.url(), target.url()));
    live.until(State::Live);
    // It hears nothing any more, and the source goes on.
    replica.freeze();
    load.wait_for(4000);
    ok(&mut source.client(), &["SET", "only-the-old-source-has-it", "1"]);
    live.until_applied(&source);
    let before = position(&live);
    load.switch_to(Connector::new(replica.addr()));
    source.kill();
    replica.thaw();
    promote(&replica, &way);
    load.wait_for(2000);
    live.until_copied(2);
    let after = position(&live);
    assert_ne!(after.0, before.0);
    assert_eq!(after.0, history(&replica));
    let gone = ok(&mut target.client(), &["EXISTS", "only-the-old-source-has-it"]);
    assert_eq!(gone.int(), Some(0));
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
    // Its counters lack what the replica lacked, so that only both ends tell.
    load.stop();
    crate::common::live::assert_same_soon(&replica, &target);
}
