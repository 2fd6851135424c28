//! Live migrations of sources that let nobody follow their commands: rounds over all keys, and a
//! last one while writes are held back.

use crate::common::live::{Live, assert_same_soon, reversible_cutover};
use crate::common::{between, listing, ok, start};
use ferrite_migrate::control::{CallError, Request};
use ferrite_migrate::{Config, ConfigBuilder, OnConflict, State, Strategy};
use ferrite_testkit::client::Connector;
use ferrite_testkit::{Dataset, Load, Peer, Proxy, Server, wait_until};

/// Operations a second of the loads.
const RATE: u64 = 3000;

/// All kinds of commands in two databases.
fn write_to(source: &Peer, seed: u64) -> Load {
    let load = Load::builder().writers(2).dbs(&[0, 1]).rate(Some(RATE)).seed(seed);
    load.start(Connector::new(source.addr())).unwrap()
}

/// A configuration that goes by rounds.
fn rounds(source: &Peer, target: &Peer) -> ConfigBuilder {
    between(source, target).strategy(Strategy::Scan)
}

/// A source with keys, whose user `mover` may not follow it, nor ask for its offset.
fn managed(server: Server) -> Peer {
    let source = start(server);
    Dataset::everything().load(&mut source.client()).unwrap();
    allow(&source, "~* &* +@all -psync -sync -replconf -role");
    source
}

/// Gives the user `mover` these rights, and no others.
fn allow(source: &Peer, rights: &str) {
    let rules = ["ACL", "SETUSER", "mover", "reset", "on", ">pass"];
    let rules = rules.into_iter().chain(rights.split_whitespace());
    ok(&mut source.client(), &rules.collect::<Vec<_>>());
}

/// A configuration as that user.
fn as_mover(source: &Peer, target: &Peer) -> ConfigBuilder {
    Config::builder().source(source.url_with("mover", "pass")).target(target.url())
}

/// A cutover that does not wait.
fn at_once(max_pause_ms: Option<u64>, hook: Option<&str>) -> Request {
    let (dry_run, when_ready, reverse, guard) = (false, false, false, None);
    let hook = hook.map(str::to_owned);
    Request::Cutover { max_pause_ms, dry_run, when_ready, hook, reverse, guard }
}

/// The exit code, the message and the reasons of a refusal.
fn refusal(live: &Live, request: &Request) -> (u8, String) {
    match live.order(request) {
        Err(CallError::Refused { message, reasons, code }) => {
            (code, format!("{message} {reasons:?}"))
        }
        other => panic!("{request:?}: {other:?}"),
    }
}

/// Rounds this process of the job has completed.
fn complete(live: &Live) -> u64 {
    live.status().rounds.map_or(0, |rounds| rounds.complete)
}

/// Waits until a round is complete that began after this moment.
fn until_another_round(live: &Live) {
    let now = complete(live);
    wait_until("another round is complete", || complete(live) > now + 1);
}

#[test]
fn a_source_that_cannot_be_followed_is_moved_under_load() {
    let (source, target) = (managed(Server::Redis70), start(Server::Valkey91));
    let load = write_to(&source, 41);
    load.wait_for(3000);
    let mut live = Live::start(as_mover(&source, &target));
    live.until(State::Live);
    load.wait_for(2000);
    let status = live.status();
    assert_eq!(status.strategy.as_deref(), Some("scan"));
    let reason = status.strategy_reason.unwrap();
    assert!(reason.contains("not fenced, not psync") && reason.contains("psync"), "{reason}");
    assert_eq!(status.consistency.as_deref(), Some("eventual"));
    assert!(status.rounds.unwrap().keys > 100 && !status.can_rollback);
    let copies = live.copies();
    live.kill();
    load.wait_for(1000);
    live.resume();
    live.until(State::Live);
    assert_eq!(live.copies(), copies, "what it had was not copied again");
    until_another_round(&live);
    live.finish(load, &source, &target);
}

#[test]
fn renamed_commands_and_an_old_source_are_no_obstacle() {
    let source = Peer::builder(Server::Redis62).arg("rename-command", "PSYNC \"\"");
    let source = source.arg("rename-command", "SYNC \"\"").start().unwrap();
    let target = start(Server::Redis70);
    Dataset::mixed(2000).load(&mut source.client()).unwrap();
    let load = write_to(&source, 42);
    let mut live = Live::start(between(&source, &target).verify(true));
    wait_until("it has begun to copy", || live.copies() == 1);
    live.kill();
    load.wait_for(2000);
    live.resume();
    live.until(State::Live);
    let report = live.finish(load, &source, &target);
    let verified = report.live.unwrap().verified.unwrap();
    assert!(verified.checked > 1000 && verified.mismatched == 0, "{verified:?}");
}

