//! What goes wrong ends with the right code, names where and why, and leaves nothing half-written.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::common::{
    assert_empty, between, listing, ok, run, runtime, start, start_with_everything,
};
use ferrite_migrate::{
    CheckStatus, Config, ErrorKind, ExitCode, MigrateError, Migration, OnConflict, Strategy,
};
use ferrite_testkit::{Dataset, Direction, Peer, Proxy, Server, TlsFiles};

/// Enough that a run is still going on when something happens to it.
const KEYS: u64 = 20_000;

fn source_with_keys() -> Peer {
    let source = start(Server::Redis70);
    Dataset::mixed(KEYS).load(&mut source.client()).expect("a data set");
    source
}

/// The names and details of the checks that block, and their fixes.
fn blockers(error: &MigrateError) -> String {
    assert_eq!((error.kind, error.exit_code()), (ErrorKind::Blocked, ExitCode::Blocked), "{error}");
    let report = error.preflight.as_ref().expect("a blocked run has a preflight");
    let blocking = report.checks.iter().filter(|check| check.status == CheckStatus::Block);
    let line = |check: &ferrite_migrate::Check| {
        format!("{}: {} ({})\n", check.name, check.detail, check.fix.clone().expect("a fix"))
    };
    blocking.map(line).collect()
}

fn failed(error: &MigrateError, kind: ErrorKind) {
    assert_eq!((error.kind, error.exit_code()), (kind, ExitCode::Failed), "{error}");
    assert!(error.hint.is_some(), "{error} has no hint");
}

/// Every key of the target is on the source, whole.
fn assert_part_of(target: &Peer, source: &Peer) {
    let (theirs, ours) = (listing(target), listing(source));
    for (&db, keys) in &theirs.databases {
        for (key, entry) in keys {
            assert_eq!(ours.get(db, key), Some(entry), "{}", key.escape_ascii());
        }
    }
}

#[test]
fn a_wrong_password_is_said_without_showing_it() {
    let source = Peer::builder(Server::Redis70).password("right").start().expect("a server");
    let target = start(Server::Redis70);
    let url = format!("redis://:wrong-secret@127.0.0.1:{}", source.port());
    let error = run(Config::builder().source(url).target(target.url())).expect_err("wrong");
    let blockers = blockers(&error);
    assert!(blockers.contains("source reachable") && blockers.contains("password"), "{blockers}");
    assert!(blockers.contains(&source.port().to_string()), "{blockers}");
    assert!(!blockers.contains("wrong-secret"), "{blockers}");
    let bare = format!("redis://127.0.0.1:{}", source.port());
    let error = run(Config::builder().source(target.url()).target(bare)).expect_err("none");
    assert!(error.to_string().contains("target reachable"), "{error}");
}

#[test]
fn an_unreachable_host_is_named() {
    let target = start(Server::Redis70);
    let mut gone = start(Server::Redis70);
    gone.kill();
    let error = run(between(&gone, &target)).expect_err("nobody listens");
    let blockers = blockers(&error);
    assert!(blockers.contains(&gone.port().to_string()), "{blockers}");
    let config = Config::builder().source("redis://no.such.host.invalid").target(target.url());
    assert!(run(config).expect_err("no such host").to_string().contains("no.such.host.invalid"));
}

#[test]
fn tls_to_a_plain_port_is_explained() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let url = format!("rediss://127.0.0.1:{}", source.port());
    let error = run(Config::builder().source(url).target(target.url())).expect_err("no TLS there");
    let blockers = blockers(&error);
    assert!(blockers.to_lowercase().contains("tls"), "{blockers}");
}

