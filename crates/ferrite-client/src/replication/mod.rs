//! The replication link: we attach to a server the way a replica does, receive its RDB as a
//! byte stream, and then every write as it happens.
//!
//! ```text
//! we                                       server
//! REPLCONF listening-port 0           →    +OK
//! REPLCONF capa eof capa psync2       →    +OK
//! [REPLCONF rdb-only 1]               →    +OK            Redis 6.2 and later
//! [REPLCONF version 9.0.0]            →    +OK            Valkey 8 and later
//! PSYNC ? -1                          →    \n \n …        while it prepares
//!                                     ←    +FULLRESYNC <replid> <offset>\r\n
//!                                     ←    \n \n …        while it saves
//!                                     ←    $<length>\r\n <RDB>                 or
//!                                     ←    $EOF:<40 bytes>\r\n <RDB> <same 40 bytes>
//! REPLCONF ACK <offset> every second  ←    commands, each counting its bytes as offset
//! ```

mod ack;
mod handshake;
mod link;
mod marker;
mod transfer;

use std::time::Duration;

pub use link::{RdbFill, ReplicationLink};

/// What we claim to be to a Valkey server, which else sends what its oldest version knows.
const CLAIMED_VERSION: &str = "9.0.0";
/// A server silent for longer is taken for dead, as `repl-timeout` has it by default.
const DEFAULT_SILENCE: Duration = Duration::from_secs(60);

/// How to attach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachOptions {
    /// Ask for the RDB alone, without the commands after it: the server then keeps no backlog
    /// for us. Servers before 6.2 refuse and send both.
    pub rdb_only: bool,
    /// Ask for an RDB reduced to this: `functions`, or nothing at all for an empty string.
    /// Servers before 7.0 refuse and send everything.
    pub rdb_filter: Option<String>,
    /// The port the server shows for us in `INFO replication`.
    pub listening_port: Option<u16>,
    /// The Valkey version we claim to be.
    pub version: Option<String>,
    /// How long the server may send nothing at all, not even a keep-alive.
    pub silence: Duration,
    /// Continue after this point of the server's history instead of copying everything.
    pub resume: Option<Position>,
}

impl Default for AttachOptions {
    fn default() -> Self {
        Self {
            rdb_only: false,
            rdb_filter: None,
            listening_port: None,
            version: Some(CLAIMED_VERSION.to_owned()),
            silence: DEFAULT_SILENCE,
            resume: None,
        }
    }
}

/// A point in a server's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Names the history: 40 hexadecimal digits.
    pub replid: String,
    /// Bytes of commands up to here.
    pub offset: u64,
}

/// Where the link begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Names the server's history.
    pub replid: String,
    /// The RDB holds everything up to this offset; the commands continue from it.
    pub offset: u64,
    /// Whether an RDB comes first; false when the server continues where we asked.
    pub full: bool,
    /// The optional requests the server refused, such as `rdb-only`.
    pub refused: Vec<&'static str>,
}
