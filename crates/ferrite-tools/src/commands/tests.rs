//! The list of verbs, their pinned help, and command lines that are refused.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands")
}

fn names(ending: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect()
}

#[test]
fn folder_and_list_agree() {
    let listed: BTreeSet<String> = VERBS.iter().map(|verb| verb.name.replace('-', "_")).collect();
    let mut files = names(".rs");
    assert!(files.remove("mod") && files.remove("tests"));
    assert_eq!(files, listed);
    let mut helps = names(".help.txt");
    assert!(helps.remove("ferrite-migrate"));
    assert_eq!(helps, listed);
}

/// Set `UPDATE_HELP=1` to write the files anew.
fn check_help(name: &str, help: &str) {
    let path = match VERBS.iter().any(|verb| verb.name == name) {
        true => folder().join(format!("{}.help.txt", name.replace('-', "_"))),
        false => folder().join(format!("{name}.help.txt")),
    };
    if std::env::var_os("UPDATE_HELP").is_some() {
        std::fs::write(&path, help).unwrap();
    }
    let pinned = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        pinned, help,
        "the help of `{name}` is not what {name}.help.txt says; if it is meant to change: \
         UPDATE_HELP=1 cargo test -p ferrite-tools help"
    );
}

fn help_of(args: &[&str]) -> String {
    let error = command().term_width(100).try_get_matches_from(args).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DisplayHelp);
    error.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn the_help_is_pinned() {
    check_help("ferrite-migrate", &help_of(&["ferrite-migrate", "--help"]));
    for verb in VERBS {
        check_help(verb.name, &help_of(&["ferrite-migrate", verb.name, "--help"]));
    }
}

#[test]
fn every_help_has_an_example_that_parses() {
    for verb in VERBS {
        let help = help_of(&["ferrite-migrate", verb.name, "--help"]).replace("\\\n", "");
        let examples: Vec<_> =
            help.lines().filter_map(|line| line.strip_prefix("  ferrite-migrate ")).collect();
        assert!(examples.len() >= 2, "{}", verb.name);
        for example in examples {
            let args = example.split_whitespace().map(|word| word.trim_matches('\''));
            let args = ["ferrite-migrate"].into_iter().chain(args).map(OsString::from).collect();
            let matches = command().try_get_matches_from(with_default_verb(args)).unwrap();
            let (name, matches) = matches.subcommand().unwrap();
            assert_eq!(name, verb.name);
            // A file that an example names is not here.
            let is_fine = match (verb.prepare)(matches) {
                Ok(_) => true,
                Err(failure) => failure.cause.contains("No such file"),
            };
            assert!(is_fine, "{example}");
        }
    }
}

#[test]
fn the_parser_is_consistent() {
    command().debug_assert();
}

fn refused(args: &[&str]) -> Failure {
    let args = ["ferrite-migrate"].iter().chain(args).map(OsString::from).collect();
    let args = with_default_verb(args);
    match command().try_get_matches_from(&args) {
        Err(error) => refusal(&error, &args),
        Ok(matches) => {
            let (name, matches) = matches.subcommand().unwrap();
            let verb = VERBS.iter().find(|verb| verb.name == name).unwrap();
            (verb.prepare)(matches).err().unwrap()
        }
    }
}

const ENDS: [&str; 4] = ["-s", "redis://h:1", "-t", "redis://h:2"];

