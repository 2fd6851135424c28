//! One end of a comparison: reads keys, takes their fingerprints, and says in what two differ.

use ferrite_client::Connector;
use ferrite_rdb::digest::{Digest, DigestOptions};
use ferrite_rdb::{Format, ValueKind, decode, dump};

use super::value::Measured;
use crate::cluster::KeyReader;
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::fetch::{FetchError, Fetched, LargeStream};
use crate::live::release;
use crate::preflight::{Checked, Server};
use crate::report::{DifferenceKind, key_text};
use crate::sources::redis_scan::source_error;
use crate::targets::redis::target_error;

/// How far expiries may be apart when one end tells them only relative to its clock, in ms.
const RELATIVE_EXPIRY_TOLERANCE_MS: u64 = 10;

/// One end of a comparison.
#[derive(Debug)]
pub struct End {
    /// Reads keys.
    pub fetcher: KeyReader,
    /// The format of its payloads.
    pub format: Format,
    connector: Connector,
    is_source: bool,
    /// Whether expiries are held here.
    is_held: bool,
}

/// What one end has for a key.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its type; `None` for one that is not known.
    pub kind: Option<ValueKind>,
    /// Absolute expiry, Unix time in milliseconds.
    pub expires_at_ms: Option<u64>,
    /// The fingerprint of its value.
    pub digest: Digest,
    /// Bytes of a string, elements of anything else.
    pub size: u64,
    /// Consumer groups of a stream.
    pub groups: u64,
    /// The type byte it was stored with.
    pub type_byte: u8,
}

impl Found {
    /// Whether it is a hash whose fields have all expired: a server whose writes are held back
    /// keeps such a one, and so does one that has not come to it yet.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.kind == Some(ValueKind::Hash) && self.size == 0
    }
}

/// What comparing one key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Both ends have the same.
    Equal,
    /// Neither end has it (any more).
    Gone,
    /// It was not selected.
    Filtered,
    /// Nobody can say whether both ends have the same.
    NotComparable,
    /// In what it differs, and what each end has.
    Differs(DifferenceKind, String),
}

impl End {
    /// Connects to the source; `with_fence` to read keys at known offsets.
    ///
    /// # Errors
    /// A source that cannot be reached.
    pub async fn source(
        job: &Job,
        checked: &Checked,
        with_fence: bool,
    ) -> Result<Self, MigrateError> {
        let end = Self::connect(job, &checked.source, true).await;
        let mut end =
            end.map_err(|error| source_error(&checked.source.connector, "connecting", &error))?;
        if with_fence {
            end.fetcher = end.fetcher.with_fence();
        }
        Ok(end)
    }

    /// Connects to the target.
    ///
    /// # Errors
    /// A target that cannot be reached.
    pub async fn target(job: &Job, checked: &Checked) -> Result<Self, MigrateError> {
        Self::written_to(job, &checked.target).await
    }

    /// Connects to a target whose source is no server.
    ///
    /// # Errors
    /// A target that cannot be reached.
    pub async fn written_to(job: &Job, target: &Server) -> Result<Self, MigrateError> {
        let end = Self::connect(job, target, false).await;
        end.map_err(|error| target_error("connecting", &target.connector, &error))
    }

    async fn connect(
        job: &Job,
        server: &Server,
        is_source: bool,
    ) -> Result<Self, ferrite_client::ClientError> {
        Ok(Self {
            fetcher: KeyReader::connect(server, job.config.fetch_limit()).await?,
            format: server.dump_format(),
            connector: server.connector.clone(),
            is_source,
            is_held: false,
        })
    }

    /// The same end, which follows a source: what its held expiries stand for counts.
    #[must_use]
    pub fn held(mut self) -> Self {
        self.is_held = true;
        self
    }

    /// Asks for keys; [`next`](Self::next) then gives them in this order.
    ///
    /// # Errors
    /// The loss of the connection, or a refusal.
    pub async fn request(&mut self, db: u32, keys: &[&[u8]]) -> Result<(), MigrateError> {
        let asked = self.fetcher.request(db, keys).await;
        asked.map_err(|error| self.lost(&error))
    }

    /// The next key.
    ///
    /// # Errors
    /// The loss of the connection, or a refusal.
    pub async fn next(&mut self) -> Result<Fetched, MigrateError> {
        self.fetcher.next().await.map_err(|error| self.lost(&error))
    }

