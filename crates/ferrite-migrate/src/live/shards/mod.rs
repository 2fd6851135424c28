//! A live migration where an end is a cluster: one link to each primary of the source, and one
//! place where keys are written.
//!
//! ```text
//! primary 1 ──link──► spool ──► hear ──┐ names of        ┌─ read now, wherever it is
//! primary 2 ──link──► spool ──► hear ──┼─ written keys ──►│  by now, from the source
//! primary 3 ──link──► spool ──► hear ──┘                 └─ write to whoever owns its slot
//!                                                           on the target; then the places move
//! ```
//!
//! No command is applied: in a cluster a transaction covers one slot, so no position could be
//! written together with what it stands for. The keys that commands write are read again, each as it
//! is by then, which may be done twice without harm. So a place in a stream (`places.rs`) may be
//! behind what the target has, and never ahead of it. Slots that move are keys that are deleted in
//! one stream and restored in another: both times the key is read from whichever node has it.
//!
//! All keys go through one hand (`apply.rs`), many at a time, each once at a time: whichever stream
//! names a key, an older value is never written over a newer one.
//!
//! What a stream cannot tell is found by comparing: a primary that took over from another, one that
//! joined with slots, one of the target that may have lost what it had acknowledged. Then both
//! ends are compared, what differs is copied, and following goes on (`attach.rs`).

mod apply;
mod attach;
mod back;
mod carry;
mod clocks;
mod copy;
mod cutover;
mod fences;
mod hear;
mod nodes;
mod places;
mod watch;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::again::Failures;
use super::ladder::Chosen;
use super::progress::Side;
use super::run::{Live, Next};
use crate::config::Strategy;
use crate::error::{ErrorKind, MigrateError};
use crate::jobs::{Shard, State};
use crate::preflight::Checked;
use crate::report::Event;

pub use self::clocks::Clocks;

use self::attach::Attached;
use self::back::Back;
use self::copy::Copied;
use self::nodes::Node;
use self::places::Places;

/// What is known of the streams that are followed.
#[derive(Debug, Default)]
pub struct Shards {
    /// The sources, in the order of the parts of the progress.
    sources: Vec<Source>,
    /// The servers of the target that have acknowledged what is there.
    target: Arc<Mutex<Vec<Node>>>,
    /// The other direction, while a cutover goes on.
    back: Option<Back>,
}

/// One server that is followed.
#[derive(Clone, Debug)]
struct Source {
    /// Where it is.
    address: String,
    /// Its slots, in words.
    slots: Option<String>,
    /// Its history when it was attached to.
    replid: String,
}

/// Whether the job in a directory followed streams this way.
#[must_use]
pub fn has_places(job_dir: &Path) -> bool {
    Places::read(job_dir).is_some()
}

/// Whether an end is a cluster.
#[must_use]
pub fn is_between_clusters(checked: &Checked) -> bool {
    checked.source.cluster.is_some() || checked.target.cluster.is_some()
}

impl Live {
    /// Whether an end is a cluster.
    #[must_use]
    pub fn is_sharded(&self) -> bool {
        is_between_clusters(&self.checked)
    }

    fn known_shards(&mut self) -> &mut Shards {
        self.shards.get_or_insert_default()
    }

    /// Follows all primaries until the job ends.
    ///
    /// # Errors
    /// An end that refuses, or is away for too long; a state that cannot be recorded.
    pub(super) async fn by_shards(&mut self) -> Result<(), MigrateError> {
        self.not_held = false;
        self.find_direction_of_shards().await?;
        let reason = "one link to each primary; keys are read one by one, and those that are \
                      written meanwhile are read again";
        self.chosen = Chosen { strategy: Strategy::Fenced, reason: String::from(reason) };
        let (mut again, mut failures) = (None, Failures::new());
        while !self.job.stop.is_stopped() {
            let next = match self.one_life(again.as_deref()).await {
                Err(error) if error.may_pass && !self.is_reversed => {
                    if !self.wait_after(error, &mut failures).await? {
                        return Ok(());
                    }
                    continue;
                }
                next => next?,
            };
            let why = match next {
                Next::End => return Ok(()),
                Next::Level if self.rest().await? => {
                    again = None;
                    continue;
                }
                Next::Level => return Ok(()),
                Next::Copy(why) => why,
            };
            self.job.warn(format!("comparing everything again: {why}"));
            again = Some(why);
        }
        Ok(())
    }

    /// From attaching to the loss of what was attached to.
    async fn one_life(&mut self, again: Option<&str>) -> Result<Next, MigrateError> {
        let Some(attached) = self.attach_shards(again).await? else { return Ok(Next::End) };
        let Attached { streams, places, wants_copy } = attached;
        if let (Some(why), true) = (&wants_copy, self.is_reversed) {
            return Err(self.way_back_lost(Some(why))?);
        }
        let places = self.keep_places(places, wants_copy.is_some())?;
        let (mut listening, teller) = self.listen(streams, places);
        if wants_copy.is_some() {
            match self.copy_shards(wants_copy.as_deref(), &mut listening).await? {
                Copied::Whole => {}
                Copied::Stopped => return Ok(Next::End),
                Copied::Lost(why) => return Ok(Next::Copy(why)),
            }
        }
        self.follow_shards(listening, teller).await
    }

    /// An end was lost before anything was followed: waits for it; whether it is tried again.
    async fn wait_after(
        &mut self,
        error: MigrateError,
        failures: &mut Failures,
    ) -> Result<bool, MigrateError> {
        let had_begun = self.dir.state() == State::Copying;
        let Some(wait) = failures.wait(had_begun) else { return Err(error) };
        if had_begun {
            // What fails before the next copy begins is not one that was lost.
            self.enter(State::Attaching, Some(&format!("the copy was lost: {error}")))?;
        }
        let side = if error.kind == ErrorKind::Source { Side::Source } else { Side::Target };
        self.progress.set_trouble(side, Some(error.to_string()));
        Ok(self.meanwhile(tokio::time::sleep(wait)).await.is_some())
    }

    /// Says how keys are copied.
    fn tell_strategy(&self) {
        let Chosen { strategy, reason } = &self.chosen;
        self.job.emit(Event::Strategy { strategy: strategy.name(), reason: reason.clone() });
    }

    /// What the status tells of each source.
    #[must_use]
    pub fn shards_told(&self) -> Option<Vec<Shard>> {
        let sources = &self.shards.as_ref()?.sources;
        let parts = self.progress.parts();
        let told = sources.iter().zip(&parts).map(|(source, progress)| Shard {
            source: source.address.clone(),
            replid: Some(progress.replid()),
            received: Some(progress.received()),
            spooled: Some(progress.received()),
            applied: Some(progress.applied()),
            db: None,
            slots: source.slots.clone(),
        });
        Some(told.collect())
    }
}

/// How long copying took so far, in ms.
fn ms_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
