//! Builds one key by commands, in bounded memory, so that it appears whole or not at all.
//!
//! The elements go to a temporary key that expires by itself should we die; when the last element
//! has been acknowledged, one transaction gives it its expiry and its name:
//!
//! ```text
//! RPUSH <temporary> …   PEXPIRE <temporary> …   RPUSH <temporary> …
//! MULTI  PERSIST|PEXPIREAT <temporary>  RENAME|RENAMENX <temporary> <key>  DEL <temporary>  EXEC
//! ```

use std::sync::Arc;

use ferrite_client::{ClientError, Connector, Receiver, ReplyError, Sender, Value};
use ferrite_commands::slot;
use ferrite_rdb::ValueKind;
use ferrite_resp::encode as resp;

use super::commands::KeyCommands;
use super::replies::{ALREADY_THERE, conflict};
use super::{Capabilities, connect, hint, target_error};
use crate::config::OnConflict;
use crate::engine::{Job, now_ms};
use crate::error::{ErrorKind, MigrateError};
use crate::fetch::is_elsewhere;
use crate::model::{Elements, LargeRecord};
use crate::report::key_text;

/// How long an abandoned temporary key stays on the target, in milliseconds. Renewed with every
/// run of elements.
const TEMPORARY_MS: &[u8] = b"3600000";

/// Numbers tried as hash tags: below it every slot has one, which a test makes sure of.
const TAGS_MAX: u32 = 1_000_000;

/// Writes keys by commands, one after the other.
pub struct KeyWriter {
    job: Arc<Job>,
    connector: Connector,
    capabilities: Capabilities,
    link: Option<(Sender, Receiver)>,
    /// Whether an `XCLAIM` of the current key claimed nothing.
    unclaimed: bool,
}

/// What `XCLAIM` cannot do; `RESTORE` can.
const UNCLAIMED: &str = "pending entries of deleted stream entries: only RESTORE can carry them";

/// How writing one key ended.
enum Written {
    Done,
    There,
}

impl KeyWriter {
    /// A writer that has not connected yet.
    #[must_use]
    pub fn new(job: Arc<Job>, connector: Connector, capabilities: Capabilities) -> Self {
        Self { job, connector, capabilities, link: None, unclaimed: false }
    }

    /// Writes one key.
    ///
    /// # Errors
    /// A refusal or the loss of the connection; the key is not there then.
    pub async fn write(&mut self, record: &mut LargeRecord) -> Result<(), MigrateError> {
        if record.head.expires_at_ms.is_some_and(|at| at <= now_ms()) {
            while record.elements.recv().await.is_some() {}
            self.job.tally(|tally| tally.keys.expired += 1);
            return Ok(());
        }
        if self.job.config.dry_run {
            return self.rehearse(record).await;
        }
        let temporary = self.temporary(&record.key);
        tracing::debug!(db = record.db, key = key_text(&record.key), "building a key by commands");
        let built = self.build(record, &temporary).await;
        if built.is_err() {
            self.clean(record.db, &temporary).await;
        }
        match built? {
            None => Ok(()),
            Some((Written::Done, bytes)) => {
                self.count(record, bytes);
                Ok(())
            }
            Some((Written::There, _)) if record.again => {
                self.job.tally(|tally| tally.keys.identical += 1);
                Ok(())
            }
            Some((Written::There, _)) if self.capabilities.on_conflict == OnConflict::Skip => {
                self.job.tally(|tally| tally.skip(record.db, &record.key, ALREADY_THERE));
                Ok(())
            }
            Some((Written::There, _)) => Err(conflict(&self.connector, &record.key)),
        }
    }

    /// The name of a key while it is built: in a cluster one of the same slot.
    fn temporary(&self, key: &[u8]) -> Vec<u8> {
        let mut name = Vec::new();
        if self.capabilities.by_slot {
            name.extend_from_slice(&tag_of(slot(key)));
        }
        name.extend_from_slice(key);
        name.extend_from_slice(b":ferrite-migrate:");
        name.extend_from_slice(self.job.id.as_bytes());
        name
    }

