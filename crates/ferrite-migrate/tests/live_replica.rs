//! Live migrations in which the target becomes a replica of the source, of servers that are written
//! to all the while.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::live::{Live, assert_same_soon, cutover, reversible_cutover};
use common::{between, listing, ok, start};
use ferrite_migrate::control::{CallError, Request};
use ferrite_migrate::{ConfigBuilder, OnConflict, State, Strategy};
use ferrite_testkit::client::Connector;
use ferrite_testkit::load::Feature;
use ferrite_testkit::{Dataset, Load, Peer, Proxy, Server, wait_until};

/// Operations a second of the loads.
const RATE: u64 = 10_000;
/// How often the job is killed in a test.
const KILLS: u64 = 6;

/// A configuration that makes the target a replica.
fn replica(source: &Peer, target: &Peer) -> ConfigBuilder {
    between(source, target).strategy(Strategy::Replica)
}

/// All kinds of commands in two databases, those too that no copying tool gets right.
fn write_to(source: &Peer, seed: u64) -> Load {
    let load = Load::builder().writers(2).dbs(&[0, 1]).rate(Some(RATE)).seed(seed);
    load.start(Connector::new(source.addr())).unwrap()
}

/// A settings's value.
fn setting(peer: &Peer, name: &str) -> String {
    let told = ok(&mut peer.client(), &["CONFIG", "GET", name]);
    told.items().get(1).map(ferrite_testkit::Reply::text).unwrap_or_default().to_string()
}

/// What a server is: `master` or `slave`.
fn role(peer: &Peer) -> String {
    ok(&mut peer.client(), &["ROLE"]).items()[0].text().to_string()
}

/// Full synchronizations the source has begun.
fn full_synchronizations(source: &Peer) -> u64 {
    let info = ok(&mut source.client(), &["INFO", "stats"]).text();
    let line = info.lines().find_map(|line| line.strip_prefix("sync_full:"));
    line.and_then(|count| count.parse().ok()).unwrap()
}

/// Cuts over under load, and fails unless the target has every write once.
fn finish(live: Live, load: Load, source: &Peer, target: &Peer) {
    let done = live.cut_over();
    assert!(done["pause_us"].as_u64().unwrap() > 0, "{done}");
    let (report, state) = live.end();
    assert_eq!((state, report.strategy), (State::Completed, "replica"));
    let written = load.stop();
    assert_eq!(role(target), "master");
    let wrong = written.lost_or_doubled(&mut target.client()).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_same_soon(source, target);
    let late = source.client().call(&["SET", "written too late", "1"]);
    assert!(late.is_error(), "the source takes writes after the cutover");
    assert!(!target.client().call(&["SET", "written after it", "1"]).is_error());
}

fn survives_a_load(from: Server, to: Server) {
    let (source, target) = (start(from), start(to));
    let load = write_to(&source, 21);
    load.wait_for(10_000);
    let live = Live::start(replica(&source, &target));
    load.wait_for(20_000);
    finish(live, load, &source, &target);
}

#[test]
fn redis_62_under_load() {
    survives_a_load(Server::Redis62, Server::Redis62);
}

#[test]
fn redis_70_under_load() {
    survives_a_load(Server::Redis70, Server::Redis70);
}

#[test]
fn redis_70_to_80_under_load() {
    survives_a_load(Server::Redis70, Server::Redis80);
}

#[test]
fn redis_70_to_valkey_91_under_load() {
    survives_a_load(Server::Redis70, Server::Valkey91);
}

#[test]
fn valkey_91_under_load() {
    survives_a_load(Server::Valkey91, Server::Valkey91);
}

/// The message of a refusal and its reasons.
fn refusal(live: &Live, request: &Request) -> String {
    match live.order(request) {
        Err(CallError::Refused { message, reasons, .. }) => format!("{message} {reasons:?}"),
        other => panic!("{request:?}: {other:?}"),
    }
}

