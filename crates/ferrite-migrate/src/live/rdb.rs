//! Copies the RDB that the source sends, while its commands are kept.

use std::sync::Arc;
use std::time::Instant;

use ferrite_client::replication::{Position, ReplicationLink};

use super::checkpoint::Checkpoint;
use super::progress::Side;
use super::rewrite::HOLD_MS;
use super::run::{Live, Start, end, spool_error, ticks};
use super::spool;
use crate::config::OnConflict;
use crate::engine::{Tally, copy};
use crate::error::MigrateError;
use crate::jobs::State;
use crate::sources::redis_psync;

impl Live {
    /// Copies everything; `None` if that was stopped.
    ///
    /// # Errors
    /// An end that refuses, or is lost.
    pub async fn copy_all(&mut self, again: Option<&str>) -> Result<Option<Start>, MigrateError> {
        let is_first = self.is_first_copy();
        self.enter(State::Attaching, again)?;
        if !self.keep_undo().await? {
            return Ok(None);
        }
        let beginning = self.beginning(!is_first && self.target_was_empty);
        let Some(links) = self.meanwhile(beginning.attach()).await else { return Ok(None) };
        let links = links?;
        let Position { replid, offset } = links.position;
        let (writer, reader) = spool::create(self.spool_options(), offset).map_err(spool_error)?;
        self.progress.restart(&replid, offset);
        self.progress.set_trouble(Side::Target, None);
        self.job.tally(Tally::restart);
        let mut receiving = self.receive(writer, Some(links.stream));
        let copied = self.copy_rdb(links.rdb, is_first).await;
        if copied.is_err() || self.job.stop.is_stopped() {
            end(&mut receiving).await;
            return copied.map(|()| None);
        }
        let (sweep, pending) = (false, Vec::new());
        let (fence, db, copying) = (offset, 0, None);
        let checkpoint = Checkpoint { replid, offset, fence, db, copying, sweep, pending };
        if let Err(error) = self.store(&checkpoint).await {
            end(&mut receiving).await;
            return Err(error);
        }
        self.may_be_emptied = false;
        if !is_first && !self.target_was_empty {
            self.job.warn(
                "keys that were deleted on the source meanwhile, or made anew, may still have \
                 their old values on the target, which had keys of its own: run \
                 `ferrite-migrate verify`",
            );
        }
        Ok(Some(Start { receiving, reader }))
    }

    /// Copies the RDB that is on its way.
    async fn copy_rdb(&mut self, rdb: ReplicationLink, is_first: bool) -> Result<(), MigrateError> {
        self.enter(State::Copying, None)?;
        let capabilities = self.checked.capabilities(&self.job.config, false);
        let holds = !self.is_reversed;
        let mut capabilities = capabilities.holding_fields(if holds { HOLD_MS } else { 0 });
        if !is_first {
            capabilities.on_conflict = OnConflict::Replace;
        }
        let began = Instant::now();
        let (job, checked) = (Arc::clone(&self.job), Arc::clone(&self.checked));
        let source = redis_psync::attached(&job, rdb, checked.source.connector.clone(), holds);
        let copying = copy(&job, checked.ends(), capabilities, source);
        tokio::pin!(copying);
        let mut ticks = ticks();
        let copied = loop {
            tokio::select! {
                copied = &mut copying => break copied,
                _ = ticks.tick() => {
                    self.tell_trouble();
                    self.write_status();
                }
                Some(order) = self.control.next() => self.order_early(order).await,
            }
        };
        self.copy_ms += u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        copied
    }
}
