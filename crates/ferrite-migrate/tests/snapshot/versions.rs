//! Every value arrives between servers of different versions and makers, or is named.
//!
//! The oracle is the testkit's picture of a server, taken by the server's own read commands.

use crate::common::{assert_same, between, listing, run, start, start_with_everything};
use ferrite_migrate::{ExitCode, Report, Strategy};
use ferrite_testkit::{Peer, Server};

fn copy(source: &Peer, target: &Peer, strategy: Strategy) -> Report {
    run(between(source, target).strategy(strategy).verify(true)).unwrap_or_else(|error| {
        panic!("{error}\nhint: {:?}", error.hint);
    })
}

/// Copies everything by both strategies and expects every value on the target.
fn arrives_whole(from: Server, to: Server) {
    let source = start_with_everything(from);
    for strategy in [Strategy::Psync, Strategy::Scan] {
        let target = start(to);
        let report = copy(&source, &target, strategy);
        assert_eq!(report.exit_code(), ExitCode::Done, "{strategy:?}: {:?}", report.skipped);
        assert_eq!(report.keys.copied, listing(&source).len() as u64);
        let verification = report.verification.expect("it was asked for");
        assert_eq!(verification.compared, report.keys.copied);
        assert_same(&source, &target);
    }
}

/// Copies everything to a server that lacks something: what does not arrive is named, the rest
/// arrives whole.
fn arrives_or_is_named(from: Server, to: Server, reason: &str) {
    let source = start_with_everything(from);
    for strategy in [Strategy::Psync, Strategy::Scan] {
        let target = start(to);
        let report = copy(&source, &target, strategy);
        assert_eq!(report.exit_code(), ExitCode::Skipped, "{report:?}");
        let named = report.skipped.iter().find(|skip| skip.reason.contains(reason));
        let named = named.unwrap_or_else(|| panic!("no {reason} in {:?}", report.skipped));
        assert!(named.count > 0 && !named.examples.is_empty());
        let skipped = usize::try_from(report.keys.skipped).expect("a small number");
        let (ours, theirs) = (listing(&source), listing(&target));
        assert_eq!(ours.len(), theirs.len() + skipped);
        let differences = ours.diff(&theirs);
        let unnamed: Vec<_> = differences
            .iter()
            .filter(|line| {
                let is_named = |skip: &ferrite_migrate::Skip| {
                    skip.examples.iter().any(|(_, key)| line.contains(&key.to_string()))
                };
                !report.skipped.iter().any(is_named)
            })
            .collect();
        assert!(unnamed.is_empty(), "{unnamed:#?}\n{:?}", report.skipped);
    }
}

const FIELD_EXPIRY: &str = "fields of the hash expire";
const FUNCTIONS: &str = "function library";

#[test]
fn redis_7_0_to_redis_7_0() {
    arrives_whole(Server::Redis70, Server::Redis70);
}

#[test]
fn redis_8_0_to_redis_8_0() {
    arrives_whole(Server::Redis80, Server::Redis80);
}

#[test]
fn redis_8_0_to_redis_7_0() {
    arrives_or_is_named(Server::Redis80, Server::Redis70, FIELD_EXPIRY);
}

#[test]
fn redis_7_0_to_redis_6_2() {
    arrives_or_is_named(Server::Redis70, Server::Redis62, FUNCTIONS);
}

#[test]
fn valkey_9_1_to_redis_7_0() {
    arrives_or_is_named(Server::Valkey91, Server::Redis70, FIELD_EXPIRY);
}

#[test]
fn valkey_9_1_to_redis_8_0() {
    arrives_whole(Server::Valkey91, Server::Redis80);
}

#[test]
fn redis_8_0_to_valkey_9_1() {
    arrives_whole(Server::Redis80, Server::Valkey91);
}

#[test]
fn redis_6_2_to_valkey_8_1() {
    arrives_whole(Server::Redis62, Server::Valkey81);
}

#[test]
fn redis_6_2_to_redis_7_0() {
    arrives_whole(Server::Redis62, Server::Redis70);
}

#[test]
fn valkey_8_1_to_redis_8_0() {
    arrives_whole(Server::Valkey81, Server::Redis80);
}

/// Redis 8.0 has vector sets, kept as a module's data type.
#[test]
fn module_values_go_where_the_module_is_and_are_named_elsewhere() {
    let source = start(Server::Redis80);
    let mut client = source.client();
    client.ok(&["VADD", "vectors", "VALUES", "3", "1", "0.5", "0", "first"]);
    client.ok(&["VADD", "vectors", "VALUES", "3", "0", "1", "0.25", "second"]);
    client.ok(&["SET", "plain", "v"]);
    for strategy in [Strategy::Psync, Strategy::Scan] {
        let target = start(Server::Redis80);
        let report = copy(&source, &target, strategy);
        assert_eq!(report.exit_code(), ExitCode::Done);
        let verification = report.verification.expect("it was asked for");
        assert_eq!(verification.matching + verification.not_comparable, 2);
        let theirs = target.client().ok(&["VEMB", "vectors", "second"]);
        assert_eq!(theirs, client.ok(&["VEMB", "vectors", "second"]));

        let target = start(Server::Redis70);
        let report = copy(&source, &target, strategy);
        assert_eq!((report.exit_code(), report.keys.copied), (ExitCode::Skipped, 1));
        assert_eq!(report.skipped[0].examples[0].1.to_string(), "vectors");
        assert!(report.skipped[0].reason.contains("module"), "{:?}", report.skipped);
    }
}