/// A cutover that runs a hook.
fn hooked(hook: &str, reverse: bool) -> Request {
    Request::Cutover {
        max_pause_ms: Some(10_000),
        dry_run: false,
        when_ready: true,
        hook: Some(hook.to_owned()),
        reverse,
    }
}

/// Why a migration does not begin.
fn blocked(config: ConfigBuilder) -> String {
    let state = tempfile::tempdir().unwrap();
    let config = config.mode(ferrite_migrate::Mode::Live).state_dir(state.path());
    common::run(config).unwrap_err().to_string()
}

/// A server with a few keys.
fn start_with_keys(server: Server) -> Peer {
    let peer = start(server);
    Dataset::mixed(500).load(&mut peer.client()).unwrap();
    peer
}

/// Waits until the job tells of trouble in these words.
fn until_troubled(live: &Live, words: &str) {
    wait_until(&format!("trouble: {words}"), || {
        live.status().reasons.iter().any(|reason| reason.contains(words))
    });
}

#[test]
fn it_survives_kills_of_the_job() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    Dataset::mixed(20_000).load(&mut source.client()).unwrap();
    let load = write_to(&source, 22);
    load.wait_for(2000);
    let mut live = Live::start(replica(&source, &target));
    for round in 0..KILLS {
        load.wait_for(round * 700);
        live.kill();
        load.wait_for(300);
        live.resume();
    }
    live.until(State::Live);
    live.kill();
    load.wait_for(1000);
    let before = full_synchronizations(&source);
    live.resume();
    live.until(State::Live);
    assert_eq!(full_synchronizations(&source), before, "the target follows without us");
    finish(live, load, &source, &target);
}

#[test]
fn it_survives_a_kill_in_the_middle_of_a_cutover() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let load = write_to(&source, 23);
    let mut live = Live::start(replica(&source, &target));
    live.until(State::Live);
    let folder = tempfile::tempdir().unwrap();
    let begun = folder.path().join("begun");
    live.order_and_forget(&hooked(&format!("touch {}; sleep 60", begun.display()), false));
    wait_until("the hook runs", || begun.exists());
    assert_eq!(role(&target), "master");
    live.kill();
    let error = live.try_resume().err().or_else(|| live.ended().err()).unwrap();
    assert!(error.to_string().contains("nobody knows which server"), "{error}");
    assert_eq!(role(&target), "master", "nothing is done to it");
    live.traffic_stayed();
    live.resume();
    live.until(State::Live);
    load.wait_for(1000);
    finish(live, load, &source, &target);
}

#[test]
fn a_target_that_was_killed_follows_again() {
    let (source, mut target) = (start(Server::Redis70), start(Server::Redis70));
    let load = write_to(&source, 24);
    let live = Live::start(replica(&source, &target));
    live.until(State::Live);
    target.kill();
    until_troubled(&live, "the target cannot be asked");
    load.wait_for(1000);
    target.restart().unwrap();
    wait_until("the target is a replica again", || role(&target) == "slave");
    wait_until("everything is copied again", || live.copies() == 2);
    live.until(State::Live);
    load.wait_for(1000);
    finish(live, load, &source, &target);
}

#[test]
fn a_link_that_is_cut_goes_on_where_it_was() {
    let source = Peer::builder(Server::Redis70).arg("repl-backlog-size", "64mb").start().unwrap();
    let target = start(Server::Redis70);
    let way = Proxy::start(source.addr()).unwrap();
    let config = replica(&source, &target).replica_source(way.addr().to_string());
    let load = write_to(&source, 25);
    let live = Live::start(config);
    live.until(State::Live);
    for _ in 0..3 {
        way.refuse(true);
        way.cut();
        until_troubled(&live, "link to 127.0.0.1");
        let said = refusal(
            &live,
            &Request::Cutover {
                max_pause_ms: None,
                dry_run: true,
                when_ready: false,
                hook: None,
                reverse: false,
            },
        );
        assert!(said.contains("link to 127.0.0.1"), "{said}");
        way.refuse(false);
        wait_until("the trouble is over", || live.status().can_cutover);
    }
    assert_eq!((full_synchronizations(&source), live.copies()), (1, 1));
    finish(live, load, &source, &target);
}

