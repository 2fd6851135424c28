//! Lists the names of a server's keys.

use std::future::Future;
use std::ops::Range;

use ferrite_client::{ClientError, Connection, Connector};
use ferrite_resp::ProtocolError;
use tokio::sync::mpsc::error::SendError;

use crate::cluster::SlotSet;
use crate::config::{Config, KeyType};
use crate::engine::Stop;
use crate::preflight::Server;

/// Names of keys in one database.
#[derive(Debug)]
pub struct Names {
    /// The database.
    pub db: u32,
    arena: Vec<u8>,
    ranges: Vec<Range<usize>>,
}

impl Names {
    /// No names yet.
    #[must_use]
    pub fn new(db: u32) -> Self {
        Self { db, arena: Vec::new(), ranges: Vec::new() }
    }

    /// Adds a name.
    pub fn push(&mut self, name: &[u8]) {
        let start = self.arena.len();
        self.arena.extend_from_slice(name);
        self.ranges.push(start..self.arena.len());
    }

    /// The names, in the order the server gave them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.ranges.iter().map(|range| self.arena.get(range.clone()).unwrap_or_default())
    }

    /// The names in these slots alone.
    #[must_use]
    pub fn in_slots(self, slots: &SlotSet) -> Self {
        let mut chosen = Self::new(self.db);
        self.iter().filter(|name| slots.has_key(name)).for_each(|name| chosen.push(name));
        chosen
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }
}

/// Where a scan is: the names before it were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The database.
    pub db: u32,
    /// What `SCAN` is asked with there, which means something to one run of one server.
    pub cursor: u64,
}

/// Bytes of names in one reply from which fewer are asked for; below a quarter of it, more.
const NAMES_BYTES_MAX: usize = 256 << 10;
/// Names asked for at first, before it is known how long they are.
const COUNT_FIRST: usize = 32;

/// Goes through the names of a server's keys by `SCAN`.
#[derive(Debug)]
pub struct Scanner {
    connection: Connection,
    count: usize,
    count_max: usize,
    pattern: Option<Vec<u8>>,
    /// Pushed to the server where it takes `TYPE`.
    key_type: Option<KeyType>,
}

