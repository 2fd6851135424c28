//! Which versions the server says it is.

/// Ferrite's own version.
pub const FERRITE: &str = env!("CARGO_PKG_VERSION");

/// The version of Redis that clients are told, because they choose their commands by it.
pub const REDIS: &str = "7.2.7";
