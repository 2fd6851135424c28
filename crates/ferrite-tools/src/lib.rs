//! The commands of Ferrite: what their command lines mean and how they speak. The binaries only
//! begin and end the process.
//!
//! ```text
//! commands/<verb>.rs   one verb: its options and what it does     listed in commands/mod.rs
//! args.rs              options that verbs share
//! workers.rs           machines that share a job
//! limits.rs            how fast keys are copied at most
//! order.rs             which migration is meant, and how it is told what to do
//! detach.rs            migrations in the background
//! state_dir.rs         where migrations that outlive their process are
//! watch.rs             follows a run: events, progress, signals
//! export.rs            the verbs that write files
//! demo/                two servers and an application, to show a live migration
//! render/              what is said: for people, and as JSON
//! term/                how it is said: units, colors, progress bar, errors
//! ```
//!
//! stdout carries the result, stderr everything else. `--json` is a stable interface; the text for
//! people is not.

mod args;
mod commands;
mod demo;
mod detach;
mod export;
mod limits;
mod mapping;
mod order;
mod render;
mod state_dir;
mod term;
mod watch;
mod workers;

pub use commands::{Invocation, prepare};
pub use term::error::Failure;
pub use term::screen::Screen;
