//! Releases held expiries on the target: in passes over all its keys while it follows, and at the
//! end for the few that are due soon.
//!
//! Nobody but the applier writes to the target; each slice of a pass happens while the applier
//! pauses, so that what was read is still true when it is written.

mod fields;

use std::collections::HashSet;
use std::sync::Arc;

use ferrite_client::{ClientError, Connection, Pipeline, Value};
use tokio::sync::{mpsc, oneshot};

use super::apply::{Request, Target, home};
use super::checkpoint;
use super::marks::Key;
use super::rewrite::{HOLD_MS, hold, release};
use crate::engine::Job;
use crate::error::MigrateError;
use crate::fetch::offset_in;
use crate::preflight::Checked;
use crate::targets::redis::target_error;

/// Batches of names that are worked on before the applier goes on.
const STEPS_PER_SLICE: u32 = 4;
/// Keys whose expiry is asked for in one pipeline.
const PIPELINE_KEYS: usize = 1000;

/// What a pass does to expiries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Releases those at or after this time (Unix ms at the source).
    ReleaseFrom(u64),
    /// Holds all that are not.
    Hold,
}

/// Works on the expiries of one target.
pub struct Settler {
    connection: Connection,
    target: Target,
    checked: Arc<Checked>,
    has_expiretime: bool,
    /// Whether fields of hashes have expiries of their own.
    has_fields: bool,
    target_db: Option<u32>,
}

impl Settler {
    /// Connects.
    ///
    /// # Errors
    /// A target that cannot be reached.
    pub async fn connect(job: &Arc<Job>, checked: &Arc<Checked>) -> Result<Self, MigrateError> {
        let connection = crate::targets::redis::connect(&checked.target.connector).await?;
        Ok(Self {
            connection,
            target: Target::new(job, checked),
            checked: Arc::clone(checked),
            has_expiretime: checked.target.has_expiretime(),
            has_fields: false,
            target_db: job.config.target_db(),
        })
    }

    /// Goes through all keys of the target, a slice at a time between which the applier goes on.
    /// Gives the keys that stay held.
    ///
    /// # Errors
    /// A target that is lost.
    pub async fn pass(
        &mut self,
        pass: Pass,
        requests: &mpsc::Sender<Request>,
    ) -> Result<HashSet<Key>, MigrateError> {
        let connector = self.checked.target.connector.clone();
        let lost = |error: ClientError| target_error("releasing expiries", &connector, &error);
        let mut held = HashSet::new();
        self.has_fields = self.ask_for_fields().await.map_err(lost)?;
        for (target_db, db) in self.target.dbs(None).await.map_err(lost)? {
            let mut scanner = self.target.scanner(target_db).await.map_err(lost)?;
            let mut cursor = b"0".to_vec();
            loop {
                // Dropped at the end of the slice, which lets the applier go on.
                let _paused = pause(requests).await;
                for _ in 0..STEPS_PER_SLICE {
                    let (next, names) = scanner.step(db, &cursor).await.map_err(lost)?;
                    cursor = next;
                    let keys: Vec<&[u8]> = names.iter().collect();
                    let stay = self.settle(db, &keys, pass).await.map_err(lost)?;
                    held.extend(stay.into_iter().map(|key| (db, key.to_vec())));
                    if cursor == b"0" {
                        break;
                    }
                }
                if cursor == b"0" {
                    break;
                }
            }
        }
        Ok(held)
    }

    /// Releases what is held of these keys, now; how many were.
    ///
    /// # Errors
    /// A target that is lost.
    pub async fn release(&mut self, keys: &HashSet<Key>) -> Result<u64, MigrateError> {
        let connector = self.checked.target.connector.clone();
        let lost = |error: ClientError| target_error("releasing expiries", &connector, &error);
        self.has_fields = self.ask_for_fields().await.map_err(lost)?;
        let mut by_db: Vec<(u32, &[u8])> =
            keys.iter().map(|(db, key)| (*db, key.as_slice())).collect();
        by_db.sort_unstable();
        let mut released = 0;
        for group in by_db.chunk_by(|(one, _), (other, _)| one == other) {
            for part in group.chunks(PIPELINE_KEYS) {
                let keys: Vec<&[u8]> = part.iter().map(|(_, key)| *key).collect();
                let db = part.first().map_or(0, |(db, _)| *db);
                released += self.settle(db, &keys, Pass::ReleaseFrom(0)).await.map_err(lost)?.len();
            }
        }
        Ok(released as u64)
    }

    /// Makes our last write to the target, and tells at which offset of the target's own stream
    /// it ends: what comes behind it is somebody else's.
    ///
    /// # Errors
    /// A target that is lost, or is no master.
    pub async fn mark(&mut self, job: &Job) -> Result<u64, MigrateError> {
        let connector = self.checked.target.connector.clone();
        let lost = |error: ClientError| target_error("marking its stream", &connector, &error);
        let (home, key) = (home(&job.config).to_string(), checkpoint::key(&job.id));
        let connection = &mut self.connection;
        connection.call(&["SELECT", &home]).await.map_err(lost)?;
        let value = connection.call(&[b"GET", key.as_slice()]).await.map_err(lost)?;
        let value = value.as_bytes().unwrap_or_default();
        connection.call(&[b"SET", key.as_slice(), value]).await.map_err(lost)?;
        master_offset(connection).await.map_err(lost)
    }

