//! Compares the keys whose names are waiting.

use std::sync::Arc;
use std::time::Duration;

use ferrite_client::{ClientError, Connector};
use ferrite_rdb::digest::{Digest, DigestOptions};
use ferrite_rdb::transcode::{Restorable, Route, Transcoder};
use ferrite_rdb::{Format, ValueKind, decode, dump};
use tokio::sync::{Mutex, mpsc};

use super::Findings;
use super::value::{self, Measured};
use crate::engine::{Job, now_ms};
use crate::error::{ErrorKind, MigrateError};
use crate::fetch::{FetchError, Fetched, Fetcher, LargeStream};
use crate::preflight::Checked;
use crate::report::{Difference, DifferenceKind, KeyName, key_text};
use crate::scan::Names;
use crate::sources::redis_scan::source_error;
use crate::targets::redis::target_error;

/// Keys read in one transaction on each end.
const TRANSACTION_KEYS_MAX: usize = 100;
/// Keys that wait for a second look.
const SUSPECTS_MAX: usize = 1000;
/// How often a key that differs is looked at again.
const SECOND_LOOKS: u32 = 3;
/// How long to wait before each second look: time for a write to arrive on both ends.
const BEFORE_SECOND_LOOK: Duration = Duration::from_millis(50);
/// How far expiries may be apart when one end tells them only relative to its clock, in ms.
const RELATIVE_EXPIRY_TOLERANCE_MS: u64 = 10;
/// A key this close to its expiry, in ms, may be gone on one end already.
const EXPIRING_MS: u64 = 1000;

/// One end of a comparison.
struct End {
    fetcher: Fetcher,
    format: Format,
    connector: Connector,
    is_source: bool,
}

/// What one end has for a key.
struct Found {
    kind: Option<ValueKind>,
    expires_at_ms: Option<u64>,
    digest: Digest,
    /// Bytes of a string, elements of anything else.
    size: u64,
    type_byte: u8,
}

/// What comparing one key says.
enum Verdict {
    Equal,
    Gone,
    Filtered,
    NotComparable,
    Differs(DifferenceKind, String),
}

/// Compares keys over one connection to each end.
pub struct Comparer {
    job: Arc<Job>,
    source: End,
    target: End,
    transcoder: Transcoder,
    exact_expiry: bool,
    source_db: Option<u32>,
    target_db: Option<u32>,
    findings: Arc<Findings>,
    /// Keys that differed when they were looked at first.
    suspects: Vec<(u32, Vec<u8>)>,
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
        let limit = job.config.fetch_limit();
        let fetcher = |connection, server: &crate::preflight::Server| {
            Fetcher::new(connection, server.has_expiretime(), limit)
        };
        let connector = checked.source.connector.clone();
        let connection = connector.connect().await;
        let connection =
            connection.map_err(|error| source_error(&connector, "connecting", &error))?;
        let source = End {
            fetcher: fetcher(connection, &checked.source),
            format: checked.source.dump_format(),
            connector,
            is_source: true,
        };
        let connector = checked.target.connector.clone();
        let connection = connector.connect().await;
        let connection =
            connection.map_err(|error| target_error("connecting", &connector, &error))?;
        let target = End {
            fetcher: fetcher(connection, &checked.target),
            format: checked.target.dump_format(),
            connector,
            is_source: false,
        };
        Ok(Self {
            job: Arc::clone(job),
            transcoder: Transcoder::new(source.format, &checked.target_values()),
            exact_expiry: checked.source.has_expiretime() && checked.target.has_expiretime(),
            source_db: job.config.source_db(),
            target_db: job.config.target_db(),
            source,
            target,
            findings,
            suspects: Vec::new(),
        })
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

