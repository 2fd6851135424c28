//! A Memcached as the source, by the commands of its guide.

use ferrite_testkit::{Memcached, Peer};

use crate::command::{Running, run, until};
use crate::empty;

/// The page whose commands are run here.
const GUIDE: &str = include_str!("../../../../docs/guides/memcached.md");

#[test]
fn the_commands_of_the_guide_do_what_it_says() {
    let memcached = || Memcached::start(&[]).unwrap_or_else(|error| panic!("{error}"));
    let (one, two, target) = (memcached(), memcached(), empty());
    one.client().set("plain", 0, 600, b"p");
    one.client().set("packed", 16, 0, b"v");
    two.client().set("other", 0, 0, b"o");
    let commands: Vec<&str> =
        GUIDE.lines().filter_map(|line| line.strip_prefix("ferrite-migrate ")).collect();
    let run_command = |command: &str| {
        let command = command
            .replace("cache1:11211", &one.addr().to_string())
            .replace("cache2:11211", &two.addr().to_string())
            .replace("redis://new:6379", &target.url());
        run(&command.split_whitespace().collect::<Vec<_>>())
    };
    let mut client = target.client();
    let [rehearse, copy, verify, with_flags, follow] = commands.as_slice() else {
        panic!("{commands:?}")
    };

    run_command(rehearse).exits(0).reports(&["flags of 1 value ", "16 × 1"]);
    assert_eq!(client.ok(&["DBSIZE"]).int(), Some(0));
    run_command(copy).exits(0).reports(&["Copied:           3\n", "memcached"]);
    assert_eq!(client.ok(&["GET", "packed"]), "v");
    assert!(client.ok(&["TTL", "plain"]).int().is_some_and(|left| (590..=600).contains(&left)));
    run_command(verify).exits(0);
    client.ok(&["SET", "other", "changed"]);
    run_command(verify).exits(4).reports(&["other"]);
    run_command(with_flags).exits(0).reports(&["became hashes"]);
    assert_eq!(client.ok(&["HGET", "packed", "flags"]), "16");

    client.ok(&["FLUSHALL"]);
    followed(&follow.replace("--every 10s", "--every 1s"), &one, &two, &target);

    // What a Memcached cannot do is refused before anything connects.
    let incremental = copy.replace("--verify", "--mode incremental");
    run_command(&incremental).exits(1).explains(&["choose --mode snapshot"]);
    let off = ["migrate", "-s", &target.url(), "-t", &target.url(), "--memcached-flags", "hash"];
    run(&off).exits(1).explains(&["memcached-flags is for a source that is a Memcached"]);
    let down = two.url();
    drop(two);
    run(&["migrate", "-s", &down, "-t", &target.url()]).exits(3).explains(&["cannot reach"]);
}

/// What is written to the servers arrives, round after round, and what is deleted goes.
fn followed(command: &str, one: &Memcached, two: &Memcached, target: &Peer) {
    let command = command
        .replace("cache1:11211", &one.addr().to_string())
        .replace("cache2:11211", &two.addr().to_string())
        .replace("redis://new:6379", &target.url());
    let running = Running::start(&command.split_whitespace().collect::<Vec<_>>());
    let mut client = target.client();
    let mut has = |key: &str, value: &str| {
        until(&format!("{key} is {value}"), || client.call(&["GET", key]) == value);
    };
    has("plain", "p");
    has("other", "o");
    one.client().set("plain", 0, 0, b"q");
    two.client().set("new", 0, 0, b"n");
    has("plain", "q");
    has("new", "n");
    // Another value of the same size, another expiry alone, a deletion.
    two.client().set("new", 0, 0, b"m");
    one.client().say("touch packed 500");
    two.client().say("delete other");
    has("new", "m");
    let mut client = target.client();
    until("the expiry arrives", || {
        client.ok(&["TTL", "packed"]).int().is_some_and(|left| (1..=500).contains(&left))
    });
    until("the deletion arrives", || client.ok(&["EXISTS", "other"]).int() == Some(0));
    assert_eq!(client.ok(&["DBSIZE"]).int(), Some(3));
    running.interrupt();
    let ended = running.end().exits(130);
    ended.reports(&["Consistency:      eventual", "Rounds:", "Last began:", "run it again"]);
}

#[test]
fn a_cache_that_was_restarted_does_not_empty_the_target() {
    let (source, target) = (Memcached::start(&[]).unwrap(), empty());
    source.client().set("key", 0, 0, b"value");
    let port = source.port();
    let (from, to) = (source.url(), target.url());
    let args = ["migrate", "-s", &from, "-t", &to, "--mode", "live", "--every", "1s"];
    let running = Running::start(&args);
    let mut client = target.client();
    until("it is copied", || client.call(&["GET", "key"]) == "value");
    drop(source);
    running.says("the source keeps it waiting");
    let again = Memcached::start_at(port, &[]).unwrap();
    let ended = running.end().exits(2);
    ended.explains(&["it was restarted, so its keys are gone", "--on-conflict replace"]);
    assert_eq!(client.ok(&["GET", "key"]), "value");
    drop(again);
}

#[test]
fn a_target_with_keys_of_its_own_keeps_them() {
    let (source, target) = (Memcached::start(&[]).unwrap(), empty());
    source.client().set("key", 0, 0, b"value");
    target.client().ok(&["SET", "own", "1"]);
    let (from, to) = (source.url(), target.url());
    let args = ["migrate", "-s", &from, "-t", &to, "--mode", "live", "--every", "1s"];
    let running = Running::start(&[&args[..], &["--on-conflict", "replace"]].concat());
    running.says("what the source deletes stays there");
    let mut client = target.client();
    until("it is copied", || client.call(&["GET", "key"]) == "value");
    source.client().say("delete key");
    source.client().set("later", 0, 0, b"1");
    until("a round is through", || client.call(&["GET", "later"]) == "1");
    running.interrupt();
    running.end().exits(130);
    assert_eq!(client.ok(&["DBSIZE"]).int(), Some(3));
}

#[test]
fn what_following_a_memcached_cannot_do_is_refused() {
    let ends = ["migrate", "-s", "memcached://h:1", "-t", "redis://h:2", "--mode", "live"];
    for (more, why) in [
        (&["--verify"][..], "compared when nobody writes"),
        (&["--dry-run"], "cannot be rehearsed"),
        (&["--type", "string"], "cannot choose keys by type"),
        (&["--on-conflict", "skip"], "--on-conflict fail or replace"),
        (&["--strategy", "scan"], "leave --strategy out"),
        (&["--detach"], "--detach has no effect with a Memcached"),
        (&["--no-undo"], "--no-undo has no effect"),
    ] {
        run(&[&ends[..], more].concat()).exits(1).explains(&[why]);
    }
}
