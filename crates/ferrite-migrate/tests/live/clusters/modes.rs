//! The way back, incremental runs, and giving up.

use ferrite_migrate::Mode;
use ferrite_migrate::control::Request;

use ferrite_testkit::wait_until;

use super::*;
use crate::common::live::reversible_cutover;

#[test]
fn there_and_back_between_clusters() {
    let (from, to) = (cluster(Server::Redis70), cluster(Server::Valkey91));
    let load = ClusterLoad::start(nodes(&from, 3), 2);
    load.wait_for(3000);
    let mut live = Live::start(config(&from.url(), &to.url()));
    live.until(State::Live);
    load.wait_for(2000);
    // An application that stops for the switch.
    let first = load.stop();
    live.ordered(&reversible_cutover());
    let values = held(&to).unwrap();
    assert!(wrong(&first, |key| counter_in(&values, key)).is_empty());
    for primary in to.primaries().iter_mut().take(1) {
        primary.ok(&["PING"]);
    }
    let load = ClusterLoad::start(nodes(&to, 3), 1);
    load.wait_for(2000);
    live.kill();
    load.wait_for(500);
    live.resume();
    live.until(State::CutOver);
    load.wait_for(2000);
    live.ordered(&Request::Rollback { max_pause_ms: Some(10_000), hook: None });
    let (_, state) = live.end();
    assert_eq!(state, State::RolledBack);
    load.stop();
    assert_same_soon(|| held(&to), || held(&from));
}

/// Somebody else writes to the target: that is found, made good, and counted.
#[test]
fn both_ends_are_compared_while_they_are_written_to() {
    let (from, to) = (cluster(Server::Redis70), cluster(Server::Valkey91));
    let load = ClusterLoad::start(nodes(&from, 3), 2);
    for number in 0..2000 {
        from.call(&["SET", &format!("still:{number}"), "value"]);
    }
    let mut live = Live::start(config(&from.url(), &to.url()).verify(true));
    live.until(State::Live);
    live.kill();
    to.call(&["SET", "still:7", "another value"]);
    to.call(&["DEL", "still:8"]);
    to.call(&["SET", "a stranger", "value"]);
    live.resume();
    wait_until("a whole pass is made", || live.status().verify.verified_offset.is_some());
    let verify = live.status().verify;
    assert!(verify.checked > 2000 && verify.mismatched == 0, "{verify:?}");
    assert!(verify.repaired >= 3, "{verify:?}");
    live.cut_over();
    let (report, state) = live.end();
    assert_eq!(state, State::Completed);
    assert_eq!(report.live.unwrap().verified.unwrap().mismatched, 0);
    let counters = load.stop();
    assert_same_soon(|| held(&from), || held(&to));
    let values = held(&to).unwrap();
    assert!(wrong(&counters, |key| counter_in(&values, key)).is_empty());
}

#[test]
fn each_incremental_run_moves_what_was_written_since() {
    let (from, to) = (cluster(Server::Redis70), cluster(Server::Redis70));
    for number in 0..1000 {
        from.call(&["SET", &format!("key:{number}"), "first"]);
    }
    let mut live = Live::start_as(Mode::Incremental, config(&from.url(), &to.url()));
    let report = live.ended().unwrap();
    assert_eq!((report.keys.copied, live.state()), (1000, State::Idle));
    assert_same_soon(|| held(&from), || held(&to));
    for number in 0..50 {
        from.call(&["SET", &format!("key:{number}"), "second"]);
        from.call(&["DEL", &format!("key:{}", number + 100)]);
    }
    live.try_resume().unwrap();
    let report = live.ended().unwrap();
    let followed = report.live.unwrap();
    assert_eq!((followed.state, live.state()), (State::Idle.name(), State::Idle));
    assert_eq!((followed.refetched, live.copies()), (100, 1));
    assert_same_soon(|| held(&from), || held(&to));
}

#[test]
fn an_abort_leaves_a_cluster_as_empty_as_it_was() {
    let (from, to) = (cluster(Server::Redis70), cluster(Server::Redis70));
    for number in 0..1000 {
        from.call(&["SET", &format!("key:{number}"), "value"]);
    }
    let live = Live::start(config(&from.url(), &to.url()));
    live.until(State::Live);
    live.ordered(&Request::Abort { clean: true });
    assert_eq!(live.end().1, State::Aborted);
    assert_eq!(held(&to).unwrap().len(), 0);
    assert_eq!(held(&from).unwrap().len(), 1000);
    // One that had keys of its own keeps what it is given.
    to.call(&["SET", "theirs", "value"]);
    let live = Live::start(config(&from.url(), &to.url()));
    live.until(State::Live);
    let warnings = live.status().warnings;
    assert!(warnings.iter().any(|told| told.contains("they are not kept")), "{warnings:?}");
    assert!(live.order(&Request::Abort { clean: true }).is_err());
    live.ordered(&Request::Abort { clean: false });
    assert_eq!((live.end().1, held(&to).unwrap().len()), (State::Aborted, 1001));
}
