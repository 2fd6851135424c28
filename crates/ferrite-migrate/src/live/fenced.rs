//! Copies key by key while the source's commands are kept, and makes the copy whole by them.
//!
//! ```text
//! offset      A                                        E
//! source   ───┼── SCAN, DUMP … in parts, place ────────┼──────────────►
//! commands    └── every key they write is read again ──┴── applied ───►
//! ```
//!
//! A key is copied as it was at some offset between *A*, where the link was attached, and *E*,
//! where the source was when the last one was read. Which offset need not be known: a key that is
//! not written to in between is the same at all of them, and `SCAN` gives every key that is there
//! from *A* to *E*. A key that is written to in between is read again, after *E*, when the command
//! comes along: its value is then right whatever was copied. So the checkpoint says *A*, and that
//! single keys may be as new as *E*.
//!
//! The place of the scan is stored in the target, behind what it stands for: a process that dies
//! goes on there. A cursor means something to one run of the source alone; where that has ended
//! and the history goes on (a failover), the scan begins again and nothing else is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_client::ClientError;
use ferrite_client::replication::Position;
use ferrite_client::server::ServerInfo;
use tokio::sync::oneshot;

use super::again::{Beginning, attach_error};
use super::apply::Target;
use super::checkpoint::{Checkpoint, Copying};
use super::links::attach_stream;
use super::missing::delete_missing;
use super::progress::Side;
use super::run::{Live, Start, end, internal, spool_error, ticks};
use super::{receive, spool};
use crate::config::OnConflict;
use crate::engine::{Tally, copy};
use crate::error::MigrateError;
use crate::fetch::offset_in;
use crate::jobs::State;
use crate::live::HOLD_MS;
use crate::scan::Place;
use crate::sources::redis_scan::{Part, part, source_error};
use crate::targets::redis::target_error;

/// How long names are read until the place is stored, at most: what is read again when the process
/// dies.
const PART_LASTS_MAX: Duration = Duration::from_secs(2);
/// How long the first part takes; each one takes twice as long as the one before.
const PART_LASTS_FIRST: Duration = Duration::from_millis(100);

/// How a copy ended.
pub enum Copied {
    /// The target can be brought up to date by commands.
    Whole(Start),
    /// The job was stopped.
    Stopped,
    /// The source's commands were lost meanwhile: it begins again.
    Lost(String),
}

/// A copy that is under way.
struct Copy {
    start: Start,
    checkpoint: Checkpoint,
    dbs: Vec<u32>,
    run_id: String,
}

impl Live {
    /// Copies everything key by key, from the beginning or from where the target says it is.
    ///
    /// # Errors
    /// An end that cannot be used, a state that cannot be recorded.
    pub async fn copy_keys(
        &mut self,
        goes_on: Option<Checkpoint>,
        again: Option<&str>,
    ) -> Result<Copied, MigrateError> {
        if goes_on.is_none() {
            self.enter(State::Attaching, again)?;
            if !self.keep_undo().await? {
                return Ok(Copied::Stopped);
            }
        }
        let begun = match goes_on {
            Some(checkpoint) => Some(self.go_on_copying(checkpoint).await?),
            None => self.begin_copying().await?,
        };
        let Some(mut copying) = begun else { return Ok(Copied::Stopped) };
        let began = Instant::now();
        let copied = self.copy_parts(&mut copying).await;
        self.copy_ms += u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Copy { mut start, checkpoint, .. } = copying;
        let stored = match copied {
            Ok(None) if !self.job.stop.is_stopped() => self.store(&checkpoint).await.map(Some),
            Ok(None) => Ok(None),
            Ok(Some(why)) => {
                end(&mut start.receiving).await;
                return Ok(Copied::Lost(why));
            }
            Err(error) => Err(error),
        };
        if let Ok(Some(())) = stored {
            self.may_be_emptied = false;
            return Ok(Copied::Whole(start));
        }
        end(&mut start.receiving).await;
        stored.map(|_| Copied::Stopped)
    }

