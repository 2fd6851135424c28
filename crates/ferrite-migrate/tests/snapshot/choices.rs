//! What the operator chooses: which keys, which databases, what happens to keys that are there.

use crate::common::{
    assert_empty, assert_same, between, listing, ok, run, start, start_with_everything,
};
use ferrite_migrate::{
    CheckStatus, Config, ErrorKind, ExitCode, KeyType, MigrateError, Migration, OnConflict,
    Strategy,
};
use ferrite_testkit::{Peer, Server};

/// A few keys of two types in two databases.
fn small_source() -> Peer {
    let peer = start(Server::Redis70);
    let mut client = peer.client();
    ok(&mut client, &["MSET", "user:1", "a", "user:2", "b", "temp:1", "c", "temp:user:1", "d"]);
    ok(&mut client, &["RPUSH", "user:list", "x", "y"]);
    ok(&mut client, &["SELECT", "3"]);
    ok(&mut client, &["SET", "user:1", "third database"]);
    peer
}

fn blocked(error: &MigrateError) -> String {
    assert_eq!(error.kind, ErrorKind::Blocked, "{error}");
    assert_eq!(error.exit_code(), ExitCode::Blocked);
    let report = error.preflight.as_ref().expect("a blocked run has a preflight");
    let blockers = report.checks.iter().filter(|check| check.status == CheckStatus::Block);
    assert!(blockers.clone().all(|check| check.fix.is_some()), "each blocker says what to do");
    blockers.map(|check| format!("{}: {}\n", check.name, check.detail)).collect()
}

#[test]
fn patterns_and_types_choose_keys() {
    let source = small_source();
    for strategy in [Strategy::Psync, Strategy::Scan] {
        let target = start(Server::Redis70);
        let config = between(&source, &target)
            .strategy(strategy)
            .include_pattern("user:*")
            .exclude_pattern("*:2")
            .key_type(KeyType::String)
            .verify(true);
        let report = run(config).expect("a copy");
        assert_eq!(report.exit_code(), ExitCode::Done);
        assert_eq!(report.keys.copied, 2, "user:1 in databases 0 and 3");
        let copied = listing(&target);
        assert_eq!(copied.len(), 2);
        assert!(copied.get(0, b"user:1").is_some() && copied.get(3, b"user:1").is_some());
        assert_eq!(report.verification.expect("it was asked for").compared, 2);
    }
}

#[test]
fn a_pattern_makes_auto_read_key_by_key() {
    let (source, target) = (small_source(), start(Server::Redis70));
    let report = run(between(&source, &target).include_pattern("user:*")).expect("a copy");
    assert_eq!(report.strategy, "scan");
    assert!(report.strategy_reason.contains("only the keys that are wanted"));
    let target = start(Server::Redis70);
    let report = run(between(&source, &target)).expect("a copy");
    assert_eq!(report.strategy, "psync");
}

#[test]
fn auto_reads_key_by_key_where_replication_is_refused() {
    let source = Peer::builder(Server::Redis70).arg("--rename-command", "PSYNC ''");
    let source = source.start().expect("a server");
    ok(&mut source.client(), &["SET", "k", "v"]);
    let target = start(Server::Redis70);
    let report = run(between(&source, &target)).expect("a copy");
    assert_eq!((report.strategy, report.keys.copied), ("scan", 1));
    assert!(report.strategy_reason.contains("PSYNC"), "{}", report.strategy_reason);
    let error = run(between(&source, &target).strategy(Strategy::Psync)).expect_err("no PSYNC");
    assert!(error.to_string().contains("PSYNC") || error.to_string().contains("already"));
}

#[test]
fn one_database_can_go_to_another() {
    let (source, target) = (small_source(), start(Server::Redis70));
    for strategy in [Strategy::Psync, Strategy::Scan] {
        let config = Config::builder()
            .source(format!("{}/3", source.url()))
            .target(format!("{}/5", target.url()))
            .strategy(strategy)
            .on_conflict(OnConflict::Replace)
            .verify(true);
        let report = run(config).expect("a copy");
        assert_eq!((report.keys.copied, report.exit_code()), (1, ExitCode::Done));
        assert_eq!(ok(&mut target.client(), &["SELECT", "5"]).text(), "OK");
        assert_eq!(listing(&target).len(), 1);
        assert!(listing(&target).get(5, b"user:1").is_some());
    }
}

#[test]
fn a_database_the_target_lacks_is_named_before_anything_is_written() {
    let source = small_source();
    let target = Peer::builder(Server::Redis70).arg("--databases", "2").start().expect("a server");
    let error = run(between(&source, &target)).expect_err("no database 3 there");
    assert!(blocked(&error).contains("no database 3"), "{error}");
    assert_empty(&target);
}

#[test]
fn a_key_that_is_there_blocks_the_run_by_default() {
    let source = small_source();
    for strategy in [Strategy::Psync, Strategy::Scan] {
        let target = start(Server::Redis70);
        ok(&mut target.client(), &["MSET", "user:2", "theirs", "other", "theirs"]);
        let before = listing(&target);
        let error = run(between(&source, &target).strategy(strategy)).expect_err("a conflict");
        let blockers = blocked(&error);
        assert!(blockers.contains("1 keys") && blockers.contains("\"user:2\""), "{blockers}");
        assert_eq!(before.diff(&listing(&target)), Vec::<String>::new());
    }
}

