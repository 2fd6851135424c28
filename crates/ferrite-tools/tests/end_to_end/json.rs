//! `--json`: stdout is one object a line and nothing else, and no secret is on either stream.

use ferrite_testkit::{Peer, Proxy, Server};
use serde_json::Value;

use crate::command::{Ended, Running, migrate, program, until, verify};
use crate::{empty, with_everything, with_keys};

const SECRET: &str = "hunter2-geheim";

/// All objects, each of which names its event.
fn objects(ended: &Ended) -> Vec<Value> {
    let parse = |line: &str| -> Value {
        let object: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(object["event"].is_string(), "{line}");
        object
    };
    ended.stdout.lines().map(parse).collect()
}

fn named<'a>(objects: &'a [Value], event: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["event"] == event).collect()
}

/// A server with everything that wants a password.
fn guarded() -> Peer {
    let peer = Peer::builder(Server::Redis70).password(SECRET).start().unwrap();
    ferrite_testkit::Dataset::everything().load(&mut peer.client()).unwrap();
    peer
}

#[test]
fn a_copy_is_a_stream_of_objects_that_ends_with_the_report() {
    let (source, target) = (guarded(), empty());
    let ended = migrate(&source.url(), &target.url(), &["--json", "--verify"]).exits(0);
    let objects = objects(&ended);
    assert_eq!(objects[0]["event"], "started");
    let keys = crate::listing(&source).len();
    let report = objects.last().unwrap();
    assert_eq!(report["event"], "report");
    assert_eq!(report["exit_code"], 0);
    assert_eq!(report["id"], objects[0]["id"]);
    assert_eq!(report["keys"]["copied"], keys);
    assert_eq!(report["verification"]["success"], true);
    assert_eq!(report["verification"]["matching"], keys);
    let phases: Vec<_> = named(&objects, "phase").iter().map(|it| it["phase"].clone()).collect();
    assert_eq!(phases, ["ATTACHING", "COPYING", "VERIFYING", "FINISHED"]);
    for event in ["started", "preflight", "strategy", "report"] {
        assert_eq!(named(&objects, event).len(), 1, "{event}");
    }
    ended.hides(SECRET);
}

#[test]
fn secrets_stay_secret_however_much_is_logged() {
    let (source, target) = (guarded(), empty());
    let (from, to) = (source.url(), target.url());
    let mut command = program();
    command.args(["-s", &from, "-t", &to, "--json", "-v"]).env("RUST_LOG", "trace");
    Running::start_command(command).end().exits(0).hides(SECRET);
    let wrong = source.url_with("", "wrong-geheim");
    for ended in [migrate(&wrong, &to, &["--json"]), verify(&wrong, &to, &["--json", "-v"])] {
        ended.hides("geheim");
    }
    let unreadable = format!("redis://user:{SECRET}@host:port:1/x");
    migrate(&unreadable, &to, &["--json"]).exits(1).hides(SECRET);
}

#[test]
fn differences_and_skips_are_in_the_report() {
    let (source, target) = (with_everything(Server::Redis80), empty());
    let ended = migrate(&source.url(), &target.url(), &["--json"]).exits(5);
    let objects = objects(&ended);
    let report = objects.last().unwrap();
    assert_eq!((&report["event"], &report["exit_code"]), (&"report".into(), &5.into()));
    let skipped = report["skipped"].as_array().unwrap();
    assert!(!skipped.is_empty() && skipped.iter().all(|skip| skip["reason"].is_string()));
    target.client().ok(&["SET", "not there", "before"]);
    let ended = verify(&source.url(), &target.url(), &["--json"]).exits(4);
    let report = self::objects(&ended).pop().unwrap();
    assert_eq!((&report["event"], &report["exit_code"]), (&"report".into(), &4.into()));
    let differences = report["differences"].as_array().unwrap();
    let named = |it: &&Value| it["key"] == "not there" && it["kind"] == "missing_source";
    assert_eq!(differences.iter().filter(named).count(), 1, "{differences:?}");
}

#[test]
fn a_refusal_is_an_object_with_the_checks_and_what_to_do() {
    let (source, target) = (with_keys(10), with_keys(10));
    let mut gone = empty();
    gone.kill();
    for (from, fix) in
        [(source.url(), "--on-conflict replace"), (gone.url(), "see that the server is up")]
    {
        let ended = migrate(&from, &target.url(), &["--json"]).exits(3);
        let objects = objects(&ended);
        let error = objects.last().unwrap();
        assert_eq!((&error["event"], &error["kind"]), (&"error".into(), &"blocked".into()));
        assert_eq!(error["exit_code"], 3);
        assert!(error["hint"].as_str().is_some_and(|hint| hint.contains(fix)), "{error}");
        let checks = named(&objects, "preflight")[0]["checks"].as_array().unwrap();
        let blocking = checks.iter().find(|check| check["status"] == "block").expect("a blocker");
        assert!(blocking["fix"].as_str().is_some_and(|text| text.contains(fix)), "{blocking}");
    }
}

#[test]
fn a_long_run_tells_its_status() {
    let (source, target) = (with_keys(20_000), empty());
    let proxy = Proxy::start(source.addr()).unwrap();
    proxy.throttle(Some(1_000_000));
    let (from, to) = (proxy.url(), target.url());
    let args = ["-s", &from, "-t", &to, "--json", "--strategy", "scan"];
    let running = Running::start(&args);
    until("keys on the target", || target.client().ok(&["DBSIZE"]) != 0);
    proxy.stall();
    running.says("copying ");
    proxy.throttle(None);
    proxy.resume();
    let ended = running.end().exits(0);
    let objects = objects(&ended);
    let status = named(&objects, "status")[0];
    assert_eq!((&status["phase"], &status["keys_total"]), (&"COPYING".into(), &20_000.into()));
    assert!(status["keys_done"].as_u64().is_some_and(|keys| keys > 0), "{status}");
    assert!(status["elapsed_ms"].as_u64().is_some_and(|elapsed| elapsed > 1000), "{status}");
}
