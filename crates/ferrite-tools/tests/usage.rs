//! The compiled command seen from a shell: what it refuses, where it says so, how it exits.
//! No server is needed for any of this.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::io::Read;
use std::process::{Command, Output, Stdio};

const SOURCE: &str = "redis://127.0.0.1:1";
const TARGET: &str = "redis://127.0.0.1:2";

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferrite-migrate"));
    command.args(args).stdin(Stdio::null());
    for name in ["FERRITE_SOURCE", "FERRITE_TARGET", "RUST_LOG", "NO_COLOR"] {
        command.env_remove(name);
    }
    command
}

fn run(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Exit code 1, nothing on stdout, and this on stderr.
fn refuses(args: &[&str], why: &str) {
    let output = run(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {}", stderr(&output));
    assert_eq!(stdout(&output), "", "{args:?}");
    assert!(stderr(&output).starts_with("error: "), "{args:?}: {}", stderr(&output));
    assert!(stderr(&output).contains(why), "{args:?}: {}", stderr(&output));
    assert!(stderr(&output).contains("\nhint: "), "{args:?}: {}", stderr(&output));
}

#[test]
fn help_and_version_are_results() {
    for args in [&["--help"][..], &["-h"], &["help"], &["help", "verify"], &["migrate", "--help"]] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(stdout(&output).contains("Usage: ferrite-migrate"), "{args:?}");
        assert_eq!(stderr(&output), "", "{args:?}");
    }
    let version = run(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(stdout(&version), format!("ferrite-migrate {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn nothing_at_all_shows_the_help_as_an_error() {
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).contains("Usage: ferrite-migrate"));
}

#[test]
fn usage_errors_exit_with_one() {
    refuses(&["migrate", "-t", TARGET], "--source <URL>");
    refuses(&["migrate", "-s", SOURCE], "--target <URL>");
    refuses(&["-s", SOURCE], "--target <URL>");
    refuses(&["verify", "-s", SOURCE], "--target <URL>");
    refuses(&["wizard"], "unrecognized subcommand 'wizard'");
    refuses(&["-s", SOURCE, "-t", TARGET, "--mode", "sideways"], "`sideways` is not a mode");
    refuses(&["-t", TARGET, "--mode", "live"], "--source <URL>");
    refuses(&["-s", SOURCE, "-t", TARGET, "--memory-limit", "lots"], "a size is a whole number");
    refuses(&["-s", SOURCE, "-t", TARGET, "--parallel", "0"], "parallel must be between");
    refuses(&["-s", "http://h", "-t", TARGET, "-p", "1"], "source: cannot read the address");
    refuses(&["-s", SOURCE, "-t", TARGET, "--target-insecure"], "is an address without TLS");
}

#[test]
fn addresses_may_come_from_the_environment_and_stay_out_of_the_help() {
    let mut with_environment = command(&["migrate", "--parallel", "0"]);
    with_environment.env("FERRITE_SOURCE", SOURCE).env("FERRITE_TARGET", TARGET);
    let output = with_environment.output().unwrap();
    assert!(stderr(&output).contains("parallel must be between"), "{}", stderr(&output));

    let mut help = command(&["migrate", "--help"]);
    let help = help.env("FERRITE_SOURCE", "redis://u:hunter2@h").output().unwrap();
    assert!(stdout(&help).contains("FERRITE_SOURCE"));
    assert!(!stdout(&help).contains("hunter2"));
}

#[test]
fn with_json_a_refusal_is_an_object_on_stdout() {
    for args in [
        &["migrate", "-s", SOURCE, "--json"][..],
        &["-s", SOURCE, "-t", TARGET, "--json", "--parallel", "0"],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(1));
        let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(object["event"], "error");
        assert_eq!(object["kind"], "config");
        assert_eq!(object["exit_code"], 1);
        assert!(object["cause"].as_str().is_some_and(|cause| !cause.is_empty()));
        assert!(stderr(&output).starts_with("error: "));
    }
}

#[test]
fn a_bad_log_filter_is_refused() {
    let mut bad = command(&["-s", SOURCE, "-t", TARGET]);
    let output = bad.env("RUST_LOG", "ferrite_migrate=shout").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("reading RUST_LOG"), "{}", stderr(&output));
}

#[test]
fn an_unreachable_source_is_a_failure_with_its_address() {
    for verb in ["migrate", "verify"] {
        let output = run(&[verb, "-s", SOURCE, "-t", TARGET]);
        assert!(matches!(output.status.code(), Some(2 | 3)), "{verb}: {:?}", output.status);
        assert_eq!(stdout(&output), "", "{verb}");
        assert!(stderr(&output).contains("error: "), "{verb}: {}", stderr(&output));
        assert!(stderr(&output).contains("127.0.0.1:1"), "{verb}: {}", stderr(&output));
    }
}

#[test]
fn colors_come_only_when_they_are_wanted() {
    let args = ["-s", SOURCE, "-t", TARGET, "--parallel", "0"];
    assert!(!stderr(&run(&args)).contains('\u{1b}'));
    let always = run(&[&args[..], &["--color", "always"]].concat());
    assert!(stderr(&always).contains("\u{1b}["), "{}", stderr(&always));
    let never = run(&[&args[..], &["--color", "never"]].concat());
    assert!(!stderr(&never).contains('\u{1b}'));
}

#[test]
fn a_reader_who_goes_away_is_no_crash() {
    let mut child =
        command(&["--help"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(said, "");
}
