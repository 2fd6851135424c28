//! `--strategy replica`, as the operator types it.

use ferrite_testkit::Server;

use super::{Jobs, assert_exact, load};
use crate::{start, with_keys};

#[test]
fn the_servers_do_the_work_and_no_write_is_lost() {
    let (jobs, source, target) = (Jobs::new(), start(Server::Redis70), with_keys(100));
    let load = load(&source, 31);
    load.wait_for(3000);
    let (from, to) = (source.url(), target.url());
    let args = ["migrate", "-s", &from, "-t", &to, "--mode", "live", "--strategy", "replica"];
    let ended = jobs.run(&args).exits(3).without_result();
    ended.explains(&["100 keys", "loses everything", "--on-conflict replace"]);
    assert!(jobs.list().is_empty());

    let options = ["--strategy", "replica", "--on-conflict", "replace", "--verify"];
    let (running, id) = jobs.live(&from, &to, &options);
    let status = jobs.until_live(&id);
    assert_eq!(status["strategy"], "replica");
    assert_eq!(status["next_steps"][0], format!("ferrite-migrate cutover --id {id}"));
    jobs.run(&["pause"]).exits(6).explains(&["it cannot be paused", "by itself"]);
    jobs.run(&["stop"]).exits(0);
    running.end().exits(130);
    let role = target.client().ok(&["ROLE"]);
    assert_eq!(role.items()[0].text(), "slave", "the target follows on");

    let running = jobs.resume(&id, &[]);
    jobs.until_live(&id);
    load.wait_for(1000);
    let ended = jobs.cut_over(&id);
    ended.reports(&["CUTOVER REPORT", "refuses writes (CONFIG SET min-replicas-to-write"]);
    let reported = ["FOLLOWED", "COMPARED WHILE FOLLOWING", "the target is the one to write to"];
    running.end().exits(0).reports(&reported);
    assert_exact(&source, &target, &load.stop());
}
