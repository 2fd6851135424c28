//! The data types: what a key other than a string holds.

pub mod dict;
mod limits;
pub mod packed;
pub mod sorted_set;

pub use limits::Limits;
