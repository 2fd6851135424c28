//! The Lua engine against real servers: the same script, the same reply, byte for byte.
//!
//! The engine's host is a connection to the real server, so that both work on the same data.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacks;
mod replies;
mod server;
mod support;
