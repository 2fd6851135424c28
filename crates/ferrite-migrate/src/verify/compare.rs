//! Compares the keys whose names are waiting.

use std::sync::Arc;
use std::time::Duration;

use ferrite_rdb::transcode::{Restorable, Route, Transcoder};
use ferrite_rdb::{ValueKind, dump, has_member_expiry};
use tokio::sync::{Mutex, mpsc};

use super::Findings;
use super::end::{End, Found, Verdict, judge, judge_expiry, tolerance_ms};
use super::value;
use crate::engine::{Job, now_ms};
use crate::error::{ErrorKind, MigrateError};
use crate::fetch::Fetched;
use crate::live::{HOLD_MS, hold};
use crate::preflight::Checked;
use crate::report::{Difference, DifferenceKind, KeyName};
use crate::scan::Names;

/// Keys read in one transaction on each end.
const TRANSACTION_KEYS_MAX: usize = 100;
/// Keys that wait for a second look.
const SUSPECTS_MAX: usize = 1000;
/// How often a key that differs is looked at again.
const SECOND_LOOKS: u32 = 3;
/// How long to wait before each second look: time for a write to arrive on both ends.
const BEFORE_SECOND_LOOK: Duration = Duration::from_millis(50);
/// A key this close to its expiry, in ms, may be gone on one end already.
const EXPIRING_MS: u64 = 1000;

/// Compares keys over one connection to each end.
pub struct Comparer {
    job: Arc<Job>,
    source: End,
    target: End,
    transcoder: Transcoder,
    /// How far expiries may be apart, in ms.
    tolerance_ms: u64,
    source_db: Option<u32>,
    target_db: Option<u32>,
    findings: Arc<Findings>,
    /// Keys that differed when they were looked at first.
    suspects: Vec<(u32, Vec<u8>)>,
    /// Takes keys that are not known to be equal, instead of a second look.
    differing: Option<mpsc::Sender<Names>>,
    /// Whether the target is to hold expiries.
    holds: bool,
    /// Whether what is read is held back by the limits of the copy.
    is_limited: bool,
}

impl Comparer {
    /// Connects a comparer.
    ///
    /// # Errors
    /// An end that cannot be reached.
    pub async fn connect(
        job: &Arc<Job>,
        checked: &Checked,
        findings: Arc<Findings>,
    ) -> Result<Self, MigrateError> {
        let source = End::source(job, checked, false).await?;
        let target = End::target(job, checked).await?;
        Ok(Self {
            job: Arc::clone(job),
            transcoder: Transcoder::new(source.format, &checked.target_values()),
            tolerance_ms: tolerance_ms(checked),
            source_db: job.config.source_db(),
            target_db: job.config.target_db(),
            source,
            target,
            findings,
            suspects: Vec::new(),
            differing: None,
            holds: false,
            is_limited: false,
        })
    }

    /// The same comparer, which hands over every key that is not known to be equal, to be copied;
    /// with `holds`, a key whose expiry is not held on the target is not equal.
    #[must_use]
    pub fn handing_over(mut self, differing: mpsc::Sender<Names>, holds: bool) -> Self {
        self.differing = Some(differing);
        self.holds = holds;
        self
    }

    /// The same comparer, held back by the limits of the copy.
    #[must_use]
    pub fn limited(mut self) -> Self {
        self.is_limited = true;
        self
    }

    /// The expiry the target is to have.
    fn wanted_expiry(&self, ours: Option<u64>) -> Option<u64> {
        ours.map(|at| if self.holds { hold(at, HOLD_MS) } else { at })
    }

    /// Whether a value's members expire, which a target that holds expiries has at other times.
    fn is_never_equal(&self, type_byte: u8) -> bool {
        self.holds && has_member_expiry(self.source.format, type_byte)
    }

    /// Compares until there are no more names.
    ///
    /// # Errors
    /// An end that cannot be read.
    pub async fn run(
        mut self,
        waiting: Arc<Mutex<mpsc::Receiver<Names>>>,
    ) -> Result<(), MigrateError> {
        loop {
            let Some(names) = waiting.lock().await.recv().await else {
                return self.second_looks().await;
            };
            let filter = &self.job.config.filter;
            let keys: Vec<&[u8]> = names.iter().filter(|key| filter.accepts(key)).collect();
            for keys in keys.chunks(TRANSACTION_KEYS_MAX) {
                if self.job.stop.is_stopped() {
                    return Ok(());
                }
                self.transaction(names.db, keys).await?;
            }
        }
    }

