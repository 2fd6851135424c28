//! What the engine's tests share: running a migration against real servers.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod cluster;
pub mod live;

use ferrite_migrate::{Config, ConfigBuilder, MigrateError, Migration, Report};
use ferrite_testkit::{Client, Dataset, Listing, Peer, Reply, Server, snapshot};

/// A server that is running.
pub fn start(server: Server) -> Peer {
    Peer::start(server).unwrap_or_else(|error| panic!("{error}"))
}

/// A server with every kind of value this kit can make on it.
pub fn start_with_everything(server: Server) -> Peer {
    let peer = start(server);
    Dataset::everything().load(&mut peer.client()).unwrap_or_else(|error| panic!("{error}"));
    peer
}

/// A configuration from one to the other.
pub fn between(source: &Peer, target: &Peer) -> ConfigBuilder {
    Config::builder().source(source.url()).target(target.url())
}

/// Runs a migration to its end on a runtime of its own.
pub fn run(config: ConfigBuilder) -> Result<Report, MigrateError> {
    runtime().block_on(async {
        let config = config.build().expect("a usable configuration");
        let mut migration = Migration::new(config).await?;
        migration.start().await?;
        migration.wait().await
    })
}

/// A runtime like the command's.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// What a server holds, read by commands.
pub fn listing(peer: &Peer) -> Listing {
    snapshot(&mut peer.client()).unwrap_or_else(|error| panic!("{error}"))
}

/// Fails with the differences, if there are any.
pub fn assert_same(source: &Peer, target: &Peer) {
    let differences = listing(source).diff(&listing(target));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Fails unless the target holds nothing.
pub fn assert_empty(target: &Peer) {
    let keys = listing(target).len();
    assert_eq!(keys, 0, "the target should hold nothing");
}

/// Calls a command that must not fail.
pub fn ok(client: &mut Client, command: &[&str]) -> Reply {
    client.ok(command)
}