#[test]
fn a_lost_backlog_has_everything_copied_again() {
    let source = Peer::builder(Server::Redis70).arg("repl-backlog-size", "16kb").start().unwrap();
    let target = start(Server::Redis70);
    let way = Proxy::start(source.addr()).unwrap();
    let load = write_to(&source, 26);
    let live = Live::start(replica(&source, &target).replica_source(way.addr().to_string()));
    live.until(State::Live);
    way.refuse(true);
    way.cut();
    until_troubled(&live, "link to 127.0.0.1");
    ok(&mut source.client(), &["SET", "filler", &"x".repeat(100_000)]);
    load.wait_for(3000);
    way.refuse(false);
    wait_until("everything is copied again", || full_synchronizations(&source) == 2);
    wait_until("it is ready", || live.status().can_cutover);
    finish(live, load, &source, &target);
}

#[test]
fn a_user_of_the_source_is_used_and_forgotten() {
    let password = "s3cret-of-the-source";
    let source = Peer::builder(Server::Redis70).password(password).start().unwrap();
    let target = start(Server::Redis70);
    let mut client = target.client();
    ok(&mut client, &["CONFIG", "SET", "masteruser", "before"]);
    ok(&mut client, &["CONFIG", "SET", "masterauth", "secret before"]);
    ok(&mut source.client(), &["SET", "key", "value"]);
    let live = Live::start(replica(&source, &target));
    live.until(State::Live);
    assert_eq!(
        (setting(&target, "masteruser"), setting(&target, "masterauth")),
        (String::new(), password.to_owned())
    );
    let journal = live.journal();
    assert!(!journal.contains(password) && !journal.contains("secret before"), "{journal}");
    // Another password from here on: the link is open, and a new one is not let in.
    let mut admin = source.client();
    ok(&mut admin, &["CONFIG", "SET", "requirepass", "another"]);
    ok(&mut admin, &["CLIENT", "KILL", "TYPE", "replica"]);
    until_troubled(&live, "user and password");
    until_troubled(&live, "the source cannot be asked");
    ok(&mut admin, &["CONFIG", "SET", "requirepass", password]);
    wait_until("the trouble is over", || live.status().can_cutover);
    live.cut_over();
    let (report, state) = live.end();
    assert_eq!((state, report.warnings), (State::Completed, Vec::<String>::new()));
    assert_eq!(setting(&target, "masteruser"), "before");
    assert_eq!(setting(&target, "masterauth"), "secret before");
    assert_eq!(ok(&mut client, &["GET", "key"]).text(), "value");
}

#[test]
fn a_password_that_nobody_knows_any_more_is_told() {
    let source = Peer::builder(Server::Redis70).password("right").start().unwrap();
    let target = start(Server::Redis70);
    ok(&mut target.client(), &["CONFIG", "SET", "masterauth", "secret before"]);
    let mut live = Live::start(replica(&source, &target));
    live.until(State::Live);
    live.kill();
    live.resume();
    live.until(State::Live);
    live.cut_over();
    let (report, _) = live.end();
    let warnings = report.warnings.join("\n");
    assert!(warnings.contains("had a masterauth before"), "{warnings}");
    assert_eq!(setting(&target, "masterauth"), "");
}

