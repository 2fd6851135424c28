//! The Ferrite server as a library: network, dispatch, commands, persistence, replication.

pub mod acl;
pub mod config;
pub mod glob;
pub mod version;
