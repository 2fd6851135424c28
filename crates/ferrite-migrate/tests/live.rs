//! Migrations of servers that are written to all the while.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::live::{Live, assert_same_soon};
use common::{between, start};
use ferrite_migrate::State;
use ferrite_testkit::Server;
use ferrite_testkit::load::Load;

fn survives_a_load(server: Server, target: Server) {
    let (source, target) = (start(server), start(target));
    let connector = ferrite_testkit::client::Connector::new(source.addr());
    let load = Load::builder().writers(2).dbs(&[0, 1]).seed(7).start(connector).unwrap();
    load.wait_for(10_000);
    let live = Live::start(between(&source, &target));
    load.wait_for(40_000);
    let done = live.cut_over();
    let (report, state) = live.end();
    assert_eq!(state, State::Completed);
    let followed = report.live.unwrap();
    assert!(followed.commands > 1000, "{followed:?}");
    assert!(done["pause_us"].as_u64().unwrap() > 0, "{done}");
    let written = load.stop();
    assert_same_soon(&source, &target);
    let wrong = written.lost_or_doubled(&mut target.client()).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn redis_62_under_load() {
    survives_a_load(Server::Redis62, Server::Redis62);
}

#[test]
fn redis_70_under_load() {
    survives_a_load(Server::Redis70, Server::Redis70);
}

#[test]
fn redis_80_under_load() {
    survives_a_load(Server::Redis80, Server::Redis80);
}

#[test]
fn valkey_91_under_load() {
    survives_a_load(Server::Valkey91, Server::Valkey91);
}

#[test]
fn redis_62_to_valkey_91_under_load() {
    survives_a_load(Server::Redis62, Server::Valkey91);
}

#[test]
fn redis_70_to_redis_80_under_load() {
    survives_a_load(Server::Redis70, Server::Redis80);
}