#[test]
fn a_target_that_cannot_be_a_replica_keeps_its_keys() {
    for (from, to, why) in [
        (Server::Redis80, Server::Redis70, "it is older"),
        (Server::Redis70, Server::Redis62, "it is older"),
        (Server::Redis80, Server::Valkey91, "no RDB of Redis 7.4"),
        (Server::Valkey91, Server::Redis80, "does not know all commands of Valkey"),
    ] {
        let (source, target) = (start(from), start_with_keys(to));
        let before = ok(&mut target.client(), &["DBSIZE"]).int();
        let error = blocked(replica(&source, &target).on_conflict(OnConflict::Replace));
        assert!(error.contains("cannot be a replica") && error.contains(why), "{error}");
        assert_eq!(ok(&mut target.client(), &["DBSIZE"]).int(), before);
        assert_eq!(role(&target), "master");
    }
}

#[test]
fn a_target_with_keys_is_refused_unless_they_may_go() {
    let (source, target) = (start(Server::Redis70), start_with_keys(Server::Redis70));
    ok(&mut source.client(), &["SET", "key", "value"]);
    let library = "#!lua name=mine\nredis.register_function('f', function() return 1 end)";
    ok(&mut target.client(), &["FUNCTION", "LOAD", library]);
    let error = blocked(replica(&source, &target));
    assert!(error.contains("1 function libraries; a replica loses everything"), "{error}");
    assert!(listing(&target).len() > 100);
    ok(&mut target.client(), &["FLUSHALL"]);
    let error = blocked(replica(&source, &target));
    assert!(error.contains("0 keys and 1 function libraries"), "{error}");
    let live = Live::start(replica(&source, &target).on_conflict(OnConflict::Replace));
    live.until(State::Live);
    live.cut_over();
    let (report, _) = live.end();
    let checks = serde_json::to_string(&report.preflight).unwrap();
    assert!(checks.contains("all of it goes"), "{checks}");
    assert_eq!(ok(&mut target.client(), &["FUNCTION", "LIST"]).items().len(), 0);
    assert_eq!(listing(&target).len(), 1);
}

#[test]
fn a_replica_of_another_server_is_left_alone() {
    let (source, other) = (start(Server::Redis70), start_with_keys(Server::Redis70));
    let target = start(Server::Redis70);
    let port = other.port().to_string();
    ok(&mut target.client(), &["REPLICAOF", "127.0.0.1", &port]);
    let error = blocked(replica(&source, &target).on_conflict(OnConflict::Replace));
    assert!(error.contains(&format!("a replica of 127.0.0.1:{port}")), "{error}");
    ok(&mut target.client(), &["REPLICAOF", "NO", "ONE"]);
    ok(&mut target.client(), &["CONFIG", "SET", "replica-read-only", "no"]);
    let error = blocked(replica(&source, &target).on_conflict(OnConflict::Replace));
    assert!(error.contains("takes writes as a replica too"), "{error}");
    ok(&mut target.client(), &["CONFIG", "SET", "replica-read-only", "yes"]);
    let wrong = replica(&source, &target).replica_source(other.addr().to_string());
    let error = blocked(wrong.on_conflict(OnConflict::Replace));
    assert!(error.contains("is another server than the source"), "{error}");
    assert_eq!(role(&target), "master");
}

#[test]
fn a_target_that_somebody_promoted_is_left_alone() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    ok(&mut source.client(), &["SET", "key", "value"]);
    let mut live = Live::start(replica(&source, &target));
    live.until(State::Live);
    ok(&mut target.client(), &["REPLICAOF", "NO", "ONE"]);
    ok(&mut target.client(), &["SET", "precious", "1"]);
    let error = live.ended().unwrap_err();
    assert!(error.to_string().contains("somebody else has promoted it"), "{error}");
    assert!(error.hint.as_ref().unwrap().contains("--traffic-stayed"), "{error:?}");
    assert_eq!(live.state(), State::Failed);
    let error = live.try_resume().err().or_else(|| live.ended().err()).unwrap();
    assert!(error.to_string().contains("somebody else has promoted it"), "{error}");
    assert_eq!(ok(&mut target.client(), &["GET", "precious"]).text(), "1");
    live.traffic_stayed();
    live.resume();
    live.until(State::Live);
    live.cut_over();
    live.end();
    assert_eq!(ok(&mut target.client(), &["EXISTS", "precious"]).int(), Some(0));
}

