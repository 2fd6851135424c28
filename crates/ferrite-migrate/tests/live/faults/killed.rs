//! The job dies and is taken up again.

use ferrite_migrate::{State, Strategy};
use ferrite_testkit::{Dataset, Server};

use super::{Dice, between, load, pair, write_to};
use crate::common::live::Live;

/// How often the job is killed in a test.
const KILLS: u64 = 8;

/// Kills the job after some operations each time, whatever it is doing then.
fn survives_kills(server: Server, strategy: Strategy, seed: u64) {
    let (source, target) = pair(server);
    let mut dice = Dice(seed);
    Dataset::mixed(20_000).load(&mut source.client()).unwrap();
    let load = write_to(&source, load().seed(seed));
    load.wait_for(5000);
    let mut live = Live::start(between(source.url(), target.url()).strategy(strategy));
    for _ in 0..KILLS {
        load.wait_for(1 + dice.below(6000));
        live.kill();
        load.wait_for(1 + dice.below(2000));
        live.resume();
    }
    live.until(State::Live);
    live.kill();
    load.wait_for(1000);
    live.resume();
    load.wait_for(3000);
    let report = live.finish(load, &source, &target);
    let last_run = report.live.unwrap();
    assert!(last_run.commands > 0, "{last_run:?}");
}

#[test]
fn redis_70_survives_kills_of_the_job() {
    survives_kills(Server::Redis70, Strategy::Psync, 1);
}

#[test]
fn redis_80_survives_kills_of_the_job() {
    survives_kills(Server::Redis80, Strategy::Fenced, 2);
}

#[test]
fn valkey_91_survives_kills_of_the_job() {
    survives_kills(Server::Valkey91, Strategy::Psync, 3);
}