    /// Builds the key; `None` if the source ended midway, which it reports itself.
    async fn build(
        &mut self,
        record: &mut LargeRecord,
        temporary: &[u8],
    ) -> Result<Option<(Written, u64)>, MigrateError> {
        self.unclaimed = false;
        self.select(record).await?;
        let mut commands = KeyCommands::new(temporary.to_vec(), self.capabilities.dialect);
        let mut bytes = record.key.len() as u64;
        loop {
            let Some(elements) = record.elements.recv().await else {
                self.clean(record.db, temporary).await;
                return Ok(None);
            };
            bytes += elements.bytes() as u64;
            self.job.progress(0, elements.bytes() as u64);
            self.send(record, &mut commands, &elements, temporary).await?;
            if elements.last {
                break;
            }
        }
        let mut losses = std::mem::take(&mut commands.losses);
        if self.unclaimed {
            losses.push(UNCLAIMED);
        }
        self.job.tally(|tally| {
            losses.iter().for_each(|loss| tally.leave_out(record.db, &record.key, loss));
        });
        Ok(Some((self.name(record, temporary).await?, bytes)))
    }

    async fn select(&mut self, record: &LargeRecord) -> Result<(), MigrateError> {
        if self.link.is_none() {
            self.link = Some(connect(&self.connector).await?.into_split());
        }
        let mut out = Vec::new();
        let db = self.capabilities.db.unwrap_or(record.db).to_string();
        resp::command(&mut out, &[&b"SELECT"[..], db.as_bytes()]);
        self.exchange(record, &out, 1).await.map(drop)
    }

    async fn send(
        &mut self,
        record: &LargeRecord,
        commands: &mut KeyCommands,
        elements: &Elements,
        temporary: &[u8],
    ) -> Result<(), MigrateError> {
        for element in elements.iter() {
            commands.add(&element);
        }
        let (mut out, mut replies) = commands.take();
        // Within a string's one command there is no room for another.
        if replies > 0 {
            resp::command(&mut out, &[&b"PEXPIRE"[..], temporary, TEMPORARY_MS]);
            replies += 1;
        }
        self.exchange(record, &out, replies).await.map(drop)
    }

    /// Gives the temporary key its expiry and its name.
    async fn name(
        &mut self,
        record: &LargeRecord,
        temporary: &[u8],
    ) -> Result<Written, MigrateError> {
        let mut out = Vec::new();
        resp::command(&mut out, &[b"MULTI"]);
        match record.head.expires_at_ms {
            None => resp::command(&mut out, &[&b"PERSIST"[..], temporary]),
            Some(at) => {
                let at = at.to_string();
                resp::command(&mut out, &[&b"PEXPIREAT"[..], temporary, at.as_bytes()]);
            }
        }
        let replace = self.capabilities.on_conflict == OnConflict::Replace;
        let rename: &[u8] = if replace { b"RENAME" } else { b"RENAMENX" };
        resp::command(&mut out, &[rename, temporary, &record.key]);
        resp::command(&mut out, &[&b"DEL"[..], temporary]);
        resp::command(&mut out, &[b"EXEC"]);
        let last = self.exchange(record, &out, 5).await?;
        let results = last.as_array().unwrap_or_default();
        if let Some(error) = results.iter().find_map(Value::as_error) {
            return Err(self.refused(record, &ReplyError::parse(error)));
        }
        match results.get(1) {
            Some(Value::Integer(0)) => Ok(Written::There),
            _ => Ok(Written::Done),
        }
    }