impl Scanner {
    /// Connects a scanner that applies on the server what the server can apply.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn connect(connector: &Connector, config: &Config) -> Result<Self, ClientError> {
        let key_type = match config.types.as_slice() {
            [only] => Some(*only),
            _ => None,
        };
        Ok(Self {
            connection: connector.connect().await?,
            count: config.batch_size.min(COUNT_FIRST),
            count_max: config.batch_size,
            pattern: config.filter.server_pattern().map(<[u8]>::to_vec),
            key_type,
        })
    }

    /// Gives all names to `found`, database by database, until there are no more, the operator
    /// stops the run, or nobody takes them.
    ///
    /// # Errors
    /// The loss of the connection, or a refusal.
    pub async fn all<F, R>(&mut self, dbs: &[u32], stop: &Stop, found: F) -> Result<(), ClientError>
    where
        F: FnMut(Names) -> R,
        R: Future<Output = Result<(), SendError<Names>>>,
    {
        self.some(dbs, None, || stop.is_stopped(), found).await.map(drop)
    }

    /// Gives names to `found`, database by database in ascending order, from a place on, until it
    /// is enough; the place where it goes on, unless all were given.
    ///
    /// # Errors
    /// The loss of the connection, or a refusal.
    pub async fn some<F, R>(
        &mut self,
        dbs: &[u32],
        from: Option<Place>,
        is_enough: impl Fn() -> bool,
        mut found: F,
    ) -> Result<Option<Place>, ClientError>
    where
        F: FnMut(Names) -> R,
        R: Future<Output = Result<(), SendError<Names>>>,
    {
        let from = from.unwrap_or(Place { db: 0, cursor: 0 });
        for &db in dbs.iter().filter(|db| **db >= from.db) {
            self.select(db).await?;
            // Where the database is gone, so is the place in it.
            let mut cursor = if db == from.db { from.cursor } else { 0 };
            loop {
                let (next, names) = self.step(db, cursor.to_string().as_bytes()).await?;
                if names.len() > 0 && found(names).await.is_err() {
                    return Ok(Some(Place { db, cursor }));
                }
                cursor = self.number(&next)?;
                if cursor == 0 {
                    break;
                }
                if is_enough() {
                    return Ok(Some(Place { db, cursor }));
                }
            }
        }
        Ok(None)
    }

    fn number(&self, cursor: &[u8]) -> Result<u64, ClientError> {
        let text = std::str::from_utf8(cursor).ok();
        text.and_then(|text| text.parse().ok()).ok_or_else(|| ClientError::Unexpected {
            address: self.connection.address().to_owned(),
            doing: String::from("scanning"),
            what: String::from("a cursor that is no number"),
        })
    }

    /// Goes to a database.
    ///
    /// # Errors
    /// The loss of the connection, or a refusal.
    pub async fn select(&mut self, db: u32) -> Result<(), ClientError> {
        self.connection.call(&[&b"SELECT"[..], db.to_string().as_bytes()]).await.map(drop)
    }

    /// The names behind a cursor of the selected database, and the next cursor; `0` begins and
    /// ends.
    ///
    /// # Errors
    /// The loss of the connection, or a refusal.
    pub async fn step(&mut self, db: u32, cursor: &[u8]) -> Result<(Vec<u8>, Names), ClientError> {
        let count = self.count.to_string();
        let mut command: Vec<&[u8]> = vec![b"SCAN", cursor, b"COUNT", count.as_bytes()];
        if let Some(pattern) = &self.pattern {
            command.extend([&b"MATCH"[..], pattern]);
        }
        if let Some(key_type) = self.key_type {
            command.extend([&b"TYPE"[..], key_type.name().as_bytes()]);
        }
        let reply = match self.connection.call(&command).await {
            // TYPE came with 6.0; the type is looked at again when the value is read.
            Err(ClientError::Reply { error, .. })
                if self.key_type.is_some() && error.message.contains("syntax") =>
            {
                self.key_type = None;
                let plain = command.get(..command.len() - 2).unwrap_or(&command);
                self.connection.call(plain).await?
            }
            reply => reply?,
        };
        let mut names = Names::new(db);
        let parts = reply.as_array().unwrap_or_default();
        let (Some(next), Some(keys)) = (
            parts.first().and_then(|value| value.as_bytes()),
            parts.get(1).and_then(|value| value.as_array()),
        ) else {
            let address = self.connection.address().to_owned();
            let cause = ProtocolError::UnknownType(b'*');
            return Err(ClientError::Protocol { address, doing: "scanning".to_owned(), cause });
        };
        for key in keys {
            names.push(key.as_bytes().unwrap_or_default());
        }
        if names.arena.len() > NAMES_BYTES_MAX {
            self.count = (self.count / 2).max(1);
        } else if names.arena.len() < NAMES_BYTES_MAX / 4 {
            self.count = (self.count * 2).min(self.count_max);
        }
        tracing::trace!(db, names = names.len(), bytes = names.arena.len(), "scanned");
        Ok((next.to_vec(), names))
    }
}

/// Goes through the names of an end: of one server, or of all primaries of a cluster one after the
/// other.
#[derive(Debug)]
pub struct AllScanner<'a> {
    servers: Vec<Connector>,
    config: &'a Config,
}

impl<'a> AllScanner<'a> {
    /// Connects when it is used.
    #[must_use]
    pub fn new(server: &Server, config: &'a Config) -> Self {
        Self { servers: server.shards(), config }
    }

    /// As [`Scanner::all`].
    ///
    /// # Errors
    /// A server that cannot be reached, the loss of the connection, or a refusal.
    pub async fn all<F, R>(&self, dbs: &[u32], stop: &Stop, mut found: F) -> Result<(), ClientError>
    where
        F: FnMut(Names) -> R,
        R: Future<Output = Result<(), SendError<Names>>>,
    {
        for server in &self.servers {
            let mut scanner = Scanner::connect(server, self.config).await?;
            scanner.all(dbs, stop, &mut found).await?;
        }
        Ok(())
    }
}
