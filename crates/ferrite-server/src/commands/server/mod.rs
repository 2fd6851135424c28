//! Administration and introspection.

mod access;
mod configuration;
pub(super) mod help;
mod shutdown;
mod time;

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
    handler("config|get", configuration::get),
    handler("config|help", configuration::help),
    handler("config|resetstat", configuration::resetstat),
    handler("config|rewrite", configuration::rewrite),
    handler("config|set", configuration::set),
    handler("lolwut", time::lolwut),
    handler("shutdown", shutdown::shutdown),
    handler("time", time::time),
];
