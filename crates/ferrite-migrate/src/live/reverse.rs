//! The way back: after a cutover the old source follows the target.
//!
//! The same machinery in the other direction: [`Live`] changes its ends. The old source's
//! checkpoint begins right behind our own last write to the target, so that nothing of ours comes
//! back.

use std::sync::Arc;

use ferrite_client::ClientError;
use ferrite_client::replication::{Position, ReplicationLink};
use serde_json::{Value, json};

use super::apply::home;
use super::checkpoint::Checkpoint;
use super::clock;
use super::guard::Guard;
use super::links::attach_now;
use super::progress::Progress;
use super::run::{Following, Live, journal_error, spool_error};
use super::settle::Settler;
use super::spool;
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::jobs::{JobDir, JournalRecord, State, control};
use crate::preflight::Checked;
use crate::report::{Cutover, Report};
use crate::sources::redis_scan::source_error;

/// The name under which the journal has the position the way back begins from.
pub(super) const REVERSE: &str = "reverse";

/// For the journal: the position the way back begins from, and the database selected there.
#[must_use]
pub fn recorded(replid: &str, offset: u64, db: u32) -> Value {
    json!({ REVERSE: { "replid": replid, "offset": offset, "db": db } })
}

/// The other direction, attached and not begun.
#[derive(Debug)]
pub struct Reverse {
    job: Arc<Job>,
    checked: Arc<Checked>,
    link: ReplicationLink,
    position: Position,
    /// Where in the target's stream others begin to write.
    pub from: u64,
}

/// Whether a job with this journal has been cut over, and has a way back.
#[must_use]
pub fn is_on_the_way_back(journal: &[JournalRecord]) -> bool {
    let mut details = journal.iter().filter_map(|record| record.detail.as_ref());
    details.any(|detail| detail.get(REVERSE).is_some())
}

/// Reads over what we wrote ourselves.
///
/// # Errors
/// The loss of the link.
pub(super) async fn pass_over(
    mut link: ReplicationLink,
    from: u64,
) -> Result<ReplicationLink, ClientError> {
    while link.offset() < from {
        let left = usize::try_from(from - link.offset()).unwrap_or(usize::MAX);
        let count = link.stream_bytes().len().min(left);
        if count == 0 && link.stream_fill().await? == 0 {
            return Err(ClientError::Closed {
                address: link.address().to_owned(),
                doing: String::from("following its commands"),
                hint: String::new(),
            });
        }
        link.stream_consume(count);
    }
    Ok(link)
}

impl Live {
    /// Attaches to the target's stream.
    ///
    /// # Errors
    /// A target that does not let us follow it.
    pub async fn prepare_reverse(&self) -> Result<Reverse, MigrateError> {
        let job = Arc::new(self.job.reversed());
        let checked = Arc::new(self.checked.reversed(&job).await?);
        let connector = &checked.source.connector;
        let (link, position) = attach_now(connector).await.map_err(|error| {
            let doing = format!("attaching as a replica to the target {}", connector.address());
            MigrateError::new(ErrorKind::Target, doing, error)
        })?;
        let from = position.offset;
        Ok(Reverse { job, checked, link, position, from })
    }

    /// Begins to follow in the other direction.
    ///
    /// # Errors
    /// A state that cannot be recorded, an old source that cannot be written to.
    pub async fn turn(
        &mut self,
        reverse: Reverse,
        guard: Option<&Guard>,
        following: &mut Following,
    ) -> Result<(), MigrateError> {
        let Reverse { job, checked, link, position, from } = reverse;
        let checkpoint = Checkpoint {
            replid: position.replid.clone(),
            offset: from,
            fence: from,
            // Our last write was there.
            db: home(&self.job.config),
            copying: None,
            sweep: false,
            pending: Vec::new(),
        };
        let mut detail = recorded(&checkpoint.replid, checkpoint.offset, checkpoint.db);
        detail["guard"] = json!(guard);
        self.dir.transition_with(State::CutOver, None, detail).map_err(journal_error)?;
        // Not before that is recorded: it is what says that the target is level.
        if let Ok(settler) = Settler::connect(&self.job, &self.checked).await {
            settler.forget(&self.job).await;
        }
        self.change_ends(job, checked);
        self.verifying = None;
        self.store(&checkpoint).await?;

        let link = pass_over(link, from).await.map_err(|error| {
            let connector = &self.checked.source.connector;
            source_error(connector, "following it back", &error)
        })?;
        let (writer, reader) = spool::create(self.spool_options(), from).map_err(spool_error)?;
        self.progress.restart(&position.replid, from);
        let receiving = self.receive(writer, Some(link));
        let applying = self.apply(reader);
        following.replace(receiving, applying);
        self.applier_waits = None;
        Ok(())
    }

