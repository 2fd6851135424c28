//! Servers that are found by their sentinels, and followed through a failover.

use crate::common::live::Live;
use crate::common::{assert_same, listing, run, start, start_with_everything};
use ferrite_migrate::{Config, ConfigBuilder, ErrorKind, State};
use ferrite_testkit::{Sentinels, Server, wait_until};

fn config(source: &str, target: &str) -> ConfigBuilder {
    Config::builder().source(source).target(target).verify(true)
}

#[test]
fn a_primary_is_found_by_its_name() {
    let from = start_with_everything(Server::Redis70);
    let started = Sentinels::start(Server::Redis70, Some("data"), Some("watch"));
    let a = started.unwrap_or_else(|error| panic!("{error}"));
    let url = format!("{}?sentinel-password=watch", a.url());
    run(config(&from.url(), &url)).unwrap_or_else(|error| panic!("{error}"));
    assert_same(&from, &a.servers[0]);
    let back = start(Server::Redis70);
    a.fail_over();
    wait_until("the replica is a primary", || {
        let role = a.servers[1].client().ok(&["ROLE"]);
        role.items().first().is_some_and(|role| *role == "master")
    });
    run(config(&url, &back.url())).unwrap_or_else(|error| panic!("{error}"));
    assert_same(&from, &back);

    let unknown = url.replace("/mymaster", "/other");
    let error = run(config(&unknown, &back.url())).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Blocked);
    assert!(error.to_string().contains("it knows 'mymaster'"), "{error}");
    let error = run(config(&a.url(), &back.url())).unwrap_err().to_string();
    assert!(error.contains("needs a password") && !error.contains("watch"), "{error}");
}

/// Both ends fail over while the target follows the source.
#[test]
fn a_live_migration_follows_failovers_of_both_ends() {
    let setup = || {
        let started = Sentinels::start(Server::Redis70, None, None);
        started.unwrap_or_else(|error| panic!("{error}"))
    };
    let (a, b) = (setup(), setup());
    let write = |prefix: &str| {
        let mut client = a.servers[a.primary()].client();
        for number in 0..200 {
            client.ok(&["SET", &format!("{prefix}:{number}"), "value"]);
        }
        client.ok(&["WAIT", "1", "5000"]);
    };
    write("before");
    let live = Live::start(config(&a.url(), &b.url()).verify(false));
    live.until(State::Live);
    for setup in [&a, &b] {
        let keys = |index: usize| setup.servers[index].client().ok(&["DBSIZE"]).int();
        let before = setup.primary();
        wait_until("the replica has all keys", || keys(before) == keys(1 - before));
        setup.fail_over();
        wait_until("the new primary is one", || {
            let role = setup.servers[setup.primary()].client().ok(&["ROLE"]);
            role.items().first().is_some_and(|role| *role == "master")
        });
        write(if before == 0 && std::ptr::eq(setup, &a) { "source" } else { "target" });
    }
    let (source, target) = (&a.servers[a.primary()], &b.servers[b.primary()]);
    live.until_applied(source);
    live.cut_over();
    let (report, state) = live.end();
    assert_eq!((state, listing(target).len()), (State::Completed, 600), "{report:?}");
    assert_same(source, target);
}
