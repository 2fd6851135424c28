//! Compares batches of keys between a source that is written to and a target that follows it.
//!
//! The source's values belong to one offset `F` of its stream. They are compared with what the
//! target has when it has come to `F`; keys that the stream wrote to between `F` and that moment
//! are left for another time. What remains is exact.
//!
//! Between clusters there are several streams. Each is asked where it is after the values were
//! read, the target is waited for until it has come there in all of them, and a key that any of
//! them named since before it was read is left for another time.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ferrite_rdb::digest::DigestOptions;
use ferrite_rdb::transcode::{Restorable, Route, Transcoder};
use ferrite_rdb::{ValueKind, dump};
use tokio::time::timeout;

use crate::engine::{Job, now_ms};
use crate::error::{ErrorKind, MigrateError};
use crate::fetch::Fetched;
use crate::live::marks::Key;
use crate::live::progress::Progress;
use crate::live::shards::{Clocks, is_between_clusters};
use crate::preflight::Checked;
use crate::report::DifferenceKind;
use crate::verify::{End, Found, Verdict, judge, judge_expiry, options, tolerance_ms};

/// How long the target may take to come to the offset at which the source was read.
const REACH_MAX: Duration = Duration::from_secs(5);
/// Bytes of the source's payloads that are held to be compared as they are; values beyond are
/// compared by their fingerprints.
const PAYLOADS_MAX: usize = 4 << 20;
/// Fields that expire this soon, in ms, count as gone on both ends.
const EXPIRING_MS: u64 = 1000;
/// Keys of a kind that are remembered by name.
const NAMES_MAX: usize = 10_000;

/// What the source had.
enum Ours {
    Nothing,
    Payload { bytes: Vec<u8>, expires_at_ms: Option<u64> },
    Found(Found),
    Unreadable,
}

/// Compares keys over one connection to each end.
pub struct Looker {
    job: Arc<Job>,
    checked: Arc<Checked>,
    progress: Arc<Progress>,
    clock_skew_ms: i64,
    ends: Option<(End, End)>,
    /// Tells where several streams are, where there are several.
    clocks: Option<Clocks>,
    /// Whether an end is a cluster.
    is_sharded: bool,
    transcoder: Transcoder,
    tolerance_ms: u64,
    target_db: Option<u32>,
    /// Streams with groups, of which servers do not replicate everything: looked at again at the
    /// cutover.
    pub groups: HashSet<Key>,
    /// Values that cannot be understood.
    unreadable: HashSet<Key>,
}

impl Looker {
    /// Connects when it is first needed.
    #[must_use]
    pub fn new(
        job: &Arc<Job>,
        checked: &Arc<Checked>,
        progress: &Arc<Progress>,
        clock_skew_ms: i64,
    ) -> Self {
        Self {
            job: Arc::clone(job),
            checked: Arc::clone(checked),
            progress: Arc::clone(progress),
            clock_skew_ms,
            ends: None,
            clocks: None,
            is_sharded: is_between_clusters(checked),
            transcoder: Transcoder::new(checked.source.dump_format(), &checked.target_values()),
            tolerance_ms: tolerance_ms(checked),
            target_db: job.config.target_db(),
            groups: HashSet::new(),
            unreadable: HashSet::new(),
        }
    }

    /// Compares keys of one database of the source; `None` for a key that was written to
    /// meanwhile.
    ///
    /// # Errors
    /// An end that cannot be read, a target that does not come forward.
    pub async fn look(
        &mut self,
        db: u32,
        keys: &[&[u8]],
    ) -> Result<Vec<Option<Verdict>>, MigrateError> {
        let progress = Arc::clone(&self.progress);
        let mut ends = match self.ends.take() {
            Some(ends) => ends,
            None => (
                End::source(&self.job, &self.checked, true).await?,
                End::target(&self.job, &self.checked).await?.held(),
            ),
        };
        progress.watched.watch(db, keys);
        let compared = self.compare(&mut ends, db, keys).await;
        let touched = progress.watched.end();
        // After a failure, nobody knows what is on its way on these connections.
        let (fence, verdicts) = compared?;
        self.ends = Some(ends);
        let looked = keys.iter().zip(verdicts);
        let looked =
            looked.map(|(key, verdict)| (!touched.is_since(key, fence)).then_some(verdict));
        Ok(looked.collect())
    }

