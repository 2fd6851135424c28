//! Sources that send their keys themselves, by MIGRATE.

use std::thread;
use std::time::Duration;

use crate::common::{assert_same, between, listing, ok, run, start, start_with_everything};
use ferrite_migrate::{Config, ConfigBuilder, ExitCode, KeyType, OnConflict, Report, Strategy};
use ferrite_testkit::{Dataset, Direction, Peer, Proxy, Server, wait_until};

/// A configuration that has the source send its keys.
fn migrate(source: &Peer, target: &Peer) -> ConfigBuilder {
    between(source, target).strategy(Strategy::Migrate)
}

/// A copy that must succeed.
fn copied(config: ConfigBuilder) -> Report {
    let report = run(config).unwrap_or_else(|error| panic!("{error} {:?}", error.hint));
    let ended = (report.strategy, report.exit_code());
    assert_eq!(ended, ("migrate", ExitCode::Done), "{:?}", report.keys);
    report
}

/// A user who may do everything but these.
fn user(peer: &Peer, name: &str, but: &[&str]) {
    let rules = ["on", ">pass-word-1", "~*", "&*", "+@all"];
    ok(&mut peer.client(), &[&["ACL", "SETUSER", name], &rules[..], but].concat());
}

#[test]
fn every_type_arrives_between_versions_and_families() {
    for (from, to) in [
        (Server::Redis62, Server::Redis70),
        (Server::Redis70, Server::Valkey91),
        (Server::Redis80, Server::Redis80),
        (Server::Valkey81, Server::Valkey91),
    ] {
        let (source, target) = (start_with_everything(from), start(to));
        let report = copied(migrate(&source, &target).verify(true));
        assert_same(&source, &target);
        let keys = listing(&source).len() as u64;
        assert_eq!(report.keys.copied, keys, "{from:?}: {:?}", report.keys);
        assert_eq!(report.types.iter().map(|of| of.keys).sum::<u64>(), keys);
        assert_eq!(report.functions > 0, from.has_functions());
    }
}

#[test]
fn expiries_are_exact_however_long_the_way_is() {
    for from in [Server::Redis62, Server::Redis70] {
        let target = Peer::builder(Server::Redis70).password("long-secret-1").start().unwrap();
        let (source, way) = (start(from), Proxy::start(target.addr()).unwrap());
        let mut client = source.client();
        for n in 0..50 {
            let at = (4_000_000_000_000_u64 + n).to_string();
            ok(&mut client, &["SET", &format!("key:{n}"), "value"]);
            ok(&mut client, &["PEXPIREAT", &format!("key:{n}"), &at]);
        }
        ok(&mut client, &["SET", "stays", "1"]);
        way.delay(Duration::from_millis(400));
        let config = migrate(&source, &target).migrate_target(way.addr().to_string());
        let report = copied(config);
        assert_eq!(report.keys.copied, 51);
        assert!(way.accepted() > 0, "the source goes this way");
        let (ours, theirs) = (listing(&source), listing(&target));
        // A source that tells only what is left is read to within some milliseconds.
        let differences = ours.diff(&theirs);
        assert!(differences.is_empty(), "{from:?}: {differences:?}");
        let text = serde_json::to_string(&report).unwrap();
        assert!(!text.contains("long-secret-1"));
    }
}

#[test]
fn users_log_in_and_their_passwords_are_not_told() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    Dataset::mixed(300).load(&mut source.client()).unwrap();
    user(&target, "writer", &[]);
    let config = |password: &str| {
        let url = target.url_with("writer", password);
        Config::builder().source(source.url()).target(url).strategy(Strategy::Migrate)
    };
    assert_eq!(copied(config("pass-word-1")).keys.copied, listing(&source).len() as u64);
    assert_same(&source, &target);
    // Nor where the source is the one that is not let in.
    let locked = Peer::builder(Server::Redis70).password("secret-9").start().unwrap();
    let config = migrate(&source, &target).migrate_target(locked.addr().to_string());
    let error = run(config.on_conflict(OnConflict::Replace)).unwrap_err();
    assert!(error.to_string().contains("NOAUTH"), "{error}");
    let monitored = ok(&mut source.client(), &["SLOWLOG", "GET", "128"]).to_string();
    assert!(!monitored.contains("pass-word-1"));
}

#[test]
fn the_rights_that_the_documents_list_are_enough() {
    let (source, target) = (start_with_everything(Server::Redis70), start(Server::Redis70));
    let rights = |heading: &str, until: &str| {
        let text = include_str!("../../../../docs/migrate.md").replace('\n', " ");
        let rest = text.split_once(heading).unwrap().1.split_once(until).unwrap().0.to_owned();
        rest.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let allow = |peer: &Peer, rights: &[String]| {
        let rights = rights.iter().map(|right| right.trim_matches('`'));
        let rules = ["ACL", "SETUSER", "mover", "on", ">pass", "-@all", "+function|list"];
        ok(&mut peer.client(), &rules.into_iter().chain(rights).collect::<Vec<_>>());
    };
    allow(&source, &rights("on the source `", "`"));
    allow(&target, &rights("on the target `", "`"));
    ok(&mut target.client(), &["ACL", "SETUSER", "mover", "+function|load"]);
    let config = Config::builder().source(source.url_with("mover", "pass"));
    let config = config.target(target.url_with("mover", "pass")).strategy(Strategy::Migrate);
    assert_eq!(copied(config).keys.copied, listing(&source).len() as u64);
    assert_same(&source, &target);
}

#[test]
fn keys_that_are_there_are_treated_as_the_policy_says() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let mut client = source.client();
    for n in 0..20 {
        ok(&mut client, &["SET", &format!("key:{n}"), "ours"]);
    }
    let theirs = ["MSET", "key:3", "theirs", "key:7", "theirs", "stranger", "theirs"];
    ok(&mut target.client(), &theirs);
    ok(&mut target.client(), &["SET", "key:9", "ours"]);
    let error = run(migrate(&source, &target)).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Blocked, "{error}");
    let report = run(migrate(&source, &target).on_conflict(OnConflict::Skip)).unwrap();
    assert_eq!((report.keys.copied, report.keys.skipped, report.keys.identical), (17, 2, 1));
    assert_eq!(report.exit_code(), ExitCode::Skipped);
    assert_eq!(ok(&mut target.client(), &["GET", "key:3"]).text(), "theirs");
    let report = copied(migrate(&source, &target).on_conflict(OnConflict::Replace));
    assert_eq!(report.keys.copied, 20);
    ok(&mut target.client(), &["DEL", "stranger"]);
    assert_same(&source, &target);
}

