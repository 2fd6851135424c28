//! Copies that reach their end.

use ferrite_testkit::Server;

use crate::command::{migrate, run, sync};
use crate::{assert_empty, assert_same, empty, listing, start, with_everything, with_keys};

/// What the report of a verified copy shows, in this order.
const VERIFIED: [&str; 6] = [
    "MIGRATION REPORT",
    "KEYS COPIED",
    "VERIFICATION REPORT",
    "SUMMARY",
    "RESULT: ✅ VERIFIED",
    "RESULT: ✅ DONE AND VERIFIED (exit 0",
];

#[test]
fn a_verified_copy_says_so_and_is_equal() {
    let (source, target) = (with_everything(Server::Redis70), empty());
    let ended = migrate(&source.url(), &target.url(), &["--verify"]).exits(0).reports(&VERIFIED);
    let places = VERIFIED.map(|text| ended.stdout.find(text));
    assert!(places.is_sorted(), "{}", ended.stdout);
    let keys = listing(&source).len();
    ended
        .reports(&[&format!("Copied:           {keys}\n"), &format!("Keys compared:    {keys}\n")])
        .reports(&[&format!("Source:           {}\n", source.url())])
        .explains(&["→", "checks passed", "strategy: psync"])
        .hides("error")
        .hides("\u{1b}");
    assert_same(&source, &target);
}

#[test]
fn a_command_line_without_a_verb_migrates() {
    let (source, target) = (with_everything(Server::Redis70), empty());
    let (source_url, target_url) = (source.url(), target.url());
    let args = ["--source", &source_url, "--target", &target_url, "--mode", "snapshot", "--verify"];
    run(&args).exits(0).reports(&VERIFIED);
    assert_same(&source, &target);
}

#[test]
fn what_the_target_cannot_hold_is_named() {
    let (source, target) = (with_everything(Server::Redis80), empty());
    let ended = migrate(&source.url(), &target.url(), &["--verify"]).exits(5);
    let (ours, theirs) = (listing(&source), listing(&target));
    let skipped: Vec<String> = ours
        .databases
        .iter()
        .flat_map(|(&db, keys)| keys.keys().map(move |key| (db, key)))
        .filter(|(db, key)| theirs.get(*db, key).is_none())
        .map(|(db, key)| format!("  db {db}  {}\n", key.escape_ascii()))
        .collect();
    assert!(!skipped.is_empty(), "Redis 8.0 has hashes whose fields expire");
    let named: Vec<&str> = skipped.iter().map(String::as_str).collect();
    ended
        .reports(&["\nSKIPPED\n", "expir", "RESULT: ⚠ DONE WITH SKIPS (exit 5"])
        .reports(&named)
        .reports(&[&format!("Skipped:          {}", skipped.len()), "Not compared:"]);
}

#[test]
fn keys_already_there_are_kept_or_overwritten_as_asked() {
    let (source, target) = (with_everything(Server::Redis70), empty());
    target.client().ok(&["SET", "string:empty", "theirs"]);
    source.client().ok(&["SET", "string:empty", "ours"]);
    let (from, to) = (source.url(), target.url());
    migrate(&from, &to, &["--on-conflict", "skip"]).exits(5).reports(&[
        "1 key: already on the target",
        "  db 0  string:empty\n",
        "Skipped:          1",
    ]);
    assert_eq!(target.client().ok(&["GET", "string:empty"]), "theirs");
    migrate(&from, &to, &["--on-conflict", "replace", "--verify"]).exits(0).reports(&VERIFIED);
    assert_eq!(target.client().ok(&["GET", "string:empty"]), "ours");
    assert_same(&source, &target);
}

#[test]
fn the_source_sends_its_keys_itself_where_that_is_wanted() {
    let (source, target) = (with_everything(Server::Redis70), start(Server::Redis70));
    let (from, to) = (source.url(), target.url());
    let ended = migrate(&from, &to, &["--strategy", "migrate", "--verify"]).exits(0);
    ended.reports(&VERIFIED).reports(&["asked for with --strategy migrate"]);
    assert_same(&source, &target);
    let options = ["--strategy", "migrate", "--migrate-target", "127.0.0.1:1", "--rate", "1MB"];
    let ended = migrate(&from, &to, &[&options[..], &["--on-conflict", "replace"]].concat());
    ended.exits(2).explains(&["IOERR", "reaches it at 127.0.0.1:1", "--migrate-target HOST:PORT"]);
}

#[test]
fn a_dry_run_counts_and_writes_nothing() {
    let source = with_everything(Server::Redis80);
    let (able, unable) = (start(Server::Redis80), empty());
    let keys = listing(&source).len();
    for strategy in ["psync", "scan"] {
        let options = ["--dry-run", "--strategy", strategy];
        migrate(&source.url(), &able.url(), &options)
            .exits(0)
            .reports(&["dry run: nothing was written", "KEYS THAT WOULD BE COPIED"])
            .reports(&[&format!("Would be copied:  {keys}\n"), "RESULT: ✅ READY (exit 0"]);
        migrate(&source.url(), &unable.url(), &options).exits(5).reports(&[
            "dry run: nothing was written",
            "SKIPPED",
            "DONE WITH SKIPS",
        ]);
    }
    assert_empty(&able);
    assert_empty(&unable);
    assert_eq!(listing(&able).functions, Some(Default::default()));
}

#[test]
fn a_selection_is_all_that_is_copied() {
    let (source, target) = (with_keys(2000), empty());
    let options = ["-f", "session:*", "-f", "*1", "--type", "list", "--verify"];
    let ended = migrate(&source.url(), &target.url(), &options).exits(0);
    let (ours, theirs) = (listing(&source), listing(&target));
    let lists = ours.databases[&0].iter().filter(|(_, entry)| entry.value.kind() == "list");
    let names = lists.map(|(key, _)| key);
    let expected: Vec<&Vec<u8>> =
        names.filter(|key| key.starts_with(b"session:") || key.ends_with(b"1")).collect();
    assert!(!expected.is_empty());
    assert_eq!(theirs.databases[&0].keys().collect::<Vec<_>>(), expected);
    ended.reports(&[&format!("Copied:           {}\n", expected.len())]);
}

#[test]
fn a_sync_moves_what_differs_and_deletes_when_told() {
    let (source, target) = (with_keys(2000), empty());
    sync(&source.url(), &target.url(), &[]).exits(0).reports(&["Copied:", "2,000\n"]);
    assert_same(&source, &target);
    source.client().ok(&["SET", "new", "1"]);
    target.client().ok(&["SET", "old", "1"]);
    let would = ["Would be copied:", "Would be deleted: 1 (on the target, because"];
    sync(&source.url(), &target.url(), &["--delete", "--dry-run"]).exits(0).reports(&would);
    assert_eq!(target.client().ok(&["EXISTS", "old", "new"]).int(), Some(1));
    let moved = sync(&source.url(), &target.url(), &["--verify"]).exits(4);
    moved.reports(&["Identical:        2,000 (already on the target, left alone)"]);
    sync(&source.url(), &target.url(), &["--delete", "--verify"]).exits(0).reports(&["Deleted:"]);
    assert_same(&source, &target);
    let way_back = sync(&target.url(), &source.url(), &["--delete"]).exits(0);
    way_back.reports(&["Copied:           0", "Identical:        2,001"]);
    let refused = sync(&source.url(), &target.url(), &["--state-dir", "here"]).exits(1);
    refused.explains(&["--state-dir is for live migrations"]);
}