#[test]
fn tls_carries_a_copy() {
    let dir = std::env::temp_dir().join(format!("ferrite-migrate-tls-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let files = TlsFiles::generate(&dir).expect("certificates");
    let source = Peer::builder(Server::Redis70).tls(&files).start().expect("a server");
    let target = start(Server::Redis70);
    Dataset::everything().load(&mut source.client()).expect("a data set");
    let tls = ferrite_migrate::TlsOptions {
        ca: Some(files.ca.clone()),
        cert: Some(files.client_cert.clone()),
        key: Some(files.client_key.clone()),
        ..Default::default()
    };
    for strategy in [Strategy::Psync, Strategy::Scan] {
        let config = between(&source, &target).source_tls(tls.clone()).strategy(strategy);
        let report = run(config.on_conflict(OnConflict::Replace).verify(true));
        assert_eq!(report.expect("a copy").exit_code(), ExitCode::Done);
    }
    std::fs::remove_dir_all(&dir).expect("to clean up");
}

#[test]
fn a_user_without_a_needed_command_is_told_which() {
    let (source, target) = (source_with_keys(), start(Server::Redis70));
    ok(&mut source.client(), &["ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@all", "-dump"]);
    ok(
        &mut target.client(),
        &["ACL", "SETUSER", "writer", "on", ">pw", "~*", "+@all", "-restore", "-rpush"],
    );
    let config = Config::builder()
        .source(source.url_with("reader", "pw"))
        .target(target.url())
        .strategy(Strategy::Scan);
    let blocking = blockers(&run(config).expect_err("DUMP is denied"));
    assert!(blocking.contains("DUMP") && blocking.contains("+dump"), "{blocking}");
    let config = Config::builder().source(source.url()).target(target.url_with("writer", "pw"));
    let blocking = blockers(&run(config).expect_err("RESTORE and RPUSH are denied"));
    assert!(blocking.contains("RESTORE") && blocking.contains("RPUSH"), "{blocking}");
    ok(&mut source.client(), &["ACL", "SETUSER", "blind", "on", ">pw", "~*", "+@all", "-info"]);
    let config = Config::builder().source(source.url_with("blind", "pw")).target(target.url());
    assert!(blockers(&run(config).expect_err("INFO is denied")).contains("+info"));
    let config = Config::builder().source(source.url_with("reader", "pw")).target(target.url());
    let blocking = blockers(&run(config.verify(true)).expect_err("it cannot be verified"));
    assert!(blocking.contains("DUMP"), "{blocking}");
    assert_empty(&target);
    let config = Config::builder().source(source.url_with("reader", "pw")).target(target.url());
    let config = config.include_pattern("user:*");
    assert_eq!(run(config).expect("replication needs no DUMP").strategy, "psync");
}

#[test]
fn a_target_that_takes_no_writes_is_said_before_the_copy() {
    let (source, target) = (source_with_keys(), start(Server::Redis70));
    let port = source.port().to_string();
    ok(&mut target.client(), &["REPLICAOF", "127.0.0.1", &port]);
    let blocking = blockers(&run(between(&source, &target)).expect_err("a replica"));
    assert!(blocking.contains("replica") && blocking.contains("REPLICAOF NO ONE"), "{blocking}");
}

#[test]
fn a_target_that_cannot_save_is_said_before_the_copy() {
    let source = source_with_keys();
    let target = Peer::builder(Server::Redis70).arg("--enable-protected-configs", "yes").start();
    let target = target.expect("a server");
    let mut client = target.client();
    // A directory where the snapshot should go: saving fails as on a full disk.
    std::fs::create_dir(target.dir().join("taken.rdb")).expect("a directory");
    ok(&mut client, &["CONFIG", "SET", "dbfilename", "taken.rdb"]);
    ok(&mut client, &["CONFIG", "SET", "save", "1 1"]);
    ok(&mut client, &["SET", "k", "v"]);
    while client.call(&["SET", "k", "v"]).to_string().contains("OK") {
        thread::yield_now();
    }
    let error = run(between(&source, &target).on_conflict(OnConflict::Replace));
    let blocking = blockers(&error.expect_err("it refuses writes"));
    assert!(blocking.contains("MISCONF") && blocking.contains("disk"), "{blocking}");
}

#[test]
fn a_target_that_fills_up_midway_ends_the_run() {
    let source = source_with_keys();
    for strategy in [Strategy::Psync, Strategy::Scan] {
        let target = Peer::builder(Server::Redis70).arg("--maxmemory", "4mb").start();
        let target = target.expect("a server");
        let error = run(between(&source, &target).strategy(strategy)).expect_err("too small");
        failed(&error, ErrorKind::Target);
        assert!(error.to_string().contains("OOM"), "{error}");
        assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("maxmemory")), "{error:?}");
        assert!(error.keys_copied > 0 && error.keys_copied < KEYS);
        assert_part_of(&target, &source);
    }
}

