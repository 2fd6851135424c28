//! Copies what is there, or what differs, while all streams are received.
//!
//! A key that is written meanwhile may be copied as it was before; its name is in a stream, behind
//! where that was attached to, so it is read again afterwards.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use ferrite_client::ClientError;
use ferrite_commands::slot;
use tokio::sync::mpsc;

use super::apply::{Teller, end_writers};
use super::places::Places;
use super::{Clocks, ms_since};
use crate::config::OnConflict;
use crate::engine::{Job, Tally, copy, write_again};
use crate::error::{ErrorKind, MigrateError};
use crate::jobs::State;
use crate::live::missing::delete_missing;
use crate::live::receive;
use crate::live::run::{Applying, Following, Live, Next, REQUESTS_MAX, Receiving, end, internal};
use crate::live::verify::grouped;
use crate::preflight::Checked;
use crate::scan::{AllScanner, Names};
use crate::sources::redis_scan::{source_error, whole};
use crate::targets::redis::target_error;

/// A source with fewer keys than one for so many of the target has lost its data.
const KEYS_LOST: u64 = 10;
/// Fewer keys than this on the target are not worth asking about.
const KEYS_FEW: u64 = 100;

/// How a copy ended.
pub enum Copied {
    /// The target has everything that is not in a stream.
    Whole,
    /// The job was stopped.
    Stopped,
    /// A stream was lost meanwhile.
    Lost(String),
}

impl Live {
    /// Copies everything, or what differs where something was copied before.
    ///
    /// # Errors
    /// An end that is lost, a state that cannot be recorded.
    pub(super) async fn copy_shards(
        &mut self,
        why: Option<&str>,
        listening: &mut Receiving,
    ) -> Result<Copied, MigrateError> {
        let is_first = self.is_first_copy();
        let differing = !is_first || self.job.config.only_differing;
        let deletes = match is_first {
            true => self.job.config.delete_missing,
            false => self.job.config.delete_missing || self.target_was_empty,
        };
        let copying = Copying {
            job: Arc::clone(&self.job),
            checked: Arc::clone(&self.checked),
            differing,
            deletes,
            refuses_emptied: !is_first && deletes && !self.may_be_emptied,
        };
        if !differing {
            self.job.tally(Tally::restart);
        }
        self.enter(State::Copying, why.filter(|_| !is_first))?;
        self.tell_strategy();
        let began = Instant::now();
        let copied = {
            let copying = self.meanwhile(copying.run());
            tokio::pin!(copying);
            tokio::select! {
                copied = &mut copying => copied,
                ended = &mut *listening => match ended.map_err(internal)?? {
                    receive::Ended::Lost(why) => return Ok(Copied::Lost(why)),
                    receive::Ended::Stopped => None,
                },
            }
        };
        self.copy_ms += ms_since(began);
        match copied {
            Some(copied) if !self.job.stop.is_stopped() => copied?,
            _ => return Ok(Copied::Stopped),
        }
        if !is_first && !deletes && !self.job.config.only_differing {
            self.job.warn(
                "keys that were deleted on the source meanwhile may still be on the target, which \
                 had keys of its own: run `ferrite-migrate verify`",
            );
        }
        self.may_be_emptied = false;
        if let Some(places) = Places::read(self.dir.path()) {
            self.keep_places(places, false)?;
        }
        Ok(Copied::Whole)
    }

    /// Follows all streams until the run is over or both ends have to be compared.
    ///
    /// # Errors
    /// An end that refuses or stays away, a state that cannot be recorded.
    pub(super) async fn follow_shards(
        &mut self,
        listening: Receiving,
        teller: Teller,
    ) -> Result<Next, MigrateError> {
        if !self.is_reversed {
            self.enter(State::CatchingUp, None)?;
        }
        let until = match self.is_incremental() {
            true => {
                let mut clocks = Clocks::connect(&self.checked, &self.progress).await?;
                Some(clocks.offsets(&self.checked).await?)
            }
            false => None,
        };
        let mut following = Following::new(listening, self.tell(teller));
        let verifier = self.verifier.as_ref().filter(|_| !self.is_reversed);
        self.verifying = verifier.map(|verifier| verifier.start(&following.requests));
        let next = self.watch(&mut following, until).await;
        self.verifying = None;
        if !matches!(next, Ok(Next::End)) {
            end(&mut following.receiving).await;
            end(&mut following.applying).await;
        }
        next
    }

