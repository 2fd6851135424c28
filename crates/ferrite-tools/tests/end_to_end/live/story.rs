//! From the first command to the cutover, as the operator types it.

use ferrite_testkit::Server;

use super::{Jobs, assert_exact, load};
use crate::start;

#[test]
fn a_server_is_left_without_losing_a_write() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), start(Server::Redis70));
    let load = load(&source, 1);
    load.wait_for(5000);
    let (running, id) = jobs.live(&source.url(), &target.url(), &[]);
    let status = jobs.until_live(&id);
    assert_eq!(status["next_steps"][0], format!("ferrite-migrate cutover --id {id}"));
    running.says(&format!("ferrite-migrate cutover --id {id}"));
    let listed = jobs.list();
    assert_eq!((listed.len(), &listed[0]["state"]), (1, &"LIVE".into()), "{listed:?}");

    jobs.run(&["pause"]).exits(0).reports(&["is paused", "ferrite-migrate resume --id mig_"]);
    let ended = jobs.run(&["cutover", "--id", &id]).exits(6).without_result();
    ended.explains(&["not ready to cut over", "it is paused: ferrite-migrate resume --id"]);
    jobs.run(&["cutover", "--dry-run"]).exits(6);
    load.wait_for(2000);
    jobs.run(&["resume", "--id", &id]).exits(0).reports(&["goes on"]);
    jobs.until_live(&id);
    jobs.run(&["cutover", "--dry-run"]).exits(0).reports(&["can be cut over now"]);

    let hooked = jobs.dir().join("hooked");
    let hook = format!("echo $FERRITE_JOB > {}", hooked.display());
    let args = ["cutover", "--when-ready", "--max-pause", "20s", "--hook", &hook];
    let ended = jobs.run(&args).exits(0);
    ended
        .reports(&["CUTOVER REPORT", "Writes paused:", " ms\n", "Hook:", "RESULT: ✅ CUT OVER"])
        .explains(&["everything has arrived", "running the hook"]);
    assert_eq!(std::fs::read_to_string(hooked).unwrap().trim(), id);
    let ended = running.end().exits(0);
    ended.reports(&["FOLLOWED", "COMPLETED", "CUTOVER", "the target is the one to write to"]);
    assert_exact(&source, &target, &load.stop());
}

#[test]
fn what_keeps_the_source_from_writes_can_be_lifted_as_it_says() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), start(Server::Redis70));
    // Our own link counts as the replica it needs.
    source.client().ok(&["SET", "key", "value"]);
    let (running, id) = jobs.live(&source.url(), &target.url(), &["--json"]);
    jobs.until_live(&id);
    source.client().ok(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    let ended = jobs.run(&["cutover", "--json"]).exits(0);
    let cutover: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&cutover["event"], &cutover["id"]), (&"cutover".into(), &id.as_str().into()));
    assert_eq!(cutover["source_fence_before"], "min-replicas-to-write 1", "{cutover}");
    let refused = source.client().call(&["SET", "key", "late"]);
    assert!(refused.is_error(), "{refused}");
    source.client().ok(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    source.client().ok(&["SET", "key", "again"]);
    let ended = running.end().exits(0);
    let report: serde_json::Value =
        serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(report["live"]["cutover"]["pause_us"], cutover["pause_us"], "{report}");
    assert_eq!(target.client().ok(&["GET", "key"]).text(), "value");
}

#[test]
fn there_is_a_way_back_that_loses_nothing() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), start(Server::Redis70));
    source.client().ok(&["SET", "key", "before"]);
    let (running, id) = jobs.live(&source.url(), &target.url(), &[]);
    jobs.until_live(&id);
    let ended = jobs.run(&["rollback", "--hook", "true"]).exits(6);
    ended.explains(&["there has been no cutover"]);
    jobs.run(&["complete", "--id", &id]).exits(6);
    let ended = jobs.run(&["cutover", "--when-ready", "--reverse"]).exits(0);
    ended.reports(&["RESULT: ✅ CUT OVER", &format!("ferrite-migrate rollback --id {id}")]);
    assert_eq!(jobs.status(&id)["state"], "CUT_OVER");

    target.client().ok(&["SET", "key", "after"]);
    target.client().ok(&["EXPIRE", "key", "1000"]);
    jobs.run(&["rollback"]).exits(0).reports(&["ROLLBACK REPORT", "RESULT: ✅ ROLLED BACK"]);
    running.end().exits(7).reports(&["ROLLED_BACK", "the source is the one to write to"]);
    assert_eq!(source.client().ok(&["GET", "key"]).text(), "after");
    let expiry = |peer: &ferrite_testkit::Peer| peer.client().ok(&["PEXPIRETIME", "key"]).int();
    assert_eq!(expiry(&source), expiry(&target));
    assert!(target.client().call(&["SET", "key", "late"]).is_error());
    source.client().ok(&["SET", "key", "on"]);
}

#[test]
fn a_way_back_can_be_given_up() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), start(Server::Valkey91));
    source.client().ok(&["SET", "key", "value"]);
    let (running, id) = jobs.live(&source.url(), &target.url(), &[]);
    jobs.until_live(&id);
    jobs.run(&["cutover", "--when-ready", "--reverse"]).exits(0);
    jobs.run(&["complete"]).exits(0).reports(&["is complete"]);
    running.end().exits(0).reports(&["COMPLETED"]);
    let left = |peer: &ferrite_testkit::Peer| peer.client().ok(&["DBSIZE"]).int();
    assert_eq!((left(&source), left(&target)), (Some(1), Some(1)));
}

#[test]
fn a_live_sync_takes_over_what_is_there() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), start(Server::Redis70));
    let load = load(&source, 6);
    load.wait_for(2000);
    target.client().ok(&["SET", "old", "1"]);
    target.client().ok(&["RPUSH", "counter", "not a number"]);
    let args = ["sync", "-s", &source.url(), "-t", &target.url(), "--live", "--delete", "--verify"];
    let running = jobs.start(&args);
    let id = running.line().split(':').next().unwrap().to_owned();
    jobs.until_live(&id);
    load.wait_for(2000);
    jobs.cut_over(&id).exits(0);
    running.end().exits(0);
    assert_exact(&source, &target, &load.stop());
}
