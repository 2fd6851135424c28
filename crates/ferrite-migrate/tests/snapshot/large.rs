//! Values too large to be held whole, and targets that take values only by commands.

use crate::common::{assert_same, between, listing, ok, run, start, start_with_everything};
use ferrite_migrate::{ExitCode, OnConflict, Strategy};
use ferrite_testkit::dataset::big::{self, Collection};
use ferrite_testkit::{Peer, Server};

/// Twice the value limit that goes with the smallest memory limit.
const LARGE: u64 = 5 << 20;

fn large_source(server: Server) -> Peer {
    let source = start(server);
    let mut client = source.client();
    big::string(&mut client, b"large:string", LARGE).expect("a string");
    for kind in Collection::ALL {
        let key = format!("large:{kind:?}");
        big::collection(&mut client, kind, key.as_bytes(), LARGE).expect("a collection");
    }
    ok(&mut client, &["PEXPIREAT", "large:Hash", "4102444800123"]);
    ok(&mut client, &["SETRANGE", "large:compressible", "4000000", "end"]);
    ok(&mut client, &["XGROUP", "CREATE", "large:Stream", "group", "0"]);
    ok(
        &mut client,
        &["XREADGROUP", "GROUP", "group", "reader", "COUNT", "9", "STREAMS", "large:Stream", ">"],
    );
    source
}

#[test]
fn large_values_arrive_in_parts() {
    let source = large_source(Server::Redis70);
    for strategy in [Strategy::Psync, Strategy::Scan] {
        let target = start(Server::Redis70);
        let config = between(&source, &target).strategy(strategy).memory_limit(32 << 20);
        let report = run(config.verify(true)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(report.exit_code(), ExitCode::Done, "{report:?}");
        assert_same(&source, &target);
        assert_eq!(listing(&target).len(), 7, "no temporary key is left");
    }
}

#[test]
fn large_values_respect_what_is_there() {
    let source = large_source(Server::Redis70);
    let target = start(Server::Redis70);
    for kind in Collection::ALL {
        ok(&mut target.client(), &["SET", &format!("large:{kind:?}"), "theirs", "EX", "500"]);
    }
    let before = listing(&target);
    let config = |policy| {
        between(&source, &target)
            .on_conflict(policy)
            .memory_limit(32 << 20)
            .strategy(Strategy::Psync)
    };
    let report = run(config(OnConflict::Skip)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((report.keys.skipped, report.keys.copied), (5, 2));
    for kind in Collection::ALL {
        let key = format!("large:{kind:?}");
        let after = listing(&target);
        assert_eq!(before.get(0, key.as_bytes()), after.get(0, key.as_bytes()));
    }
    let report = run(config(OnConflict::Replace)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(report.exit_code(), ExitCode::Done);
    assert_same(&source, &target);
}

/// A server that does not know `RESTORE`.
fn without_restore(server: Server) -> Peer {
    Peer::builder(server).arg("--rename-command", "RESTORE ''").start().expect("a server")
}

#[test]
fn everything_can_go_by_commands() {
    for (from, to) in [(Server::Redis70, Server::Redis70), (Server::Redis80, Server::Redis80)] {
        let source = start_with_everything(from);
        let target = without_restore(to);
        let report = run(between(&source, &target)).unwrap_or_else(|error| panic!("{error}"));
        // No command makes an entry pending that does not exist any more: said, not hidden.
        assert_eq!((report.exit_code(), report.skipped.len()), (ExitCode::Skipped, 1));
        let lost = &report.skipped[0];
        assert!(lost.reason.contains("pending entries of deleted"), "{lost:?}");
        let named: Vec<String> = lost.examples.iter().map(|(_, key)| key.to_string()).collect();
        let differences = listing(&source).diff(&listing(&target));
        let unnamed = differences.iter().filter(|line| !named.iter().any(|key| line.contains(key)));
        assert_eq!(unnamed.collect::<Vec<_>>(), Vec::<&String>::new());
        assert_eq!(report.keys.copied, listing(&source).len() as u64);
    }
}

#[test]
fn commands_respect_what_is_there() {
    let source = start(Server::Redis70);
    let mut client = source.client();
    ok(&mut client, &["RPUSH", "list", "ours"]);
    ok(&mut client, &["SADD", "set", "ours"]);
    let target = without_restore(Server::Redis70);
    ok(&mut target.client(), &["RPUSH", "list", "theirs"]);
    let report = run(between(&source, &target).on_conflict(OnConflict::Skip)).expect("a copy");
    assert_eq!((report.keys.skipped, report.keys.copied), (1, 1));
    assert_eq!(
        ok(&mut target.client(), &["LRANGE", "list", "0", "-1"]).items()[0].text(),
        "theirs"
    );
}
