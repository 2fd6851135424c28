//! Takes everything back that was written to the target.

use std::io;
use std::path::Path;
use std::time::Instant;

use ferrite_client::server::ServerInfo;
use ferrite_client::{
    ClientError, Connection, Connector, Pipeline, Receiver, ReplyError, Sender, Value,
};
use ferrite_resp::encode as resp;

use super::file_error;
use super::format::{Reader, Record};
use crate::engine::{CLIENT_NAME_PREFIX, Job};
use crate::error::{ErrorKind, MigrateError};
use crate::glob::KeyFilter;
use crate::live::apply::home;
use crate::live::{checkpoint, record};
use crate::preflight::{Server, rivals};
use crate::report::{Aborted, key_text};
use crate::scan::Scanner;

/// Payloads up to this many bytes are sent together.
const BATCH_BYTES: usize = 1 << 20;
/// Keys that are sent together.
const BATCH_KEYS: usize = 1000;

/// Puts one target back.
struct Restorer<'a> {
    job: &'a Job,
    server: &'a Server,
    done: Aborted,
}

/// Deletes every key of the target that takes part, our checkpoint with them, then writes what
/// `file` has: keys and function libraries. Without a file there was nothing.
///
/// # Errors
/// A file that is not whole: the target was not touched then. A target that is lost or refuses:
/// it can be done again, from the beginning.
pub async fn take_back(
    job: &Job,
    server: &Server,
    file: Option<&Path>,
) -> Result<Aborted, MigrateError> {
    if let Some(path) = file {
        let unusable = |cause| file_error("reading what the target had from", path, cause);
        let owned = path.to_owned();
        let checked = tokio::task::spawn_blocking(move || Reader::check(&owned)).await;
        checked.map_err(|panic| file_error("reading", path, panic))?.map_err(|cause| {
            unusable(cause).with_hint(
                "nothing was changed; `abort` without --clean leaves the target as it is",
            )
        })?;
    }
    let done = Aborted { cleaned: true, ..Aborted::default() };
    let mut restorer = Restorer { job, server, done };
    restorer.end_others().await?;
    restorer.delete().await?;
    if let Some(path) = file {
        restorer.restore(path).await?;
    }
    Ok(restorer.done)
}

/// Takes the checkpoint away, and nothing else.
///
/// # Errors
/// A target that is lost or refuses.
pub async fn forget(job: &Job, server: &Server) -> Result<(), ClientError> {
    if server.cluster.is_some() {
        // Between clusters it is kept in the job's directory.
        return Ok(());
    }
    let mut connection = server.connector.connect().await?;
    connection.call(&["SELECT", &home(&job.config).to_string()]).await?;
    let (checkpoint, record) = (checkpoint::key(&job.id), record::key(&job.id));
    connection.call(&[&b"DEL"[..], &checkpoint, &record]).await.map(drop)
}

