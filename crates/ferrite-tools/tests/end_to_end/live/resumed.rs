//! Processes that end before the cutover, in every way, and the migration that goes on.

use ferrite_testkit::{Peer, Proxy, Server};
use rustix::process::Signal;

use super::{Jobs, assert_exact, load};
use crate::command::until;
use crate::{start, with_keys};

#[test]
fn a_process_that_is_killed_is_resumed_without_losing_a_write() {
    let (jobs, source, target) = (Jobs::new(), with_keys(20_000), start(Server::Redis70));
    let load = load(&source, 2);
    load.wait_for(2000);
    let proxy = Proxy::start(source.addr()).unwrap();
    proxy.throttle(Some(1_000_000));

    let (running, id) = jobs.live(&proxy.url(), &target.url(), &[]);
    jobs.until(&id, "keys to be copied", |status| {
        status["state"] == "COPYING" && status["progress"]["keys_done"].as_u64() > Some(0)
    });
    running.signal(Signal::KILL);
    running.end();
    let listed = jobs.list();
    assert_eq!(listed[0]["state"], "FAILED", "{listed:?}");
    assert_eq!(listed[0]["reasons"][0], "its process ended");
    let resume = format!("ferrite-migrate migrate --resume {id}");
    jobs.run(&["cutover"]).exits(6).explains(&["not running", &resume]);
    jobs.run(&["pause"]).exits(6).explains(&["not running", &resume]);

    proxy.throttle(None);
    for _ in 0..2 {
        let running = jobs.resume(&id, &[]);
        jobs.until_live(&id);
        load.wait_for(2000);
        running.signal(Signal::KILL);
        running.end();
        load.wait_for(1000);
    }
    let running = jobs.resume(&id, &[]);
    jobs.cut_over(&id);
    running.end().exits(0).reports(&["COMPLETED"]);
    assert_exact(&source, &target, &load.stop());
}

#[test]
fn an_interrupted_process_says_how_to_go_on() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), start(Server::Redis70));
    let load = load(&source, 3);
    let (running, id) = jobs.live(&source.url(), &target.url(), &[]);
    jobs.until_live(&id);
    running.interrupt();
    running.says("stopping: ");
    let resume = format!("(exit 130: ferrite-migrate migrate --resume {id})");
    running.end().exits(130).reports(&["FOLLOWED", "PAUSED", "INTERRUPTED", &resume]);
    assert_eq!(jobs.status(&id)["state"], "PAUSED");

    let running = jobs.resume(&id, &[]);
    jobs.until_live(&id);
    jobs.run(&["stop"]).exits(0).reports(&["has stopped", "migrate --resume mig_"]);
    running.end().exits(130);
    load.wait_for(2000);

    let running = jobs.resume(&id, &[]);
    jobs.cut_over(&id);
    running.end().exits(0);
    assert_exact(&source, &target, &load.stop());
}

#[test]
fn the_second_interrupt_leaves_at_once() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), start(Server::Redis70));
    let load = load(&source, 4);
    let proxy = Proxy::start(target.addr()).unwrap();
    let (running, id) = jobs.live(&source.url(), &proxy.url(), &[]);
    jobs.until_live(&id);
    // What is on its way cannot arrive any more, so that one signal would not be enough.
    proxy.stall();
    load.wait_for(1000);
    running.interrupt();
    running.says("stopping: ");
    running.interrupt();
    let ended = running.end().exits(130).without_result();
    let resume = format!("hint: ferrite-migrate migrate --resume {id}");
    ended.explains(&["interrupted without waiting", &resume]);
    proxy.resume();

    let running = jobs.resume(&id, &[]);
    jobs.cut_over(&id);
    running.end().exits(0);
    assert_exact(&source, &target, &load.stop());
}

#[test]
fn trouble_is_told_once_and_its_end_too() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), start(Server::Redis70));
    let load = load(&source, 5);
    let proxy = Proxy::start(target.addr()).unwrap();
    let (running, id) = jobs.live(&source.url(), &proxy.url(), &[]);
    jobs.until_live(&id);
    proxy.refuse(true);
    proxy.cut();
    running.says("warning: the target keeps it waiting: ");
    jobs.run(&["cutover", "--id", &id]).exits(6);
    proxy.refuse(false);
    running.says("the target no longer keeps it waiting");
    jobs.cut_over(&id);
    let ended = running.end().exits(0);
    assert_eq!(ended.stderr.matches("keeps it waiting: ").count(), 1, "{}", ended.stderr);
    assert_exact(&source, &target, &load.stop());
}

#[test]
fn passwords_are_given_again() {
    let source = Peer::builder(Server::Redis70).password("hunter2").start().unwrap();
    let (jobs, target) = (Jobs::new(), start(Server::Redis70));
    let url = source.url_with("", "hunter2");
    let with_password = |args: &[&str]| {
        let mut command = jobs.command(args);
        command.env("FERRITE_SOURCE", &url);
        crate::command::Running::start_command(command)
    };
    let running = with_password(&["migrate", "-t", &target.url(), "--mode", "live"]);
    let mut id = String::new();
    until("a migration", || {
        let listed = jobs.list();
        id = listed.first().and_then(|one| one["id"].as_str()).unwrap_or_default().to_owned();
        !id.is_empty()
    });
    jobs.until_live(&id);
    running.interrupt();
    running.end().exits(130).hides("hunter2");

    let ended = jobs.run(&["migrate", "--resume", &id]).exits(3).without_result();
    ended.explains(&["source reachable", "NOAUTH"]);
    let running = with_password(&["migrate", "--resume", &id]);
    running.says(&format!("{id}: "));
    jobs.cut_over(&id);
    running.end().exits(0).hides("hunter2");
}
