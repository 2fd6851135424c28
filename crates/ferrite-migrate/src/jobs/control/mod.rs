//! Orders to a job that runs, through a socket in its directory.
//!
//! ```text
//! → {"do":"cutover","max_pause_ms":2000}\n          one request a line, answered before the next
//! ← {"step":"holding back writes"}\n                any number of them
//! ← {"done":{…}}\n                                  or, instead of it:
//! ← {"error":"…","reasons":["…"],"code":6}\n        code: the exit code for the command
//! ```
//!
//! Who may write to the directory may give orders: the directory is the user's alone.

mod client;
mod line;
mod protocol;
mod server;
mod socket;

pub use client::{CallError, call};
pub use protocol::Request;
pub use server::{Replier, Server};

#[cfg(test)]
mod tests;
