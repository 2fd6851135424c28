//! Nodes that die, slots that move, a process that is killed: nothing is lost, nothing doubled.

use ferrite_migrate::ExitCode;
use ferrite_migrate::control::Request;

use super::*;
use crate::common::live::cutover;

fn with_replicas() -> Cluster {
    Cluster::builder(Server::Redis70).replicas(1).start().unwrap_or_else(|error| panic!("{error}"))
}

/// Ends the load, then cuts over, and compares: with writers, a failover loses what it loses.
fn ends_level(
    live: Live,
    load: ClusterLoad,
    from: &Cluster,
    to: impl Fn() -> Result<Listing, String>,
) {
    load.stop();
    live.cut_over();
    let (_, state) = live.end();
    assert_eq!(state, State::Completed);
    assert_same_soon(|| held(from), to);
}

#[test]
fn slots_that_move_while_it_follows() {
    let (from, to) = (cluster(Server::Redis70), cluster(Server::Redis70));
    let load = ClusterLoad::start(nodes(&from, 3), 2);
    load.wait_for(3000);
    let live = Live::start(config(&from.url(), &to.url()));
    live.until(State::Live);
    for round in 0..30 {
        let slot = round * 541 % 16_384;
        from.move_slot(slot, (from.owner(slot) + 1) % 3);
        to.move_slot(slot + 1, (to.owner(slot + 1) + 1) % 3);
    }
    assert_eq!(live.copies(), 1, "slots that move are followed by their keys");
    live.cut_over();
    let (_, state) = live.end();
    assert_eq!(state, State::Completed);
    let counters = load.stop();
    assert_same_soon(|| held(&from), || held(&to));
    let values = held(&to).unwrap();
    let wrong = wrong(&counters, |key| counter_in(&values, key));
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_primary_of_the_source_that_dies() {
    let (mut from, to) = (with_replicas(), crate::common::start(Server::Redis70));
    let load = ClusterLoad::start(nodes(&from, 6), 2);
    load.wait_for(3000);
    let live = Live::start(config(&from.url(), &to.url()));
    live.until(State::Live);
    load.wait_for(2000);
    from.node_mut(1).kill();
    live.until_copied(2);
    load.wait_for(2000);
    ends_level(live, load, &from, || held_by(&to));
}

#[test]
fn a_primary_of_the_target_that_dies() {
    let (from, mut to) = (cluster(Server::Redis70), with_replicas());
    let load = ClusterLoad::start(nodes(&from, 3), 2);
    load.wait_for(3000);
    let live = Live::start(config(&from.url(), &to.url()));
    live.until(State::Live);
    load.wait_for(2000);
    to.node_mut(2).kill();
    live.until_copied(2);
    load.wait_for(2000);
    ends_level(live, load, &from, || held(&to));
}

#[test]
fn a_process_that_is_killed_is_taken_up_where_it_was() {
    let (from, to) = (cluster(Server::Redis70), cluster(Server::Redis70));
    let load = ClusterLoad::start(nodes(&from, 3), 2);
    load.wait_for(3000);
    let mut live = Live::start(config(&from.url(), &to.url()));
    // While it copies, or shortly after.
    live.kill();
    live.resume();
    live.until(State::Live);
    let copies = live.copies();
    for _ in 0..3 {
        load.wait_for(2000);
        live.kill();
        load.wait_for(500);
        live.resume();
        live.until(State::Live);
    }
    assert_eq!(live.copies(), copies, "nothing is copied again");
    live.cut_over();
    let (_, state) = live.end();
    assert_eq!(state, State::Completed);
    let counters = load.stop();
    assert_same_soon(|| held(&from), || held(&to));
    let values = held(&to).unwrap();
    let wrong = wrong(&counters, |key| counter_in(&values, key));
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_cutover_is_given_up_whole_and_can_be_done_again() {
    let (from, to) = (cluster(Server::Redis70), cluster(Server::Redis70));
    let load = ClusterLoad::start(nodes(&from, 3), 2);
    load.wait_for(3000);
    let live = Live::start(config(&from.url(), &to.url()));
    live.until(State::Live);
    let (dry_run, when_ready, reverse, guard) = (false, true, false, None);
    let hook = Some(String::from("exit 3"));
    let max_pause_ms = Some(10_000);
    let fails = Request::Cutover { max_pause_ms, dry_run, when_ready, hook, reverse, guard };
    let refused = format!("{:?}", live.order(&fails).unwrap_err());
    assert!(refused.contains("the hook failed"), "{refused}");
    assert_eq!(live.state(), State::Live);
    load.wait_for(500);
    // One primary that does not hold writes back, where others do already.
    from.node(1).client().ok(&["ACL", "SETUSER", "default", "-client|pause"]);
    let refused = format!("{:?}", live.order(&cutover()).unwrap_err());
    assert!(refused.contains("client|pause"), "{refused}");
    assert_eq!(live.state(), State::Live);
    load.wait_for(500);
    from.node(1).client().ok(&["ACL", "SETUSER", "default", "+client|pause"]);
    live.cut_over();
    let (_, state) = live.end();
    assert_eq!(state, State::Completed);
    let counters = load.stop();
    assert_same_soon(|| held(&from), || held(&to));
    let values = held(&to).unwrap();
    assert!(wrong(&counters, |key| counter_in(&values, key)).is_empty());
}

#[test]
fn a_primary_that_comes_back_empty_does_not_take_the_keys_away() {
    let (mut from, to) = (cluster(Server::Redis70), crate::common::start(Server::Redis70));
    for number in 0..3000 {
        from.call(&["SET", &format!("key:{number}"), "value"]);
    }
    let mut live = Live::start(config(&from.url(), &to.url()));
    live.until(State::Live);
    from.node_mut(1).kill();
    from.node_mut(1).restart().unwrap();
    let error = live.ended().unwrap_err().to_string();
    assert!(error.contains("it came back with 0 keys"), "{error}");
    assert_eq!(held_by(&to).unwrap().len(), 3000);
    live.source_emptied(true);
    live.resume();
    live.until(State::Live);
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
    assert_same_soon(|| held(&from), || held_by(&to));
}

#[test]
fn what_cannot_be_done_is_refused_by_name() {
    let (from, to) = (cluster(Server::Redis70), cluster(Server::Redis70));
    to.call(&["SET", "theirs", "value"]);
    let state = tempfile::tempdir().unwrap();
    let live = || config(&from.url(), &to.url()).mode(ferrite_migrate::Mode::Live);
    let said = |config: ConfigBuilder, words: &str| {
        let error = crate::common::run(config.state_dir(state.path())).expect_err("a refusal");
        assert!(error.to_string().contains(words), "{error}");
        error.exit_code()
    };
    for strategy in [ferrite_migrate::Strategy::Psync, ferrite_migrate::Strategy::Scan] {
        let code = said(live().strategy(strategy), "cannot follow");
        assert_eq!(code, ExitCode::Blocked);
    }
    said(live().checkpoint_in_target(true), "no checkpoint is kept on the target");
    assert_eq!(held(&to).map(|held| held.len()), Ok(1), "nothing was changed");
}
