//! demo: what a newcomer runs first.

use ferrite_testkit::Server;
use rustix::process::Signal;

use crate::command::{Running, program, run};

const SMALL: [&str; 5] = ["demo", "--keys", "2000", "--writes", "1000"];

#[test]
fn it_moves_the_application_without_losing_a_write() {
    run(&SMALL).exits(0).reports(&[
        "RESULT: ✅ CUT OVER",
        "DONE AND VERIFIED",
        "counted writes lost or made twice: 0",
    ]);
}

#[test]
fn its_last_line_is_the_summary_for_programs() {
    let ended = run(&[&SMALL[..], &["--json"]].concat()).exits(0);
    let last = ended.stdout.lines().last().unwrap_or_default();
    let summary: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(summary["event"], "report");
    assert_eq!(summary["exit_code"], 0);
    assert_eq!(summary["lost_or_doubled"].as_array().map(Vec::len), Some(0), "{summary}");
    assert!(summary["writes"].as_u64().unwrap() > 10_000, "{summary}");
}

/// The program as a shell finds it, with a real server on the path or without.
#[test]
fn real_servers_are_used_where_they_are_installed() {
    let folder = tempfile::tempdir().unwrap();
    let none = program().args(SMALL).arg("--with-redis").env("PATH", folder.path()).output();
    let none = none.unwrap();
    assert_eq!(none.status.code(), Some(1));
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(said.contains("neither redis-server nor valkey-server is installed"), "{said}");

    let script = format!("#!/bin/sh\nexec {} \"$@\"\n", Server::Redis80.binary().unwrap());
    let shim = folder.path().join("redis-server");
    std::fs::write(&shim, script).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&shim, executable).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let real = program().args(SMALL).arg("--with-redis").env("PATH", path).output().unwrap();
    let said = String::from_utf8_lossy(&[real.stderr, real.stdout].concat()).into_owned();
    assert_eq!(real.status.code(), Some(0), "{said}");
    assert!(said.contains("redis-server 8.0."), "{said}");
    assert!(said.contains("counted writes lost or made twice: 0"), "{said}");
}

#[test]
fn an_interruption_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    for signal in [Signal::INT, Signal::TERM] {
        let mut command = program();
        command.args(["demo", "--keys", "2000000"]).env("TMPDIR", temporary.path());
        let running = Running::start_command(command);
        running.says("Loading ");
        running.signal(signal);
        running.end().exits(130).explains(&["both servers are stopped"]);
        assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
    }
}