    /// Attaches to the source and says so in the target; `None` if that was stopped.
    async fn begin_copying(&mut self) -> Result<Option<Copy>, MigrateError> {
        let is_first = self.is_first_copy();
        let deletes = self.job.config.delete_missing || !is_first && self.target_was_empty;
        let beginning = self.beginning(deletes);
        if beginning.refuses_emptied {
            beginning.refuse_emptied_source().await?;
        }
        Beginning { clears: false, ..beginning }.forget().await?;
        let connector = self.checked.source.connector.clone();
        let filters = self.checked.source.is_at_least(7, 0);
        let attaching = async move {
            let attached = attach_stream(&connector, filters).await;
            attached.map_err(|error| attach_error(&connector, error))
        };
        let Some(attached) = self.meanwhile(attaching).await else { return Ok(None) };
        let (link, Position { replid, offset }) = attached?;
        // Listed after attaching: what comes to be later is in the stream.
        let (dbs, run_id) = self.source_now().await?;
        let compares = !is_first || self.job.config.only_differing;
        let differing = compares && self.target_has_keys().await?;
        if !differing {
            self.job.tally(Tally::restart);
        }
        let copying = Some(Copying { run_id: run_id.clone(), place: None, differing });
        let (fence, db, sweep, pending) = (offset, 0, false, Vec::new());
        let checkpoint = Checkpoint { replid, offset, fence, db, copying, sweep, pending };
        self.enter(State::Copying, None)?;
        self.store(&checkpoint).await?;
        let (writer, reader) = spool::create(self.spool_options(), offset).map_err(spool_error)?;
        self.progress.restart(&checkpoint.replid, offset);
        self.progress.set_trouble(Side::Target, None);
        let receiving = self.receive(writer, Some(link));
        Ok(Some(Copy { start: Start { receiving, reader }, checkpoint, dbs, run_id }))
    }

    /// Takes up a copy that a process left.
    async fn go_on_copying(&mut self, checkpoint: Checkpoint) -> Result<Copy, MigrateError> {
        let (dbs, run_id) = self.source_now().await?;
        let mut checkpoint = checkpoint;
        match &mut checkpoint.copying {
            Some(copying) if copying.run_id == run_id && !run_id.is_empty() => {}
            Some(copying) => (copying.run_id, copying.place) = (run_id.clone(), None),
            None => {}
        }
        self.enter(State::Copying, Some("going on where it was left"))?;
        let start = self.go_on(&checkpoint).await?;
        self.progress.set_trouble(Side::Target, None);
        Ok(Copy { start, checkpoint, dbs, run_id })
    }

    /// The source's databases in ascending order, and the name of its run.
    async fn source_now(&self) -> Result<(Vec<u32>, String), MigrateError> {
        let connector = &self.checked.source.connector;
        let asked = async {
            let mut connection = connector.connect().await?;
            ServerInfo::probe(&mut connection).await
        };
        let asked = asked.await;
        let info = asked.map_err(|error| source_error(connector, "asking for keys", &error))?;
        let dbs = match self.job.config.source_db() {
            Some(only) => vec![only],
            None => info.keyspace.keys().copied().collect(),
        };
        Ok((dbs, info.info.get("run_id").unwrap_or_default().to_owned()))
    }

