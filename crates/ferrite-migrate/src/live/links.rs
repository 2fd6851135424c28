//! Attaches to the source twice: once for its RDB, once for the commands after it.
//!
//! ```text
//! RDB link      PSYNC ? -1                 →  +FULLRESYNC <replid> <offset>, the RDB
//! stream link   PSYNC <replid> <offset+1>  →  +CONTINUE, the commands
//! ```
//!
//! The first request makes the source keep a backlog if it had none, so the second finds its place
//! in it. The commands are received while the RDB is: nothing piles up in the source's output
//! buffer. The stream begins with a `SELECT`, which a full synchronization makes the source repeat.

use ferrite_client::replication::{AttachOptions, Position, ReplicationLink};
use ferrite_client::{ClientError, Connector};

/// How often the pair is tried: a busy source may have turned its backlog over before the second
/// link is there.
const ATTEMPTS: u32 = 3;

/// Both links of an attached source.
#[derive(Debug)]
pub struct Links {
    /// Sends the RDB.
    pub rdb: ReplicationLink,
    /// Sends the commands from where the RDB ends.
    pub stream: ReplicationLink,
    /// Where the RDB ends.
    pub position: Position,
}

/// Why the links could not be made.
#[derive(Debug)]
pub enum AttachError {
    /// The source, or the way to it.
    Client(ClientError),
    /// The source does not continue where its RDB ends.
    NoBacklog,
}

impl From<ClientError> for AttachError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

/// Attaches for the RDB and for the stream.
///
/// # Errors
/// The source refuses, cannot be reached, or its backlog is too small for its write rate.
pub async fn attach(connector: &Connector) -> Result<Links, AttachError> {
    for _ in 0..ATTEMPTS {
        let options = AttachOptions { rdb_only: true, ..AttachOptions::default() };
        let (rdb, start) = ReplicationLink::attach(connector, &options).await?;
        let position = Position { replid: start.replid, offset: start.offset };
        tracing::debug!(replid = position.replid, offset = position.offset, "attached for the RDB");
        if let Some((stream, _)) = resume(connector, &position).await? {
            return Ok(Links { rdb, stream, position });
        }
    }
    Err(AttachError::NoBacklog)
}

/// Attaches for the stream from a position on, with the name of the history, which changes when
/// the source has been promoted since; `None` if the source would start over with an RDB.
///
/// # Errors
/// The source refuses, or cannot be reached.
pub async fn resume(
    connector: &Connector,
    position: &Position,
) -> Result<Option<(ReplicationLink, String)>, ClientError> {
    let options = AttachOptions { resume: Some(position.clone()), ..AttachOptions::default() };
    let (link, start) = ReplicationLink::attach(connector, &options).await?;
    Ok((!start.full).then_some((link, start.replid)))
}