#[test]
fn a_hook_that_fails_leaves_the_job_as_it_was() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let load = write_to(&source, 27);
    let live = Live::start(replica(&source, &target));
    live.until(State::Live);
    let said = refusal(&live, &hooked("echo no such balancer >&2; exit 3", false));
    assert!(said.contains("no such balancer"), "{said}");
    assert!(said.contains("copies everything again"), "{said}");
    live.until(State::Live);
    assert_eq!(live.copies(), 2);
    load.wait_for(1000);
    finish(live, load, &source, &target);
}

#[test]
fn a_cutover_that_takes_too_long_costs_nothing() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let way = Proxy::start(source.addr()).unwrap();
    let live = Live::start(replica(&source, &target).replica_source(way.addr().to_string()));
    live.until(State::Live);
    let mut client = source.client();
    let request = Request::Cutover {
        max_pause_ms: Some(50),
        dry_run: false,
        when_ready: false,
        hook: None,
        reverse: false,
    };
    // The target is asked at any moment, and may just have become late.
    let said = loop {
        way.resume();
        wait_until("it is ready", || live.status().can_cutover);
        way.stall();
        ok(&mut client, &["SET", "key", "held up"]);
        let said = refusal(&live, &request);
        if !said.contains("not ready") {
            break said;
        }
    };
    assert!(said.contains("the most writes may be held back"), "{said}");
    ok(&mut client, &["SET", "key", "after it"]);
    assert_eq!((full_synchronizations(&source), role(&target).as_str()), (1, "slave"));
    way.resume();
    wait_until("it is ready", || live.status().can_cutover);
    live.cut_over();
    live.end();
    assert_eq!(ok(&mut target.client(), &["GET", "key"]).text(), "after it");
}

#[test]
fn what_a_replica_cannot_do_is_refused_with_the_reason() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let live = Live::start(replica(&source, &target));
    live.until(State::Live);
    let said = refusal(&live, &Request::Pause);
    assert!(said.contains("it cannot be paused") && said.contains("by itself"), "{said}");
    let said = refusal(&live, &Request::Complete);
    assert!(said.contains("there has been no cutover"), "{said}");
    let status = live.status();
    assert_eq!(status.strategy.as_deref(), Some("replica"));
    assert!(status.strategy_reason.unwrap().contains("--strategy replica"));
    live.ordered(&cutover());
}

/// The commands of a load that the way back brings back exactly: it is not a replica's, and the old
/// source expires keys by its own clock (docs/limits.md).
fn write_back_and_forth(peer: &Peer, seed: u64) -> Load {
    let load = Load::builder().writers(2).dbs(&[0, 1]).rate(Some(RATE)).seed(seed);
    let load = load.without(Feature::HyperLogLogs).without(Feature::GroupReads);
    let load = load.without(Feature::Expiry).without(Feature::Scripts);
    load.without(Feature::FieldExpiry).start(Connector::new(peer.addr())).unwrap()
}

