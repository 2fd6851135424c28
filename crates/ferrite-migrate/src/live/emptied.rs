//! A source that comes back without its keys is not copied over what the target has of them: the
//! target may hold the last copy there is.
//!
//! Keys that a command deletes (`FLUSHALL`, say) are deleted on the target like all others: that
//! command is in the stream. Here it is about a history that has ended, and a new one that begins
//! with nothing. As long as the source has the history it had, its keys are what it says.

use ferrite_client::ClientError;
use ferrite_client::server::ServerInfo;

use super::again::Beginning;
use super::apply::{Target, home};
use super::checkpoint::Checkpoint;
use super::verify::grouped;
use crate::error::{ErrorKind, MigrateError};
use crate::sources::redis_scan::source_error;
use crate::targets::redis::target_error;

/// A source with fewer keys than one for so many of the target has lost its data. Not zero: an
/// application that goes on writes its first keys before we are there to count.
const KEYS_LOST: u64 = 10;

impl Beginning {
    /// Sees to it that making the copy anew does not take the keys away that the source has lost.
    ///
    /// Nothing is deleted on a target that had keys of its own, so nothing is asked of it. Of a
    /// source that is filtered all keys count, so that it seems to have more, not fewer.
    ///
    /// # Errors
    /// The source has next to no keys, the target has many, and nobody said that this is so; or an
    /// end that cannot be asked.
    pub async fn refuse_emptied_source(&self) -> Result<(), MigrateError> {
        let (source, target) = (&self.checked.source.connector, &self.checked.target.connector);
        let (there, history) = self
            .keys_of_source()
            .await
            .map_err(|error| source_error(source, "counting keys", &error))?;
        let (ours, place) = self
            .keys_of_target()
            .await
            .map_err(|error| target_error("counting keys", target, &error))?;
        let goes_on = place.is_some_and(|place| Some(place.replid) == history);
        if goes_on || there.saturating_mul(KEYS_LOST) >= ours {
            return Ok(());
        }
        let doing = format!("copying everything again from the source {}", source.address());
        let cause = format!(
            "the source came back with {} keys, the target has {}: nothing was changed there",
            grouped(there),
            grouped(ours)
        );
        Err(MigrateError::new(ErrorKind::Source, doing, cause).with_hint(format!(
            "to have the target lose them too: ferrite-migrate migrate --resume {} \
             --source-emptied; to keep them, bring the source's data back",
            self.job.id
        )))
    }

    /// Keys in the databases of the source that take part, and the id of its history.
    async fn keys_of_source(&self) -> Result<(u64, Option<String>), ClientError> {
        let mut connection = self.checked.source.connector.connect().await?;
        let info = ServerInfo::probe(&mut connection).await?;
        let keys = match self.job.config.source_db() {
            Some(only) => info.keyspace.get(&only).map_or(0, |keyspace| keyspace.keys),
            None => info.keys(),
        };
        Ok((keys, info.replication_id))
    }

    /// Keys of ours on the target, without the one that says how far it is, and what that says.
    async fn keys_of_target(&self) -> Result<(u64, Option<Checkpoint>), ClientError> {
        let target = Target::new(&self.job, &self.checked);
        let checkpoint = target.checkpoint().await?;
        let mut connection = self.checked.target.connector.connect().await?;
        let info = ServerInfo::probe(&mut connection).await?;
        let config = &self.job.config;
        let keys = match config.source_db() {
            Some(_) => info.keyspace.get(&home(config)).map_or(0, |keyspace| keyspace.keys),
            None => info.keys(),
        };
        Ok((keys.saturating_sub(u64::from(checkpoint.is_some())), checkpoint))
    }
}
