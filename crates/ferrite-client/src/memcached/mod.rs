//! Connections to Memcached: which keys it has, and what is in them.
//!
//! The text protocol, as the `doc/protocol.txt` of Memcached describes it:
//!
//! ```text
//! lru_crawler metadump hash   key=K exp=E la=T cas=N fetch=yes cls=C size=B …   END
//! mg K v f t c u              VA <size> f<flags> t<seconds> c<cas> ⏎ <value> ⏎  or EN
//! gets K                      VALUE K <flags> <size> <cas> ⏎ <value> ⏎ END      before 1.6
//! stats                       STAT <name> <value> …                             END
//! set K 0 0 N ⏎ user password ⏎        the first line, where a password is needed (-Y)
//! ```
//!
//! Memcached has no snapshot and no stream of changes: [`KeyDump`] names keys while they come and
//! go, and [`Memcached`] reads each of them later. The unique number (`cas`) that every write gives
//! a key tells whether it is still the one that was named.

mod dump;
mod greeting;
mod line;
mod presence;
mod values;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub use dump::KeyDump;
pub use greeting::Abilities;
pub use line::{DumpedKey, ValueHeader, dumped_key, value_header};
pub use values::{Answer, REQUEST_BYTES_MAX};

use crate::address::parse;
use crate::{Address, AddressError, ClientError, Connector, Receiver, ReplyError, Sender};

/// The port Memcached listens on unless told otherwise.
pub const DEFAULT_PORT: u16 = 11211;
/// Longest key that Memcached takes, in bytes.
pub const KEY_MAX: usize = 250;
/// Most servers that one address may name.
pub const SERVERS_MAX: usize = 1024;
/// Longest line of an answer that is accepted, in bytes: a key of 250 bytes, all of them escaped,
/// takes a third of it.
const LINE_MAX: usize = 4 << 10;
/// Most lines of statistics that are accepted.
const STATS_MAX: usize = 1000;

/// Reads `memcached://[user:password@]host[:port][,host[:port]…]`, or `memcacheds://…` for TLS: one
/// address for each server. User and password are those of all of them.
///
/// # Errors
/// Text that is no such address, without its secrets.
pub fn addresses(text: &str) -> Result<Vec<Address>, AddressError> {
    parse::memcached(text)
}

/// Whether a text is meant to be an address that [`addresses`] reads.
#[must_use]
pub fn is_address(text: &str) -> bool {
    let scheme = text.trim().split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("memcached" | "memcacheds"))
}

/// A connection to one server.
#[derive(Debug)]
pub struct Memcached {
    sender: Sender,
    receiver: Receiver,
    version: String,
    abilities: Abilities,
    /// Answers that were asked for and have not come.
    pending: usize,
    /// Bytes of a large value that have not come, its last line break included.
    rest: usize,
}

/// What a server says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats(BTreeMap<String, String>);

impl Stats {
    /// A number by its name, such as `curr_items`.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.parse().ok()
    }

    /// A word by its name, such as `lru_crawler`.
    #[must_use]
    pub fn word(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// How many keys there are.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.number("curr_items").unwrap_or(0)
    }
}

impl Memcached {
    /// Connects, with TLS, user and password where the address has them, and finds out what the
    /// server can do.
    ///
    /// # Errors
    /// `Unreachable`, `Tls`, `Auth`, `Timeout`, `Closed`, and `Unexpected` where something else
    /// than Memcached answers.
    pub async fn connect(connector: &Connector) -> Result<Self, ClientError> {
        greeting::connect(connector).await
    }

    /// The server's version, such as `1.6.18`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What the server can do.
    #[must_use]
    pub fn abilities(&self) -> Abilities {
        self.abilities
    }

    /// Uses less than the server can do.
    #[must_use]
    pub fn with_abilities(mut self, abilities: Abilities) -> Self {
        self.abilities = abilities;
        self
    }