#[test]
fn names_types_and_databases_choose_keys() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let mut client = source.client();
    ok(&mut client, &["MSET", "user:1", "a", "user:2", "b", "other", "c"]);
    ok(&mut client, &["RPUSH", "user:list", "x"]);
    ok(&mut client, &["SADD", "user:set", "x"]);
    ok(&mut client, &["SELECT", "3"]);
    ok(&mut client, &["SET", "user:1", "third"]);
    let config = migrate(&source, &target).include_pattern("user:*").exclude_pattern("*:2");
    let report = copied(config.key_type(KeyType::String).key_type(KeyType::Set));
    assert_eq!((report.keys.copied, report.keys.filtered), (3, 2), "{:?}", report.keys);
    let target = start(Server::Redis70);
    let ends = Config::builder().source(format!("{}/3", source.url()));
    let ends = ends.target(format!("{}/5", target.url())).strategy(Strategy::Migrate);
    assert_eq!(copied(ends.verify(true)).keys.copied, 1);
    assert!(listing(&target).get(5, b"user:1").is_some());
}

#[test]
fn a_target_that_dies_midway_costs_nothing() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    Dataset::mixed(3000).load(&mut source.client()).unwrap();
    let way = Proxy::start(target.addr()).unwrap();
    let config = || migrate(&source, &target).migrate_target(way.addr().to_string());
    way.throttle(Some(500_000));
    let error = thread::scope(|scope| {
        scope.spawn(|| {
            wait_until("it is under way", || way.moved(Direction::ToServer) > 50_000);
            way.refuse(true);
            way.cut();
        });
        run(config()).map(|report| panic!("{report:?}")).unwrap_err()
    });
    way.refuse(false);
    way.throttle(None);
    assert_eq!(error.exit_code(), ExitCode::Failed, "{error}");
    let hint = error.hint.clone().unwrap();
    assert!(error.cause.contains("IOERR"), "{error}");
    assert!(hint.contains(&way.addr().to_string()) && hint.contains("--on-conflict replace"));
    let there = listing(&target).len();
    assert!(there < listing(&source).len() && error.keys_copied <= there as u64);
    copied(config().on_conflict(OnConflict::Replace).verify(true));
    assert_same(&source, &target);
}

#[test]
fn a_batch_that_the_source_sends_twice_is_no_conflict() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    Dataset::mixed(1000).load(&mut source.client()).unwrap();
    let way = Proxy::start(target.addr()).unwrap();
    // A part of the batch is on the target when it is sent again.
    way.cut_after(Direction::ToServer, 20_000);
    let config = migrate(&source, &target).migrate_target(way.addr().to_string());
    assert_eq!(copied(config).keys.copied, 1000);
    assert!(way.accepted() > 1);
    assert_same(&source, &target);
}

#[test]
fn auto_takes_it_where_nothing_else_is_allowed() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    Dataset::mixed(200).load(&mut source.client()).unwrap();
    user(&source, "mover", &["-psync", "-sync", "-dump"]);
    let config = |strategy| {
        let url = source.url_with("mover", "pass-word-1");
        Config::builder().source(url).target(target.url()).strategy(strategy)
    };
    let report = copied(config(Strategy::Auto));
    assert!(report.strategy_reason.contains("not psync"), "{}", report.strategy_reason);
    assert!(report.strategy_reason.contains("not scan"), "{}", report.strategy_reason);
    assert_same(&source, &target);
    user(&source, "mover", &["-psync", "-sync", "-dump", "-migrate"]);
    let error = run(config(Strategy::Migrate).on_conflict(OnConflict::Replace)).unwrap_err();
    assert!(error.to_string().contains("MIGRATE is refused"), "{error}");
    let error = run(config(Strategy::Auto).on_conflict(OnConflict::Replace)).unwrap_err();
    assert!(error.to_string().contains("migrate: the source refuses MIGRATE"), "{error}");
}

#[test]
fn a_target_that_does_not_read_what_is_sent_is_refused_beforehand() {
    for (from, to) in [(Server::Redis70, Server::Redis62), (Server::Valkey91, Server::Redis80)] {
        let (source, target) = (start_with_everything(from), start(to));
        let error = run(migrate(&source, &target)).unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::Blocked, "{error}");
        assert!(error.to_string().contains("does not read what"), "{error}");
        assert_eq!(listing(&target).len(), 0);
    }
}