    async fn look(&mut self, db: u32, keys: &[&[u8]]) -> Result<Vec<Verdict>, MigrateError> {
        let source_db = self.source_db.unwrap_or(db);
        let target_db = self.target_db.unwrap_or(db);
        self.source.request(source_db, keys).await?;
        self.target.request(target_db, keys).await?;
        let mut verdicts = Vec::with_capacity(keys.len());
        for key in keys {
            let verdict = self.compare(key).await?;
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }

    async fn compare(&mut self, key: &[u8]) -> Result<Verdict, MigrateError> {
        let ours = self.source.next().await?;
        let theirs = self.target.next().await?;
        self.job.progress(0, self.source.fetcher.payload().len() as u64);
        if let (Fetched::Small { expires_at_ms: a }, Fetched::Small { expires_at_ms: b }) =
            (&ours, &theirs)
        {
            let (left, right) = (self.source.fetcher.payload(), self.target.fetcher.payload());
            if self.source.format == self.target.format && left == right {
                return Ok(self.filtered(left).unwrap_or_else(|| self.compare_expiry(*a, *b)));
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
        let expiring =
            |found: &Found| found.expires_at_ms.is_some_and(|expires_at| expires_at <= soon);
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
            (Some(ours), Some(theirs)) => self.judge_both(&ours, &theirs),
        }
    }

    fn wants(&self, found: &Found) -> bool {
        let types = &self.job.config.types;
        types.is_empty()
            || found.kind.is_some_and(|kind| types.iter().any(|t| t.name() == kind.name()))
    }

    fn judge_both(&self, ours: &Found, theirs: &Found) -> Verdict {
        if ours.kind != theirs.kind {
            let name = |kind: Option<ValueKind>| kind.map_or("unknown", ValueKind::name);
            let detail = format!("source {}, target {}", name(ours.kind), name(theirs.kind));
            return Verdict::Differs(DifferenceKind::Type, detail);
        }
        if ours.digest != theirs.digest && ours.kind == Some(ValueKind::Module) {
            // Only the module knows whether other bytes are another value: vector sets, for
            // example, store a graph that is built by chance.
            return Verdict::NotComparable;
        }
        if ours.digest != theirs.digest {
            let detail = differing(ours, theirs);
            return Verdict::Differs(DifferenceKind::Value, detail);
        }
        self.compare_expiry(ours.expires_at_ms, theirs.expires_at_ms)
    }

    fn compare_expiry(&self, ours: Option<u64>, theirs: Option<u64>) -> Verdict {
        let tolerance = if self.exact_expiry { 0 } else { RELATIVE_EXPIRY_TOLERANCE_MS };
        let equal = match (ours, theirs) {
            (None, None) => true,
            (Some(a), Some(b)) => a.abs_diff(b) <= tolerance,
            _ => false,
        };
        if equal {
            return Verdict::Equal;
        }
        let text = |at: Option<u64>| at.map_or(String::from("none"), |at| format!("{at} ms"));
        let detail = format!("source {}, target {}", text(ours), text(theirs));
        Verdict::Differs(DifferenceKind::Expiry, detail)
    }
}

/// In what two values of one type differ, as far as that can be said in a few words.
fn differing(ours: &Found, theirs: &Found) -> String {
    let unit = match ours.kind {
        Some(ValueKind::String | ValueKind::Module) => "bytes",
        _ => "elements",
    };
    if ours.size == theirs.size {
        return format!("{} {unit} on both, with other content", ours.size);
    }
    format!("source {} {unit}, target {} {unit}", ours.size, theirs.size)
}

impl End {
    async fn request(&mut self, db: u32, keys: &[&[u8]]) -> Result<(), MigrateError> {
        let asked = self.fetcher.request(db, keys.iter().copied()).await;
        asked.map_err(|error| self.lost(&error))
    }

    async fn next(&mut self) -> Result<Fetched, MigrateError> {
        self.fetcher.next().await.map_err(|error| self.lost(&error))
    }

    /// Fingerprints the key that came last.
    async fn found(
        &mut self,
        key: &[u8],
        fetched: Fetched,
        options: &DigestOptions,
    ) -> Result<Option<Found>, MigrateError> {
        match fetched {
            Fetched::Missing => Ok(None),
            Fetched::Small { expires_at_ms } => {
                let payload = dump::split(self.fetcher.payload());
                let payload = payload.map_err(|error| self.bad_value(key, &error))?;
                let (type_byte, body) = (payload.type_byte, payload.body);
                let mut sized = Measured::new(options);
                decode(self.format, type_byte, body, &mut sized)
                    .map_err(|error| self.bad_value(key, &error))?;
                let (digest, size) = sized.finish();
                let kind = ValueKind::of(self.format, type_byte);
                Ok(Some(Found { kind, expires_at_ms, digest, size, type_byte }))
            }
            Fetched::Large { expires_at_ms, type_byte } => {
                let (digest, size) = self.stream(key, type_byte, options).await?;
                let kind = ValueKind::of(self.format, type_byte);
                Ok(Some(Found { kind, expires_at_ms, digest, size, type_byte }))
            }
        }
    }

    async fn stream(
        &mut self,
        key: &[u8],
        type_byte: u8,
        options: &DigestOptions,
    ) -> Result<(Digest, u64), MigrateError> {
        let stream = LargeStream::new(self.format, type_byte);
        let mut stream = stream.map_err(|error| self.bad_value(key, &error))?;
        let mut digester = Measured::new(options);
        loop {
            match self.fetcher.stream(&mut stream, &mut digester).await {
                Ok(true) => return Ok(digester.finish()),
                Ok(false) => {}
                Err(FetchError::Client(error)) => return Err(self.lost(&error)),
                Err(FetchError::Value(error)) => return Err(self.bad_value(key, &error)),
            }
        }
    }

    fn lost(&self, error: &ClientError) -> MigrateError {
        match self.is_source {
            true => source_error(&self.connector, "reading keys", error),
            false => target_error("reading keys", &self.connector, error),
        }
    }

    fn bad_value(&self, key: &[u8], error: &ferrite_rdb::Error) -> MigrateError {
        let end = if self.is_source { "source" } else { "target" };
        let address = self.connector.address();
        let doing = format!("reading key \"{}\" from the {end} {address}", key_text(key));
        MigrateError::new(ErrorKind::Data, doing, error)
    }
}
