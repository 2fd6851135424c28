//! The compiled command against real servers, as a shell runs it: what it writes where, how it
//! exits, what is on the target afterwards.
//!
//! ```text
//! command.rs    runs the program, reads what it says, sends it signals, with deadlines
//! copies.rs     migrate that works: report, equal servers, conflicts, what is left out
//! analyze.rs    analyze: what is on a source, against what is on it
//! demo.rs       what a newcomer runs first
//! blocked.rs    refusals before anything is written
//! ferrite.rs    Ferrite as target and source
//! failures.rs   runs that break midway
//! cluster.rs    clusters, and primaries that sentinels name
//! compare.rs    verify: equal, different, samples
//! rdb_files.rs  RDB files: what they hold
//! imports.rs    keys out of files
//! json.rs       the interface for programs
//! live/         live migrations, from the first command to the cutover
//! shared.rs     machines that share a job
//! signals.rs    Ctrl-C at every stage
//! memcached.rs  another kind of server as the source
//! memory.rs     values larger than the memory limit
//! terminal.rs   the progress bar on a terminal of 80 columns
//! ```
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod analyze;
mod blocked;
mod cluster;
mod command;
mod compare;
mod copies;
mod demo;
mod failures;
mod ferrite;
mod file_memory;
mod imports;
mod json;
mod live;
mod memcached;
mod memory;
mod rdb_files;
mod shared;
mod signals;
mod terminal;

use ferrite_testkit::{Dataset, Listing, Peer, Server, snapshot};

/// A Redis 7.0 with nothing in it.
fn empty() -> Peer {
    start(Server::Redis70)
}

fn start(server: Server) -> Peer {
    Peer::start(server).unwrap_or_else(|error| panic!("{error}"))
}

/// A server with every kind of value.
fn with_everything(server: Server) -> Peer {
    let peer = start(server);
    Dataset::everything().load(&mut peer.client()).unwrap_or_else(|error| panic!("{error}"));
    peer
}

/// A Redis 7.0 with so many ordinary keys.
fn with_keys(keys: u64) -> Peer {
    let peer = empty();
    Dataset::mixed(keys).load(&mut peer.client()).unwrap_or_else(|error| panic!("{error}"));
    peer
}

fn listing(peer: &Peer) -> Listing {
    snapshot(&mut peer.client()).unwrap_or_else(|error| panic!("{error}"))
}

fn assert_same(source: &Peer, target: &Peer) {
    let differences = listing(source).diff(&listing(target));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn assert_empty(target: &Peer) {
    assert_eq!(listing(target).len(), 0, "the target should hold nothing");
}

/// Every key of the target is on the source, and whole.
fn assert_part_of(target: &Peer, source: &Peer) {
    let (theirs, ours) = (listing(target), listing(source));
    for (&db, keys) in &theirs.databases {
        for (key, entry) in keys {
            assert_eq!(ours.get(db, key), Some(entry), "{}", key.escape_ascii());
        }
    }
}
