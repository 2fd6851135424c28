//! The data types: what a key other than a string holds.

pub mod dict;
pub mod packed;
