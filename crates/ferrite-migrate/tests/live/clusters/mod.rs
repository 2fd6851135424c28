//! Live migrations where an end is a cluster, or both are.

mod faults;
mod modes;
mod routes;

use std::time::{Duration, Instant};

use crate::common::cluster::{ClusterLoad, wrong};
use crate::common::live::Live;
use ferrite_migrate::{Config, ConfigBuilder, State};
use ferrite_testkit::dataset::Value;
use ferrite_testkit::{Cluster, Listing, Peer, Server};

/// How long both ends may differ after a cutover: keys that expire in these moments are looked at
/// on both ends at different times.
const SETTLES_WITHIN: Duration = Duration::from_secs(20);

fn cluster(server: Server) -> Cluster {
    Cluster::builder(server).start().unwrap_or_else(|error| panic!("{error}"))
}

fn config(source: &str, target: &str) -> ConfigBuilder {
    Config::builder().source(source).target(target)
}

/// `host:port` of these nodes.
fn nodes(cluster: &Cluster, count: usize) -> Vec<String> {
    (0..count).map(|index| cluster.node(index).addr().to_string()).collect()
}

fn held(cluster: &Cluster) -> Result<Listing, String> {
    cluster.snapshot().map_err(|error| error.to_string())
}

fn held_by(peer: &Peer) -> Result<Listing, String> {
    ferrite_testkit::snapshot(&mut peer.client()).map_err(|error| error.to_string())
}

/// Fails unless both ends become the same.
fn assert_same_soon(
    ours: impl Fn() -> Result<Listing, String>,
    theirs: impl Fn() -> Result<Listing, String>,
) {
    let began = Instant::now();
    loop {
        let differences = match (ours(), theirs()) {
            (Ok(ours), Ok(theirs)) => {
                assert!(ours.len() > 100, "only {} keys", ours.len());
                ours.diff_all(&theirs)
            }
            (Err(error), _) | (_, Err(error)) => vec![error],
        };
        if differences.is_empty() {
            return;
        }
        let late = began.elapsed() > SETTLES_WITHIN;
        assert!(!late, "{} differ\n{}", differences.len(), differences.join("\n"));
    }
}

/// What a counter is by what is held.
fn counter_in(listing: &Listing, key: &str) -> Option<i64> {
    match &listing.get(0, key.as_bytes())?.value {
        Value::String(blob) => std::str::from_utf8(blob.head()).ok()?.parse().ok(),
        _ => None,
    }
}
