//! Live migrations to which everything happens that can happen: processes that die, links that
//! break, servers that come back without their data, targets that take no writes.
//!
//! Every test ends with both ends compared, and most with counters that only ever count up, which
//! tell lost from doubled writes.

mod again;
mod clock;
mod commands;
mod copying;
mod cutover;
mod expiry;
mod failover;
mod fields;
mod filters;
mod killed;
mod large;
mod links;
mod source;
mod spool;
mod target;

use crate::common::{ok, start};
use ferrite_migrate::{Config, ConfigBuilder};
use ferrite_testkit::client::Connector;
use ferrite_testkit::load::{Feature, LoadBuilder};
use ferrite_testkit::{Load, Peer, Proxy, Server};

/// Operations a second of the loads: enough for every moment to be a busy one, and little enough
/// for two processors to share with what is tested.
const RATE: u64 = 10_000;

/// Two servers of one kind.
fn pair(server: Server) -> (Peer, Peer) {
    (start(server), start(server))
}

/// Writers in two databases.
fn load() -> LoadBuilder {
    let load = Load::builder().writers(2).dbs(&[0, 1]).rate(Some(RATE));
    // PFCOUNT stores the number it tells, and replicates that by the way at best.
    load.without(Feature::HyperLogLogs)
}

/// Begins to write to a server.
fn write_to(peer: &Peer, load: LoadBuilder) -> Load {
    load.start(Connector::new(peer.addr())).unwrap()
}

/// Full synchronizations the source has begun; a link that resumes needs none.
fn full_synchronizations(source: &Peer) -> u64 {
    let info = ok(&mut source.client(), &["INFO", "stats"]).text();
    let line = info.lines().find_map(|line| line.strip_prefix("sync_full:"));
    line.and_then(|count| count.parse().ok()).unwrap()
}

/// A proxy to a server.
fn proxy(peer: &Peer) -> Proxy {
    Proxy::start(peer.addr()).unwrap()
}

/// A configuration between two addresses.
fn between(source: impl Into<String>, target: impl Into<String>) -> ConfigBuilder {
    Config::builder().source(source).target(target)
}

/// The same numbers in every run of a test.
struct Dice(u64);

impl Dice {
    /// A number below a limit.
    fn below(&mut self, limit: u64) -> u64 {
        // Knuth's linear congruential generator; its upper bits are the good ones.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}
