//! Cutovers that begin at a time, and that are taken back by themselves.

use std::time::{SystemTime, UNIX_EPOCH};

use ferrite_migrate::rfc3339;
use ferrite_testkit::Server;
use serde_json::Value;

use super::{Jobs, assert_exact, load};
use crate::start;

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

#[test]
fn a_cutover_is_scheduled_shown_taken_back_and_done() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), start(Server::Redis70));
    let load = load(&source, 41);
    let (running, id) = jobs.live(&source.url(), &target.url(), &[]);
    jobs.until_live(&id);
    let ended = jobs.run(&["cutover", "--scheduled", "2020-01-01T00:00:00Z"]).exits(1);
    ended.explains(&["2020-01-01T00:00:00Z has passed"]);
    let far = rfc3339(now_ms() + 3_600_000);
    let ended = jobs.run(&["cutover", "--scheduled", &far]).exits(0);
    ended.reports(&[&format!("is cut over at {far}"), "cutover --cancel --id"]);
    jobs.run(&["status"]).exits(0).reports(&[&format!("cutover at {far}, in ")]);
    jobs.run(&["cutover", "--when-ready"]).exits(6).explains(&["a cutover is scheduled for"]);
    jobs.run(&["cutover", "--cancel"]).exits(0).reports(&["was taken back"]);
    jobs.run(&["cutover", "--cancel"]).exits(6);
    jobs.run(&["pause"]).exits(0);
    let waiting = jobs.start(&["cutover", "--when-ready"]);
    waiting.says("waiting until the target has caught up");
    jobs.run(&["cutover", "--cancel"]).exits(0);
    waiting.end().exits(6).explains(&["the cutover was taken back"]);
    jobs.run(&["resume"]).exits(0);

    let soon = rfc3339(now_ms() + 3000);
    let ended = jobs.run(&["cutover", "--scheduled", &soon, "--max-pause", "20s", "--json"]);
    let said: Value = serde_json::from_str(&ended.exits(0).stdout).unwrap();
    assert_eq!((&said["event"], &said["exit_code"]), (&"scheduled".into(), &0.into()));
    running.end().exits(0).reports(&["CUTOVER", "the target is the one to write to"]);
    assert_exact(&source, &target, &load.stop());
}

#[test]
fn a_target_with_errors_is_left_by_itself() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), start(Server::Redis70));
    source.client().ok(&["SET", "text", "t"]);
    let (running, id) = jobs.live(&source.url(), &target.url(), &[]);
    jobs.until_live(&id);
    let hooked = jobs.dir().join("hooked");
    let back = format!("echo $FERRITE_JOB > {}", hooked.display());
    let guard = ["--auto-rollback", "--rollback-on-error-rate", "0.05", "--error-window", "2s"];
    let args = ["cutover", "--when-ready", "--reverse", "--rollback-hook", &back];
    jobs.run(&[&args[..], &guard].concat()).exits(0);
    jobs.run(&["status"]).exits(0).reports(&["Error rate:", "(rolled back above 5.00 %)"]);
    let mut client = target.client();
    while jobs.status(&id)["state"] == "CUT_OVER" {
        for _ in 0..200 {
            let _ = client.call(&["LPUSH", "text", "fails"]);
        }
    }
    let ended = running.end().exits(7);
    ended.reports(&["ROLLED_BACK", "failed in 2 s, more than 5 %: going back to the source"]);
    assert_eq!(std::fs::read_to_string(hooked).unwrap().trim(), id);
}
