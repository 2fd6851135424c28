//! A comparison finds what differs, all of it and nothing else.

use crate::common::{between, listing, ok, run, runtime, start, start_with_everything};
use ferrite_migrate::{Coverage, DifferenceKind, ExitCode, Migration, VerificationReport};
use ferrite_testkit::{Dataset, Peer, Reply, Server, wait_until};

fn verify(source: &Peer, target: &Peer, coverage: Coverage) -> VerificationReport {
    runtime().block_on(async {
        let config = between(source, target).build().expect("a usable configuration");
        let migration = Migration::new(config).await.expect("a migration");
        migration.verify_coverage(coverage).await.unwrap_or_else(|error| panic!("{error}"))
    })
}

fn copied(from: Server, to: Server) -> (Peer, Peer) {
    let (source, target) = (start_with_everything(from), start(to));
    run(between(&source, &target)).expect("a copy");
    (source, target)
}

#[test]
fn every_kind_of_difference_is_found_and_named() {
    let (source, target) = copied(Server::Redis70, Server::Redis70);
    let total = listing(&source).len() as u64;
    let mut client = target.client();
    ok(&mut source.client(), &["SET", "only:source", "v"]);
    ok(&mut client, &["SET", "only:target", "v"]);
    for (key, value) in [("differs:value", "a"), ("differs:type", "a"), ("differs:expiry", "a")] {
        ok(&mut source.client(), &["SET", key, value]);
        ok(&mut client, &["SET", key, value]);
    }
    ok(&mut client, &["SET", "differs:value", "b"]);
    ok(&mut client, &["DEL", "differs:type"]);
    ok(&mut client, &["RPUSH", "differs:type", "a"]);
    ok(&mut client, &["EXPIRE", "differs:expiry", "1000"]);

    let report = verify(&source, &target, Coverage::Full);
    assert!(!report.success);
    assert_eq!(report.exit_code(), ExitCode::Mismatch);
    assert_eq!((report.compared, report.matching), (total + 4, total));
    assert_eq!((report.mismatched, report.missing_source, report.missing_target), (3, 1, 1));
    let found = |key: &str| {
        let of_key = report.differences.iter().find(|found| found.key.to_string() == key);
        of_key.unwrap_or_else(|| panic!("{key} in {:?}", report.differences)).kind
    };
    assert_eq!(found("only:source"), DifferenceKind::MissingTarget);
    assert_eq!(found("only:target"), DifferenceKind::MissingSource);
    assert_eq!(found("differs:value"), DifferenceKind::Value);
    assert_eq!(found("differs:type"), DifferenceKind::Type);
    assert_eq!(found("differs:expiry"), DifferenceKind::Expiry);
}

#[test]
fn one_changed_element_of_any_type_is_found() {
    let (source, target) = copied(Server::Redis80, Server::Valkey91);
    assert!(verify(&source, &target, Coverage::Full).success);
    let mut client = target.client();
    let mut changed = 0;
    for (&db, keys) in &listing(&target).databases {
        ok(&mut client, &["SELECT", &db.to_string()]);
        for key in keys.keys() {
            let kind = client.ok(&[&b"TYPE"[..], key]).text();
            let change: &[&[u8]] = match kind.as_str() {
                "string" => &[b"APPEND", key, b"x"],
                "list" => &[b"LSET", key, b"-1", b"changed"],
                "set" => &[b"SADD", key, b"one more"],
                "zset" => &[b"ZINCRBY", key, b"0.5", b"one more"],
                "hash" => &[b"HSET", key, b"one more", b"x"],
                _ => &[b"XGROUP", b"CREATE", key, b"one more", b"0"],
            };
            client.ok(change);
            changed += 1;
        }
    }
    let report = verify(&source, &target, Coverage::Full);
    assert_eq!((report.mismatched, report.matching), (changed, 0));
}

#[test]
fn a_sample_compares_as_many_as_it_says() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    Dataset::mixed(3000).load(&mut source.client()).expect("a data set");
    run(between(&source, &target)).expect("a copy");
    let total = listing(&source).len() as u64;
    let report = verify(&source, &target, Coverage::Sample(250));
    assert_eq!((report.compared, report.sampled_from), (250, Some(total)));
    assert!(report.success);
    let report = verify(&source, &target, Coverage::Rate(0.5));
    assert!((total / 3..total * 2 / 3).contains(&report.compared), "{}", report.compared);
    ok(&mut target.client(), &["FLUSHALL"]);
    let report = verify(&source, &target, Coverage::Sample(100));
    assert_eq!(report.missing_target, 100);
}

#[test]
fn what_cannot_go_is_not_called_missing() {
    let (source, target) = copied(Server::Redis80, Server::Redis70);
    let report = verify(&source, &target, Coverage::Full);
    assert!(report.success, "{:?}", report.differences);
    assert!(report.not_comparable > 0);
    assert_eq!(report.exit_code(), ExitCode::Skipped);
}

/// A source whose writes are held back keeps such a hash, and its target does not.
#[test]
fn a_hash_whose_fields_have_all_expired_is_not_there() {
    let (source, target) = (start(Server::Redis80), start(Server::Redis80));
    let mut writer = source.client();
    ok(&mut writer, &["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
    ok(&mut writer, &["HSET", "over", "gone", "1"]);
    ok(&mut writer, &["HSET", "other", "gone", "1", "kept", "2"]);
    for key in ["over", "other"] {
        ok(&mut writer, &["HPEXPIRE", key, "1", "FIELDS", "1", "gone"]);
        wait_until("the field is expired", || {
            let left = ok(&mut writer, &["HPTTL", key, "FIELDS", "1", "gone"]);
            left.items().first().and_then(Reply::int) == Some(-2)
        });
    }
    let report = verify(&source, &target, Coverage::Full);
    assert_eq!(ok(&mut writer, &["EXISTS", "over"]).int(), Some(1));
    let differing: Vec<String> =
        report.differences.iter().map(|found| found.key.to_string()).collect();
    assert_eq!((report.missing_target, differing), (1, vec![String::from("other")]));
    ok(&mut target.client(), &["HSET", "other", "kept", "2"]);
    assert!(verify(&source, &target, Coverage::Full).success);
}