    /// Goes the way back after a cutover by another strategy, which the journal has as done, with
    /// the link to the target's stream.
    ///
    /// # Errors
    /// Why it could not go on; it can be resumed then.
    pub async fn go_back(
        job: Arc<Job>,
        checked: Arc<Checked>,
        dir: JobDir,
        control: control::Server,
        (cutover, link): (Cutover, ReplicationLink),
    ) -> Result<Report, MigrateError> {
        let clock_skew_ms = match checked.target.connector.connect().await {
            Ok(mut target) => clock::skew_ms(&mut target).await.unwrap_or(0),
            Err(_) => 0,
        };
        let mut live = Self::with(job, checked, dir, control, clock_skew_ms, false);
        (live.cutover, live.way_back) = (Some(cutover), Some(link));
        let ended = live.run().await;
        live.end(ended)
    }

    /// From here on, source and target have changed places.
    pub fn change_ends(&mut self, job: Arc<Job>, checked: Arc<Checked>) {
        self.job = job;
        self.checked = checked;
        self.progress = Arc::new(Progress::default());
        self.follow_in_status();
        self.is_reversed = true;
    }

    /// After a cutover, goes on in the other direction.
    ///
    /// # Errors
    /// A state that cannot be recorded, an end that cannot be used.
    pub(super) async fn find_direction(&mut self) -> Result<(), MigrateError> {
        let Some(checkpoint) = self.recorded_reverse() else { return Ok(()) };
        let job = Arc::new(self.job.reversed());
        let checked = Arc::new(self.checked.reversed(&job).await?);
        self.change_ends(job, checked);
        self.start_guard(self.recorded_guard());
        self.enter(State::CutOver, None)?;
        // Where nothing was kept yet, the way back had not begun when the process ended.
        let had_begun = self.spool_options().dir.exists();
        if !had_begun && self.ask_target().await?.is_none() {
            self.store(&checkpoint).await?;
        }
        Ok(())
    }

    /// The old source cannot follow any more. It is never copied over: should the target be the
    /// one that lost its data, the old source holds the last copy there is.
    ///
    /// # Errors
    /// A state that cannot be recorded.
    pub(super) fn way_back_lost(
        &mut self,
        why: Option<&str>,
    ) -> Result<MigrateError, MigrateError> {
        let doing = format!("following the way back to {}", self.job.config.target.address);
        let why = why.unwrap_or("it no longer says how far it is");
        let cause = format!("{why}; the old source keeps what it has, nothing is copied over it");
        self.enter(State::Completed, Some(&format!("there is no way back any more: {cause}")))?;
        Ok(MigrateError::new(ErrorKind::Target, doing, cause).with_hint(
            "there is no way back any more: the target stays the one to write to, or a new \
             migration goes from it to the old source",
        ))
    }

    /// The position the old source begins to follow from, as the journal has it.
    #[must_use]
    pub fn recorded_reverse(&self) -> Option<Checkpoint> {
        let details = self.dir.journal().iter().rev().filter_map(|record| record.detail.as_ref());
        let reverse = details.filter_map(|detail| detail.get(REVERSE)).next()?;
        let number = |name: &str| reverse.get(name).and_then(Value::as_u64);
        Some(Checkpoint {
            replid: reverse.get("replid")?.as_str()?.to_owned(),
            offset: number("offset")?,
            fence: number("offset")?,
            db: u32::try_from(number("db")?).ok()?,
            copying: None,
            sweep: false,
            pending: Vec::new(),
        })
    }
}