    /// Copies part after part, each with its place; why it has to begin again, if it has to.
    async fn copy_parts(&mut self, copying: &mut Copy) -> Result<Option<String>, MigrateError> {
        let mut lasts = PART_LASTS_FIRST;
        loop {
            let Some(at) = copying.checkpoint.copying.clone() else { return Ok(None) };
            let differing = at.differing;
            let next = match self.copy_part(copying, at, lasts).await? {
                Ok(next) => next,
                Err(lost) => return Ok(Some(lost)),
            };
            lasts = (lasts * 2).min(PART_LASTS_MAX);
            if self.job.stop.is_stopped() {
                return Ok(None);
            }
            let (dbs, run_id) = self.source_now().await?;
            let is_same_run = run_id == copying.run_id;
            (copying.dbs, copying.run_id) = (dbs, run_id.clone());
            copying.checkpoint.replid = self.progress.replid();
            if next.is_none() && is_same_run {
                if differing {
                    self.clear_missing().await?;
                }
                let checkpoint = &mut copying.checkpoint;
                checkpoint.fence = self.source_offset().await?;
                checkpoint.copying = None;
                return Ok(None);
            }
            // Another run has other cursors: what was scanned says nothing there.
            let place = next.filter(|_| is_same_run);
            copying.checkpoint.copying = Some(Copying { run_id, place, differing });
            self.store(&copying.checkpoint).await?;
        }
    }

    /// Copies one part; where the next one begins, or why the copy has to begin again.
    async fn copy_part(
        &mut self,
        copying: &mut Copy,
        Copying { place: from, differing, .. }: Copying,
        lasts: Duration,
    ) -> Result<Result<Option<Place>, String>, MigrateError> {
        let (job, checked) = (Arc::clone(&self.job), Arc::clone(&self.checked));
        let holds = !self.is_incremental();
        let hold_ms = if holds { HOLD_MS } else { 0 };
        let mut capabilities = checked.capabilities(&job.config, true).holding_fields(hold_ms);
        // What a process that died has copied already is copied again.
        capabilities.on_conflict = OnConflict::Replace;
        let (ended, place) = oneshot::channel();
        let dbs = copying.dbs.clone();
        let limited = false;
        let wanted = Part { dbs, from, lasts, differing, holds, limited, ended };
        let source = part(&job, &checked, wanted);
        let copied = copy(&job, checked.ends(), capabilities, source);
        tokio::pin!(copied);
        let (mut ticks, mut is_received) = (ticks(), false);
        loop {
            tokio::select! {
                copied = &mut copied => {
                    copied?;
                    // Not told where the job was stopped before the names were read.
                    return Ok(Ok(place.await.ok().flatten()));
                }
                received = &mut copying.start.receiving, if !is_received => {
                    is_received = true;
                    if let receive::Ended::Lost(why) = received.map_err(internal)?? {
                        return Ok(Err(why));
                    }
                }
                _ = ticks.tick() => {
                    self.tell_trouble();
                    self.write_status();
                }
                Some(order) = self.control.next() => self.order_early(order).await,
            }
        }
    }

    /// Whether the target has anything that takes part.
    async fn target_has_keys(&self) -> Result<bool, MigrateError> {
        let target = Target::new(&self.job, &self.checked);
        let dbs = target.dbs(None).await;
        let connector = &self.checked.target.connector;
        dbs.map(|dbs| !dbs.is_empty())
            .map_err(|error| target_error("listing keys", connector, &error))
    }

    /// After a copy of what differs: deletes what the source does not have, if it is ours.
    async fn clear_missing(&self) -> Result<(), MigrateError> {
        if !self.target_was_empty && !self.job.config.delete_missing {
            if !self.job.config.only_differing {
                self.job.warn(
                    "keys that were deleted on the source meanwhile may still be on the target, \
                     which had keys of its own: run `ferrite-migrate verify`",
                );
            }
            return Ok(());
        }
        delete_missing(&self.job, &self.checked).await
    }

    /// The source's offset now.
    ///
    /// # Errors
    /// A source that cannot be asked.
    pub async fn source_offset(&self) -> Result<u64, MigrateError> {
        let connector = &self.checked.source.connector;
        let asked = async {
            let mut connection = connector.connect().await?;
            connection.call(&["ROLE"]).await
        };
        let asked = asked.await.and_then(|role| {
            offset_in(&role).ok_or_else(|| ClientError::Unexpected {
                address: connector.address().to_string(),
                doing: String::from("asking for its offset"),
                what: String::from("ROLE tells no replication offset"),
            })
        });
        asked.map_err(|error| source_error(connector, "asking for its offset", &error))
    }
}
