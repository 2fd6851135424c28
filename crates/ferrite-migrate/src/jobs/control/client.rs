//! The end of the socket that gives orders.

use std::io;
use std::path::Path;

use serde_json::Value;
use tokio::io::BufReader;
use tokio::net::UnixStream;

use super::line;
use super::protocol::{Reply, Request};
use super::socket;

/// Longest line of an answer in bytes.
const REPLY_MAX: u64 = 16 << 20;

/// An order that was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// Nobody listens: no process runs the job, or it is only starting or ending.
    #[error("no process takes orders for this migration")]
    NotRunning,
    /// The job said no.
    #[error("{message}")]
    Refused {
        /// Why.
        message: String,
        /// In detail.
        reasons: Vec<String>,
        /// The exit code for the command that asked.
        code: u8,
    },
    /// The process ended before it answered; what it did meanwhile is in the journal.
    #[error("the process ended before it answered")]
    Gone,
    /// The socket failed.
    #[error("speaking to the process that runs the migration: {0}")]
    Io(#[from] io::Error),
    /// The process is of another version.
    #[error("the process that runs the migration answers in a way this version does not know: {0}")]
    Unknown(serde_json::Error),
}

/// Gives an order to the job in `dir` and waits for its end, however long that takes; `on_step`
/// gets what the job tells meanwhile. Giving up the wait does not take the order back.
///
/// # Errors
/// [`CallError`].
pub async fn call(
    dir: &Path,
    request: &Request,
    mut on_step: impl FnMut(&str),
) -> Result<Value, CallError> {
    let (reader, mut writer) = connect(dir).await?.into_split();
    line::write(&mut writer, request).await.map_err(lost)?;
    let mut reader = BufReader::new(reader);
    loop {
        let text =
            line::read(&mut reader, REPLY_MAX).await.map_err(lost)?.ok_or(CallError::Gone)?;
        match serde_json::from_slice(&text).map_err(CallError::Unknown)? {
            Reply::Step { step } => on_step(&step),
            Reply::Done { done } => return Ok(done),
            Reply::Refused { error, reasons, code } => {
                return Err(CallError::Refused { message: error, reasons, code });
            }
        }
    }
}

async fn connect(dir: &Path) -> Result<UnixStream, CallError> {
    let connected = async { UnixStream::connect(socket::find(dir)?).await };
    connected.await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => CallError::NotRunning,
        _ => CallError::Io(error),
    })
}

/// An error after the connection was made.
fn lost(error: io::Error) -> CallError {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => CallError::Gone,
        _ => CallError::Io(error),
    }
}
