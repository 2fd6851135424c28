//! Compares batches of keys between a source that is written to and its replica.
//!
//! ```text
//! the source's values ─ its offset F ─ the target reaches F ─ the target's values ─ the source's
//! ```
//!
//! What the target has at F or later is what the source had, unless the key was written to in
//! between. Where both differ, the source is read once more: if it has another value by then, the
//! key is moving, and nothing is known; if not, the difference is real.

use std::sync::Arc;
use std::time::Duration;

use ferrite_client::{ClientError, Connection};
use ferrite_rdb::ValueKind;
use ferrite_rdb::digest::{DigestOptions, StreamDetail};
use tokio::time::{sleep, timeout};

use super::watch::Sample;
use crate::engine::{Job, now_ms};
use crate::error::{ErrorKind, MigrateError};
use crate::fetch::Fetched;
use crate::preflight::Checked;
use crate::report::DifferenceKind;
use crate::sources::redis_scan::source_error;
use crate::targets::redis::target_error;
use crate::verify::{End, Found, Verdict, judge, options, tolerance_ms};

/// How long the target may take to come to the offset at which the source was read.
const REACH_MAX: Duration = Duration::from_secs(5);
/// How often it is asked.
const REACH_EVERY: Duration = Duration::from_millis(2);
/// What expires this soon, in ms, counts as gone on both ends.
const EXPIRING_MS: u64 = 1000;

/// What looking at a key says.
pub enum Look {
    /// This.
    Sure(Verdict),
    /// Nothing: it was written to meanwhile.
    Moving,
}

/// A value as it was read: `None` for one that cannot be understood.
type Read = Option<Option<Found>>;

/// Compares keys over two connections to each end.
pub struct Looker {
    job: Arc<Job>,
    checked: Arc<Checked>,
    ends: Option<Ends>,
    tolerance_ms: u64,
}

/// Both ends, with connections that ask how far they are.
struct Ends {
    source: End,
    target: End,
    ask_source: Connection,
    ask_target: Connection,
}

impl Looker {
    /// Connects when it is first needed.
    #[must_use]
    pub fn new(job: &Arc<Job>, checked: &Arc<Checked>) -> Self {
        let tolerance_ms = tolerance_ms(checked);
        Self { job: Arc::clone(job), checked: Arc::clone(checked), ends: None, tolerance_ms }
    }

    /// Compares keys of one database.
    ///
    /// # Errors
    /// An end that cannot be read, a target that does not come forward.
    pub async fn look(&mut self, db: u32, keys: &[&[u8]]) -> Result<Vec<Look>, MigrateError> {
        let mut ends = match self.ends.take() {
            Some(ends) => ends,
            None => self.connect().await?,
        };
        // After a failure, nobody knows what is on its way on these connections.
        let looks = self.compare(&mut ends, db, keys).await?;
        self.ends = Some(ends);
        Ok(looks)
    }

    async fn connect(&self) -> Result<Ends, MigrateError> {
        let (from, to) = (&self.checked.source.connector, &self.checked.target.connector);
        let lost = |error: ClientError| source_error(from, "comparing keys", &error);
        Ok(Ends {
            source: End::source(&self.job, &self.checked, false).await?,
            target: End::target(&self.job, &self.checked).await?,
            ask_source: from.connect().await.map_err(lost)?,
            ask_target: crate::targets::redis::connect(to).await?,
        })
    }