#[test]
fn what_goes_on_the_source_goes_on_the_target() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    // The rights that the documents list are enough.
    let documented = include_str!("../../../../docs/rounds.md").split_once(">… ").unwrap().1;
    let documented = documented.split_once("```").unwrap().0;
    allow(&source, &format!("{documented} +function|list"));
    let mut from = source.client();
    let library = |n: u8| {
        format!("#!lua name=lib{n}\nredis.register_function('f{n}', function() return {n} end)")
    };
    for command in [["SET", "kept", "1"], ["SET", "gone", "1"], ["SET", "old name", "1"]] {
        ok(&mut from, &command);
    }
    ok(&mut from, &["FUNCTION", "LOAD", &library(1)]);
    ok(&mut from, &["SET", "soon", "1", "PX", "600000"]);
    let live = Live::start(as_mover(&source, &target).strategy(Strategy::Scan));
    live.until(State::Live);
    live.ordered(&Request::Pause);
    let why = live.status().reasons.join("; ");
    assert!(why.contains("it is paused"), "{why}");
    ok(&mut from, &["DEL", "gone"]);
    ok(&mut from, &["RENAME", "old name", "new name"]);
    ok(&mut from, &["PEXPIREAT", "soon", "4000000000000"]);
    ok(&mut from, &["FUNCTION", "DELETE", "lib1"]);
    ok(&mut from, &["FUNCTION", "LOAD", &library(2)]);
    ok(&mut from, &["SELECT", "7"]);
    ok(&mut from, &["SET", "in another database", "1"]);
    live.ordered(&Request::Resume);
    until_another_round(&live);
    assert_same_soon(&source, &target);
    let functions = ok(&mut target.client(), &["FUNCTION", "LIST"]).to_string();
    assert!(functions.contains("lib2") && !functions.contains("lib1"), "{functions}");
    ok(&mut from, &["FLUSHALL"]);
    ok(&mut from, &["SET", "after", "1"]);
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
    assert_eq!(listing(&target).len(), 1);
    assert!(source.client().call(&["SET", "late", "1"]).is_error());
}

#[test]
fn a_cutover_that_takes_too_long_costs_nothing() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    Dataset::mixed(3000).load(&mut source.client()).unwrap();
    let way = Proxy::start(target.addr()).unwrap();
    let config = Config::builder().source(source.url()).target(format!("redis://{}", way.addr()));
    let live = Live::start(config.strategy(Strategy::Scan));
    live.until(State::Live);
    let (code, said) = refusal(&live, &at_once(Some(1), None));
    assert_eq!(code, 6, "{said}");
    assert!(said.contains("a round over all keys takes") && said.contains("--max-pause 1s"));
    // The budget is spent midway.
    way.stall();
    let (code, said) = refusal(&live, &at_once(Some(1500), None));
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("given up, the job is LIVE again"), "{said}");
    assert_eq!(live.state(), State::Live);
    ok(&mut source.client(), &["SET", "written", "after it"]);
    way.resume();
    let (code, said) = refusal(&live, &at_once(Some(20_000), Some("echo no >&2; exit 1")));
    assert!(code == 2 && said.contains("the hook failed"), "{said}");
    ok(&mut source.client(), &["SET", "written", "again"]);
    wait_until("it can be cut over", || live.status().can_cutover);
    let done = live.cut_over();
    assert!(done["pause_us"].as_u64().unwrap() > 0 && done["reverse"] == false, "{done}");
    live.end();
    assert_eq!(ok(&mut target.client(), &["GET", "written"]).text(), "again");
    assert_same_soon(&source, &target);
}

#[test]
fn a_cutover_at_a_time_begins_then_or_says_why_not() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    Dataset::mixed(2000).load(&mut source.client()).unwrap();
    let live = Live::start(rounds(&source, &target));
    live.until(State::Live);
    let at = |max_pause_ms| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let at_ms = u64::try_from(now.as_millis()).unwrap() + 300;
        let (max_pause_ms, hook, reverse, guard) = (Some(max_pause_ms), None, false, None);
        Request::Schedule { at_ms, max_pause_ms, hook, reverse, guard }
    };
    live.ordered(&at(1));
    wait_until("it says why not", || {
        let warnings = live.status().warnings.join("; ");
        warnings.contains("the scheduled cutover was given up: a round over all keys takes")
    });
    live.ordered(&at(20_000));
    live.until(State::Completed);
    live.end();
    assert_same_soon(&source, &target);
}

