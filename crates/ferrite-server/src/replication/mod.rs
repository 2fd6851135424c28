//! The master side of replication.

pub mod log;