    async fn compare(
        &mut self,
        (source, target): &mut (End, End),
        db: u32,
        keys: &[&[u8]],
    ) -> Result<(u64, Vec<Verdict>), MigrateError> {
        let mut digest = options(source.format, target.format);
        digest.now_ms = digest.now_ms.saturating_add_signed(self.clock_skew_ms) + EXPIRING_MS;
        source.request(db, keys).await?;
        let fence = source.fetcher.offset();
        let (mut ours, mut room) = (Vec::with_capacity(keys.len()), PAYLOADS_MAX);
        for key in keys {
            ours.push(self.read(source, (db, key), &digest, &mut room).await?);
        }
        let offsets = match self.is_sharded {
            true => self.offsets().await?,
            false => vec![fence],
        };
        // Whatever names a key of several streams counts: it was not there when the watch began.
        let fence = if self.is_sharded { 0 } else { fence };
        if timeout(REACH_MAX, self.progress.reaches_all(&offsets)).await.is_err() {
            let doing = "comparing keys";
            let cause = "the target does not come forward";
            return Err(MigrateError::new(ErrorKind::Target, doing, cause));
        }
        target.request(self.target_db.unwrap_or(db), keys).await?;
        let mut verdicts = Vec::with_capacity(keys.len());
        for (key, ours) in keys.iter().zip(ours) {
            let theirs = target.next().await?;
            let is_same = is_same_payload(source, target, &ours, &theirs);
            let verdict = match (&ours, &theirs) {
                (Ours::Payload { expires_at_ms, .. }, Fetched::Small { expires_at_ms: theirs })
                    if is_same =>
                {
                    judge_expiry(*expires_at_ms, target.released(*theirs), self.tolerance_ms)
                }
                _ => self.judge((source, target), (db, key), ours, theirs, &digest).await?,
            };
            verdicts.push(verdict);
        }
        Ok((fence, verdicts))
    }

    /// Where each stream is now.
    async fn offsets(&mut self) -> Result<Vec<u64>, MigrateError> {
        let known = self.clocks.take().filter(|clocks| clocks.are_of(&self.progress));
        let mut clocks = match known {
            Some(clocks) => clocks,
            None => Clocks::connect(&self.checked, &self.progress).await?,
        };
        let offsets = clocks.offsets(&self.checked).await?;
        self.clocks = Some(clocks);
        Ok(offsets)
    }

    /// Reads the next key of the source.
    async fn read(
        &mut self,
        source: &mut End,
        (db, key): (u32, &[u8]),
        digest: &DigestOptions,
        room: &mut usize,
    ) -> Result<Ours, MigrateError> {
        let fetched = source.next().await?;
        if let Fetched::Small { expires_at_ms } = fetched {
            let payload = source.fetcher.payload();
            if let Some(left) = room.checked_sub(payload.len()) {
                *room = left;
                return Ok(Ours::Payload { bytes: payload.to_vec(), expires_at_ms });
            }
        }
        let is_large = matches!(fetched, Fetched::Large { .. });
        let found = source.found(key, fetched, digest).await;
        Ok(match self.understood(found, (db, key), is_large)? {
            Some(Some(found)) => Ours::Found(found),
            Some(None) => Ours::Nothing,
            None => Ours::Unreadable,
        })
    }

