//! What cannot be done, found out before anything is lost.

use ferrite_migrate::control::Request;
use ferrite_migrate::{OnConflict, State, Strategy};
use ferrite_testkit::Server;

use super::{blocked, refusal, replica, role, setting, start_with_keys};
use crate::common::live::{Live, cutover};
use crate::common::{listing, ok, start};

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