fn goes_there_and_back(from: Server, to: Server) {
    let (source, target) = (start(from), start(to));
    let load = write_back_and_forth(&source, 28);
    load.wait_for(5000);
    let mut live = Live::start(replica(&source, &target));
    load.wait_for(5000);
    // An application that stops for the switch: nobody writes to the source behind it.
    assert!(load.stop().operations > 0);
    let done = live.ordered(&reversible_cutover());
    assert_eq!((&done["reverse"], role(&target).as_str()), (&true.into(), "master"));
    let load = write_back_and_forth(&target, 29);
    load.wait_for(5000);
    wait_until("the source follows", || live.status().can_rollback);
    live.kill();
    load.wait_for(2000);
    live.resume();
    assert_eq!(live.state(), State::CutOver);
    // Long enough for whatever is done once a second.
    load.wait_for(20_000);
    let written = load.stop();
    live.ordered(&Request::Rollback { max_pause_ms: Some(5000), hook: None });
    let (report, state) = live.end();
    assert_eq!(state, State::RolledBack);
    assert!(report.live.unwrap().commands > 0);
    assert_same_soon(&target, &source);
    let wrong = written.lost_or_doubled(&mut source.client()).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(target.client().call(&["SET", "late", "1"]).is_error());
    assert_eq!(full_synchronizations(&source), 1, "nothing was copied but at the beginning");
}

#[test]
fn redis_70_there_and_back() {
    goes_there_and_back(Server::Redis70, Server::Redis70);
}

#[test]
fn redis_70_to_valkey_91_there_and_back() {
    goes_there_and_back(Server::Redis70, Server::Valkey91);
}

#[test]
fn what_is_written_while_the_hook_runs_goes_the_way_back_too() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    ok(&mut source.client(), &["SET", "key", "before"]);
    let live = Live::start(replica(&source, &target));
    live.until(State::Live);
    let hook = format!(
        "(printf 'SELECT 3\\r\\nSET key hooked\\r\\n'; sleep 1) >/dev/tcp/127.0.0.1/{}",
        target.port()
    );
    live.ordered(&hooked(&format!("bash -c \"{hook}\""), true));
    assert_eq!(live.state(), State::CutOver);
    let mut client = source.client();
    ok(&mut client, &["SELECT", "3"]);
    wait_until("it is on the source", || ok(&mut client, &["GET", "key"]) == "hooked");
    live.ordered(&Request::Complete);
    assert_eq!(live.end().1, State::Completed);
    assert!(!source.client().call(&["SET", "key", "on"]).is_error());
}

#[test]
fn a_target_that_loses_everything_does_not_take_the_old_source_with_it() {
    let (source, mut target) = (start(Server::Redis70), start(Server::Redis70));
    ok(&mut source.client(), &["SET", "key", "value"]);
    let mut live = Live::start(replica(&source, &target));
    live.until(State::Live);
    live.ordered(&reversible_cutover());
    wait_until("the source follows", || live.status().can_rollback);
    target.kill();
    target.restart().unwrap();
    let lost = live.ended().unwrap_err();
    assert!(lost.cause.contains("nothing is copied over it"), "{lost}");
    assert_eq!(ok(&mut source.client(), &["GET", "key"]).text(), "value");
    assert_eq!(live.state(), State::Completed);
}

#[test]
fn a_slow_copy_tells_how_far_it_is_and_goes_on_without_us() {
    let source = Peer::builder(Server::Redis70).arg("repl-diskless-sync", "no").start().unwrap();
    let target = start(Server::Redis70);
    let mut client = source.client();
    for number in 0..200 {
        // Numbers that do not compress.
        let value: String =
            (0..20_000_u64).map(|at| (at * at * (number + 7)).to_string()).collect();
        ok(&mut client, &["SET", &format!("key:{number}"), &value]);
    }
    let way = Proxy::start(source.addr()).unwrap();
    way.throttle(Some(8_000_000));
    let mut live = Live::start(replica(&source, &target).replica_source(way.addr().to_string()));
    let copies = |live: &Live| {
        let status = live.status();
        let progress = &status.progress;
        let total = progress.bytes_total.unwrap_or(0);
        status.state == State::Copying && progress.bytes_done > 0 && total > progress.bytes_done
    };
    live.until(State::Copying);
    wait_until("the copy is on its way", || copies(&live));
    live.kill();
    live.resume();
    wait_until("it goes on", || copies(&live));
    let said = refusal(
        &live,
        &Request::Cutover {
            max_pause_ms: None,
            dry_run: false,
            when_ready: false,
            hook: None,
            reverse: false,
        },
    );
    assert!(said.contains("the job is COPYING, not LIVE"), "{said}");
    way.throttle(None);
    live.until(State::Live);
    assert_eq!(full_synchronizations(&source), 1);
    live.cut_over();
    assert_eq!(live.end().0.keys.copied, 200);
    assert_eq!(listing(&target).len(), 200);
}

