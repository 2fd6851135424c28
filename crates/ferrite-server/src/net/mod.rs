//! The network: threads that own their connections and execute their commands.

pub mod admission;
pub mod connection;
pub mod listen;
pub mod mail;
mod secure;
pub mod stream;
pub mod worker;
