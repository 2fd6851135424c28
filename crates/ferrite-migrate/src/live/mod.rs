//! Following a source that goes on being written to.
//!
//! ```text
//! source ──link──► receive ──► spool ──► apply ──► target
//!    │                                     ▲
//!    └──RDB──► copy ──► target             └── checkpoint, in the target
//! ```

mod again;
mod apply;
mod checkpoint;
mod classify;
mod clock;
mod cutover;
mod emptied;
mod links;
mod marks;
mod orders;
mod progress;
mod receive;
mod reverse;
mod rewrite;
mod run;
mod settle;
mod spool;
mod status;
mod stream;
mod verify;

pub use progress::Progress;
pub use rewrite::{HOLD_MS, hold, release};
pub use run::run;
