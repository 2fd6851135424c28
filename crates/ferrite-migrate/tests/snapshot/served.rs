//! RDB files that the target loads itself, as a replica of the importing process: into real servers,
//! and whatever goes wrong on the way.

use std::path::PathBuf;

use crate::common::{assert_empty, assert_same, run, runtime, start, start_with_everything};
use ferrite_migrate::{
    Config, ConfigBuilder, ErrorKind, FileStrategy, Input, MigrateError, Migration, Report,
};
use ferrite_testkit::{Peer, Server, wait_until};

/// What the report says where the target loaded it.
const LOADED: &str = "the target loaded the file itself";

/// The file a server writes of what it has.
fn saved(peer: &Peer) -> PathBuf {
    peer.client().ok(&["SAVE"]);
    peer.dir().join("dump.rdb")
}

fn import(file: &PathBuf, target: &str, strategy: FileStrategy) -> ConfigBuilder {
    Config::builder().input(Input::rdb_file(file)).target(target).file_strategy(strategy)
}

fn load(file: &PathBuf, target: &Peer) -> Result<Report, MigrateError> {
    run(import(file, &target.url(), FileStrategy::Replica))
}

fn told(target: &Peer, name: &str) -> String {
    target.client().ok(&["CONFIG", "GET", name]).items()[1].text()
}

/// Fails unless it is a primary whose settings are as a server comes.
fn assert_released(target: &Peer) {
    let replication = target.client().ok(&["INFO", "replication"]).text();
    assert!(replication.contains("role:master"), "{replication}");
    for (name, value) in
        [("masterauth", ""), ("masteruser", ""), ("repl-diskless-load", "disabled")]
    {
        assert_eq!(told(target, name), value, "{name}");
    }
}

/// A server with 4,000 keys, 12 MB, and one that takes a second or more to load them.
fn slow_pair() -> (Peer, Peer) {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let script = "for at = 1, 4000 do redis.call('SET', 'key:' .. at, at .. string.rep(\
                  string.char(65 + at % 26, 48 + at % 10, 97 + at % 17), 1000)) end";
    let mut client = source.client();
    client.ok(&["CONFIG", "SET", "rdbcompression", "no"]);
    client.ok(&["EVAL", script, "0"]);
    target.client().ok(&["CONFIG", "SET", "key-load-delay", "500"]);
    (source, target)
}

#[test]
fn a_password_for_a_primary_is_put_back() {
    let (source, target) = (start_with_everything(Server::Redis70), start(Server::Redis70));
    let mut client = target.client();
    let settings = [("masterauth", "their word"), ("masteruser", "their name")];
    for (name, value) in settings {
        client.ok(&["CONFIG", "SET", name, value]);
    }
    client.ok(&["CONFIG", "SET", "requirepass", "word"]);
    let url = target.url().replace("redis://", "redis://:word@");
    run(import(&saved(&source), &url, FileStrategy::Replica)).unwrap();
    client.ok(&["CONFIG", "SET", "requirepass", ""]);
    for (name, value) in settings {
        assert_eq!(told(&target, name), value, "{name}");
    }
    assert_same(&source, &target);
}

#[test]
fn every_server_loads_what_it_reads() {
    for (from, to) in [
        (Server::Redis62, Server::Redis62),
        (Server::Redis70, Server::Redis70),
        (Server::Redis70, Server::Redis80),
        (Server::Redis62, Server::Valkey81),
        (Server::Valkey91, Server::Valkey91),
    ] {
        let (source, target) = (start_with_everything(from), start(to));
        let file = saved(&source);
        let config = import(&file, &target.url(), FileStrategy::Replica).verify(true);
        let report = run(config).unwrap_or_else(|error| panic!("{from:?} {to:?}: {error}"));
        assert!(report.strategy_reason.contains(LOADED), "{}", report.strategy_reason);
        assert_same(&source, &target);
        assert_released(&target);
        let keys = report.keys;
        let listed = crate::common::listing(&source).len() as u64;
        assert_eq!(keys.copied + keys.expired, listed, "{from:?} {to:?}");
        assert!(report.verification.unwrap().is_verified(), "{from:?} {to:?}");
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    }
}

#[test]
fn nobody_who_uses_the_target_is_surprised() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    source.client().ok(&["SET", "key", "value"]);
    let file = saved(&source);
    let auto = || run(import(&file, &target.url(), FileStrategy::Auto)).unwrap();
    let mut user = target.client();
    user.ok(&["PING"]);
    let report = auto();
    let reason = &report.strategy_reason;
    assert!(reason.contains("because 1 others are connected"), "{reason}");
    assert_same(&source, &target);
    user.ok(&["FLUSHALL"]);
    drop(user);
    let report = auto();
    assert!(report.strategy_reason.contains(LOADED), "{}", report.strategy_reason);
    assert_same(&source, &target);
    assert_released(&target);
}

