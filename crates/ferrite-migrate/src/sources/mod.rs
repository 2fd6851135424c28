//! Where keys come from: one folder a source, one line each in [`SOURCES`].
//!
//! What a source owes the engine:
//! * every key that is on the server from the first moment to the last is handed over at least
//!   once, with the value and expiry it had at one moment in between;
//! * a key is handed over whole, or as a [`LargeRecord`](crate::model::LargeRecord) whose channel
//!   ends early if the source fails midway;
//! * a key that is not handed over (filtered, expired, gone) is counted;
//! * it ends with `Ok` only when all was read, or when the operator asked for the end; a broken
//!   link is an error.

mod feed;
mod moved;
pub mod rdb;
pub mod redis_migrate;
pub mod redis_psync;
pub mod redis_scan;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use feed::{Closed, Feed, Parts};
pub use moved::{Missed, Moved};

use crate::config::Strategy;
use crate::engine::Job;
use crate::error::MigrateError;
use crate::preflight::Checked;

/// A future that can be sent to another thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A source that is open and has not begun to read.
pub trait Source: Send {
    /// Reads everything into `feed`.
    fn read(self: Box<Self>, feed: Feed) -> BoxFuture<'static, Result<(), MigrateError>>;
}

/// Why a source could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The server does not allow this way of reading: the next one may work.
    Refused(String),
    /// It cannot be read at all.
    Failed(MigrateError),
}

/// A source that is being opened.
pub type Opening = BoxFuture<'static, Result<Box<dyn Source>, OpenError>>;

/// A way of reading a server.
#[derive(Clone, Copy)]
pub struct SourceDescriptor {
    /// What it is called.
    pub strategy: Strategy,
    /// What speaks for it, when it is chosen.
    pub reason: &'static str,
    /// Whether a name or type filter reads less of the source, not only less of what was sent.
    pub filters_at_server: bool,
    /// Whether it can leave keys alone that are the same on the target.
    pub compares: bool,
    /// Connects to the source.
    pub open: fn(Arc<Job>, Arc<Checked>) -> Opening,
}

/// All ways of reading, best first.
pub const SOURCES: &[SourceDescriptor] =
    &[redis_psync::DESCRIPTOR, redis_scan::DESCRIPTOR, redis_migrate::DESCRIPTOR];