    async fn compare(
        &self,
        ends: &mut Ends,
        db: u32,
        keys: &[&[u8]],
    ) -> Result<Vec<Look>, MigrateError> {
        let mut digest = options(ends.source.format, ends.target.format);
        // Servers do not replicate the counters of a stream's groups.
        digest.stream_detail = StreamDetail::Entries;
        digest.now_ms += EXPIRING_MS;
        let ours = read(&mut ends.source, db, keys, &digest).await?;
        self.reach(ends).await?;
        let theirs = read(&mut ends.target, db, keys, &digest).await?;
        let verdicts: Vec<Verdict> =
            ours.iter().zip(theirs).map(|(ours, theirs)| self.judge(ours, theirs)).collect();
        let differs = |verdict: &Verdict| matches!(verdict, Verdict::Differs(..));
        let suspects = keys.iter().zip(&verdicts).filter(|(_, verdict)| differs(verdict));
        let suspects: Vec<&[u8]> = suspects.map(|(key, _)| *key).collect();
        let mut again = read(&mut ends.source, db, &suspects, &digest).await?.into_iter();
        let looks = ours.iter().zip(verdicts).map(|(ours, verdict)| {
            let is_moving = differs(&verdict)
                && again.next().is_none_or(|again| !self.is_same(ours.as_ref(), again.as_ref()));
            if is_moving { Look::Moving } else { Look::Sure(verdict) }
        });
        Ok(looks.collect())
    }

    /// Waits until the target has what the source has now.
    async fn reach(&self, ends: &mut Ends) -> Result<(), MigrateError> {
        let (from, to) = (&self.checked.source.connector, &self.checked.target.connector);
        let source = Sample::ask(&mut ends.ask_source).await;
        let source = source.map_err(|error| source_error(from, "asking for its offset", &error))?;
        let reached = async {
            loop {
                let target = Sample::ask(&mut ends.ask_target).await;
                let target =
                    target.map_err(|error| target_error("asking how far it is", to, &error))?;
                if target.replid() == source.replid() && target.applied() >= source.offset() {
                    return Ok(());
                }
                sleep(REACH_EVERY).await;
            }
        };
        timeout(REACH_MAX, reached).await.unwrap_or_else(|_| {
            let cause = "the target does not come forward";
            Err(MigrateError::new(ErrorKind::Target, "comparing keys", cause))
        })
    }

    fn judge(&self, ours: &Read, theirs: Read) -> Verdict {
        let (Some(ours), Some(theirs)) = (ours, theirs) else { return Verdict::NotComparable };
        let only = |kind, end: &str| Verdict::Differs(kind, format!("only on the {end}"));
        match (ours.as_ref().filter(stays), theirs.as_ref().filter(stays)) {
            (None, None) => Verdict::Gone,
            (Some(_), None) => only(DifferenceKind::MissingTarget, "source"),
            (None, Some(_)) => only(DifferenceKind::MissingSource, "target"),
            (Some(ours), Some(theirs)) => match judge(ours, theirs, self.tolerance_ms) {
                // Consumers that came to be by a read that found nothing are not replicated.
                Verdict::Differs(DifferenceKind::Value, _) if ours.groups > 0 => {
                    Verdict::NotComparable
                }
                verdict => verdict,
            },
        }
    }

    /// Whether the source has the same as before.
    fn is_same(&self, before: Option<&Option<Found>>, now: Option<&Option<Found>>) -> bool {
        match (before, now) {
            (Some(Some(before)), Some(Some(now))) => {
                judge(before, now, self.tolerance_ms) == Verdict::Equal
            }
            (Some(None), Some(None)) => true,
            _ => false,
        }
    }
}

/// Whether a key is not about to expire: a server may have deleted it by now or not.
fn stays(found: &&Found) -> bool {
    let is_empty = found.kind == Some(ValueKind::Hash) && found.size == 0;
    !is_empty && found.expires_at_ms.is_none_or(|at| at > now_ms() + EXPIRING_MS)
}

/// Reads keys of one end.
async fn read(
    end: &mut End,
    db: u32,
    keys: &[&[u8]],
    digest: &DigestOptions,
) -> Result<Vec<Read>, MigrateError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    end.request(db, keys).await?;
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        let fetched = end.next().await?;
        let is_large = matches!(fetched, Fetched::Large { .. });
        found.push(match end.found(key, fetched, digest).await {
            Ok(found) => Some(found),
            // What is left of a large one is still on its way.
            Err(error) if error.kind == ErrorKind::Data && !is_large => None,
            Err(error) => return Err(error),
        });
    }
    Ok(found)
}