    async fn transaction(&mut self, db: u32, keys: &[&[u8]]) -> Result<(), MigrateError> {
        if let Some(differing) = self.differing.clone() {
            return self.hand_over(db, keys, &differing).await;
        }
        self.job.progress(keys.len() as u64, 0);
        let mut equal = 0;
        let verdicts = self.look(db, keys).await?;
        for (key, verdict) in keys.iter().zip(verdicts) {
            match verdict {
                Verdict::Equal => equal += 1,
                Verdict::Differs(..) => self.suspects.push((db, key.to_vec())),
                other => self.settle(db, key, other),
            }
        }
        self.findings.count(|report| {
            report.compared += equal;
            report.matching += equal;
        });
        if self.suspects.len() >= SUSPECTS_MAX {
            self.second_looks().await?;
        }
        Ok(())
    }

    /// Hands over those of the keys that are not known to be equal.
    async fn hand_over(
        &mut self,
        db: u32,
        keys: &[&[u8]],
        differing: &mpsc::Sender<Names>,
    ) -> Result<(), MigrateError> {
        let mut names = Names::new(db);
        let mut equal = 0;
        for (key, verdict) in keys.iter().zip(self.look(db, keys).await?) {
            match verdict {
                Verdict::Equal => equal += 1,
                Verdict::Gone | Verdict::Filtered => {}
                Verdict::NotComparable | Verdict::Differs(..) => names.push(key),
            }
        }
        self.job.progress(equal, 0);
        self.job.tally(|tally| tally.keys.identical += equal);
        if names.len() > 0 {
            // Whoever does not take them says why.
            let _ = differing.send(names).await;
        }
        Ok(())
    }

    /// Looks at the keys that differ until they do not, or often enough: all together, so that
    /// many of them wait no longer than one.
    async fn second_looks(&mut self) -> Result<(), MigrateError> {
        for look in 1..=SECOND_LOOKS {
            if self.suspects.is_empty() {
                break;
            }
            tracing::debug!(keys = self.suspects.len(), look, "looking again at what differs");
            tokio::time::sleep(BEFORE_SECOND_LOOK).await;
            let suspects = std::mem::take(&mut self.suspects);
            for group in suspects.chunk_by(|(a, _), (b, _)| a == b) {
                for keys in group.chunks(TRANSACTION_KEYS_MAX) {
                    self.look_again(keys, look).await?;
                }
            }
        }
        Ok(())
    }

