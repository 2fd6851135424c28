//! The connection itself: who calls, in which protocol and database.

mod auth;
mod basics;

pub use basics::REDIS_VERSION;

use super::{Handler, handler};

pub(super) const COMMANDS: &[Handler] = &[
    handler("auth", auth::auth),
    handler("echo", basics::echo),
    handler("hello", basics::hello),
    handler("ping", basics::ping),
    handler("quit", basics::quit).at_once(),
    handler("reset", basics::reset).at_once(),
    handler("select", basics::select),
];