    /// Begins to tell the target.
    pub(super) fn tell(&self, mut teller: Teller) -> Applying {
        teller.places.copying = false;
        let (requests, asked) = mpsc::channel(REQUESTS_MAX);
        Applying { task: tokio::spawn(teller.run(asked)), requests }
    }
}

/// What is needed to copy.
struct Copying {
    job: Arc<Job>,
    checked: Arc<Checked>,
    differing: bool,
    deletes: bool,
    refuses_emptied: bool,
}

impl Copying {
    async fn run(self) -> Result<(), MigrateError> {
        let (job, checked) = (&self.job, &self.checked);
        if self.refuses_emptied {
            self.refuse_emptied().await?;
        }
        end_writers(job, checked).await?;
        let source = &checked.source;
        // Listed after attaching: what comes to be later is in the streams.
        let info = source.info_now().await;
        let info =
            info.map_err(|error| source_error(&source.connector, "asking for keys", &error))?;
        let dbs: Vec<u32> = match job.config.source_db() {
            Some(only) => vec![only],
            None => info.keyspace.keys().copied().collect(),
        };
        let mut capabilities = checked.capabilities(&job.config, true);
        if self.differing {
            capabilities.on_conflict = OnConflict::Replace;
        }
        let reading = whole(job, checked, dbs, self.differing);
        copy(job, checked.ends(), capabilities.clone(), reading).await?;
        write_again(job, checked, &capabilities).await?;
        if self.deletes && !job.stop.is_stopped() {
            delete_missing(job, checked).await?;
        }
        Ok(())
    }

    /// A primary that came back without its keys does not take them from the target, which may
    /// have the last ones.
    async fn refuse_emptied(&self) -> Result<(), MigrateError> {
        let (job, checked) = (&self.job, &self.checked);
        let (source, target) = (&checked.source, &checked.target);
        let lost = |error: ClientError| source_error(&source.connector, "counting keys", &error);
        let lost_there =
            |error: ClientError| target_error("counting keys", &target.connector, &error);
        let mut there: HashMap<Option<usize>, u64> = HashMap::new();
        let map = source.cluster.as_ref().map(|cluster| cluster.map());
        let info = target.info_now().await.map_err(lost_there)?;
        for (_, db) in checked.pairs_of(&job.config, &info) {
            let count = |names: Names| {
                for key in names.iter().filter(|key| job.config.filter.accepts(key)) {
                    let shard = map.as_ref().and_then(|map| map.owner(slot(key)));
                    *there.entry(shard).or_default() += 1;
                }
                std::future::ready(Ok(()))
            };
            let scanner = AllScanner::new(target, &job.config);
            scanner.all(&[db], &job.stop, count).await.map_err(lost_there)?;
        }
        for (place, connector) in source.shards().into_iter().enumerate() {
            let shard = map.is_some().then_some(place);
            let theirs = there.get(&shard).copied().unwrap_or(0);
            let mut connection = connector.connect().await.map_err(lost)?;
            let info = ferrite_client::server::ServerInfo::probe(&mut connection).await;
            let keys = info.map_err(lost)?.keys();
            if theirs > KEYS_FEW && keys.saturating_mul(KEYS_LOST) < theirs {
                let doing = format!("comparing with the source {}", connector.address());
                let cause = format!(
                    "it came back with {} keys, the target has {} of its slots: nothing was \
                     changed there",
                    grouped(keys),
                    grouped(theirs)
                );
                return Err(MigrateError::new(ErrorKind::Source, doing, cause).with_hint(format!(
                    "to have the target lose them too: ferrite-migrate migrate --resume {} \
                     --source-emptied; to keep them, bring the source's data back",
                    job.id
                )));
            }
        }
        Ok(())
    }
}
