//! Following a source that goes on being written to.

pub mod classify;
pub mod rewrite;
