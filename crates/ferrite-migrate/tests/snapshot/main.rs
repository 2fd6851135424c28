//! Migrations that end by themselves: copies of servers and files, and what they refuse. One program:
//! each costs half a minute to build.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod choices;
mod cluster;
mod failures;
mod large;
mod memcached;
mod migrate_strategy;
mod scripted;
mod sentinel;
mod served;
mod throttle;
mod verification;
mod versions;
