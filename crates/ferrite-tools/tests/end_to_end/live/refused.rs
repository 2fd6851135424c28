//! What cannot be done with a live migration, and what it says then.

use std::fs;
use std::path::Path;

use ferrite_testkit::{Proxy, Server};

use super::{Jobs, assert_exact, load};
use crate::{start, with_keys};

#[test]
fn only_what_is_left_to_do_is_resumed() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), start(Server::Redis70));
    let other = start(Server::Redis70);
    source.client().ok(&["SET", "key", "value"]);
    let (running, id) = jobs.live(&source.url(), &target.url(), &[]);
    jobs.until_live(&id);
    let ended = jobs.run(&["migrate", "--resume", &id]).exits(1).without_result();
    ended.explains(&["is being run by process", "ferrite-migrate status --id"]);
    jobs.run(&["stop", "--id", &id]).exits(0);
    running.end().exits(130);

    let resume = ["migrate", "--resume", &id];
    let ended = jobs.run(&[&resume[..], &["-s", &other.url()]].concat()).exits(1);
    ended.explains(&["its source is redis://", &source.url(), &other.url()]);
    let ended = jobs.run(&[&resume[..], &["-t", &other.url()]].concat()).exits(1);
    ended.explains(&["its target is redis://", &target.url(), &other.url()]);
    let ended = jobs.run(&["migrate", "--resume", "mig_nosuchmigra"]).exits(1);
    ended.explains(&["there is no migration mig_nosuchmigra", &id, "ferrite-migrate list"]);

    let running = jobs.resume(&id, &["-s", &source.url()]);
    jobs.cut_over(&id);
    running.end().exits(0);
    jobs.run(&resume).exits(1).without_result().explains(&["it is over: COMPLETED"]);
    jobs.run(&["cutover", "--id", &id]).exits(1).explains(&["is over: COMPLETED"]);
    jobs.run(&["stop"]).exits(1).explains(&["is over: COMPLETED"]);
}

#[test]
fn a_target_has_one_migration_and_what_never_began_leaves_no_record() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), start(Server::Redis70));
    source.client().ok(&["SET", "key", "value"]);
    let (running, id) = jobs.live(&source.url(), &target.url(), &[]);
    jobs.until_live(&id);
    let second = ["migrate", "-s", &source.url(), "-t", &target.url(), "--mode", "live"];
    let second = [&second[..], &["--on-conflict", "replace"]].concat();
    jobs.run(&second).exits(3).without_result().explains(&["no other run", &id]);
    let empty = start(Server::Redis70);
    let wrong = empty.url().replace("redis://", "redis://:wrong-hunter2@");
    let args = ["migrate", "-s", &wrong, "-t", &empty.url(), "--mode", "live"];
    jobs.run(&args).exits(3).hides("wrong-hunter2").explains(&["source reachable"]);
    let listed = jobs.list();
    assert_eq!(listed.len(), 1, "{listed:?}");
    running.interrupt();
    running.end().exits(130);
}

/// Replaces a text in a file of a job, which must be there.
fn rewrite(file: &Path, from: &str, to: &str) -> String {
    let before = fs::read_to_string(file).unwrap();
    assert!(before.contains(from), "{from} in {before}");
    fs::write(file, before.replacen(from, to, 1)).unwrap();
    before
}

