//! Names of keys that were written to, where the source tells them (`notify-keyspace-events`): while
//! nothing is compared, those keys are copied at once. A hint and no more: events may be lost, and
//! what a round finds does not depend on them. The source's setting is not touched.
//!
//! ```text
//! PSUBSCRIBE __keyspace@*__:*     message  __keyspace@<db>__:<key>
//! ```

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ferrite_client::{ClientError, Connector, Pipeline, Value};
use ferrite_resp::encode as resp;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::config::OnConflict;
use crate::engine::{Job, copy};
use crate::error::MigrateError;
use crate::live::apply::Target;
use crate::live::marks::Key;
use crate::preflight::Checked;
use crate::sources::redis_scan::{self, source_error};
use crate::targets::redis::target_error;

/// Names kept at most; where there are more, they are forgotten, and the next round finds them.
const NAMES_MAX: usize = 20_000;
/// How long to wait before subscribing again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// What is subscribed to.
const PATTERN: &[u8] = b"__keyspace@*__:*";

type Names = Arc<Mutex<HashSet<Key>>>;

/// A subscription, until this is dropped.
#[derive(Debug)]
pub struct Hint {
    names: Names,
    task: JoinHandle<()>,
}

impl Hint {
    /// Begins to listen.
    #[must_use]
    pub fn listen(job: &Arc<Job>, checked: &Checked) -> Self {
        let names = Names::default();
        let (job, connector) = (Arc::clone(job), checked.source.connector.clone());
        let heard = Arc::clone(&names);
        let task = tokio::spawn(async move {
            loop {
                let Err(error) = hear(&job, &connector, &heard).await;
                tracing::debug!(%error, "the source tells no names of keys");
                sleep(AGAIN_AFTER).await;
            }
        });
        Self { names, task }
    }

    /// Takes the names that were heard.
    #[must_use]
    pub fn take(&self) -> Vec<Key> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *names).into_iter().collect()
    }
}

impl Drop for Hint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listens until the connection is lost.
async fn hear(
    job: &Job,
    connector: &Connector,
    names: &Names,
) -> Result<std::convert::Infallible, ClientError> {
    let (mut sender, mut receiver) = connector.connect().await?.into_split();
    let mut command = Vec::new();
    resp::command(&mut command, &[&b"PSUBSCRIBE"[..], PATTERN]);
    sender.send(&command).await?;
    receiver.set_timeout(None);
    loop {
        let message = receiver.value().await?;
        let channel = message.as_array().and_then(|words| words.get(2)?.as_bytes());
        let Some((db, key)) = channel.and_then(key_of) else { continue };
        let config = &job.config;
        if config.source_db().is_some_and(|only| only != db) || !config.filter.accepts(key) {
            continue;
        }
        let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= NAMES_MAX {
            names.clear();
        }
        names.insert((db, key.to_vec()));
    }
}

/// Database and key in the name of a channel.
fn key_of(channel: &[u8]) -> Option<(u32, &[u8])> {
    let rest = channel.strip_prefix(b"__keyspace@")?;
    let end = rest.windows(3).position(|part| part == b"__:")?;
    let (db, key) = rest.split_at_checked(end)?;
    Some((std::str::from_utf8(db).ok()?.parse().ok()?, key.get(3..)?))
}

/// Copies these keys as they are now; those that this run of the source does not have are deleted,
/// if they are ours. How many there were.
///
/// # Errors
/// An end that is away.
pub async fn copy_hinted(
    job: &Arc<Job>,
    checked: &Arc<Checked>,
    names: Vec<Key>,
    deletes: Option<String>,
) -> Result<u64, MigrateError> {
    let count = names.len() as u64;
    let mut capabilities = checked.capabilities(&job.config, true);
    capabilities.on_conflict = OnConflict::Replace;
    let source = redis_scan::keys(job, checked, names.clone());
    copy(job, checked.ends(), capabilities, source).await?;
    if let Some(run_id) = deletes.filter(|run_id| !run_id.is_empty()) {
        delete(job, checked, &names, run_id).await?;
    }
    Ok(count)
}

/// Deletes those of the keys that the source does not have.
async fn delete(
    job: &Arc<Job>,
    checked: &Checked,
    names: &[Key],
    run_id: String,
) -> Result<(), MigrateError> {
    let mut asking = Target::new(job, checked).asking_run(run_id);
    let target = &checked.target.connector;
    let lost = |error| target_error("deleting what the source does not have", target, &error);
    let mut connection = target.connect().await.map_err(lost)?;
    let dbs: HashSet<u32> = names.iter().map(|(db, _)| *db).collect();
    for db in dbs {
        let keys = names.iter().filter(|(one, _)| *one == db).map(|(_, key)| key.as_slice());
        let missing = asking.missing_at_source(db, keys.collect()).await.map_err(|error| {
            source_error(&checked.source.connector, "asking which keys it has", &error)
        })?;
        let mut pipeline = Pipeline::new();
        let there = job.config.target_db().unwrap_or(db).to_string();
        pipeline.push(&[&b"SELECT"[..], there.as_bytes()]);
        for key in missing {
            pipeline.push(&[&b"DEL"[..], key]);
        }
        let replies = connection.pipeline(&pipeline).await.map_err(lost)?;
        let deleted = replies.iter().skip(1);
        let deleted = deleted.filter(|reply| matches!(reply, Ok(Value::Integer(1)))).count();
        job.tally(|tally| tally.keys.deleted += deleted as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_names_a_key() {
        assert_eq!(key_of(b"__keyspace@0__:a"), Some((0, &b"a"[..])));
        assert_eq!(key_of(b"__keyspace@12__:__:x"), Some((12, &b"__:x"[..])));
        assert_eq!(key_of(b"__keyspace@0__:"), Some((0, &b""[..])));
        for other in [&b"__keyevent@0__:del"[..], b"__keyspace@x__:a", b"__keyspace@0_:a", b""] {
            assert_eq!(key_of(other), None, "{}", other.escape_ascii());
        }
    }
}
