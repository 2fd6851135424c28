//! Migrations of servers that are written to all the while.

use crate::common::live::{Live, assert_same_soon, reversible_cutover};
use crate::common::{between, start};
use ferrite_migrate::control::{CallError, Request};
use ferrite_migrate::{Config, State, Strategy};
use ferrite_testkit::load::{Feature, Load, LoadBuilder};
use ferrite_testkit::{Peer, Server, wait_until};

/// Two writers in two databases.
fn load_for(source: Server, target: Server) -> LoadBuilder {
    let load = Load::builder().writers(2).dbs(&[0, 1]).rate(Some(20_000));
    // Redis 7.0 does not replicate how many entries a group has read: its own replicas do not
    // know it either (docs/limits.md).
    match [source, target].contains(&Server::Redis70) {
        true => load.without(Feature::GroupReads),
        false => load,
    }
}

fn survives_a_load(server: Server, target_server: Server, strategy: Strategy) {
    let (source, target) = (start(server), start(target_server));
    let connector = ferrite_testkit::client::Connector::new(source.addr());
    let load = load_for(server, target_server).seed(7).start(connector).unwrap();
    load.wait_for(10_000);
    let live = Live::start(between(&source, &target).strategy(strategy));
    load.wait_for(40_000);
    let done = live.cut_over();
    let (report, state) = live.end();
    assert_eq!(state, State::Completed);
    assert_eq!(report.strategy, strategy.name());
    let followed = report.live.unwrap();
    assert!(followed.commands > 1000, "{followed:?}");
    assert!(done["pause_us"].as_u64().unwrap() > 0, "{done}");
    let written = load.stop();
    assert_same_soon(&source, &target);
    let wrong = written.lost_or_doubled(&mut target.client()).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
}

macro_rules! under_load {
    ($($name:ident: $source:ident => $target:ident,)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn psync() {
                survives_a_load(Server::$source, Server::$target, Strategy::Psync);
            }

            #[test]
            fn fenced() {
                survives_a_load(Server::$source, Server::$target, Strategy::Fenced);
            }
        }
    )*};
}

under_load! {
    redis_62_under_load: Redis62 => Redis62,
    redis_70_under_load: Redis70 => Redis70,
    redis_80_under_load: Redis80 => Redis80,
    valkey_91_under_load: Valkey91 => Valkey91,
    redis_62_to_valkey_91_under_load: Redis62 => Valkey91,
    redis_70_to_redis_80_under_load: Redis70 => Redis80,
}

fn goes_there_and_back(server: Server, target_server: Server) {
    let (source, target) = (start(server), start(target_server));
    let to = |peer: &Peer| ferrite_testkit::client::Connector::new(peer.addr());
    let load = load_for(server, target_server).seed(11).without(Feature::FieldExpiry);
    let load = load.start(to(&source)).unwrap();
    load.wait_for(5_000);
    let live = Live::start(between(&source, &target));
    // An application that stops for the switch: nobody writes to the source behind it.
    let first = stop_when_followed(&live, load);
    live.ordered(&reversible_cutover());
    let load = load_for(server, target_server).seed(12).without(Feature::FieldExpiry);
    let load = load.start(to(&target)).unwrap();
    load.wait_for(20_000);
    let second = load.stop();
    let rollback = Request::Rollback { max_pause_ms: Some(5000), hook: None };
    wait_until("the source has followed far enough", || match live.order(&rollback) {
        Err(CallError::Refused { code: 6, .. }) => false,
        obeyed => obeyed.map(|_| true).unwrap_or_else(|error| panic!("{error:?}")),
    });
    let (report, state) = live.end();
    assert_eq!(state, State::RolledBack);
    assert!(report.live.unwrap().refetched > 0);
    assert_same_soon(&target, &source);
    assert!(first.operations > 0);
    // The second load's counters go on from the first's.
    let wrong = second.lost_or_doubled(&mut source.client()).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
}

fn stop_when_followed(live: &Live, load: Load) -> ferrite_testkit::LoadReport {
    load.wait_for(20_000);
    let _ = live.order(&Request::Status).unwrap();
    load.stop()
}

#[test]
fn redis_70_there_and_back() {
    goes_there_and_back(Server::Redis70, Server::Redis70);
}

#[test]
fn redis_62_to_redis_80_there_and_back() {
    goes_there_and_back(Server::Redis62, Server::Redis80);
}

/// How a live migration between two servers of one kind copies when it may choose, and why.
fn chosen(server: Server, user: &[&str]) -> (String, String) {
    let (source, target) = (start(server), start(server));
    source.client().ok(&[&["ACL", "SETUSER", "mover", "on", ">secret", "~*", "&*"], user].concat());
    let config = Config::builder().source(source.url_with("mover", "secret")).target(target.url());
    let live = Live::start(config);
    live.until(State::Live);
    let status = live.status();
    (status.strategy.unwrap(), status.strategy_reason.unwrap())
}

#[test]
fn keys_are_copied_one_by_one_where_that_spares_the_source() {
    let cases: [(Server, &[&str], &str, &str); 3] = [
        (Server::Redis70, &["+@all"], "fenced", "stays copied"),
        (Server::Redis62, &["+@all"], "psync", "the source forks all the same"),
        (Server::Redis70, &["+@all", "-dump"], "psync", "refuses a command that reads keys"),
    ];
    for (server, user, strategy, why) in cases {
        let (chosen, reason) = chosen(server, user);
        assert_eq!(chosen, strategy, "{reason}");
        assert!(reason.contains(why), "{reason}");
    }
}