    /// Fingerprints the key that came last.
    ///
    /// # Errors
    /// The loss of the connection, or a value that cannot be understood ([`ErrorKind::Data`]).
    pub async fn found(
        &mut self,
        key: &[u8],
        fetched: Fetched,
        options: &DigestOptions,
    ) -> Result<Option<Found>, MigrateError> {
        match fetched {
            Fetched::Missing => Ok(None),
            Fetched::Small { expires_at_ms } => {
                self.measure(key, self.fetcher.payload(), expires_at_ms, options).map(Some)
            }
            Fetched::Large { expires_at_ms, type_byte } => {
                let measured = self.stream(key, type_byte, options).await?;
                Ok(Some(self.describe(type_byte, expires_at_ms, measured)))
            }
        }
    }

    /// Fingerprints a payload of this end.
    ///
    /// # Errors
    /// A value that cannot be understood.
    pub fn measure(
        &self,
        key: &[u8],
        payload: &[u8],
        expires_at_ms: Option<u64>,
        options: &DigestOptions,
    ) -> Result<Found, MigrateError> {
        let payload = dump::split(payload).map_err(|error| self.bad_value(key, &error))?;
        let mut measured = Measured::new(options).held(self.is_held);
        decode(self.format, payload.type_byte, payload.body, &mut measured)
            .map_err(|error| self.bad_value(key, &error))?;
        Ok(self.describe(payload.type_byte, expires_at_ms, measured))
    }

    /// The expiry that one stands for which was read here.
    #[must_use]
    pub fn released(&self, expires_at_ms: Option<u64>) -> Option<u64> {
        expires_at_ms.map(|at| if self.is_held { release(at).unwrap_or(at) } else { at })
    }

    fn describe(&self, type_byte: u8, expires_at_ms: Option<u64>, measured: Measured) -> Found {
        let kind = ValueKind::of(self.format, type_byte);
        let (size, groups) = (measured.size(), measured.groups());
        let expires_at_ms = self.released(expires_at_ms);
        Found { kind, expires_at_ms, digest: measured.finish(), size, groups, type_byte }
    }

    async fn stream(
        &mut self,
        key: &[u8],
        type_byte: u8,
        options: &DigestOptions,
    ) -> Result<Measured, MigrateError> {
        let stream = LargeStream::new(self.format, type_byte);
        let mut stream = stream.map_err(|error| self.bad_value(key, &error))?;
        let mut measured = Measured::new(options).held(self.is_held);
        loop {
            match self.fetcher.stream(&mut stream, &mut measured).await {
                Ok(true) => return Ok(measured),
                Ok(false) => {}
                Err(FetchError::Client(error)) => return Err(self.lost(&error)),
                Err(FetchError::Value(error)) => return Err(self.bad_value(key, &error)),
            }
        }
    }

    fn lost(&self, error: &ferrite_client::ClientError) -> MigrateError {
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

/// How far expiries of these servers may be apart and still be the same, in ms.
#[must_use]
pub fn tolerance_ms(checked: &Checked) -> u64 {
    written_tolerance_ms(&checked.target).max(written_tolerance_ms(&checked.source))
}

/// How far expiries read from this server may be from those written there, in ms.
#[must_use]
pub fn written_tolerance_ms(server: &Server) -> u64 {
    if server.has_expiretime() { 0 } else { RELATIVE_EXPIRY_TOLERANCE_MS }
}

/// Compares what both ends have.
#[must_use]
pub fn judge(ours: &Found, theirs: &Found, tolerance_ms: u64) -> Verdict {
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
        return Verdict::Differs(DifferenceKind::Value, differing(ours, theirs));
    }
    judge_expiry(ours.expires_at_ms, theirs.expires_at_ms, tolerance_ms)
}

/// Compares the expiries of equal values.
#[must_use]
pub fn judge_expiry(ours: Option<u64>, theirs: Option<u64>, tolerance_ms: u64) -> Verdict {
    let equal = match (ours, theirs) {
        (None, None) => true,
        (Some(a), Some(b)) => a.abs_diff(b) <= tolerance_ms,
        _ => false,
    };
    if equal {
        return Verdict::Equal;
    }
    let text = |at: Option<u64>| at.map_or(String::from("none"), |at| format!("{at} ms"));
    let detail = format!("source {}, target {}", text(ours), text(theirs));
    Verdict::Differs(DifferenceKind::Expiry, detail)
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
