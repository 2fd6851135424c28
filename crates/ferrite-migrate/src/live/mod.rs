//! Following a source that goes on being written to.

pub(crate) mod spool;
