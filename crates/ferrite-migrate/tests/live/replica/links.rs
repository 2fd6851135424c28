//! How the target reaches the source and is let in: links, users, TLS.

use ferrite_migrate::control::Request;
use ferrite_migrate::{OnConflict, State, Strategy};
use ferrite_testkit::{Peer, Proxy, Server, wait_until};

use super::{
    blocked, finish, full_synchronizations, refusal, replica, setting, start_with_keys,
    until_troubled, write_to,
};
use crate::common::live::Live;
use crate::common::{listing, ok, start};

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
                guard: None,
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