#[test]
fn a_target_with_other_keys_is_no_conflict() {
    let (source, target) = (small_source(), start(Server::Redis70));
    ok(&mut target.client(), &["SET", "other", "theirs"]);
    let report = run(between(&source, &target)).expect("a copy");
    assert_eq!((report.keys.copied, report.exit_code()), (6, ExitCode::Done));
    assert!(listing(&target).get(0, b"other").is_some());
}

#[test]
fn skip_leaves_what_is_there_and_names_it() {
    let source = start_with_everything(Server::Redis70);
    for strategy in [Strategy::Psync, Strategy::Scan] {
        let target = start(Server::Redis70);
        let mut client = target.client();
        let (ours, mut there) = (listing(&source), 0);
        for (&db, keys) in &ours.databases {
            ok(&mut client, &["SELECT", &db.to_string()]);
            for key in keys.keys().step_by(3) {
                client.ok(&[&b"SET"[..], key, b"theirs"]);
                there += 1;
            }
        }
        let config = between(&source, &target).strategy(strategy).on_conflict(OnConflict::Skip);
        let report = run(config).expect("a copy");
        assert_eq!(report.exit_code(), ExitCode::Skipped);
        assert_eq!((report.keys.skipped, report.keys.copied), (there, ours.len() as u64 - there));
        assert!(report.skipped[0].reason.contains("already on the target"));
        for (db, key) in &report.skipped[0].examples {
            let left = listing(&target);
            let value = format!("{:?}", left.get(*db, &key.0).expect("it was there").value);
            assert!(value.contains("theirs"), "{value}");
        }
    }
}

#[test]
fn replace_overwrites_whatever_is_there() {
    let source = start_with_everything(Server::Redis70);
    let target = start(Server::Redis70);
    let mut client = target.client();
    for (&db, keys) in &listing(&source).databases {
        ok(&mut client, &["SELECT", &db.to_string()]);
        for key in keys.keys() {
            client.ok(&[&b"SET"[..], key, b"theirs", b"EX", b"1000"]);
        }
    }
    for strategy in [Strategy::Psync, Strategy::Scan] {
        let config = between(&source, &target).strategy(strategy).on_conflict(OnConflict::Replace);
        let report = run(config.verify(true)).expect("a copy");
        assert_eq!(report.exit_code(), ExitCode::Done);
        assert_same(&source, &target);
    }
}

#[test]
fn a_rehearsal_counts_and_writes_nothing() {
    let source = start_with_everything(Server::Redis80);
    for strategy in [Strategy::Psync, Strategy::Scan] {
        let target = start(Server::Redis70);
        let report = run(between(&source, &target).strategy(strategy).dry_run(true));
        let report = report.expect("a rehearsal");
        assert!(report.dry_run && report.keys.copied > 100);
        assert!(report.skipped.iter().any(|skip| skip.reason.contains("fields of the hash")));
        assert_empty(&target);
    }
}

/// `SCAN` may list a key twice, so what is there with the same value and expiry is no conflict.
#[test]
fn what_is_there_already_and_the_same_is_not_skipped() {
    let (source, target) = (small_source(), start(Server::Redis70));
    let mut there = target.client();
    ok(&mut there, &["MSET", "user:1", "a", "user:2", "other value"]);
    ok(&mut there, &["SET", "temp:1", "c", "EX", "1000"]);
    ok(&mut there, &["RPUSH", "user:list", "x", "y"]);
    let config = between(&source, &target).on_conflict(OnConflict::Skip);
    let report = run(config.strategy(Strategy::Scan)).expect("a copy");
    assert_eq!((report.keys.identical, report.keys.skipped, report.keys.copied), (2, 2, 2));
}

#[test]
fn a_rehearsal_knows_what_would_be_skipped() {
    let (source, target) = (small_source(), start(Server::Redis70));
    ok(&mut target.client(), &["MSET", "user:2", "theirs", "user:list", "theirs"]);
    let config = between(&source, &target).on_conflict(OnConflict::Skip).dry_run(true);
    let report = run(config).expect("a rehearsal");
    assert_eq!((report.keys.copied, report.keys.skipped), (4, 2));
}

#[test]
fn stopping_while_the_source_prepares_ends_at_once() {
    let (source, target) = (small_source(), start(Server::Redis70));
    ok(&mut source.client(), &["CONFIG", "SET", "repl-diskless-sync-delay", "3600"]);
    let report = crate::common::runtime().block_on(async {
        let config = between(&source, &target).build().expect("a usable configuration");
        let mut migration = Migration::new(config).await.expect("a migration");
        migration.start().await.expect("a start");
        migration.stopper().stop();
        migration.wait().await.expect("an orderly end")
    });
    assert_eq!((report.exit_code(), report.keys.copied), (ExitCode::Interrupted, 0));
}

#[test]
fn access_data_travels_with_the_keys() {
    let source = Peer::builder(Server::Redis70)
        .arg("--maxmemory-policy", "allkeys-lfu")
        .arg("--maxmemory", "1gb")
        .start()
        .expect("a server");
    let mut client = source.client();
    ok(&mut client, &["SET", "k", "v"]);
    for _ in 0..500 {
        ok(&mut client, &["GET", "k"]);
    }
    let frequency = ok(&mut client, &["OBJECT", "FREQ", "k"]).int().expect("a number");
    let target = start(Server::Redis70);
    let mut there = target.client();
    ok(&mut there, &["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"]);
    run(between(&source, &target).strategy(Strategy::Psync)).expect("a copy");
    assert!(frequency > 5, "the source counted {frequency}");
    assert_eq!(ok(&mut there, &["OBJECT", "FREQ", "k"]).int(), Some(frequency));
}
