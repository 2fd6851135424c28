//! The connection itself: who calls, in which protocol and database.

mod auth;
mod basics;
mod client;
mod clients;

pub use basics::REDIS_VERSION;

use super::{Handler, handler};

pub(super) const COMMANDS: &[Handler] = &[
    handler("auth", auth::auth),
    handler("client|getname", client::getname),
    handler("client|help", client::help),
    handler("client|id", client::id),
    handler("client|info", client::info),
    handler("client|kill", clients::kill),
    handler("client|list", clients::list),
    handler("client|no-evict", client::no_evict),
    handler("client|no-touch", client::no_touch),
    handler("client|pause", clients::pause),
    handler("client|reply", client::reply),
    handler("client|setinfo", client::setinfo),
    handler("client|setname", client::setname),
    handler("client|unblock", clients::unblock),
    handler("client|unpause", clients::unpause),
    handler("echo", basics::echo),
    handler("hello", basics::hello),
    handler("ping", basics::ping),
    handler("quit", basics::quit).at_once(),
    handler("reset", basics::reset).at_once(),
    handler("select", basics::select),
];
