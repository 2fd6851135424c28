//! Processes that die or act on their own: ours, and the target.

use ferrite_migrate::State;
use ferrite_migrate::control::Request;
use ferrite_testkit::{Dataset, Peer, Proxy, Server, wait_until};

use super::{
    finish, full_synchronizations, hooked, refusal, replica, role, until_troubled, write_to,
};
use crate::common::live::Live;
use crate::common::{listing, ok, start};

/// How often the job is killed in a test.
const KILLS: u64 = 6;

#[test]
fn it_survives_kills_of_the_job() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    Dataset::mixed(20_000).load(&mut source.client()).unwrap();
    let load = write_to(&source, 22);
    load.wait_for(2000);
    let mut live = Live::start(replica(&source, &target));
    for round in 0..KILLS {
        load.wait_for(round * 700);
        live.kill();
        load.wait_for(300);
        live.resume();
    }
    live.until(State::Live);
    live.kill();
    load.wait_for(1000);
    let before = full_synchronizations(&source);
    live.resume();
    live.until(State::Live);
    assert_eq!(full_synchronizations(&source), before, "the target follows without us");
    finish(live, load, &source, &target);
}

#[test]
fn it_survives_a_kill_in_the_middle_of_a_cutover() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let load = write_to(&source, 23);
    let mut live = Live::start(replica(&source, &target));
    live.until(State::Live);
    let folder = tempfile::tempdir().unwrap();
    let begun = folder.path().join("begun");
    live.order_and_forget(&hooked(&format!("touch {}; sleep 60", begun.display()), false));
    wait_until("the hook runs", || begun.exists());
    assert_eq!(role(&target), "master");
    live.kill();
    let error = live.try_resume().err().or_else(|| live.ended().err()).unwrap();
    assert!(error.to_string().contains("nobody knows which server"), "{error}");
    assert_eq!(role(&target), "master", "nothing is done to it");
    live.traffic_stayed();
    live.resume();
    live.until(State::Live);
    load.wait_for(1000);
    finish(live, load, &source, &target);
}

#[test]
fn a_target_that_was_killed_follows_again() {
    let (source, mut target) = (start(Server::Redis70), start(Server::Redis70));
    let load = write_to(&source, 24);
    let live = Live::start(replica(&source, &target));
    live.until(State::Live);
    target.kill();
    until_troubled(&live, "the target cannot be asked");
    load.wait_for(1000);
    target.restart().unwrap();
    wait_until("the target is a replica again", || role(&target) == "slave");
    wait_until("everything is copied again", || live.copies() == 2);
    live.until(State::Live);
    load.wait_for(1000);
    finish(live, load, &source, &target);
}

#[test]
fn a_target_that_somebody_promoted_is_left_alone() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    ok(&mut source.client(), &["SET", "key", "value"]);
    let mut live = Live::start(replica(&source, &target));
    live.until(State::Live);
    ok(&mut target.client(), &["REPLICAOF", "NO", "ONE"]);
    ok(&mut target.client(), &["SET", "precious", "1"]);
    let error = live.ended().unwrap_err();
    assert!(error.to_string().contains("somebody else has promoted it"), "{error}");
    assert!(error.hint.as_ref().unwrap().contains("--traffic-stayed"), "{error:?}");
    assert_eq!(live.state(), State::Failed);
    let error = live.try_resume().err().or_else(|| live.ended().err()).unwrap();
    assert!(error.to_string().contains("somebody else has promoted it"), "{error}");
    assert_eq!(ok(&mut target.client(), &["GET", "precious"]).text(), "1");
    live.traffic_stayed();
    live.resume();
    live.until(State::Live);
    live.cut_over();
    live.end();
    assert_eq!(ok(&mut target.client(), &["EXISTS", "precious"]).int(), Some(0));
}

#[test]
fn a_slow_copy_tells_how_far_it_is_and_goes_on_without_us() {
    let source = Peer::builder(Server::Redis70).arg("repl-diskless-sync", "no").start().unwrap();
    let target = start(Server::Redis70);
    let mut client = source.client();
    for number in 0..200 {
        // Numbers that do not compress.
        let value: String =
            (0..20_000_u64).map(|at| (at * at * (number + 7)).to_string()).collect();
        ok(&mut client, &["SET", &format!("key:{number}"), &value]);
    }
    let way = Proxy::start(source.addr()).unwrap();
    way.throttle(Some(8_000_000));
    let mut live = Live::start(replica(&source, &target).replica_source(way.addr().to_string()));
    let copies = |live: &Live| {
        let status = live.status();
        let progress = &status.progress;
        let total = progress.bytes_total.unwrap_or(0);
        status.state == State::Copying && progress.bytes_done > 0 && total > progress.bytes_done
    };
    live.until(State::Copying);
    wait_until("the copy is on its way", || copies(&live));
    live.kill();
    live.resume();
    wait_until("it goes on", || copies(&live));
    let said = refusal(
        &live,
        &Request::Cutover {
            max_pause_ms: None,
            dry_run: false,
            when_ready: false,
            hook: None,
            reverse: false,
            guard: None,
        },
    );
    assert!(said.contains("the job is COPYING, not LIVE"), "{said}");
    way.throttle(None);
    live.until(State::Live);
    assert_eq!(full_synchronizations(&source), 1);
    live.cut_over();
    assert_eq!(live.end().0.keys.copied, 200);
    assert_eq!(listing(&target).len(), 200);
}
