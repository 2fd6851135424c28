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

use ferrite_client::replication::{AttachOptions, Position, RdbFill, ReplicationLink};
use ferrite_client::server::ServerInfo;
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

/// Attaches to the stream of a server as it is now, without its keys.
///
/// A server that keeps a backlog continues from where it is; another one is asked for an RDB
/// without keys. Before Redis 7.0 that brings all of them, which are read and forgotten.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn attach_now(connector: &Connector) -> Result<(ReplicationLink, Position), ClientError> {
    let mut connection = connector.connect().await?;
    let info = ServerInfo::probe(&mut connection).await?;
    let keeps_backlog = info.info.flag("repl_backlog_active");
    if let (true, Some(replid), Some(offset)) =
        (keeps_backlog, info.replication_id, info.replication_offset)
        && let position = (Position { replid, offset })
        && let Some((link, replid)) = resume(connector, &position).await?
    {
        return Ok((link, Position { replid, ..position }));
    }
    attach_empty(connector).await
}

/// Attaches to the stream of a server as it is now, which then begins by saying which database is
/// selected; `filters` if the server can send an RDB without keys (Redis 7.0 on). Another one is
/// asked for a whole one, and left before it sends it.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn attach_stream(
    connector: &Connector,
    filters: bool,
) -> Result<(ReplicationLink, Position), AttachError> {
    if filters {
        return Ok(attach_empty(connector).await?);
    }
    let Links { stream, position, .. } = attach(connector).await?;
    Ok((stream, position))
}

/// Attaches by an RDB without keys.
async fn attach_empty(connector: &Connector) -> Result<(ReplicationLink, Position), ClientError> {
    let options = AttachOptions { rdb_filter: Some(String::new()), ..AttachOptions::default() };
    let (mut link, start) = ReplicationLink::attach(connector, &options).await?;
    loop {
        let filled = link.rdb_fill().await?;
        let count = link.rdb_bytes().len();
        link.rdb_consume(count);
        if filled == RdbFill::End {
            // Some servers send nothing before they hear of us.
            link.acknowledge_now();
            let position = Position { replid: start.replid, offset: start.offset };
            return Ok((link, position));
        }
    }
}