#[test]
fn a_link_cut_midway_ends_the_run() {
    let source = source_with_keys();
    for strategy in [Strategy::Psync, Strategy::Scan] {
        for (cut_source, kind) in [(true, ErrorKind::Source), (false, ErrorKind::Target)] {
            let target = start(Server::Redis70);
            let cut = if cut_source { source.addr() } else { target.addr() };
            let proxy = Proxy::start(cut).expect("a proxy");
            let direction = if cut_source { Direction::ToClient } else { Direction::ToServer };
            proxy.cut_after(direction, 1_000_000);
            let config = match cut_source {
                true => Config::builder().source(proxy.url()).target(target.url()),
                false => Config::builder().source(source.url()).target(proxy.url()),
            };
            let error = run(config.strategy(strategy)).expect_err("the link was cut");
            failed(&error, kind);
            assert!(error.to_string().contains(&proxy.port().to_string()), "{error}");
            assert!(error.keys_copied < KEYS);
            assert_part_of(&target, &source);
        }
    }
}

#[test]
fn a_server_killed_midway_ends_the_run() {
    for kill_source in [true, false] {
        let (mut source, mut target) = (source_with_keys(), start(Server::Redis70));
        let slow = Proxy::start(target.addr()).expect("a proxy");
        slow.throttle(Some(2_000_000));
        let config = Config::builder().source(source.url()).target(slow.url());
        let error = thread::scope(|scope| {
            let running = scope.spawn(|| run(config.strategy(Strategy::Scan)));
            while slow.moved(Direction::ToServer) < 300_000 {
                thread::yield_now();
            }
            if kill_source {
                source.kill()
            } else {
                target.kill()
            }
            running.join().expect("no panic")
        });
        let kind = if kill_source { ErrorKind::Source } else { ErrorKind::Target };
        failed(&error.expect_err("it was killed"), kind);
    }
}

#[test]
fn a_failed_run_can_be_run_again() {
    let (source, target) = (source_with_keys(), start(Server::Redis70));
    let proxy = Proxy::start(target.addr()).expect("a proxy");
    proxy.cut_after(Direction::ToServer, 1_000_000);
    let first = Config::builder().source(source.url()).target(proxy.url());
    run(first).expect_err("the link was cut");
    let again = between(&source, &target).on_conflict(OnConflict::Replace).verify(true);
    assert_eq!(run(again).expect("a copy").exit_code(), ExitCode::Done);
    crate::common::assert_same(&source, &target);
}

#[test]
fn keys_that_go_while_they_are_read_are_no_failure() {
    let source = source_with_keys();
    let target = start(Server::Redis70);
    let before = listing(&source);
    let done = AtomicBool::new(false);
    let report = thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = source.client();
            while !done.load(Ordering::Relaxed) {
                let key = client.ok(&["RANDOMKEY"]);
                let Some(key) = key.bytes() else { break };
                client.call(&[&b"DEL"[..], key]);
                let key = client.ok(&["RANDOMKEY"]);
                let Some(key) = key.bytes() else { break };
                client.call(&[&b"PEXPIRE"[..], key, b"1"]);
            }
        });
        let report = run(between(&source, &target).strategy(Strategy::Scan).batch_size(50));
        done.store(true, Ordering::Relaxed);
        report.unwrap_or_else(|error| panic!("{error}"))
    });
    assert_eq!(report.exit_code(), ExitCode::Done);
    assert!(report.keys.vanished + report.keys.copied <= KEYS);
    let after = listing(&target);
    for (&db, keys) in &after.databases {
        for (key, entry) in keys {
            let original = before.get(db, key).expect("it came from the source");
            assert_eq!(original.value, entry.value);
        }
    }
}

