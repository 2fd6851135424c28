//! The way back: after a cutover the old source follows the target, by the target's stream.
//!
//! It is not made a replica: one that finds its master empty, after a crash, empties itself, and
//! the old source may hold the last copy then. Its commands are applied as with `psync`, from right
//! behind the promotion; see [`reverse`](crate::live::reverse).

use std::sync::Arc;

use ferrite_client::replication::{Position, ReplicationLink};

use super::watch::Sample;
use super::{REASON, Replica};
use crate::config::Strategy;
use crate::error::{ErrorKind, MigrateError};
use crate::jobs::State;
use crate::live::cutover::GivenUp;
use crate::live::links::{attach_now, resume};
use crate::live::reverse::recorded;
use crate::live::run::{Live, journal_error};
use crate::report::Report;

/// Where the target's own history begins, and the link to its stream from there.
pub struct WayBack {
    position: Position,
    link: ReplicationLink,
}

impl Replica {
    /// Makes sure that the target lets us follow it, before writes are held back.
    pub async fn try_way_back(&self) -> Result<(), GivenUp> {
        attach_now(&self.checked.target.connector).await.map(drop).map_err(|error| {
            GivenUp::failed(format!(
                "the way back cannot be prepared: attaching as a replica to the target: {error}; \
                 without --reverse none is needed"
            ))
        })
    }

    /// Attaches to the stream of the target from where it was promoted.
    pub async fn way_back(&self, promoted: &Sample) -> Result<WayBack, GivenUp> {
        let begins = promoted.info.number("second_repl_offset").and_then(|it| it.checked_sub(1));
        let lost = || GivenUp::failed("the target does not tell where it was promoted");
        let offset = begins.ok_or_else(lost)?;
        let position = Position { replid: promoted.replid().to_owned(), offset };
        let attached = resume(&self.checked.target.connector, &position).await;
        match attached {
            Ok(Some((link, _))) => Ok(WayBack { position, link }),
            Ok(None) => {
                Err(GivenUp::failed("the target does not continue from where it was promoted"))
            }
            Err(error) => Err(GivenUp::failed(format!("attaching to the target: {error}"))),
        }
    }

    /// Records that the traffic has moved, and that there is a way back.
    ///
    /// # Errors
    /// A disk that does not take it.
    pub fn turn(&mut self, WayBack { position, link }: WayBack) -> Result<(), MigrateError> {
        // A promotion has the next command preceded by a SELECT.
        let detail = recorded(&position.replid, position.offset, 0);
        self.dir.transition_with(State::CutOver, None, detail).map_err(journal_error)?;
        self.way_back = Some(link);
        Ok(())
    }

    /// Goes the way back until the job is over.
    ///
    /// # Errors
    /// Why it could not go on; it can be resumed then.
    pub async fn go_back(self, link: ReplicationLink) -> Result<Report, MigrateError> {
        let verified = self.comparison.as_ref().map(|it| it.tally.report());
        let Self { job, checked, dir, control, cutover, copy_ms, .. } = self;
        let cutover = cutover.ok_or_else(|| {
            MigrateError::new(ErrorKind::Internal, "going the way back", "there was no cutover")
        })?;
        let job = Arc::clone(&job);
        let mut report = Live::go_back(job, checked, dir, control, (cutover, link)).await?;
        report.strategy = Strategy::Replica.name();
        report.strategy_reason = REASON.to_owned();
        report.copy_ms = copy_ms;
        if let Some(live) = &mut report.live {
            live.verified = verified;
        }
        Ok(report)
    }
}
