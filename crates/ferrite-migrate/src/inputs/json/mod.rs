//! JSON: a value for each key, on a line of its own or in an array.
//!
//! ```text
//! {"key":"user:1","type":"hash","value":{"name":"Ada"},"expires_at_ms":1800000000000}
//! {"db":3,"key":{"base64":"/w=="},"type":"string","value":"text"}
//! ```
//!
//! The shape is drawn in [`record`]; `docs/json.md` tells it to users. What `export-json` writes
//! comes back exactly. Objects of any other shape become keys by a mapping: [`mapped`].

mod mapped;
mod objects;
mod record;
mod text;
mod value;

use std::sync::Arc;

use ferrite_rdb::Format;

use super::mapping::Mapping;
use super::{Bytes, Kind, Opened, Place};
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::model::{BatchBuilder, RecordHead};
use crate::report::PreflightReport;
use crate::sources::{BoxFuture, Closed, Feed, Source};
use mapped::Mapped;
use objects::{Next, Objects};
use record::Parsed;

pub use record::STORED;
pub use text::{is_text, push_text};
pub use value::LAYOUT;

/// JSON in a file or a pipe.
#[derive(Debug)]
pub struct JsonInput {
    place: Place,
    mapping: Option<Mapping>,
}

impl JsonInput {
    /// The JSON at that place.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self { place, mapping: None }
    }

    /// Objects at that place that become keys by a mapping.
    #[must_use]
    pub fn mapped(place: Place, mapping: Mapping) -> Self {
        Self { place, mapping: Some(mapping) }
    }

    /// Whether a file with these first bytes is JSON as this reads it.
    #[must_use]
    pub fn is_begun_by(begins: &[u8]) -> bool {
        let mut bytes = begins.iter().filter(|byte| !byte.is_ascii_whitespace());
        match bytes.next() {
            Some(b'{') => true,
            Some(b'[') => matches!(bytes.next(), None | Some(b'{' | b']')),
            _ => false,
        }
    }

    /// Looks at the beginning of what is there.
    #[must_use]
    pub fn look(&self, job: &Arc<Job>, bytes: Bytes, report: &mut PreflightReport) -> Opened {
        let begins = bytes.available();
        if Self::is_begun_by(begins) || begins.trim_ascii().is_empty() {
            report.ok("source file", format!("{} is JSON, or empty", self.place));
        } else {
            let detail =
                format!("{} is no JSON: it begins neither with {{ nor with [ {{", self.place);
            report.block(
                "source file",
                detail,
                "give lines or an array of objects; see docs/json.md",
            );
        }
        let limit = record_limit(job);
        let mapped = self.mapping.as_ref().map(|mapping| Mapped::new(job, mapping, limit));
        let mapped = mapped.transpose().unwrap_or_else(|why| {
            report.block("source file", why, "see docs/json.md");
            None
        });
        let reader = JsonSource {
            only_db: job.config.source_db(),
            place: self.place.clone(),
            objects: Objects::new(limit),
            bytes,
            batch: None,
            limit,
            stored: Vec::new(),
            mapped,
        };
        Opened { source: Box::new(reader), keys_total: 0, then: None }
    }
}

/// Bytes from which on a record is sent before the next is read.
const LONG_BYTES: usize = 1 << 20;

/// The longest record in bytes: it is held as it stands, as text without escapes, as it is stored, as
/// it is sent, and twice of the one before, on its way.
fn record_limit(job: &Job) -> usize {
    usize::try_from(job.config.memory_limit / 10).unwrap_or(usize::MAX)
}

impl Kind for JsonInput {
    fn name(&self) -> &'static str {
        "json"
    }

    fn place(&self) -> String {
        self.place.to_string()
    }

    fn has_databases(&self) -> bool {
        self.mapping.is_none()
    }

    fn open<'a>(
        &'a self,
        job: Arc<Job>,
        report: &'a mut PreflightReport,
    ) -> BoxFuture<'a, Result<Opened, MigrateError>> {
        Box::pin(async move {
            let bytes = Bytes::open(&self.place).await?;
            Ok(self.look(&job, bytes, report))
        })
    }
}

/// JSON that is being read.
struct JsonSource {
    place: Place,
    bytes: Bytes,
    objects: Objects,
    only_db: Option<u32>,
    /// Keys being collected, of one database and format.
    batch: Option<(u32, Format, BatchBuilder)>,
    limit: usize,
    /// The value of a record, as it is stored; kept for its room.
    stored: Vec<u8>,
    /// What makes keys of objects that are no records.
    mapped: Option<Mapped>,
}

impl Source for JsonSource {
    fn read(mut self: Box<Self>, feed: Feed) -> BoxFuture<'static, Result<(), MigrateError>> {
        Box::pin(async move { self.run(&feed).await })
    }
}

