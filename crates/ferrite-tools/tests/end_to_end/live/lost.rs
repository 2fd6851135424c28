//! Machines that are lost with their disk: the target alone knows how to go on.

use ferrite_testkit::{Proxy, Server};
use rustix::process::Signal;

use super::{Jobs, differences, load};
use crate::command::until;
use crate::{start, with_keys};

/// What the target keeps of migrations beside its keys.
fn kept(target: &ferrite_testkit::Peer) -> Vec<String> {
    let found = target.client().ok(&["KEYS", "ferrite-migrate:*"]);
    found.items().iter().map(ferrite_testkit::Reply::text).collect()
}

#[test]
fn a_migration_whose_machine_is_lost_goes_on_from_the_target() {
    let (source, target) = (with_keys(20_000), start(Server::Redis70));
    let load = load(&source, 31);
    load.wait_for(2000);
    let slow = Proxy::start(source.addr()).unwrap();
    slow.throttle(Some(1_000_000));
    let options = ["--checkpoint", "target"];

    // Lost while it copies.
    let jobs = Jobs::new();
    let (running, id) = jobs.live(&slow.url(), &target.url(), &options);
    jobs.until(&id, "keys to be copied", |status| {
        status["state"] == "COPYING" && status["progress"]["keys_done"].as_u64() > Some(0)
    });
    let elsewhere = Jobs::new();
    let resume = ["migrate", "--resume", &id, "-t", &target.url()];
    elsewhere.run(&resume).exits(1).explains(&["still has a connection", "CLIENT KILL"]);
    running.signal(Signal::KILL);
    running.end();
    drop(jobs);
    slow.throttle(None);
    until("the target to see that it is gone", || {
        let clients = target.client().ok(&["CLIENT", "LIST"]).text();
        !clients.contains(&id)
    });

    // Lost while it follows, after commands that take all keys of a database away.
    let other = ["migrate", "--resume", "mig_another", "-t", &target.url()];
    elsewhere.run(&other).exits(1).explains(&["does not know it", "--checkpoint target"]);
    elsewhere.run(&["migrate", "--resume", &id]).exits(1).explains(&["there is no migration"]);
    let running = elsewhere.resume(&id, &["-t", &target.url()]);
    elsewhere.until_live(&id);
    source.client().ok(&["FLUSHDB"]);
    source.client().ok(&["SWAPDB", "0", "1"]);
    load.wait_for(2000);
    elsewhere.until_live(&id);
    running.signal(Signal::KILL);
    running.end();
    drop(elsewhere);
    until("the target to see that it is gone", || {
        let clients = target.client().ok(&["CLIENT", "LIST"]).text();
        !clients.contains(&id)
    });

    let jobs = Jobs::new();
    let running = jobs.resume(&id, &["-t", &target.url()]);
    jobs.until_live(&id);
    assert_eq!(kept(&target).len(), 2, "{:?}", kept(&target));
    jobs.cut_over(&id);
    running.end().exits(0).reports(&["COMPLETED"]);
    // The counters of the load have gone with their database.
    load.stop();
    until("both ends to be equal", || differences(&source, &target) == Ok(Vec::new()));
    assert!(kept(&target).is_empty(), "{:?}", kept(&target));
    let late = Jobs::new();
    late.run(&resume).exits(1).explains(&["does not know it"]);
}

#[test]
fn keys_that_may_have_expired_are_copied_again_from_a_source_with_its_history() {
    let (source, target) = (with_keys(2000), start(Server::Redis70));
    let jobs = Jobs::new();
    let (running, id) = jobs.live(&source.url(), &target.url(), &["--checkpoint", "target"]);
    jobs.until_live(&id);
    running.signal(Signal::KILL);
    running.end();
    drop(jobs);
    // As after a cutover that was given up, when the target's expiries could not be held again.
    let record = format!("ferrite-migrate:checkpoint:{id}:record");
    let mut client = target.client();
    let kept = client.ok(&["GET", &record]).text();
    let lapsed = kept.replace("\"expiries_held\":true", "\"expiries_held\":false");
    assert_ne!(lapsed, kept);
    client.ok(&["SET", &record, &lapsed]);
    // Keys that are deleted, not a source that has lost them.
    source.client().ok(&["FLUSHALL"]);
    source.client().ok(&["SET", "the only one", "x"]);

    let elsewhere = Jobs::new();
    let running = elsewhere.resume(&id, &["-t", &target.url()]);
    let status = elsewhere.until_live(&id);
    let warnings = status["warnings"].to_string();
    assert!(warnings.contains("copying everything again: keys may have expired"), "{warnings}");
    assert_eq!(client.ok(&["GET", &record]).text(), kept);
    elsewhere.cut_over(&id);
    running.end().exits(0).reports(&["COMPLETED"]);
    assert_eq!(differences(&source, &target).unwrap(), Vec::<String>::new());
}

#[test]
fn an_incremental_migration_is_taken_over_with_its_expiries_as_they_are() {
    let (source, target) = (with_keys(2000), start(Server::Redis70));
    source.client().ok(&["SET", "expires", "x", "EX", "5000"]);
    let jobs = Jobs::new();
    let (source_url, target_url) = (source.url(), target.url());
    let args = ["-s", &source_url, "-t", &target_url, "--mode", "incremental"];
    jobs.run(&[&["migrate"], &args[..], &["--checkpoint", "target"]].concat()).exits(0);
    let id = jobs.list()[0]["id"].as_str().unwrap().to_owned();
    drop(jobs);
    source.client().ok(&["SET", "since", "x", "EX", "6000"]);
    let elsewhere = Jobs::new();
    let assert_equal = || {
        let mut differences = differences(&source, &target).unwrap();
        differences.retain(|line| !line.contains("ferrite-migrate:checkpoint:"));
        assert_eq!(differences, Vec::<String>::new());
    };
    elsewhere.run(&["migrate", "--resume", &id, "-t", &target_url]).exits(0);
    assert_equal();
    elsewhere.run(&["migrate", "--resume", &id]).exits(0);
    assert_equal();
}