    /// Takes the checkpoint away: nothing will follow any more.
    pub async fn forget(&self, job: &Job) {
        if self.target.forget().await.is_err() {
            let key = String::from_utf8_lossy(&checkpoint::key(&job.id)).into_owned();
            job.warn(format!("the key {key} is left on the target: delete it"));
        }
    }

    /// Whether any hash of the target has a field with an expiry.
    async fn ask_for_fields(&mut self) -> Result<bool, ClientError> {
        if !self.checked.target.values().has_field_expiry() {
            return Ok(false);
        }
        let info = self.connection.call(&["INFO", "keyspace"]).await?;
        Ok(fields::are_told(&String::from_utf8_lossy(info.as_bytes().unwrap_or_default())))
    }

    /// Does a pass to some keys of one database of the source; the keys that stay held, or, when
    /// everything is released, those that were.
    async fn settle<'k>(
        &mut self,
        db: u32,
        keys: &[&'k [u8]],
        pass: Pass,
    ) -> Result<Vec<&'k [u8]>, ClientError> {
        let times = self.expiries(db, keys).await?;
        let mut answer = Vec::new();
        let mut pipeline = Pipeline::new();
        for (key, time) in keys.iter().zip(times) {
            let Some(time) = time else { continue };
            let new = match (pass, release(time)) {
                (Pass::ReleaseFrom(from), Some(time)) => {
                    if time < from || from == 0 {
                        answer.push(*key);
                    }
                    (time >= from).then_some(time)
                }
                (Pass::Hold, None) => Some(hold(time, HOLD_MS)),
                _ => None,
            };
            if let Some(new) = new {
                pipeline.push(&[&b"PEXPIREAT"[..], key, new.to_string().as_bytes()]);
            }
        }
        if self.has_fields {
            answer.extend(fields::settle(&mut self.connection, keys, pass, &mut pipeline).await?);
        }
        if !pipeline.is_empty() {
            self.connection.pipeline(&pipeline).await?;
        }
        Ok(answer)
    }

    /// Expiries in Unix ms, as far as keys have one.
    async fn expiries(&mut self, db: u32, keys: &[&[u8]]) -> Result<Vec<Option<u64>>, ClientError> {
        let mut pipeline = Pipeline::new();
        let db = self.target_db.unwrap_or(db).to_string();
        pipeline.push(&["SELECT", &db]);
        pipeline.push(&["TIME"]);
        let expiry: &[u8] = if self.has_expiretime { b"PEXPIRETIME" } else { b"PTTL" };
        for key in keys {
            pipeline.push(&[expiry, key]);
        }
        let replies = self.connection.pipeline(&pipeline).await?;
        let now_ms = match (self.has_expiretime, replies.get(1)) {
            (false, Some(Ok(time))) => milliseconds(time),
            _ => 0,
        };
        let time = |reply: &Result<Value, _>| {
            let time = reply.as_ref().ok()?.as_int()?;
            u64::try_from(time).ok().map(|time| time + now_ms)
        };
        Ok(replies.iter().skip(2).map(time).collect())
    }
}

/// The reply to `TIME`, as Unix time in ms.
fn milliseconds(time: &Value) -> u64 {
    let parts = time.as_array().unwrap_or_default();
    let part = |index: usize| parts.get(index)?.as_str()?.parse::<u64>().ok();
    part(0).unwrap_or(0) * 1000 + part(1).unwrap_or(0) / 1000
}

/// An applier that pauses until this is dropped.
#[derive(Debug)]
pub struct Paused {
    release: Option<oneshot::Sender<Vec<Key>>>,
    /// What it reads again before it goes on: keys that may have expired on the target by
    /// themselves meanwhile, while they are renewed at the source.
    pub read_again: Vec<Key>,
}

impl Drop for Paused {
    fn drop(&mut self) {
        if let Some(release) = self.release.take() {
            // An applier that has ended reads nothing.
            let _ = release.send(std::mem::take(&mut self.read_again));
        }
    }
}

/// Has the applier pause.
pub async fn pause(requests: &mpsc::Sender<Request>) -> Paused {
    loop {
        let (release, released) = oneshot::channel();
        let (done, is_done) = oneshot::channel();
        // An applier that has ended writes nothing either; one that lost the target meanwhile
        // forgets what it was asked, and is asked again.
        let has_ended = requests.send(Request::Pause(done, released)).await.is_err();
        if has_ended || is_done.await.is_ok() {
            return Paused { release: Some(release), read_again: Vec::new() };
        }
    }
}

/// Adds to `writing` what releases the held expiries of these keys' hash fields.
///
/// # Errors
/// A target that is lost.
pub async fn settle_fields(
    connection: &mut Connection,
    keys: &[&[u8]],
    writing: &mut Pipeline,
) -> Result<(), ClientError> {
    fields::settle(connection, keys, Pass::ReleaseFrom(0), writing).await.map(|_| ())
}

/// The offset of a master's stream.
///
/// # Errors
/// A server that is lost, or is no master.
pub async fn master_offset(connection: &mut Connection) -> Result<u64, ClientError> {
    let role = connection.call(&["ROLE"]).await?;
    let words = role.as_array().unwrap_or_default();
    let is_master = words.first().and_then(Value::as_str) == Some("master");
    offset_in(&role).filter(|_| is_master).ok_or_else(|| ClientError::Unexpected {
        address: connection.address().to_owned(),
        doing: String::from("asking for its offset (ROLE)"),
        what: String::from("it is not the master, which alone takes writes"),
    })
}
