//! The data types: what a key other than a string holds.

pub mod packed;