#[test]
fn the_old_source_follows_the_target_where_that_can_be_followed() {
    let (source, target) = (managed(Server::Redis70), start(Server::Redis70));
    let mut live = Live::start(as_mover(&source, &target).verify(true));
    live.until(State::Live);
    let reason = live.status().strategy_reason.unwrap();
    assert!(reason.contains("not fenced, not psync: the source refuses ROLE"), "{reason}");
    live.ordered(&reversible_cutover());
    wait_until("the source follows", || live.status().can_rollback);
    assert_eq!(live.status().consistency.as_deref(), Some("exact"));
    let load = write_to(&target, 43);
    load.wait_for(1000);
    live.kill();
    load.wait_for(500);
    live.resume();
    let written = load.stop();
    wait_until("the source follows", || live.status().can_rollback);
    live.ordered(&Request::Rollback { max_pause_ms: Some(5000), hook: None });
    assert_eq!(live.end().1, State::RolledBack);
    assert_same_soon(&target, &source);
    let wrong = written.lost_or_doubled(&mut source.client()).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_source_that_comes_back_empty_does_not_empty_the_target() {
    let mut source = start(Server::Redis70);
    let target = start(Server::Redis70);
    Dataset::mixed(500).load(&mut source.client()).unwrap();
    let mut live = Live::start(rounds(&source, &target));
    live.until(State::Live);
    source.kill();
    wait_until("it is told", || {
        live.status().reasons.iter().any(|reason| reason.contains("a round was lost"))
    });
    source.restart().unwrap();
    let error = live.ended().unwrap_err();
    assert!(error.cause.contains("nothing was changed there"), "{error}");
    assert!(listing(&target).len() > 400);
    live.source_emptied(true);
    live.resume();
    wait_until("it is empty, too", || listing(&target).is_empty());
}

#[test]
fn what_the_target_had_of_its_own_stays_and_comes_back() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    for key in ["both", "ours", "gone"] {
        ok(&mut source.client(), &["SET", key, "new"]);
    }
    ok(&mut target.client(), &["MSET", "both", "theirs", "stranger", "theirs"]);
    let before = listing(&target);
    let config = rounds(&source, &target).on_conflict(OnConflict::Replace);
    let live = Live::start(config);
    live.until(State::Live);
    ok(&mut source.client(), &["DEL", "gone"]);
    until_another_round(&live);
    let status = live.status();
    let warnings = status.warnings.join("; ");
    assert!(warnings.contains("keys of its own"), "{warnings}");
    assert_eq!(ok(&mut target.client(), &["GET", "stranger"]).text(), "theirs");
    live.ordered(&Request::Abort { clean: true });
    assert_eq!(live.end().1, State::Aborted);
    assert_eq!(before.diff(&listing(&target)), Vec::<String>::new());
}

#[test]
fn keys_that_the_source_names_are_copied_between_rounds() {
    let (source, target) = (managed(Server::Redis70), start(Server::Redis70));
    let mut writer = source.client();
    ok(&mut writer, &["CONFIG", "SET", "notify-keyspace-events", "KA"]);
    let live = Live::start(rounds(&source, &target));
    live.until(State::Live);
    ok(&mut writer, &["SET", "goes", "x"]);
    until_another_round(&live);
    let hinted = || live.status().rounds.map_or(0, |rounds| rounds.hinted);
    let before = hinted();
    ok(&mut writer, &["SELECT", "3"]);
    ok(&mut writer, &["SET", "named", "x"]);
    ok(&mut writer, &["SELECT", "0"]);
    ok(&mut writer, &["DEL", "goes"]);
    wait_until("the keys that were named are there", || {
        let mut there = target.client();
        ok(&mut there, &["SELECT", "3"]);
        let named = there.ok(&["EXISTS", "named"]).int() == Some(1);
        ok(&mut there, &["SELECT", "0"]);
        named && there.ok(&["EXISTS", "goes"]).int() == Some(0)
    });
    wait_until("the status tells of them", || hinted() > before);
    live.order(&at_once(None, None)).unwrap();
    assert_same_soon(&source, &target);
}