impl Restorer<'_> {
    fn failed(&self, doing: &str, error: &ClientError) -> MigrateError {
        let doing = format!("{doing} on the target {}", self.server.connector.address());
        MigrateError::new(ErrorKind::Target, doing, error)
    }

    async fn connect(&self) -> Result<Connection, MigrateError> {
        let connected = self.server.connector.connect().await;
        connected.map_err(|error| self.failed("taking the copy back", &error))
    }

    /// Ends what is left of the connections of this job: what they still have on their way must
    /// not be written behind us. A migration of another job is not to lose its keys.
    async fn end_others(&self) -> Result<(), MigrateError> {
        for connector in self.server.shards() {
            self.end_others_of(&connector).await?;
        }
        Ok(())
    }

    async fn end_others_of(&self, connector: &Connector) -> Result<(), MigrateError> {
        let connected = connector.connect().await;
        let mut connection =
            connected.map_err(|error| self.failed("taking the copy back", &error))?;
        let own = match connection.call(&["CLIENT", "ID"]).await {
            Ok(id) => id.as_int().and_then(|id| u64::try_from(id).ok()),
            Err(error) if error.is_refusal() => None,
            Err(error) => return Err(self.failed("asking for its clients", &error)),
        };
        let clients = match connection.call(&["CLIENT", "LIST"]).await {
            Ok(clients) => clients,
            Err(error) if error.is_refusal() => return Ok(()),
            Err(error) => return Err(self.failed("asking for its clients", &error)),
        };
        let clients = String::from_utf8_lossy(clients.as_bytes().unwrap_or_default()).into_owned();
        let ours = self.job.client_name();
        let is_ours = |name: &str| name.strip_prefix(&ours).is_some_and(is_end_of_name);
        for (id, name) in clients.lines().filter_map(rivals::client) {
            if is_ours(name) && own.is_some_and(|own| own != id) {
                // One that has ended by itself, or may not be ended, is none of our concern.
                match connection.call(&["CLIENT", "KILL", "ID", &id.to_string()]).await {
                    Err(error) if error.reply().is_none() && !error.is_refusal() => {
                        return Err(self.failed("ending our connections", &error));
                    }
                    _ => {}
                }
            } else if name.starts_with(CLIENT_NAME_PREFIX) && !is_ours(name) {
                let other = name.trim_start_matches(CLIENT_NAME_PREFIX);
                let doing = format!("taking the copy back on the target {}", connection.address());
                let cause =
                    format!("the migration {other} is using this target; nothing was changed");
                return Err(MigrateError::new(ErrorKind::Target, doing, cause));
            }
        }
        Ok(())
    }

    /// Deletes every key that takes part.
    async fn delete(&mut self) -> Result<(), MigrateError> {
        let doing = "deleting what was copied";
        forget(self.job, self.server).await.map_err(|error| self.failed(doing, &error))?;
        for connector in self.server.shards() {
            for db in self.dbs(&connector).await? {
                let deleted = self.delete_in(&connector, db).await;
                self.done.keys_removed += deleted.map_err(|error| self.failed(doing, &error))?;
            }
        }
        Ok(())
    }

    /// The databases of the target that take part.
    async fn dbs(&self, connector: &Connector) -> Result<Vec<u32>, MigrateError> {
        let config = &self.job.config;
        if let Some(db) = config.source_db() {
            return Ok(vec![config.target_db().unwrap_or(db)]);
        }
        let probing = async { ServerInfo::probe(&mut connector.connect().await?).await };
        let info =
            probing.await.map_err(|error| self.failed("asking for its databases", &error))?;
        Ok(info.keyspace.keys().copied().collect())
    }

    async fn delete_in(&self, connector: &Connector, db: u32) -> Result<u64, ClientError> {
        // The names under which large values are built need not match the filter.
        let mut everything = self.job.config.clone();
        everything.filter = KeyFilter::default();
        let mut scanner = Scanner::connect(connector, &everything).await?;
        scanner.select(db).await?;
        let mut connection = connector.connect().await?;
        connection.call(&["SELECT", &db.to_string()]).await?;
        let built = format!(":{CLIENT_NAME_PREFIX}{}", self.job.id);
        let takes_part = |key: &[u8]| {
            self.job.config.filter.accepts(key) && !key.starts_with(checkpoint::PREFIX)
                || key.ends_with(built.as_bytes())
        };
        let (mut cursor, mut deleted) = (b"0".to_vec(), 0);
        loop {
            let (next, names) = scanner.step(db, &cursor).await?;
            let mut pipeline = Pipeline::new();
            for key in names.iter().filter(|key| takes_part(key)) {
                pipeline.push(&[&b"DEL"[..], key]);
            }
            for reply in connection.pipeline(&pipeline).await? {
                deleted += match reply {
                    Ok(count) => u64::try_from(count.as_int().unwrap_or(0)).unwrap_or(0),
                    Err(error) => return Err(self.refused("DEL", error)),
                };
            }
            if next == b"0" {
                return Ok(deleted);
            }
            cursor = next;
        }
    }

    fn refused(&self, command: &str, error: ReplyError) -> ClientError {
        let address = self.server.connector.address().to_string();
        ClientError::Reply { address, command: command.to_owned(), error }
    }

    /// Writes everything that is in the file.
    async fn restore(&mut self, path: &Path) -> Result<(), MigrateError> {
        let mut connection = self.connect().await?;
        let clock = Clock::of(&mut connection).await;
        let clock = clock.map_err(|error| self.failed("asking for the time", &error))?;
        let absolute = self.server.is_at_least(5, 0);
        let (sender, receiver) = connection.into_split();
        let out = Vec::new();
        let mut link =
            Link { sender, receiver, absolute, clock, db: None, out, waiting: Vec::new() };
        let unread = |cause: io::Error| file_error("reading what the target had from", path, cause);
        let mut reader = Reader::open(path).map_err(unread)?;
        loop {
            let sent = match reader.next().map_err(unread)? {
                Record::End => break,
                Record::Functions(_) => {
                    let mut payload = Vec::new();
                    for_each_part(&mut reader, |part| payload.extend_from_slice(&part))
                        .map_err(unread)?;
                    self.functions(&payload).await
                }
                Record::Key { db, expires_at_ms, key, length } => {
                    let restored = &mut self.done;
                    if expires_at_ms > 0 && expires_at_ms <= link.clock.now_ms() {
                        restored.keys_expired += 1;
                        for_each_part(&mut reader, drop).map_err(unread)?;
                        continue;
                    }
                    restored.keys_restored += 1;
                    link.key(&mut reader, db, expires_at_ms, key, length).await
                }
            };
            sent.map_err(|error| self.put_back_error(path, error))?;
        }
        link.flush().await.map_err(|error| self.put_back_error(path, error))
    }

    fn put_back_error(&self, path: &Path, error: PutError) -> MigrateError {
        let (doing, error) = match error {
            PutError::File(cause) => {
                return file_error("reading what the target had from", path, cause);
            }
            PutError::Client(error) => ("putting back what the target had".to_owned(), error),
            PutError::Key(key, error) => {
                (format!("putting back the key \"{}\"", key_text(&key)), error)
            }
        };
        let failed = self.failed(&doing, &error);
        match error.reply().map(|reply| reply.code.as_str()) {
            Some("OOM") => failed
                .with_hint("the target has reached its maxmemory: CONFIG SET maxmemory … there"),
            _ => failed,
        }
    }

    /// The libraries, where they are not as they were.
    async fn functions(&mut self, payload: &[u8]) -> Result<(), PutError> {
        let mut connection = self.server.connector.connect().await?;
        let now = connection.call(&["FUNCTION", "DUMP"]).await?;
        if now.as_bytes() != Some(payload) {
            connection.call(&[&b"FUNCTION"[..], b"RESTORE", payload, b"FLUSH"]).await?;
            self.done.functions_restored = true;
        }
        Ok(())
    }
}

