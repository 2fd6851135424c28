//! A source that lets nobody follow it, as the operator sees that.

use ferrite_testkit::Server;

use super::{Jobs, assert_exact, load};
use crate::{start, with_keys};

#[test]
fn a_source_that_refuses_psync_is_moved_by_rounds() {
    let (jobs, source, target) = (Jobs::new(), with_keys(2000), start(Server::Redis70));
    let rules = ["on", ">secret", "~*", "&*", "+@all", "-psync", "-sync"];
    source.client().ok(&[&["ACL", "SETUSER", "mover"], &rules[..]].concat());
    let load = load(&source, 44);
    let from = source.url_with("mover", "secret");
    let (running, id) = jobs.live(&from, &target.url(), &[]);
    let status = jobs.until_live(&id);
    assert_eq!((&status["strategy"], &status["consistency"]), (&"scan".into(), &"eventual".into()));
    assert!(status["rounds"]["complete"].as_u64() > Some(1), "{status}");
    assert!(status["projected_pause_ms"].is_u64() && status["can_rollback"] == false, "{status}");
    let shown = jobs.run(&["status", "--id", &id]).exits(0);
    shown.reports(&[
        "Consistency: eventual",
        "Behind: ",
        "Rounds: ",
        "writes would pause for about",
    ]);
    jobs.run(&["cutover", "--id", &id, "--dry-run"]).exits(0).reports(&["can be cut over now"]);
    let ended = jobs.run(&["cutover", "--id", &id, "--max-pause", "1ms"]).exits(6);
    ended.explains(&["a round over all keys takes", "--max-pause"]);
    jobs.run(&["pause", "--id", &id]).exits(0);
    jobs.run(&["cutover", "--id", &id]).exits(6).explains(&["it is paused"]);
    jobs.run(&["resume", "--id", &id]).exits(0);
    jobs.cut_over(&id).reports(&["CUTOVER REPORT", "refuses writes"]);
    let reported = ["FOLLOWED", "Rounds: ", "does not let us follow its commands"];
    running.end().exits(0).hides("secret").reports(&reported);
    assert_exact(&source, &target, &load.stop());
}