    /// `host:port`, for messages.
    #[must_use]
    pub fn address(&self) -> &str {
        self.receiver.address()
    }

    /// Asks for the statistics of the server: of `""` how it does, of `settings` how it is set.
    ///
    /// # Errors
    /// What happened to the connection; `Reply` where the server refuses.
    pub async fn stats(&mut self, of: &str) -> Result<Stats, ClientError> {
        let doing = "reading statistics";
        let command = format!("stats {of}\r\n").replace(" \r", "\r");
        self.sender.send(command.as_bytes()).await.map_err(|error| error.while_doing(doing))?;
        let mut stats = Stats::default();
        for _ in 0..STATS_MAX {
            let line = self.line(doing).await?;
            let mut words = line.splitn(3, ' ');
            match (words.next(), words.next(), words.next()) {
                (Some("END"), ..) => return Ok(stats),
                (Some("STAT"), Some(name), value) => {
                    stats.0.insert(name.to_owned(), value.unwrap_or_default().to_owned());
                }
                _ => return Err(self.refusal("stats", &line)),
            }
        }
        Err(self.unexpected(doing, "more lines than there are statistics"))
    }

    /// How long the server takes to answer once.
    ///
    /// # Errors
    /// What happened to the connection.
    pub async fn ping(&mut self) -> Result<Duration, ClientError> {
        let (began, doing) = (Instant::now(), "asking whether it is there");
        self.sender.send(b"version\r\n").await.map_err(|error| error.while_doing(doing))?;
        self.line(doing).await.map(|_| began.elapsed())
    }

    /// The next line, without its end; bytes that are not UTF-8 are replaced.
    async fn line(&mut self, doing: &str) -> Result<String, ClientError> {
        let length = line_length(&mut self.receiver).await.map_err(|e| e.while_doing(doing))?;
        let line = self.receiver.buffered().get(..length).unwrap_or_default();
        let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
        self.receiver.consume(length);
        Ok(text)
    }

    /// What an answer means that is none of those expected.
    fn refusal(&self, command: &str, line: &str) -> ClientError {
        refusal(self.address(), command, line)
    }

    fn unexpected(&self, doing: &str, what: impl Into<String>) -> ClientError {
        let address = self.address().to_owned();
        ClientError::Unexpected { address, doing: doing.to_owned(), what: what.into() }
    }
}

/// Waits for a whole line and says how many bytes it has, its end included. Nothing is lost when
/// the future is dropped.
async fn line_length(receiver: &mut Receiver) -> Result<usize, ClientError> {
    let mut seen = 0;
    loop {
        let buffered = receiver.buffered();
        let fresh = buffered.get(seen..).unwrap_or_default();
        if let Some(at) = fresh.iter().take(LINE_MAX).position(|byte| *byte == b'\n') {
            return Ok(seen + at + 1);
        }
        if buffered.len() >= LINE_MAX {
            let (address, doing) = (receiver.address().to_owned(), String::new());
            return Err(ClientError::TooLarge { address, doing, limit: LINE_MAX });
        }
        seen = buffered.len();
        if receiver.fill().await? == 0 {
            return Err(receiver.closed());
        }
    }
}

/// An answer that refuses a command, or is none at all.
fn refusal(address: &str, command: &str, line: &str) -> ClientError {
    let (address, shown) = (address.to_owned(), line.get(..200).unwrap_or(line));
    let word = line.split(' ').next().unwrap_or_default();
    match word {
        "ERROR" | "CLIENT_ERROR" | "SERVER_ERROR" | "BUSY" | "BADCLASS" => ClientError::Reply {
            address,
            command: command.to_owned(),
            error: ReplyError { code: word.to_owned(), message: shown.to_owned() },
        },
        _ => ClientError::Unexpected {
            address,
            doing: format!("waiting for an answer to {command}"),
            what: format!("'{}'", shown.escape_default()),
        },
    }
}

#[cfg(test)]
mod tests;
