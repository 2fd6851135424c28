//! What clients see must be explicable by one order of their commands that agrees with the clock:
//! single keys (`register`), transactions and scripts over several keys (`appends`), blocking pops
//! (`pops`), expiry (`register`). Ours must pass and a real server too; histories with one wrong
//! reply must not.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod appends;
mod clock;
mod pops;
mod register;
mod register_load;

use std::net::SocketAddr;

use ferrite_server::Server;
use ferrite_testkit::{Peer, Server as Real};

/// Threads of our server: more than one, whatever the machine has.
const THREADS: usize = 4;

/// Runs a load against ours, then against a real server.
fn on_both(load: impl Fn(SocketAddr)) {
    let folder = std::env::temp_dir().join("ferrite-without-a-snapshot");
    let builder = Server::builder().bind("127.0.0.1:0".parse().unwrap()).threads(THREADS);
    let ours = builder.snapshot(folder, "none.rdb").start().unwrap();
    load(ours.addresses()[0]);
    let real = Peer::start(Real::Redis70).unwrap_or_else(|error| panic!("{error}"));
    load(real.addr());
}
