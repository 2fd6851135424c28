//! Following a source that goes on being written to.

mod apply;
mod checkpoint;
mod classify;
mod clock;
mod links;
mod marks;
mod progress;
mod receive;
mod rewrite;
mod spool;
mod run;
mod stream;

pub use rewrite::{HOLD_MS, hold};