    /// Sends commands and reads that many replies; the last of them.
    async fn exchange(
        &mut self,
        record: &LargeRecord,
        out: &[u8],
        replies: usize,
    ) -> Result<Value, MigrateError> {
        let Some((sender, receiver)) = &mut self.link else { return Ok(Value::Null) };
        let exchanged = exchange(sender, receiver, out, replies).await;
        let Exchanged { last, refused, empty } = match exchanged {
            Ok(exchanged) => exchanged,
            Err(error) => {
                self.link = None;
                let doing = format!("writing key \"{}\"", key_text(&record.key));
                return Err(target_error(doing, &self.connector, &error));
            }
        };
        self.unclaimed |= empty;
        refused.map_or(Ok(last), |error| Err(self.refused(record, &error)))
    }

    fn refused(&self, record: &LargeRecord, error: &ReplyError) -> MigrateError {
        let (key, address) = (key_text(&record.key), self.connector.address());
        let doing = format!("writing key \"{key}\" to the target {address}");
        MigrateError::new(ErrorKind::Target, doing, error)
            .passing(is_elsewhere(error))
            .with_hint(hint(&error.code))
    }

    /// Removes a temporary key after a failure. A half-sent command dies with its connection; if
    /// the target cannot be reached any more, the key expires by itself.
    async fn clean(&mut self, db: u32, temporary: &[u8]) {
        self.link = None;
        let Ok(mut connection) = connect(&self.connector).await else { return };
        let db = self.capabilities.db.unwrap_or(db).to_string();
        if connection.call(&[&b"SELECT"[..], db.as_bytes()]).await.is_ok() {
            let _ = connection.call(&[&b"DEL"[..], temporary]).await;
        }
    }

    /// Reads all there is and counts it, without writing.
    async fn rehearse(&self, record: &mut LargeRecord) -> Result<(), MigrateError> {
        let mut bytes = record.key.len() as u64;
        while let Some(elements) = record.elements.recv().await {
            bytes += elements.bytes() as u64;
            self.job.progress(0, elements.bytes() as u64);
        }
        self.count(record, bytes);
        Ok(())
    }

    fn count(&self, record: &LargeRecord, bytes: u64) {
        if let Some(kind) = ValueKind::of(record.format, record.head.type_byte) {
            self.job.tally(|tally| tally.copied(kind, 1, bytes));
        }
        self.job.progress(1, record.key.len() as u64);
    }
}

/// `{n}`, a hash tag of that slot, which decides the slot of whatever it stands before.
fn tag_of(wanted: u16) -> Vec<u8> {
    let tags = (0..TAGS_MAX).map(|number| format!("{{{number}}}").into_bytes());
    tags.into_iter().find(|tag| slot(tag) == wanted).unwrap_or_default()
}

async fn exchange(
    sender: &mut Sender,
    receiver: &mut Receiver,
    out: &[u8],
    replies: usize,
) -> Result<Exchanged, ClientError> {
    sender.send(out).await?;
    let mut exchanged = Exchanged { last: Value::Null, refused: None, empty: false };
    for _ in 0..replies {
        exchanged.last = receiver.value().await?;
        exchanged.empty |= exchanged.last.as_array().is_some_and(<[Value]>::is_empty);
        if let (Some(error), None) = (exchanged.last.as_error(), &exchanged.refused) {
            exchanged.refused = Some(ReplyError::parse(error));
        }
    }
    Ok(exchanged)
}

/// What a number of replies said.
struct Exchanged {
    last: Value,
    /// The first error.
    refused: Option<ReplyError>,
    /// Whether one was an empty list: of all commands we send, only an `XCLAIM` that found
    /// nothing to claim answers so.
    empty: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_a_tag() {
        let mut found = vec![false; usize::from(ferrite_commands::SLOTS)];
        for number in 0..TAGS_MAX {
            found[usize::from(slot(format!("{{{number}}}").as_bytes()))] = true;
        }
        assert!(!found.contains(&false));
        for key in ["plain", "{tag}x", "a}b", "{}", "a{b", ""] {
            let wanted = slot(key.as_bytes());
            let name = [&tag_of(wanted), key.as_bytes(), b":ferrite-migrate:x"].concat();
            assert_eq!(slot(&name), wanted, "{key}");
        }
    }
}
