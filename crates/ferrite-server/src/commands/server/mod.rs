//! Administration and introspection.

mod access;
mod commands;
mod configuration;
mod debug;
mod document;
pub(super) mod help;
mod info;
pub(super) mod latency;
mod memory;
pub(super) mod memory_report;
mod module;
mod monitor;
mod shutdown;
mod slow_log;
mod time;
mod tips;

pub use debug::Switches;
pub use shutdown::End;

use super::{Handler, handler};

pub(super) const COMMANDS: &[Handler] = &[
    handler("acl|cat", access::cat),
    handler("acl|deluser", access::deluser),
    handler("acl|dryrun", access::dryrun),
    handler("acl|genpass", access::genpass),
    handler("acl|getuser", access::getuser),
    handler("acl|help", access::help),
    handler("acl|list", access::list),
    handler("acl|load", access::load),
    handler("acl|log", access::log),
    handler("acl|save", access::save),
    handler("acl|setuser", access::setuser),
    handler("acl|users", access::users),
    handler("acl|whoami", access::whoami),
    handler("command", commands::all),
    handler("command|count", commands::count),
    handler("command|docs", document::docs),
    handler("command|getkeys", commands::getkeys),
    handler("command|getkeysandflags", commands::getkeysandflags),
    handler("command|help", commands::help),
    handler("command|info", commands::info),
    handler("command|list", commands::list),
    handler("config|get", configuration::get),
    handler("config|help", configuration::help),
    handler("config|resetstat", configuration::resetstat),
    handler("config|rewrite", configuration::rewrite),
    handler("config|set", configuration::set),
    handler("debug", debug::debug).all(),
    handler("info", info::info).all(),
    handler("latency|doctor", latency::doctor),
    handler("latency|graph", latency::graph),
    handler("latency|help", latency::help),
    handler("latency|histogram", latency::histogram),
    handler("latency|history", latency::history),
    handler("latency|latest", latency::latest),
    handler("latency|reset", latency::reset),
    handler("lolwut", time::lolwut),
    handler("memory|doctor", memory_report::doctor).all(),
    handler("memory|help", memory::help),
    handler("memory|malloc-stats", memory_report::malloc_stats),
    handler("memory|purge", memory_report::purge),
    handler("memory|stats", memory_report::stats).all(),
    handler("memory|usage", memory::usage),
    handler("module|help", module::help),
    handler("module|list", module::list),
    handler("monitor", monitor::monitor),
    handler("shutdown", shutdown::shutdown),
    handler("slowlog|get", slow_log::get),
    handler("slowlog|help", slow_log::help),
    handler("slowlog|len", slow_log::len),
    handler("slowlog|reset", slow_log::reset),
    handler("time", time::time),
];
