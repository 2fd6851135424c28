//! Every way of copying, from every server, under a load that is as fast as it can be and without
//! faults: both ends are equal afterwards.

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

use ferrite_migrate::{State, Strategy};
use ferrite_testkit::client::Connector;
use ferrite_testkit::load::Feature;
use ferrite_testkit::{Dataset, Server, wait_until};

use super::job::{Job, STRATEGIES};
use super::round::{KEYS, RATE, SERVERS, cut_over, load, start};
use crate::common::live::{assert_nothing_held, assert_same_soon};

/// Runs those whose names have this in them, each with so many operations while the source is
/// followed.
pub fn run(operations: u64, only: &str) -> ExitCode {
    let mut failed = 0;
    for server in SERVERS {
        for strategy in STRATEGIES {
            let name = format!("{}, {}", server.name(), strategy.name());
            if !name.contains(only) {
                continue;
            }
            match catch_unwind(|| rung(server, strategy, operations)) {
                Ok(done) => eprintln!("rungs: {name}: {done}"),
                Err(_) => {
                    failed += 1;
                    eprintln!("rungs: {name} FAILED");
                }
            }
        }
    }
    eprintln!("rungs: {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One migration; how fast the load was, in words.
fn rung(server: Server, strategy: Strategy, operations: u64) -> String {
    let (source, target) = (start(server, false), start(server, false));
    Dataset::mixed(KEYS).load(&mut source.client()).expect("a server that takes keys");
    let began = Instant::now();
    let mut load = load(server, server, true).rate(Some(RATE * 2));
    if strategy == Strategy::Replica {
        // On a replica of Valkey's own, fields live on that are over on the master (docs/limits.md).
        load = load.without(Feature::FieldExpiry);
    }
    let load = load.start(Connector::new(source.addr())).expect("a load");
    load.wait_for(1000);
    let mut job = Job::start(&source.url(), &target.url(), false, strategy, None);
    wait_until("the job is LIVE", || job.state() == State::Live);
    load.wait_for(operations);
    cut_over(&mut job);
    let written = load.stop();
    let took = began.elapsed().as_secs_f64();
    assert_same_soon(&source, &target);
    let wrong = written.lost_or_doubled(&mut target.client()).expect("counters");
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_nothing_held(&target);
    let rate = written.operations as f64 / took;
    format!("equal after {} operations, about {rate:.0} a second", written.operations)
}
