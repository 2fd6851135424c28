//! What a job was asked to do, kept on the target beside its checkpoint, so that it can be taken up
//! again where its directory is lost (`--checkpoint target`).
//!
//! ```text
//! key     ferrite-migrate:checkpoint:mig_abc…:record
//! value   {"plan":{…},"target_was_empty":true,"expiries_held":true}   the plan as in the directory
//! ```
//!
//! It is there from the first copy to the cutover, and not during one: whoever has only the target
//! cannot know then which server the application writes to.

use std::path::Path;

use ferrite_client::server::ServerInfo;
use ferrite_client::{ClientError, Connection, Connector, TlsOptions};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::apply::home;
use super::checkpoint;
use super::run::Live;
use crate::engine::CLIENT_NAME_PREFIX;
use crate::error::{ErrorKind, MigrateError};
use crate::jobs::{JobStore, Plan, State};
use crate::migration::job_error;
use crate::preflight::rivals;
use crate::targets::redis::target_error;

/// What is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// What the job was asked to do: a plan, which another version may have made.
    plan: Box<RawValue>,
    /// Whether all keys on the target that take part are the job's.
    target_was_empty: bool,
    /// Whether all expiries on the target are held. After a cutover that was given up, they may not
    /// have been: keys may be gone that the source has renewed.
    #[serde(default)]
    expiries_held: bool,
}

/// The key that holds the record of a job.
#[must_use]
pub fn key(job: &str) -> Vec<u8> {
    [&checkpoint::key(job), &b":record"[..]].concat()
}

impl Live {
    /// Keeps the record on the target, as things are now, where that was asked for.
    ///
    /// # Errors
    /// A target that cannot be written.
    pub async fn keep_record(&self) -> Result<(), MigrateError> {
        if !self.job.config.checkpoint_in_target || self.is_reversed {
            return Ok(());
        }
        let plan = serde_json::value::to_raw_value(self.dir.plan()).unwrap_or_default();
        let expiries_held = !self.may_have_expired();
        let target_was_empty = self.target_was_empty;
        let record = Record { plan, target_was_empty, expiries_held };
        let value = serde_json::to_vec(&record).unwrap_or_default();
        self.on_target(&[b"SET", &key(&self.job.id), &value]).await?;
        self.job.keep_record(Some(value));
        Ok(())
    }

    /// Like [`keep_record`](Self::keep_record), where the job goes on without one.
    pub async fn keep_record_if_possible(&self) {
        if let Err(error) = self.keep_record().await {
            self.job.warn(error.to_string());
        }
    }

    /// Takes the record away: from here on the target alone does not tell where to go on.
    ///
    /// # Errors
    /// A target that cannot be written.
    pub async fn drop_record(&self) -> Result<(), MigrateError> {
        if !self.job.config.checkpoint_in_target || self.is_reversed {
            return Ok(());
        }
        self.job.keep_record(None);
        self.on_target(&[b"DEL", &key(&self.job.id)]).await
    }

    async fn on_target(&self, command: &[&[u8]]) -> Result<(), MigrateError> {
        let connector = &self.checked.target.connector;
        let done = async {
            let mut connection = connector.connect().await?;
            connection.call(&["SELECT", &home(&self.job.config).to_string()]).await?;
            connection.call(command).await.map(drop)
        };
        done.await.map_err(|error| target_error("keeping the job's record", connector, &error))
    }
}

/// Makes the directory of a job anew whose own is lost, from what it keeps on its target.
///
/// # Errors
/// A target that knows no such job, or on which the job still has connections; a job that is there
/// already.
pub async fn adopt(
    store: &JobStore,
    id: &str,
    target: &str,
    tls: TlsOptions,
) -> Result<Plan, MigrateError> {
    let doing = || format!("looking for the migration {id} on the target");
    let config = |cause: String| MigrateError::new(ErrorKind::Config, doing(), cause);
    let address: ferrite_client::Address =
        target.parse().map_err(|error| config(format!("{error}")))?;
    let named = address.named_database();
    let connector = Connector::new(address).tls(tls);
    let lost = |error| target_error(doing(), &connector, &error);
    let mut connection = connector.connect().await.map_err(lost)?;
    let dbs = match named {
        Some(db) => vec![db],
        None => dbs(&mut connection).await.map_err(lost)?,
    };
    let value = look(&mut connection, &dbs, id).await.map_err(lost)?;
    let Some(value) = value else {
        return Err(config(format!("{} does not know it", connector.address())).with_hint(
            "a job is there that was begun with --checkpoint target and has not been cut over; \
             where it was, its own directory knows it: ferrite-migrate list",
        ));
    };
    let record: Record = serde_json::from_slice(&value)
        .map_err(|error| config(format!("what it keeps there cannot be read: {error}")))?;
    let file = Path::new(id).join("the record on its target");
    let plan = Plan::read(&file, record.plan.get().as_bytes()).map_err(job_error)?;
    let clients = connection.call(&["CLIENT", "LIST"]).await.map_err(lost)?;
    let clients = String::from_utf8_lossy(clients.as_bytes().unwrap_or_default()).into_owned();
    if let Some(at) = still_there(&clients, id) {
        return Err(config(format!("it still has a connection to the target, from {at}")).with_hint(
            "end it there (ferrite-migrate stop), or if that machine is gone: CLIENT KILL ADDR on \
             the target",
        ));
    }
    let mut dir = store.create(id, plan).map_err(job_error)?;
    let detail = serde_json::json!({ "target_was_empty": record.target_was_empty });
    let reason = Some("taken over from the target, with nothing else known");
    let mut enter = |state, detail| dir.transition_with(state, reason, detail).map_err(job_error);
    enter(State::Attaching, detail)?;
    // Something may have been copied, and a cutover may have been tried.
    enter(State::Copying, serde_json::Value::Null)?;
    enter(State::CuttingOver, serde_json::Value::Null)?;
    if record.expiries_held {
        enter(State::Live, serde_json::Value::Null)?;
    }
    enter(State::Failed, serde_json::Value::Null)?;
    Ok(dir.plan().clone())
}

/// The databases that have keys.
async fn dbs(connection: &mut Connection) -> Result<Vec<u32>, ClientError> {
    let info = ServerInfo::probe(connection).await?;
    Ok(info.keyspace.keys().copied().collect())
}

/// The record of a job, in whichever of the databases it is.
async fn look(
    connection: &mut Connection,
    dbs: &[u32],
    id: &str,
) -> Result<Option<Vec<u8>>, ClientError> {
    for db in dbs {
        connection.call(&["SELECT", &db.to_string()]).await?;
        let value = connection.call(&[b"GET", key(id).as_slice()]).await?;
        if let Some(value) = value.as_bytes() {
            return Ok(Some(value.to_vec()));
        }
    }
    Ok(None)
}

/// The address of a connection of the job, if it has one.
fn still_there(clients: &str, id: &str) -> Option<String> {
    let name = format!("{CLIENT_NAME_PREFIX}{id}");
    let is_ours = |line: &&str| {
        rivals::client(line).is_some_and(|(_, client)| {
            client.strip_prefix(&name).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        })
    };
    let line = clients.lines().find(is_ours)?;
    let address = line.split(' ').find_map(|field| field.strip_prefix("addr="))?;
    Some(address.to_owned())
}