#[test]
fn what_another_version_keeps_is_refused_by_that_version_s_number() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), start(Server::Redis70));
    source.client().ok(&["SET", "key", "value"]);
    let (running, id) = jobs.live(&source.url(), &target.url(), &["--checkpoint", "target"]);
    jobs.until_live(&id);
    jobs.run(&["stop", "--id", &id]).exits(0);
    running.end().exits(130);

    let folder = jobs.dir().join(&id);
    let (plan, journal) = (folder.join("plan.json"), folder.join("journal.jsonl"));
    let this = format!("\"program\": \"{}\"", env!("CARGO_PKG_VERSION"));
    let other = "\"program\": \"9.9.0\"";
    let resume = ["migrate", "--resume", &id];
    let refused = |args: &[&str]| {
        let ended = jobs.run(args).exits(1).without_result();
        ended.explains(&[&id, "version 9.9.0", "does not know", "go on with version 9.9.0"]);
    };
    let good = rewrite(&plan, "\"format\": 1", "\"format\": 2");
    rewrite(&plan, &this, other);
    for verb in ["status", "cutover", "abort", "pause"] {
        refused(&[verb, "--id", &id]);
    }
    refused(&resume);

    // An order that this version would not carry out.
    fs::write(&plan, &good).unwrap();
    rewrite(&plan, &this, &format!("\"shadow_reads\": true, {other}"));
    refused(&resume);
    fs::write(&plan, &good).unwrap();
    let newer = r#"{"at_ms":1,"state":"SHADOWING","by":{"format":2,"program":"9.9.0"}}"#;
    let written = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, format!("{written}{newer}\n")).unwrap();
    refused(&resume);
    fs::write(&journal, written).unwrap();

    // What the target keeps, for a machine that has nothing.
    let record = format!("ferrite-migrate:checkpoint:{id}:record");
    let kept = target.client().ok(&["GET", &record]).text();
    let changed = kept.replacen("\"format\":1", "\"format\":2", 1);
    target.client().ok(&[
        "SET",
        &record,
        &changed.replacen(&this.replace(' ', ""), &other.replace(' ', ""), 1),
    ]);
    let elsewhere = Jobs::new();
    let ended = elsewhere.run(&[&resume[..], &["-t", &target.url()]].concat()).exits(1);
    ended.explains(&["version 9.9.0", "does not know"]);
    assert!(elsewhere.list().is_empty());
    target.client().ok(&["SET", &record, &kept]);

    // Nothing was harmed: this version goes on with its own.
    let running = jobs.resume(&id, &[]);
    jobs.cut_over(&id);
    running.end().exits(0);
}

#[test]
fn a_cutover_before_its_time_gives_its_reasons() {
    let (jobs, source, target) = (Jobs::new(), with_keys(20_000), start(Server::Redis70));
    let proxy = Proxy::start(source.addr()).unwrap();
    proxy.throttle(Some(1_000_000));
    let (running, id) = jobs.live(&proxy.url(), &target.url(), &[]);
    jobs.until(&id, "the copy", |status| status["state"] == "COPYING");
    let ended = jobs.run(&["cutover", "--id", &id]).exits(6).without_result();
    ended.explains(&["the job is COPYING, not LIVE"]);
    let ended = jobs.run(&["cutover", "--id", &id, "--json"]).exits(6);
    let error: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&error["kind"], &error["exit_code"]), (&"not_ready".into(), &6.into()));
    assert_eq!(error["reasons"][0], "the job is COPYING, not LIVE");
    jobs.run(&["pause", "--id", &id]).exits(6);
    let waiting = jobs.start(&["cutover", "--when-ready", "--max-pause", "20s"]);
    waiting.says("waiting until everything has been copied");
    proxy.throttle(None);
    waiting.end().exits(0).reports(&["CUTOVER REPORT"]);
    running.end().exits(0);
}

#[test]
fn a_hook_that_fails_changes_nothing() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), start(Server::Redis70));
    let load = load(&source, 6);
    let (running, id) = jobs.live(&source.url(), &target.url(), &[]);
    jobs.until_live(&id);
    let hook = "echo no such balancer >&2; exit 3";
    let args = ["cutover", "--when-ready", "--max-pause", "20s", "--hook", hook];
    let ended = jobs.run(&args).exits(2).without_result();
    ended.explains(&["LIVE again: the hook failed", "no such balancer"]);
    load.wait_for(1000);
    jobs.until_live(&id);
    jobs.cut_over(&id);
    running.end().exits(0);
    assert_exact(&source, &target, &load.stop());
}