#[test]
fn what_has_expired_is_counted_and_gone() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let mut client = source.client();
    client.ok(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
    client.ok(&["SET", "gone", "value", "PX", "1"]);
    client.ok(&["SET", "stays", "value", "EX", "1000"]);
    let file = saved(&source);
    wait_until("it has expired", || client.ok(&["EXISTS", "gone"]).int() == Some(0));
    let report = load(&file, &target).unwrap();
    assert_eq!((report.keys.copied, report.keys.expired), (1, 1), "{:?}", report.keys);
    assert_eq!(target.client().ok(&["EXISTS", "gone", "stays"]).int(), Some(1));
    assert_eq!(target.client().ok(&["EXPIRETIME", "stays"]), client.ok(&["EXPIRETIME", "stays"]));
}

#[test]
fn what_cannot_be_loaded_is_refused_or_written_by_commands() {
    let source = start_with_everything(Server::Redis70);
    let file = saved(&source);
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join("damaged.rdb");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    let cases: [(&str, Server, &[&str], &PathBuf); 5] = [
        ("has keys", Server::Redis70, &["SET", "there", "value"], &file),
        ("maxmemory", Server::Redis70, &["CONFIG", "SET", "maxmemory", "1gb"], &file),
        ("has functions", Server::Redis70, &["FUNCTION", "LOAD", LIBRARY], &file),
        ("does not load", Server::Redis62, &["PING"], &file),
        ("not the checksum", Server::Redis70, &["PING"], &damaged),
    ];
    for (why, server, before, file) in cases {
        let target = start(server);
        target.client().ok(before);
        let keys = target.client().ok(&["DBSIZE"]);
        let config = import(file, &target.url(), FileStrategy::Replica);
        let error = run(config.on_conflict(ferrite_migrate::OnConflict::Replace)).unwrap_err();
        assert!(error.to_string().contains(why), "{why}: {error}");
        assert!(error.hint.as_ref().unwrap().contains("--strategy auto"), "{error}");
        assert_eq!(target.client().ok(&["DBSIZE"]), keys, "{why}");
        assert_released(&target);
    }
    // A filter, another name: known before anything connects.
    let config = import(&file, "redis://127.0.0.1:1", FileStrategy::Replica);
    let error = config.include_pattern("user:*").build().unwrap_err();
    assert!(error.to_string().contains("only some of the keys"), "{error}");
}

const LIBRARY: &str = "#!lua name=mine\nredis.register_function('mine', function() return 1 end)";

#[test]
fn a_user_who_may_not_make_replicas_writes_commands() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    source.client().ok(&["SET", "key", "value"]);
    let file = saved(&source);
    let rule = ["ACL", "SETUSER", "mover", "on", ">secret", "~*", "&*", "+@all", "-replicaof"];
    target.client().ok(&rule);
    let url = target.url_with("mover", "secret");
    let report = run(import(&file, &url, FileStrategy::Auto)).unwrap();
    assert!(report.strategy_reason.contains("the target refuses"), "{}", report.strategy_reason);
    assert_same(&source, &target);
    assert_released(&target);
}

#[test]
fn the_replicas_of_the_target_get_it_too() {
    let source = start_with_everything(Server::Redis70);
    let file = saved(&source);
    let (target, replica) = (start(Server::Redis70), start(Server::Redis70));
    replica.client().ok(&["REPLICAOF", "127.0.0.1", &target.port().to_string()]);
    let is_linked = || {
        let told = target.client().ok(&["INFO", "replication"]).text();
        told.contains("state=online")
    };
    wait_until("the replica is linked", is_linked);
    let report = run(import(&file, &target.url(), FileStrategy::Auto)).unwrap();
    assert!(report.strategy_reason.contains("has replicas"), "{}", report.strategy_reason);
    target.client().ok(&["FLUSHALL"]);
    target.client().ok(&["FUNCTION", "FLUSH"]);
    load(&file, &target).unwrap();
    assert_same(&source, &target);
    let has_all =
        || crate::common::listing(&source).diff(&crate::common::listing(&replica)).is_empty();
    wait_until("the replica has everything", has_all);
}

/// Loads slowly, and calls `midway` when the target loads.
fn midway(
    file: &PathBuf,
    target: &mut Peer,
    midway: impl FnOnce(&Migration, &mut Peer),
) -> Result<Report, MigrateError> {
    let config = import(file, &target.url(), FileStrategy::Replica).build().unwrap();
    let runtime = runtime();
    let mut migration = runtime.block_on(Migration::new(config)).unwrap();
    runtime.block_on(migration.start()).unwrap();
    let loads = || target.client().ok(&["INFO", "persistence"]).text().contains("loading:1");
    wait_until("the target loads", loads);
    midway(&migration, target);
    runtime.block_on(migration.wait())
}

#[test]
fn a_run_that_is_stopped_midway_leaves_nothing() {
    let (source, mut target) = slow_pair();
    let report = midway(&saved(&source), &mut target, |migration, _| migration.stopper().stop());
    let report = report.unwrap();
    assert!(report.interrupted);
    assert_eq!(report.keys.copied, 0);
    assert_empty(&target);
    assert_released(&target);
}

#[test]
fn a_target_that_dies_midway_is_told_of() {
    let (source, mut target) = slow_pair();
    let file = saved(&source);
    let error = midway(&file, &mut target, |_, target| {
        target.kill();
        target.restart().unwrap();
    });
    let error = error.unwrap_err();
    assert_eq!((error.kind, error.keys_copied), (ErrorKind::Target, 0), "{error}");
    assert_empty(&target);
    assert_released(&target);
}
