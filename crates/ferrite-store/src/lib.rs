//! The keyspace of the Ferrite server: keys, the data types, expiry and memory; no I/O.

pub mod double;
pub mod memory;
pub mod table;
pub mod types;