/// What follows the job's own name in those of its connections.
fn is_end_of_name(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(':')
}

/// Reads what is left of a record.
fn for_each_part(reader: &mut Reader, mut part: impl FnMut(Vec<u8>)) -> io::Result<()> {
    loop {
        let next = reader.part()?;
        if next.is_empty() {
            return Ok(());
        }
        part(next);
    }
}

/// The server's time.
struct Clock {
    at_ms: u64,
    since: Instant,
}

impl Clock {
    async fn of(connection: &mut Connection) -> Result<Self, ClientError> {
        let time = connection.call(&["TIME"]).await?;
        let parts = time.as_array().unwrap_or_default();
        let part = |index: usize| parts.get(index)?.as_str()?.parse::<u64>().ok();
        let (seconds, micros) = (part(0).unwrap_or(0), part(1).unwrap_or(0));
        let at_ms = seconds.saturating_mul(1000).saturating_add(micros / 1000);
        Ok(Self { at_ms, since: Instant::now() })
    }

    fn now_ms(&self) -> u64 {
        let passed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.at_ms.saturating_add(passed)
    }
}

/// Why a key was not put back.
enum PutError {
    File(io::Error),
    Client(ClientError),
    Key(Vec<u8>, ClientError),
}

impl From<ClientError> for PutError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

/// Writes keys to the target, several at a time.
struct Link {
    sender: Sender,
    receiver: Receiver,
    /// Whether `RESTORE` takes `ABSTTL`.
    absolute: bool,
    clock: Clock,
    db: Option<u32>,
    out: Vec<u8>,
    /// What each reply will answer: a key, or nothing of it.
    waiting: Vec<Option<Vec<u8>>>,
}

impl Link {
    /// Sends one key; small ones wait for others.
    async fn key(
        &mut self,
        reader: &mut Reader,
        db: u32,
        expires_at_ms: u64,
        key: Vec<u8>,
        length: u64,
    ) -> Result<(), PutError> {
        if self.db != Some(db) {
            resp::command(&mut self.out, &[&b"SELECT"[..], db.to_string().as_bytes()]);
            self.waiting.push(None);
            self.db = Some(db);
        }
        let ttl = match expires_at_ms {
            0 => 0,
            at if self.absolute => at,
            at => at.saturating_sub(self.clock.now_ms()).max(1),
        };
        let (count, ttl) = (if self.absolute { 6 } else { 5 }, ttl.to_string());
        self.out.extend_from_slice(format!("*{count}\r\n$7\r\nRESTORE\r\n").as_bytes());
        for argument in [key.as_slice(), ttl.as_bytes()] {
            self.out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            self.out.extend_from_slice(argument);
            self.out.extend_from_slice(b"\r\n");
        }
        self.out.extend_from_slice(format!("${length}\r\n").as_bytes());
        loop {
            let part = reader.part().map_err(PutError::File)?;
            if part.is_empty() {
                break;
            }
            self.out.extend_from_slice(&part);
            if self.out.len() >= BATCH_BYTES {
                self.send().await?;
            }
        }
        let end: &[u8] = match self.absolute {
            true => b"\r\n$7\r\nREPLACE\r\n$6\r\nABSTTL\r\n",
            false => b"\r\n$7\r\nREPLACE\r\n",
        };
        self.out.extend_from_slice(end);
        self.waiting.push(Some(key));
        if self.waiting.len() >= BATCH_KEYS || self.out.len() >= BATCH_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), ClientError> {
        self.sender.send(&self.out).await?;
        self.out.clear();
        Ok(())
    }

    /// Sends what waits, and reads all replies.
    async fn flush(&mut self) -> Result<(), PutError> {
        self.send().await?;
        for key in std::mem::take(&mut self.waiting) {
            let Value::Error(text) = self.receiver.value().await? else { continue };
            let address = self.receiver.address().to_owned();
            let (command, error) = (String::from("RESTORE"), ReplyError::parse(&text));
            let error = ClientError::Reply { address, command, error };
            return Err(match key {
                Some(key) => PutError::Key(key, error),
                None => PutError::Client(error),
            });
        }
        Ok(())
    }
}