    /// Compares two values that are not the same bytes.
    async fn judge(
        &mut self,
        (source, target): (&End, &mut End),
        (db, key): (u32, &[u8]),
        ours: Ours,
        theirs: Fetched,
        digest: &DigestOptions,
    ) -> Result<Verdict, MigrateError> {
        let is_large = matches!(theirs, Fetched::Large { .. });
        let found = target.found(key, theirs, digest).await;
        let theirs = self.understood(found, (db, key), is_large)?;
        let (ours, payload) = match ours {
            Ours::Payload { bytes, expires_at_ms } => {
                let measured = source.measure(key, &bytes, expires_at_ms, digest).map(Some);
                (self.understood(measured, (db, key), false)?, bytes)
            }
            Ours::Found(found) => (Some(Some(found)), Vec::new()),
            Ours::Nothing => (Some(None), Vec::new()),
            Ours::Unreadable => (None, Vec::new()),
        };
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            return Ok(Verdict::NotComparable);
        };
        if ours.as_ref().is_some_and(|found| found.groups > 0) && self.groups.len() < NAMES_MAX {
            self.groups.insert((db, key.to_vec()));
        }
        let now = now_ms().saturating_add_signed(self.clock_skew_ms);
        Ok(match (present(ours, now), present(theirs, now)) {
            (None, None) => Verdict::Gone,
            (Some(ours), None) if self.is_impossible(ours.type_byte, &payload) => {
                Verdict::NotComparable
            }
            (Some(_), None) => {
                Verdict::Differs(DifferenceKind::MissingTarget, String::from("only on the source"))
            }
            (None, Some(_)) => {
                Verdict::Differs(DifferenceKind::MissingSource, String::from("only on the target"))
            }
            (Some(ours), Some(theirs)) => judge(&ours, &theirs, self.tolerance_ms),
        })
    }

    /// Whether a value could not be understood earlier.
    #[must_use]
    pub fn is_unreadable(&self, key: &Key) -> bool {
        self.unreadable.contains(key)
    }

    /// What was found; `None` for a value that cannot be understood. What is left of a large one
    /// is still on its way: that connection is of no more use.
    fn understood(
        &mut self,
        found: Result<Option<Found>, MigrateError>,
        (db, key): (u32, &[u8]),
        is_large: bool,
    ) -> Result<Option<Option<Found>>, MigrateError> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind == ErrorKind::Data => {
                tracing::debug!(%error, "not compared");
                if self.unreadable.len() < NAMES_MAX {
                    self.unreadable.insert((db, key.to_vec()));
                }
                if is_large { Err(error) } else { Ok(None) }
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the target cannot hold this value of the source; without its payload, its type
    /// alone decides.
    fn is_impossible(&self, type_byte: u8, payload: &[u8]) -> bool {
        let mut scratch = Vec::new();
        match dump::split(payload) {
            Ok(payload) => {
                let written = self.transcoder.value(type_byte, payload.body, &mut scratch);
                matches!(written, Ok(Restorable::Impossible(_)))
            }
            Err(_) => matches!(self.transcoder.route(type_byte, &[]), Route::Impossible(_)),
        }
    }
}

/// Whether both are the same bytes of the same format. Streams are looked into in any case, for
/// their groups.
fn is_same_payload(source: &End, target: &End, ours: &Ours, theirs: &Fetched) -> bool {
    let (Ours::Payload { bytes, .. }, Fetched::Small { .. }) = (ours, theirs) else { return false };
    let kind = bytes.first().and_then(|byte| ValueKind::of(source.format, *byte));
    source.format == target.format
        && kind != Some(ValueKind::Stream)
        && bytes.as_slice() == target.fetcher.payload()
}

/// What is there, unless its time has come: a server may have deleted it by now or not.
fn present(found: Option<Found>, now_ms: u64) -> Option<Found> {
    found.filter(|found| {
        let is_empty = found.kind == Some(ValueKind::Hash) && found.size == 0;
        !is_empty && found.expires_at_ms.is_none_or(|at| at > now_ms)
    })
}