    async fn look_again(&mut self, keys: &[(u32, Vec<u8>)], look: u32) -> Result<(), MigrateError> {
        let db = keys.first().map_or(0, |(db, _)| *db);
        let keys: Vec<&[u8]> = keys.iter().map(|(_, key)| key.as_slice()).collect();
        let verdicts = self.look(db, &keys).await?;
        for (key, verdict) in keys.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Differs(..) if look < SECOND_LOOKS => {
                    self.suspects.push((db, key.to_vec()));
                }
                verdict => self.settle(db, key, verdict),
            }
        }
        Ok(())
    }

    fn settle(&self, db: u32, key: &[u8], verdict: Verdict) {
        match verdict {
            Verdict::Gone | Verdict::Filtered => {}
            Verdict::Equal => self.findings.count(|report| {
                report.compared += 1;
                report.matching += 1;
            }),
            Verdict::NotComparable => self.findings.count(|report| report.not_comparable += 1),
            Verdict::Differs(kind, detail) => {
                self.findings.count(|report| report.compared += 1);
                let key = KeyName(key.to_vec());
                self.findings.differs(Difference { db, key, kind, detail });
            }
        }
    }

    /// Looks at keys of one database, once.
    ///
    /// # Errors
    /// An end that cannot be read.
    pub async fn look(&mut self, db: u32, keys: &[&[u8]]) -> Result<Vec<Verdict>, MigrateError> {
        let source_db = self.source_db.unwrap_or(db);
        let target_db = self.target_db.unwrap_or(db);
        self.source.request(source_db, keys).await?;
        self.target.request(target_db, keys).await?;
        let mut verdicts = Vec::with_capacity(keys.len());
        for key in keys {
            verdicts.push(match self.compare(key).await {
                // What cannot be understood can be copied all the same.
                Err(error) if error.kind == ErrorKind::Data && self.differing.is_some() => {
                    Verdict::NotComparable
                }
                verdict => verdict?,
            });
        }
        Ok(verdicts)
    }

    async fn compare(&mut self, key: &[u8]) -> Result<Verdict, MigrateError> {
        let ours = self.source.next().await?;
        let theirs = self.target.next().await?;
        let bytes = self.source.fetcher.payload().len();
        self.job.progress(0, bytes as u64);
        if self.is_limited {
            self.job.gate.pass(bytes, &self.job.stop).await;
        }
        if let (Fetched::Small { expires_at_ms: a }, Fetched::Small { expires_at_ms: b }) =
            (&ours, &theirs)
        {
            let (left, right) = (self.source.fetcher.payload(), self.target.fetcher.payload());
            if self.source.format == self.target.format && left == right {
                if left.first().is_some_and(|byte| self.is_never_equal(*byte)) {
                    return Ok(Verdict::NotComparable);
                }
                return Ok(self.filtered(left).unwrap_or_else(|| {
                    judge_expiry(self.wanted_expiry(*a), *b, self.tolerance_ms)
                }));
            }
        }
        let options = value::options(self.source.format, self.target.format);
        let ours = self.source.found(key, ours, &options).await?;
        let theirs = self.target.found(key, theirs, &options).await?;
        if let (Some(found), None) = (&ours, &theirs)
            && self.is_impossible(found.type_byte)
        {
            return Ok(Verdict::NotComparable);
        }
        Ok(self.judge(ours, theirs))
    }

    /// Whether the target cannot hold the value the source has just given.
    fn is_impossible(&self, type_byte: u8) -> bool {
        let mut scratch = Vec::new();
        match dump::split(self.source.fetcher.payload()) {
            Ok(payload) => {
                let written = self.transcoder.value(type_byte, payload.body, &mut scratch);
                matches!(written, Ok(Restorable::Impossible(_)))
            }
            // A large value is not held: its type alone decides.
            Err(_) => matches!(self.transcoder.route(type_byte, &[]), Route::Impossible(_)),
        }
    }

    fn filtered(&self, payload: &[u8]) -> Option<Verdict> {
        let types = &self.job.config.types;
        let kind = ValueKind::of(self.source.format, *payload.first()?)?;
        let wanted = types.is_empty() || types.iter().any(|wanted| wanted.name() == kind.name());
        (!wanted).then_some(Verdict::Filtered)
    }

    fn judge(&self, ours: Option<Found>, theirs: Option<Found>) -> Verdict {
        let soon = now_ms() + EXPIRING_MS;
        // One that is handed over may still be renewed.
        let tolerates = self.differing.is_none();
        let expiring = |found: &Found| {
            let is_near = found.expires_at_ms.is_some_and(|at| at <= soon);
            tolerates && (is_near || found.is_over())
        };
        match (ours, theirs) {
            (None, None) => Verdict::Gone,
            (Some(ours), _) if !self.wants(&ours) => Verdict::Filtered,
            (Some(ours), None) if expiring(&ours) => Verdict::Gone,
            (None, Some(theirs)) if expiring(&theirs) => Verdict::Gone,
            (Some(_), None) => {
                Verdict::Differs(DifferenceKind::MissingTarget, String::from("only on the source"))
            }
            (None, Some(_)) => {
                Verdict::Differs(DifferenceKind::MissingSource, String::from("only on the target"))
            }
            (Some(ours), _) if self.is_never_equal(ours.type_byte) => Verdict::NotComparable,
            (Some(ours), Some(theirs)) => {
                let expires_at_ms = self.wanted_expiry(ours.expires_at_ms);
                judge(&Found { expires_at_ms, ..ours }, &theirs, self.tolerance_ms)
            }
        }
    }

    fn wants(&self, found: &Found) -> bool {
        let types = &self.job.config.types;
        types.is_empty()
            || found.kind.is_some_and(|kind| types.iter().any(|t| t.name() == kind.name()))
    }
}
