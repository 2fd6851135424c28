//! Copies that are held back, what they say of it, and limits that are changed meanwhile.

use ferrite_testkit::Server;
use serde_json::Value;

use super::Jobs;
use crate::command::Running;
use crate::{assert_same, start, with_keys};

/// So many that the slowest copy takes most of a minute.
const KEYS: u64 = 60_000;

#[test]
fn limits_are_shown_changed_kept_and_lifted() {
    let (jobs, source, target) = (Jobs::new(), with_keys(KEYS), start(Server::Redis70));
    let (running, id) = jobs.live(&source.url(), &target.url(), &["--rate", "256KiB"]);
    let status = jobs.until(&id, "it to be held back", |it| it["throttle"]["active"] == true);
    assert_eq!(status["throttle"]["why"], "limited to 256 KiB/s (--rate)");
    let throttled = "Throttled:       limited to 256 KiB/s (--rate)";
    jobs.run(&["status"]).exits(0).reports(&[throttled]);
    running.says(" · limited to 256 KiB/s (--rate)");
    jobs.run(&["throttle"]).exits(0).reports(&["has these limits: --rate 256 KiB/s\n"]);
    jobs.run(&["throttle", "--rate", "1k"]).exits(1).explains(&["at least 256 KiB a second"]);
    let change = ["throttle", "--id", &id, "--rate", "300KiB", "--max-target-latency", "60s"];
    let both = "has these limits: --rate 300 KiB/s, --max-target-latency 60000 ms\n";
    jobs.run(&change).exits(0).reports(&[both]);

    jobs.run(&["stop"]).exits(0);
    running.end().exits(130).reports(&["Throttled:", " by --rate\n"]);
    assert_eq!(jobs.status(&id)["throttle"]["active"], false);
    jobs.run(&["throttle"]).exits(6).explains(&["is not running"]);
    let running = jobs.resume(&id, &["--max-target-latency", "off"]);
    jobs.until(&id, "it to be held back", |it| it["throttle"]["active"] == true);
    jobs.run(&["throttle"]).exits(0).reports(&["has these limits: --rate 300 KiB/s\n"]);
    let ended = jobs.run(&["throttle", "--rate", "off", "--json"]).exits(0);
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&told["event"], &told["id"]), (&"throttle".into(), &id.as_str().into()));
    assert_eq!((&told["rate"], &told["exit_code"]), (&Value::Null, &0.into()), "{told}");
    jobs.until_live(&id);
    jobs.run(&["throttle"]).exits(0).reports(&["has no limits\n"]);
    jobs.cut_over(&id);
    running.end().exits(0);
    assert_same(&source, &target);
}

#[test]
fn a_snapshot_tells_programs_what_holds_it_back() {
    let (source, target) = (with_keys(KEYS), start(Server::Redis70));
    let (from, to) = (source.url(), target.url());
    let args = ["-s", &from, "-t", &to, "--json", "--rate", "256KiB"];
    let running = Running::start(&args);
    running.says(" · limited to 256 KiB/s (--rate)");
    running.interrupt();
    let ended = running.end().exits(130);
    let objects = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let objects: Vec<_> = objects.collect();
    let status = objects.iter().find(|object| object["event"] == "status").unwrap();
    assert_eq!(status["throttle"]["active"], true, "{status}");
    assert_eq!(status["throttle"]["why"], "limited to 256 KiB/s (--rate)");
    let held = &objects.last().unwrap()["throttled"][0];
    assert_eq!(held["by"], "rate", "{held}");
    assert!(held["ms"].as_u64() > Some(1000), "{held}");
}
