//! Commands that the target does not know.

use ferrite_migrate::{ErrorKind, Migration, Mode, State};
use ferrite_testkit::{Peer, Server, wait_until};

use super::{between, load, write_to};
use crate::common::live::{Live, assert_same_soon};
use crate::common::{ok, runtime, start};

#[test]
fn commands_that_were_renamed_away_are_done_without() {
    let source = start(Server::Redis70);
    let mut target = Peer::builder(Server::Redis70);
    for name in ["RPOPLPUSH", "LMOVE", "SETRANGE", "HINCRBY", "COPY", "PUBLISH", "MOVE", "XADD"] {
        target = target.arg("rename-command", &format!("{name} \"\""));
    }
    let target = target.start().unwrap();
    let load = write_to(&source, load().seed(25));
    load.wait_for(2000);
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    for name in ["RPOPLPUSH", "XADD"] {
        wait_until("it is told what the target refuses", || {
            let told = format!("refuses {name}");
            live.status().warnings.iter().any(|warning| warning.contains(&told))
        });
    }
    live.finish(load, &source, &target);
}

#[test]
fn an_older_target_gets_what_it_can_hold() {
    let (source, target) = (start(Server::Redis80), start(Server::Redis70));
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    let mut client = source.client();
    for number in 0..300 {
        let key = format!("hash:{number}");
        ok(&mut client, &["HSET", &key, "f", "1", "g", "2"]);
        ok(&mut client, &["HSETEX", &key, "EX", "1000", "FIELDS", "1", "h", "3"]);
        ok(&mut client, &["HPEXPIRE", &key, "1000000", "FIELDS", "1", "f"]);
        ok(&mut client, &["HPERSIST", &key, "FIELDS", "2", "f", "h"]);
    }
    live.until_applied(&source);
    live.cut_over();
    assert_eq!(live.end().1, State::Completed);
    assert_same_soon(&source, &target);
}

#[test]
fn a_user_who_may_not_do_everything_on_the_target_gets_there() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let mut client = target.client();
    let rules = ["ACL", "SETUSER", "mover", "on", ">secret", "~*", "+@all", "-incr", "-sadd"];
    ok(&mut client, &rules);
    let load = write_to(&source, load().seed(26));
    load.wait_for(2000);
    let live = Live::start(between(source.url(), target.url_with("mover", "secret")));
    live.until(State::Live);
    load.wait_for(5000);
    live.finish(load, &source, &target);
}

#[test]
fn a_long_transaction_with_a_large_command_is_applied_whole() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    let mut client = source.client();
    let value = |megabytes: usize| "x".repeat(megabytes << 20);
    ok(&mut client, &["MULTI"]);
    ok(&mut client, &["SET", "large", &value(2)]);
    ok(&mut client, &["SET", "larger", &value(10)]);
    ok(&mut client, &["INCR", "counter"]);
    ok(&mut client, &["EXEC"]);
    ok(&mut client, &["SET", "after", "1"]);
    live.until_applied(&source);
    live.cut_over();
    assert_same_soon(&source, &target);
}

#[test]
fn a_target_without_restore_is_refused_before_anything_is_written() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis70));
    ok(&mut source.client(), &["SET", "key", "value"]);
    let user = ["ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@all", "-restore"];
    ok(&mut target.client(), &user);
    let url = format!("redis://limited:secret@{}", target.addr());
    let state = tempfile::tempdir().unwrap();
    let config = between(source.url(), url).mode(Mode::Live).state_dir(state.path());
    let refused = runtime().block_on(async {
        let mut migration = Migration::new(config.build().unwrap()).await.unwrap();
        migration.start().await.unwrap_err()
    });
    assert_eq!(refused.kind, ErrorKind::Blocked);
    assert!(refused.cause.contains("RESTORE is refused"), "{refused}");
    assert_eq!(ok(&mut target.client(), &["DBSIZE"]).int(), Some(0));
}

#[test]
fn a_stream_set_back_by_redis_70_breaks_no_transaction_off_on_redis_62() {
    let (source, target) = (start(Server::Redis70), start(Server::Redis62));
    let mut writer = source.client();
    let live = Live::start(between(source.url(), target.url()));
    live.until(State::Live);
    ok(&mut writer, &["XADD", "stream", "1-1", "field", "value"]);
    ok(&mut writer, &["XSETID", "stream", "5-5", "ENTRIESADDED", "9", "MAXDELETEDID", "1-0"]);
    live.until_applied(&source);
    let errors = ok(&mut target.client(), &["INFO", "errorstats"]).text();
    assert!(!errors.contains("EXECABORT"), "{errors}");
    live.cut_over();
    let before = target.client().call(&["XADD", "stream", "5-5", "field", "value"]);
    assert!(before.is_error(), "the last id is below 5-5");
}
