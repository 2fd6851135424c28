//! Migrations that are given up before their cutover.

use ferrite_testkit::{Peer, Server, snapshot};
use rustix::process::Signal;
use serde_json::Value;

use super::{Jobs, load};
use crate::start;

fn with_a_key(server: Server, value: &str) -> Peer {
    let peer = start(server);
    peer.client().ok(&["SET", "key", value, "EX", "10000"]);
    peer
}

#[test]
fn one_that_runs_is_aborted_and_the_target_is_what_it_was() {
    let (jobs, source) = (Jobs::new(), start(Server::Redis70));
    let target = with_a_key(Server::Redis70, "own");
    source.client().ok(&["SET", "key", "copied"]);
    let before = snapshot(&mut target.client()).unwrap();
    let load = load(&source, 21);
    let (running, id) = jobs.live(&source.url(), &target.url(), &["--on-conflict", "replace"]);
    jobs.until_live(&id);
    let ended = jobs.run(&["abort", "--id", &id, "--clean"]).exits(0);
    ended
        .reports(&["ABORT REPORT", "Put back:         1 keys", "RESULT: ✅ ABORTED (exit 0: "])
        .explains(&["bringing the target back to what it was"]);
    running.end().exits(7).reports(&["ABORTED", "⚠ ABORTED (exit 7: the source is the one"]);
    let after = snapshot(&mut target.client()).unwrap();
    assert_eq!(before.diff_strict(&after), Vec::<String>::new());
    assert_eq!(jobs.status(&id)["state"], "ABORTED");
    jobs.run(&["migrate", "--resume", &id]).exits(1).explains(&["it is over: ABORTED"]);
    jobs.run(&["abort", "--clean"]).exits(1).explains(&["it is over: ABORTED"]);
    load.wait_for(1);
    load.stop();
}

#[test]
fn one_whose_process_was_killed_is_aborted_by_the_command_itself() {
    let (jobs, source) = (Jobs::new(), start(Server::Valkey91));
    let target = with_a_key(Server::Valkey91, "own");
    source.client().ok(&["SET", "key", "copied"]);
    target.client().ok(&["CONFIG", "SET", "requirepass", "hunter2"]);
    let url = target.url().replace("redis://", "redis://:hunter2@");
    let (running, id) = jobs.live(&source.url(), &url, &["--on-conflict", "replace"]);
    jobs.until_live(&id);
    running.signal(Signal::KILL);
    running.end();
    // The password was not recorded.
    let again = format!("ferrite-migrate abort --id {id} --clean");
    let ended = jobs.run(&["abort", "--clean"]).exits(2).without_result();
    ended.explains(&["connecting to the target", &again]);
    let status = jobs.status(&id);
    assert_eq!((&status["state"], &status["next_steps"][0]), (&"FAILED".into(), &again.into()));
    let ended = jobs.run(&["migrate", "--resume", &id, "-t", &url]).exits(1);
    ended.explains(&["it was being aborted", "finish with: ferrite-migrate abort --id"]);

    let ended = jobs.run(&["rollback", "--id", &id, "-t", &url, "--json"]).exits(0);
    let report: Value = serde_json::from_str(&ended.hides("hunter2").stdout).unwrap();
    assert_eq!((&report["event"], &report["cleaned"]), (&"abort".into(), &true.into()));
    assert_eq!((&report["keys_removed"], &report["keys_restored"]), (&1.into(), &1.into()));
    let mut client = target.client();
    client.ok(&["AUTH", "hunter2"]);
    assert_eq!(client.ok(&["GET", "key"]).text(), "own");
    assert_eq!(client.ok(&["DBSIZE"]).int(), Some(1));
}

#[test]
fn without_cleaning_the_copy_stays() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis62), start(Server::Redis62));
    source.client().ok(&["SET", "key", "copied"]);
    let (running, id) = jobs.live(&source.url(), &target.url(), &[]);
    jobs.until_live(&id);
    jobs.run(&["stop"]).exits(0);
    running.end().exits(130);
    let next = format!("ferrite-migrate abort --clean --id {id}");
    let ended = jobs.run(&["abort"]).exits(0);
    ended.reports(&["the target keeps what was copied", &next]);
    assert_eq!(target.client().ok(&["KEYS", "*"]).items().len(), 1);
    jobs.run(&["abort", "--clean"]).exits(0).reports(&["Removed:          1 keys"]);
    assert_eq!(target.client().ok(&["DBSIZE"]).int(), Some(0));
}