impl JsonSource {
    async fn run(&mut self, feed: &Feed) -> Result<(), MigrateError> {
        let ended = self.records(feed).await;
        // What came before a record that is wrong still arrives.
        let _ = self.flush(feed).await;
        if let Some(mapped) = &mut self.mapped {
            let _ = mapped.keys.flush(feed).await;
        }
        ended
    }

    async fn records(&mut self, feed: &Feed) -> Result<(), MigrateError> {
        while !feed.job.stop.is_stopped() {
            match self.objects.next(self.bytes.available()) {
                Ok(Next::Object { start, end }) => {
                    if self.object(feed, start, end).await?.is_err() {
                        return Ok(());
                    }
                }
                Ok(Next::Skip(count)) => {
                    self.bytes.consume(count);
                    self.objects.consumed(count);
                    if !self.bytes.fill().await? {
                        break;
                    }
                }
                Ok(Next::NeedMore) => {
                    if !self.bytes.fill().await? {
                        return Err(self.bad(0, "it ends in the middle of a record"));
                    }
                }
                Err(what) => return Err(self.bad(0, &what)),
            }
        }
        match &mut self.mapped {
            Some(mapped) if !feed.job.stop.is_stopped() => {
                mapped.keys.end(feed).map_err(|cause| self.bad(0, &cause))
            }
            _ => Ok(()),
        }
    }

    /// Takes the object that stands there.
    async fn object(
        &mut self,
        feed: &Feed,
        start: usize,
        end: usize,
    ) -> Result<Result<(), Closed>, MigrateError> {
        let object = self.bytes.available().get(start..end).unwrap_or_default();
        if let Some(mapped) = &mut self.mapped {
            let taken = mapped.object(feed, object);
            taken.map_err(|cause| self.bad(start, &cause))?;
            self.bytes.consume(end);
            self.objects.consumed(end);
            return match &mut self.mapped {
                Some(mapped) => Ok(mapped.keys.flush_full(feed).await),
                None => Ok(Ok(())),
            };
        }
        let mut stored = std::mem::take(&mut self.stored);
        stored.clear();
        let parsed = record::parse(object, &mut stored);
        let parsed = parsed.map_err(|cause| self.bad(start, &cause))?;
        self.bytes.consume(end);
        self.objects.consumed(end);
        let taken = self.take(feed, &parsed, &stored).await;
        if stored.len() < LONG_BYTES {
            self.stored = stored;
            return Ok(taken);
        }
        drop(stored);
        Ok(match taken {
            Ok(()) => self.flush(feed).await,
            closed => closed,
        })
    }

    async fn take(&mut self, feed: &Feed, parsed: &Parsed, stored: &[u8]) -> Result<(), Closed> {
        if let Some(code) = &parsed.function {
            self.flush(feed).await?;
            return feed.function(code.clone()).await;
        }
        let Some((&type_byte, value)) = stored.split_first() else { return Ok(()) };
        let is_elsewhere = self.only_db.is_some_and(|only| only != parsed.db);
        if is_elsewhere || !feed.accepts(&parsed.key) {
            return Ok(());
        }
        if !feed.accepts_type(parsed.format, type_byte) {
            feed.filtered(1);
            return Ok(());
        }
        let belongs = self.batch.as_ref().is_some_and(|(db, format, batch)| {
            (*db, *format) == (parsed.db, parsed.format) && !batch.is_full()
        });
        if !belongs {
            self.flush(feed).await?;
        }
        let head =
            RecordHead { type_byte, expires_at_ms: parsed.expires_at_ms, idle_s: None, freq: None };
        let max_keys = feed.job.config.batch_size;
        let (.., batch) = self.batch.get_or_insert_with(|| {
            let batch = BatchBuilder::new(parsed.db, parsed.format, max_keys);
            (parsed.db, parsed.format, batch)
        });
        batch.push(head, &parsed.key, value);
        Ok(())
    }

    async fn flush(&mut self, feed: &Feed) -> Result<(), Closed> {
        match self.batch.take() {
            Some((.., batch)) => feed.batch(batch).await,
            None => Ok(()),
        }
    }

    /// What is wrong with the record that begins `start` bytes on.
    fn bad(&self, start: usize, cause: &str) -> MigrateError {
        let (line, offset) = (self.objects.line(), self.bytes.offset() + start as u64);
        let doing = format!("reading the record in line {line} (byte {offset}) of {}", self.place);
        let failed = MigrateError::new(ErrorKind::Data, doing, cause);
        match cause {
            objects::TOO_LONG => failed.with_hint(format!(
                "a record may have {} bytes: a higher --memory-limit takes longer ones",
                self.limit
            )),
            _ if self.mapped.is_none() => failed.with_hint(
                "what was read before it is on the target; objects that are no records become keys \
                 by --key or --mapping; see docs/json.md",
            ),
            _ => failed.with_hint("what was read before it is on the target; see docs/json.md"),
        }
    }
}