#[test]
fn a_source_the_target_cannot_reach_costs_it_nothing() {
    let (source, target) = (start(Server::Redis70), start_with_keys(Server::Redis70));
    ok(&mut source.client(), &["SET", "key", "value"]);
    let way = Proxy::start(source.addr()).unwrap();
    way.refuse(true);
    let config = replica(&source, &target).replica_source(way.addr().to_string());
    let live = Live::start(config.on_conflict(OnConflict::Replace));
    wait_until("it takes orders", || live.order(&Request::Status).is_ok());
    until_troubled(&live, "is down: it ");
    assert_eq!(live.state(), State::Attaching);
    assert!(listing(&target).len() > 100, "nothing is lost before the source's data has come");
    way.refuse(false);
    live.until(State::Live);
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
    assert_eq!(listing(&target).len(), 1);
}

#[test]
fn a_user_who_may_not_replicate_is_refused_beforehand() {
    let (source, target) = (start(Server::Redis70), start_with_keys(Server::Redis70));
    let mut admin = source.client();
    ok(&mut admin, &["ACL", "SETUSER", "mover", "on", ">pass", "~*", "&*", "+@all", "-psync"]);
    let config = |user: &str| {
        let url = source.url_with(user, "pass");
        ferrite_migrate::Config::builder()
            .source(url)
            .target(target.url())
            .strategy(Strategy::Replica)
            .on_conflict(OnConflict::Replace)
    };
    let error = blocked(config("mover"));
    assert!(error.contains("would not be let in as mover"), "{error}");
    assert!(listing(&target).len() > 100);
    ok(&mut admin, &["ACL", "SETUSER", "mover", "+psync"]);
    let live = Live::start(config("mover"));
    live.until(State::Live);
    assert_eq!(setting(&target, "masteruser"), "mover");
    live.cut_over();
    live.end();
    assert_eq!(
        (setting(&target, "masteruser"), setting(&target, "masterauth")),
        Default::default()
    );
}

#[test]
fn tls_is_spoken_as_the_source_wants_it() {
    let folder = tempfile::tempdir().unwrap();
    let files = ferrite_testkit::TlsFiles::generate(folder.path()).unwrap();
    let source = Peer::builder(Server::Redis70).tls(&files).start().unwrap();
    let builder = Peer::builder(Server::Redis70).tls(&files).arg("tls-replication", "no");
    // What a replica shows of itself is a client's certificate.
    let builder = builder.arg("tls-client-cert-file", &files.client_cert.display().to_string());
    let builder = builder.arg("tls-client-key-file", &files.client_key.display().to_string());
    let target = builder.start().unwrap();
    ok(&mut source.client(), &["SET", "key", "value"]);
    let tls = ferrite_migrate::TlsOptions { ca: Some(files.ca.clone()), ..Default::default() };
    let live = Live::start(replica(&source, &target).source_tls(tls.clone()).target_tls(tls));
    live.until(State::Live);
    assert_eq!(setting(&target, "tls-replication"), "yes");
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
    assert_eq!(setting(&target, "tls-replication"), "no");
    assert_eq!(ok(&mut target.client(), &["GET", "key"]).text(), "value");
    let plain = start(Server::Redis62);
    let tls = ferrite_migrate::TlsOptions { ca: Some(files.ca.clone()), ..Default::default() };
    let error = blocked(replica(&source, &plain).source_tls(tls));
    assert!(error.contains("cannot be a replica"), "{error}");
}