#[test]
fn two_runs_at_once_do_not_mix() {
    let (source, target) = (source_with_keys(), start(Server::Redis70));
    let slow = Proxy::start(source.addr()).expect("a proxy");
    slow.throttle(Some(1_000_000));
    let first = Config::builder().source(slow.url()).target(target.url()).strategy(Strategy::Scan);
    let (first, second) = thread::scope(|scope| {
        let running = scope.spawn(|| run(first.verify(true)));
        while ok(&mut target.client(), &["DBSIZE"]).int() == Some(0) {
            thread::yield_now();
        }
        let second = run(between(&source, &target).on_conflict(OnConflict::Replace));
        slow.throttle(None);
        (running.join().expect("no panic"), second)
    });
    assert_eq!(first.expect("the first goes on").exit_code(), ExitCode::Done);
    let blocking = blockers(&second.expect_err("the second gives way"));
    assert!(blocking.contains("mig_") && blocking.contains("using this target"), "{blocking}");
}

#[test]
fn stopping_keeps_what_has_arrived() {
    let (source, target) = (source_with_keys(), start(Server::Redis70));
    for strategy in [Strategy::Psync, Strategy::Scan] {
        let slow = Proxy::start(source.addr()).expect("a proxy");
        slow.throttle(Some(3_000_000));
        let config = Config::builder().source(slow.url()).target(target.url());
        let config = config.strategy(strategy).on_conflict(OnConflict::Replace);
        let report = runtime().block_on(async {
            let config = config.build().expect("a usable configuration");
            let mut migration = Migration::new(config).await.expect("a migration");
            let stopper = migration.stopper();
            migration.start().await.expect("a start");
            while migration.status().keys_done < 1000 {
                tokio::task::yield_now().await;
            }
            stopper.stop();
            migration.wait().await.expect("an orderly end")
        });
        assert!(report.interrupted);
        assert_eq!(report.exit_code(), ExitCode::Interrupted);
        assert!(report.keys.copied >= 1000 && report.keys.copied < KEYS);
        assert_eq!(listing(&target).len() as u64, report.keys.copied);
        assert_part_of(&target, &source);
        ok(&mut target.client(), &["FLUSHALL"]);
    }
}

#[test]
fn the_same_server_cannot_be_both_ends() {
    let source = start_with_everything(Server::Redis70);
    let blocking = blockers(&run(between(&source, &source)).expect_err("one server"));
    assert!(blocking.contains("same server"), "{blocking}");
}

/// The source behind a proxy that inverts one byte on its way to us.
fn copy_damaged(source: &Peer, strategy: Strategy, after: u64) -> (Peer, MigrateError) {
    let target = start(Server::Redis70);
    let proxy = Proxy::start(source.addr()).expect("a proxy");
    proxy.damage_after(Direction::ToClient, after);
    let config = Config::builder().source(proxy.url()).target(target.url()).strategy(strategy);
    (target, run(config).expect_err("a byte was inverted"))
}

#[test]
fn a_damaged_rdb_is_noticed_at_the_latest_at_its_end() {
    let source = source_with_keys();
    for after in [300_000, 700_001, 1_100_003] {
        let (_, error) = copy_damaged(&source, Strategy::Psync, after);
        assert_eq!(error.exit_code(), ExitCode::Failed, "{error}");
        assert!(matches!(error.kind, ErrorKind::Data | ErrorKind::Target), "{error:?}");
        assert!(error.to_string().contains("at byte") || error.to_string().contains("key \""));
    }
}

#[test]
fn a_damaged_value_names_its_key() {
    let source = start(Server::Redis70);
    let mut client = source.client();
    let value = "x".repeat(100_000);
    ok(&mut client, &["CONFIG", "SET", "rdbcompression", "no"]);
    for number in 0..20 {
        ok(&mut client, &["SET", &format!("value:{number}"), &value]);
    }
    let (target, error) = copy_damaged(&source, Strategy::Scan, 1_000_000);
    failed(&error, ErrorKind::Target);
    assert!(error.to_string().contains("value:"), "{error}");
    assert_part_of(&target, &source);
}
