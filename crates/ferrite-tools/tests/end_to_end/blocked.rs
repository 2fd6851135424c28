//! What is refused before anything is written: exit code 1 or 3, and what to do about it.

use ferrite_testkit::{Peer, Server};

use crate::command::{Ended, migrate, run, verify};
use crate::{assert_empty, empty, listing, with_everything, with_keys};

const SECRET: &str = "wrong-hunter2";

fn refuses(ended: Ended, code: i32, texts: &[&str]) {
    ended.exits(code).without_result().explains(texts).explains(&["error: "]);
}

#[test]
fn a_wrong_password_is_refused_and_not_shown() {
    let source = Peer::builder(Server::Redis70).password("right").start().unwrap();
    let target = empty();
    let (url, port) = (source.url_with("", SECRET), source.port().to_string());
    let ended = migrate(&url, &target.url(), &[]).hides(SECRET);
    refuses(ended, 3, &["✖ source reachable", "password is wrong", &port, "\n    give the right"]);
    let without = format!("redis://127.0.0.1:{port}");
    let ended = migrate(&target.url(), &without, &[]);
    refuses(ended, 3, &["target reachable", &port, "NOAUTH"]);
    let ended = verify(&url, &target.url(), &[]).hides(SECRET);
    assert!(matches!(ended.code, Some(2 | 3)), "{ended:?}");
    ended.without_result().explains(&["error: ", &port, "hint: "]);
}

#[test]
fn a_host_that_does_not_answer_is_named() {
    let (target, mut gone) = (empty(), empty());
    gone.kill();
    let port = gone.port().to_string();
    refuses(migrate(&gone.url(), &target.url(), &[]), 3, &["source reachable", &port]);
    refuses(migrate(&target.url(), &gone.url(), &[]), 3, &["target reachable", &port]);
    let nowhere = "redis://no.such.host.invalid";
    refuses(migrate(nowhere, &target.url(), &[]), 3, &["no.such.host.invalid:6379"]);
}

#[test]
fn a_key_already_there_blocks_the_run() {
    let (source, target) = (with_everything(Server::Redis70), empty());
    target.client().ok(&["SET", "string:empty", "theirs"]);
    let before = listing(&target);
    for strategy in ["psync", "scan"] {
        let ended = migrate(&source.url(), &target.url(), &["--strategy", strategy]);
        let texts = ["target empty", "string:empty", "--on-conflict replace", "1 blocker"];
        refuses(ended, 3, &texts);
        let ended = migrate(&source.url(), &target.url(), &["--dry-run"]);
        refuses(ended, 3, &texts);
    }
    assert_eq!(listing(&target), before, "nothing was written");
}

#[test]
fn the_cause_is_said_once() {
    let (source, target) = (with_keys(10), with_keys(10));
    let ended = migrate(&source.url(), &target.url(), &[]).exits(3);
    assert_eq!(ended.stderr.matches("on the target already").count(), 1, "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("choose --on-conflict").count(), 1, "{}", ended.stderr);
}

#[test]
fn one_server_is_not_two() {
    let source = with_keys(10);
    let localhost = format!("redis://localhost:{}", source.port());
    refuses(migrate(&source.url(), &localhost, &[]), 3, &["same server"]);
}

#[test]
fn a_replica_takes_no_copy() {
    let (source, target) = (with_keys(10), empty());
    target.client().ok(&["REPLICAOF", "127.0.0.1", "1"]);
    refuses(migrate(&source.url(), &target.url(), &[]), 3, &["replica", "REPLICAOF NO ONE"]);
    target.client().ok(&["REPLICAOF", "NO", "ONE"]);
    assert_empty(&target);
}

#[test]
fn a_command_line_that_means_nothing_is_refused() {
    let (source, target) = (with_keys(10), empty());
    let (from, to) = (source.url(), target.url());
    refuses(migrate(&from, &to, &["--verfy"]), 1, &["'--verfy'", "'--verify'", "hint: "]);
    refuses(migrate("http://example.org", &to, &[]), 1, &["source: cannot read", "hint: "]);
    refuses(migrate(&from, "redis://h:port", &[]), 1, &["target: cannot read", "'port'"]);
    refuses(run(&["mirgate", "-s", &from, "-t", &to]), 1, &["'mirgate'", "'migrate'"]);
    refuses(verify(&from, &to, &["--sample", "0"]), 1, &["at least 1"]);
    refuses(verify(&from, &to, &["--sample-rate", "50%"]), 1, &["at most 1"]);
    assert_empty(&target);
}

#[test]
fn an_address_without_an_option_is_told_which() {
    let (from, to) = (format!("redis://:{SECRET}@127.0.0.1:1"), "127.0.0.1:2");
    for args in [&[&from, to][..], &["migrate", &from, to], &["verify", to, &from]] {
        let ended = run(args).hides(SECRET);
        refuses(ended, 1, &["hint: ", " --source redis://", " --target redis://"]);
    }
}