#[test]
fn refusals_say_why() {
    let cases: &[(&[&str], &str)] = &[
        (&["--mode", "incremental", "--verify"], "leaves comparing to `ferrite-migrate verify`"),
        (&["--mode", "live", "--every", "1h"], "--every is for incremental migrations"),
        (&["--mode", "incremental", "--every", "0s"], "the shortest time between two runs"),
        (
            &["--mode", "live", "--dry-run"],
            "cannot be rehearsed: use --dry-run with --mode snapshot",
        ),
        (&["--mode", "live", "--type", "hash"], "cannot choose keys by type"),
        (&["--mode", "incremental", "--strategy", "scan"], "choose --strategy fenced or auto"),
        (&["--mode", "live", "--on-conflict", "skip"], "--on-conflict fail or replace"),
        (&["--mode", "live", "--spool-limit", "1mb"], "a spool of at least 16 MiB"),
        (&["--strategy", "replica"], "is for --mode live"),
        (&["--mode", "live", "--strategy", "replica", "-p", "8"], "--parallel has no effect"),
        (&["--mode", "live", "--strategy", "replica", "-f", "a*"], "cannot choose keys"),
        (&["--mode", "live", "--replica-source", "a:1"], "for --strategy replica"),
        (
            &["--mode", "live", "--strategy", "replica", "--replica-source", "redis://a:1"],
            "give HOST:PORT",
        ),
        (&["--mode", "live", "--strategy", "migrate"], "is for --mode snapshot"),
        (&["--strategy", "migrate", "--dry-run"], "cannot be rehearsed"),
        (&["--strategy", "migrate", "--migrate-target", "redis://a:1"], "give HOST:PORT"),
        (&["--detach"], "--detach is for live migrations"),
        (&["--spool-limit", "1gb"], "--spool-limit is for live migrations"),
        (&["--state-dir", "d"], "--state-dir is for live migrations"),
        (&["--mode", "fast"], "`fast` is not a mode"),
        (&["--memory-limit", "1tb"], "a size is a whole number"),
        (&["--memory-limit", "1mb"], "memory-limit must be at least"),
        (&["--rate", "fast"], "a size is a whole number"),
        (&["--rate", "100k"], "rate must be at least 256 KiB a second"),
        (&["--max-source-latency", "0"], "`off` lifts one"),
        (&["--max-target-latency", "soon"], "a duration is a whole number"),
        (&["--resume", "mig_a", "--rate", "1k"], "rate must be at least"),
        (&["--parallel", "0"], "parallel must be between 1 and"),
        (&["--type", "module"], "[possible values: string, list, set, zset, hash, stream]"),
        (
            &["--strategy", "guess"],
            "[possible values: auto, psync, fenced, scan, replica, migrate]",
        ),
        (&["--source-tls-ca", "ca.pem"], "redis://h:1 is an address without TLS"),
        (&["--target-insecure"], "redis://h:2 is an address without TLS"),
        (&["--target-tls-cert", "c.pem"], "--target-tls-key <FILE>"),
        (&["--resume", "mig_a", "--filter", "a*"], "cannot be used with"),
        (&["--resume", "mig_a", "--mode", "live"], "cannot be used with '--mode <MODE>'"),
        (&["--resume", "mig_a", "--on-conflict", "replace"], "--on-conflict <WHAT>"),
        (&["--resume"], "a value is required for '--resume <ID>'"),
    ];
    for (options, why) in cases {
        let args = [&ENDS[..], options].concat();
        let failure = refused(&args);
        assert!(failure.cause.contains(why), "{options:?}: {}", failure.cause);
        assert_eq!((failure.kind, failure.exit_code), ("config", 1));
    }
}

#[test]
fn verify_refuses_two_coverages_and_empty_ones() {
    let cases: &[(&[&str], &str)] = &[
        (&["--sample", "5", "--full"], "cannot be used with"),
        (&["--sample", "5", "--sample-rate", "0.1"], "cannot be used with"),
        (&["--sample", "0"], "at least 1"),
        (&["--sample-rate", "0"], "greater than 0"),
        (&["--sample-rate", "1.5"], "greater than 0"),
        (&["--sample-rate", "nan"], "greater than 0"),
    ];
    for (options, why) in cases {
        let failure = refused(&[&["verify"], &ENDS[..], options].concat());
        assert!(failure.cause.contains(why), "{options:?}: {}", failure.cause);
    }
}

#[test]
fn a_cutover_refuses_what_makes_no_sense() {
    let cases: &[(&[&str], &str)] = &[
        (&["--dry-run", "--when-ready"], "cannot be used with"),
        (&["--dry-run", "--hook", "true"], "cannot be used with"),
        (&["--max-pause", "0s"], "no time at all"),
        (&["--max-pause", "soon"], "a duration is a whole number"),
        (&["--scheduled", "tomorrow"], "a time is written as 2026-11-21T03:00:00Z"),
        (&["--scheduled", "2026-11-21T03:00:00"], "with the offset of its zone"),
        (&["--scheduled", "2026-11-21T03:00:00Z", "--when-ready"], "cannot be used with"),
        (&["--cancel", "--hook", "true"], "cannot be used with"),
        (&["--auto-rollback"], "--reverse"),
        (&["--reverse", "--error-window", "5s"], "--auto-rollback"),
        (&["--reverse", "--auto-rollback", "--rollback-on-error-rate", "1"], "less than 1"),
    ];
    for (options, why) in cases {
        let failure = refused(&[&["cutover"], *options].concat());
        assert!(failure.cause.contains(why), "{options:?}: {}", failure.cause);
    }
}

#[test]
fn limits_that_cannot_be_kept_are_refused_before_anybody_is_asked() {
    let cases: &[(&[&str], &str)] = &[
        (&["--rate", "fast"], "a size is a whole number"),
        (&["--rate", "0"], "`off` lifts one"),
        (&["--rate", "100k"], "rate must be at least 256 KiB a second"),
        (&["--max-source-latency", "1.5ms"], "a duration is a whole number"),
        (&["--max-target-latency", "0ms"], "`off` lifts one"),
    ];
    for (options, why) in cases {
        let failure = refused(&[&["throttle"], *options].concat());
        assert!(failure.cause.contains(why), "{options:?}: {}", failure.cause);
        assert_eq!((failure.kind, failure.exit_code), ("config", 1));
    }
}

#[test]
fn secrets_do_not_come_back() {
    let url = "redis://u:hunter2@h:99999";
    for args in [&["migrate", url][..], &["-s", url, "-t", "redis://h"], &[url]] {
        let failure = refused(args);
        let text = format!("{failure:?}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
