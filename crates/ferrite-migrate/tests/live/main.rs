//! Migrations of servers that are written to all the while. One program: each costs half a minute to
//! build.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod abort;
mod clusters;
mod every_server;
mod faults;
mod guard;
mod incremental;
mod replica;
mod rounds;
mod schedule;
mod sync;
mod verify;
