//! Slots of a cluster that move while it is read.
//!
//! ```text
//! survey ── read every shard ── survey ── read again what moved ── survey ── … until none of it did
//! ```
//!
//! A key that moves from a shard that is not read yet to one that is read would be missed, so the
//! slots that may have moved in between are read again, from all primaries, until each was at rest
//! while it was read. The same is done for
//! the slots of a primary that was lost while it was read.
//!
//! A slot that is open all the while is read twice: a key that had left its owner before it was
//! looked for is on the other node by then.

use std::sync::{Arc, Mutex, PoisonError};

use super::Feed;
use super::redis_scan::{read_slots, source_error};
use crate::cluster::{SlotSet, Survey};
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::preflight::Checked;

/// How often slots that moved are read again before it is said that they do not come to rest.
const ROUNDS_MAX: usize = 50;
/// Ranges of slots that are named.
const RANGES_MAX: usize = 5;

/// Slots that are to be read again.
#[derive(Clone, Debug, Default)]
pub struct Missed(Arc<Mutex<SlotSet>>);

impl Missed {
    /// Adds a slot.
    pub fn add_slot(&self, slot: u16) {
        self.change(|slots| slots.insert(slot));
    }

    /// Adds ranges of first and last slot.
    pub fn add_ranges(&self, ranges: &[(u16, u16)]) {
        self.change(|slots| slots.insert_ranges(ranges));
    }

    /// Adds a set.
    pub fn add(&self, more: &SlotSet) {
        self.change(|slots| slots.insert_all(more));
    }

    fn take(&self) -> SlotSet {
        let mut taken = SlotSet::default();
        self.change(|slots| taken = std::mem::take(slots));
        taken
    }

    fn change(&self, change: impl FnOnce(&mut SlotSet)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What a cluster was like when it began to be read.
#[derive(Debug)]
pub struct Moved {
    job: Arc<Job>,
    checked: Arc<Checked>,
    before: Survey,
    missed: Missed,
    /// The slots that are read at all, if not all of them.
    only: Option<SlotSet>,
}

impl Moved {
    /// Looks at the source, if it is a cluster; `only` are the slots that are read, if not all.
    ///
    /// # Errors
    /// A cluster that cannot be asked.
    pub async fn begin(
        job: &Arc<Job>,
        checked: &Arc<Checked>,
        only: Option<SlotSet>,
    ) -> Result<Option<Self>, MigrateError> {
        if checked.source.cluster.is_none() {
            return Ok(None);
        }
        let before = survey(checked).await?;
        let (job, checked, missed) = (Arc::clone(job), Arc::clone(checked), Missed::default());
        Ok(Some(Self { job, checked, before, missed, only }))
    }

    /// Where the slots go that are to be read again.
    #[must_use]
    pub fn missed(&self) -> Missed {
        self.missed.clone()
    }

    /// Reads again what may have moved since the beginning.
    ///
    /// # Errors
    /// Slots that do not come to rest; a source that cannot be read.
    pub async fn read_again(self, feed: Feed) -> Result<(), MigrateError> {
        let feed = feed.again();
        let mut now = survey(&self.checked).await?;
        let mut left = self.before.changed(&now);
        left.insert_all(&self.before.open());
        left.insert_all(&self.missed.take());
        self.restrict(&mut left);
        for _ in 0..ROUNDS_MAX {
            if left.is_empty() || self.job.stop.is_stopped() {
                return Ok(());
            }
            self.say(&left)?;
            let passes = if now.open().is_empty() { 1 } else { 2 };
            for _ in 0..passes {
                read_slots(&self.job, &self.checked, &feed, &left, &self.missed).await?;
            }
            let later = survey(&self.checked).await?;
            // What was at rest while it was read is through, wherever it goes from here.
            left.keep_common(&now.changed(&later));
            left.insert_all(&self.missed.take());
            self.restrict(&mut left);
            now = later;
        }
        let doing = format!("reading the cluster {}", self.checked.source.connector.address());
        let cause = format!("its slots still move after {ROUNDS_MAX} looks");
        Err(MigrateError::new(ErrorKind::Source, doing, cause)
            .with_hint("wait until the slots are at rest: redis-cli --cluster check <address>"))
    }

    fn restrict(&self, slots: &mut SlotSet) {
        if let Some(only) = &self.only {
            slots.keep_common(only);
        }
    }

    fn say(&self, slots: &SlotSet) -> Result<(), MigrateError> {
        let named = slots.describe(RANGES_MAX);
        tracing::debug!(count = slots.len(), named, "reading slots again");
        if self.checked.scannable {
            return Ok(());
        }
        let doing = format!("reading the slots {named}, which moved, again");
        let cause = "the source refuses to have keys read one by one";
        Err(MigrateError::new(ErrorKind::Source, doing, cause)
            .with_hint("allow our user the commands: ACL SETUSER … +scan +dump +pexpiretime"))
    }
}

async fn survey(checked: &Checked) -> Result<Survey, MigrateError> {
    let Some(cluster) = &checked.source.cluster else {
        let cause = "it is no cluster";
        return Err(MigrateError::new(ErrorKind::Internal, "looking at the source", cause));
    };
    let surveyed = Survey::take(cluster).await;
    surveyed.map_err(|error| {
        source_error(&checked.source.connector, "looking who owns which slot", &error)
    })
}
