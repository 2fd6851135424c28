//! Migrations that go on when the command has ended.

use std::fs;

use ferrite_testkit::{Peer, Server};
use serde_json::Value;

use super::{Jobs, assert_exact, load};
use crate::start;

fn entries(jobs: &Jobs) -> Vec<String> {
    let entries = fs::read_dir(jobs.dir()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn detach(jobs: &Jobs, source: &Peer, target: &Peer, options: &[&str]) -> crate::command::Ended {
    let args = ["migrate", "-s", &source.url(), "-t", &target.url(), "--mode", "live", "--detach"];
    jobs.run(&[&args[..], options].concat())
}

#[test]
fn a_migration_goes_on_in_the_background_until_its_cutover() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), start(Server::Redis70));
    let load = load(&source, 7);
    let ended = detach(&jobs, &source, &target, &[]).exits(0);
    let id = ended.stdout.split(' ').next().unwrap().to_owned();
    ended.reports(&["runs in the background", &format!("ferrite-migrate cutover --id {id}")]);
    assert_eq!(entries(&jobs), [id.as_str()]);
    jobs.until_live(&id);
    jobs.run(&["stop"]).exits(0).reports(&["has stopped"]);
    let log = fs::read_to_string(jobs.dir().join(&id).join("log")).unwrap();
    assert!(log.starts_with(&id) && log.contains("INTERRUPTED"), "{log}");

    let ended = jobs.run(&["migrate", "--resume", &id, "--detach", "--json"]).exits(0);
    let began: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&began["event"], &began["id"]), (&"detached".into(), &id.as_str().into()));
    jobs.cut_over(&id);
    jobs.until(&id, "its end", |status| status["pid"].is_null());
    assert_eq!(jobs.status(&id)["state"], "COMPLETED");
    let log = fs::read_to_string(began["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("INTERRUPTED") && log.contains("\"event\":\"report\""), "{log}");
    assert_exact(&source, &target, &load.stop());
}

#[test]
fn an_incremental_one_is_not_told_of_a_cutover() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), start(Server::Redis70));
    let (from, to) = (source.url(), target.url());
    let args = ["migrate", "-s", &from, "-t", &to, "--mode", "incremental", "--every", "1h"];
    let ended = jobs.run(&[&args[..], &["--detach"]].concat()).exits(0);
    let id = ended.stdout.split(' ').next().unwrap().to_owned();
    let steps = ["status", "stop"].map(|verb| format!("ferrite-migrate {verb} --id {id}"));
    let ended = ended.reports(&steps.each_ref().map(String::as_str));
    assert!(!ended.stdout.contains("cutover"), "{}", ended.stdout);
    jobs.run(&["stop", "--id", &id]).exits(0);
}

#[test]
fn what_cannot_begin_says_so_and_leaves_nothing() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), start(Server::Redis70));
    source.client().ok(&["SET", "key", "ours"]);
    target.client().ok(&["SET", "key", "theirs"]);
    let ended = detach(&jobs, &source, &target, &[]).exits(3).without_result();
    ended.explains(&["target empty", "--on-conflict replace", "error: "]);
    let ended = detach(&jobs, &source, &target, &["--json"]).exits(3);
    let last: Value = serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["exit_code"]), (&"error".into(), &3.into()));
    assert!(entries(&jobs).is_empty(), "{:?}", entries(&jobs));
    let ended = jobs.run(&["migrate", "--resume", "mig_nosuchmigra", "--detach"]).exits(1);
    ended.explains(&["there is no migration mig_nosuchmigra"]);
}