#[test]
fn the_rights_that_are_listed_are_enough() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    ok(&mut source.client(), &["SET", "key", "value"]);
    // As docs/replica.md has them.
    let both = "on >pass resetkeys resetchannels -@all +ping +info +role +time +select \
                +client|setname +config|get +config|set";
    for (peer, rights) in [
        (&source, "+client|pause +client|unpause +psync +replconf"),
        (&target, "+client|list +replicaof"),
    ] {
        let rights = format!("ACL SETUSER mover {both} {rights}");
        ok(&mut peer.client(), &rights.split_whitespace().collect::<Vec<_>>());
    }
    let ends = [&source, &target].map(|peer| peer.url_with("mover", "pass"));
    let [from, to] = ends;
    let config = ferrite_migrate::Config::builder().source(from).target(to);
    let live = Live::start(config.strategy(Strategy::Replica));
    live.until(State::Live);
    let done = live.cut_over();
    assert_eq!(done["source_fence"], "min-replicas-to-write 1000000", "{done}");
    assert_eq!(live.end().0.warnings, Vec::<String>::new());
    assert_eq!(ok(&mut target.client(), &["GET", "key"]).text(), "value");
}

fn compares_under_a_load(from: Server, to: Server) {
    let (source, target) = (start(from), start(to));
    Dataset::everything().load(&mut source.client()).unwrap();
    let load = write_to(&source, 30);
    load.wait_for(5000);
    let live = Live::start(replica(&source, &target).verify(true));
    live.until(State::Live);
    wait_until("every key is compared", || {
        let status = live.status();
        assert_eq!(status.verify.mismatched, 0, "{:?}", status.verify.differing);
        status.verify.verified_offset.is_some()
    });
    load.wait_for(5000);
    live.cut_over();
    let (report, state) = live.end();
    assert_eq!(state, State::Completed);
    let verified = report.live.unwrap().verified.unwrap();
    assert!(verified.checked > 100 && verified.mismatched == 0, "{verified:?}");
    let wrong = load.stop().lost_or_doubled(&mut target.client()).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn redis_70_is_compared_under_load() {
    compares_under_a_load(Server::Redis70, Server::Redis70);
}

#[test]
fn redis_70_to_valkey_91_is_compared_under_load() {
    compares_under_a_load(Server::Redis70, Server::Valkey91);
}

#[test]
fn what_differs_holds_a_cutover_back_until_it_does_not() {
    let (source, target) = (start_with_keys(Server::Redis70), start(Server::Redis70));
    ok(&mut source.client(), &["SET", "changed", "here"]);
    let live = Live::start(replica(&source, &target).verify(true));
    live.until(State::Live);
    wait_until("it is ready", || live.status().can_cutover);
    // A stranger writes where nobody should.
    let mut client = target.client();
    ok(&mut client, &["CONFIG", "SET", "replica-read-only", "no"]);
    ok(&mut client, &["SET", "changed", "there"]);
    ok(&mut client, &["SET", "added", "there"]);
    ok(&mut client, &["CONFIG", "SET", "replica-read-only", "yes"]);
    live.ordered(&Request::Stop);
    drop(live);
    let live = Live::start(replica(&source, &target).verify(true));
    live.until(State::Live);
    wait_until("it is found", || live.status().verify.mismatched == 2);
    let said = refusal(
        &live,
        &Request::Cutover {
            max_pause_ms: None,
            dry_run: false,
            when_ready: false,
            hook: None,
            reverse: false,
        },
    );
    assert!(said.contains("2 of the keys differ"), "{said}");
    ok(&mut source.client(), &["SET", "changed", "again"]);
    ok(&mut source.client(), &["SET", "added", "here too"]);
    wait_until("it is good", || live.status().can_cutover);
    live.cut_over();
    assert_eq!(live.end().0.exit_code(), ferrite_migrate::ExitCode::Done);
    assert_same_soon(&source, &target);
}
