//! Writes the keys of a server to a file for people and programs, instead of to a server.
//!
//! ```text
//! source ──► feed ──► items ──► format ──► file
//! ```
//!
//! The source is read as a copy reads it: as a replica where that is allowed, else key by key.

mod csv;
mod json;

use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use ferrite_rdb::{Format, Part, ValueDecoder, ValueKind};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::config::Config;
use crate::engine::{Budget, Job, choose, now_ms};
use crate::error::{ErrorKind, MigrateError};
use crate::model::{Batch, Elements, ElementsSink, LargeRecord, RecordHead};
use crate::preflight::Checked;
use crate::report::{Phase, Skip, Status, TypeCount};
use crate::sources::Feed;
use crate::targets::redis::Item;

/// Stored bytes up to which a value is unpacked in one.
const WHOLE_MAX: usize = 64 << 10;
/// Items that wait to be written.
const ITEMS_MAX: usize = 2;

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// JSON, a record on each line: every type, exactly.
    Json,
    /// CSV, a row for each element: no streams, modules and functions, no expiries of fields.
    Csv,
}

/// How a key is written.
trait Shape: Send {
    /// What stands in front of all keys.
    fn head(&self, out: &mut Vec<u8>);

    /// A key that is held whole. What cannot be written is told, and nothing is appended.
    fn key(&mut self, entry: &Entry<'_>, value: &[u8], out: &mut Vec<u8>) -> Result<(), Refused>;

    /// Begins a key whose elements follow.
    fn begin(&mut self, entry: &Entry<'_>, out: &mut Vec<u8>) -> Result<(), Refused>;

    /// Some of its elements, out of its stored bytes.
    fn part(
        &mut self,
        decoder: &mut ValueDecoder,
        stored: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Part, Refused>;

    /// Some of its elements.
    fn elements(&mut self, entry: &Entry<'_>, elements: &Elements, out: &mut Vec<u8>);

    /// Ends it.
    fn end(&mut self, out: &mut Vec<u8>);

    /// A function library.
    fn function(&mut self, code: &[u8], out: &mut Vec<u8>) -> Result<(), Refused>;

    /// Parts of values that were left out since this was last asked.
    fn losses(&mut self) -> Vec<&'static str>;
}

/// Why a key is not in the file.
#[derive(Debug)]
enum Refused {
    /// It has no form there.
    LeftOut(&'static str),
    /// Its bytes contradict their format.
    Bad(ferrite_rdb::Error),
}

/// A key without its value.
#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    db: u32,
    format: Format,
    head: RecordHead,
    key: &'a [u8],
}

impl Entry<'_> {
    fn kind(&self) -> Option<ValueKind> {
        ValueKind::of(self.format, self.head.type_byte)
    }
}

/// What was exported.
#[derive(Clone, Debug, Serialize)]
pub struct ExportReport {
    /// The run's name.
    pub id: String,
    /// How keys were read.
    pub strategy: &'static str,
    /// Keys written.
    pub keys: u64,
    /// Keys not selected by name or type.
    pub filtered: u64,
    /// Keys that had expired by then.
    pub expired: u64,
    /// Function libraries written.
    pub functions: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Keys written, by type.
    pub types: Vec<TypeCount>,
    /// What was left out, by reason.
    pub skipped: Vec<Skip>,
    /// Whether the operator stopped it before its end.
    pub interrupted: bool,
    /// Milliseconds.
    pub duration_ms: u64,
}

/// An export of one server.
pub struct Export {
    job: Arc<Job>,
    format: ExportFormat,
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Export {
    /// Prepares an export of the configuration's source; nothing connects yet. Its target is not
    /// written to, and is best the source's own address.
    #[must_use]
    pub fn new(config: Config, format: ExportFormat) -> Self {
        let (events, _) = mpsc::unbounded_channel();
        Self { job: Arc::new(Job::new(config, events)), format }
    }

    /// Asks the run to end in order; what was written by then is whole records.
    pub fn stop(&self) {
        self.job.stop.stop();
    }

    /// Where the run is at this moment.
    #[must_use]
    pub fn status(&self) -> Status {
        self.job.status()
    }

    /// Reads the source and writes its keys to `out`.
    ///
    /// # Errors
    /// A source that cannot be read or is lost; a file that cannot be written.
    pub async fn run(&self, out: Box<dyn Write + Send>) -> Result<ExportReport, MigrateError> {
        let began = Instant::now();
        let job = &self.job;
        let checked = Arc::new(Checked::connect(job).await?);
        job.begin(Phase::Copying, checked.source.keys_total(&job.config));
        let chosen = choose(job, &checked).await?;
        let strategy = chosen.strategy.name();
        let (items_in, items) = mpsc::channel(ITEMS_MAX);
        let feed = Feed::new(Arc::clone(job), items_in, Budget::new(job.config.in_flight_limit()));
        let reading = tokio::spawn(chosen.source.read(feed));
        let shape: Box<dyn Shape> = match self.format {
            ExportFormat::Json => Box::new(json::JsonShape::default()),
            ExportFormat::Csv => Box::new(csv::CsvShape::default()),
        };
        let writer = Writer { job: Arc::clone(job), shape, out, line: Vec::new(), bytes: 0 };
        let written = spawn_blocking(move || writer.all(items)).await;
        let bytes = written.unwrap_or_else(|panic| Err(internal(&panic)));
        let read = reading.await.unwrap_or_else(|panic| Err(internal(&panic)));
        let bytes = bytes?;
        read?;
        job.begin(Phase::Finished, 0);
        let interrupted = job.stop.is_stopped();
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(job.tally(|tally| ExportReport {
            id: job.id.clone(),
            strategy,
            keys: tally.keys.copied,
            filtered: tally.keys.filtered,
            expired: tally.keys.expired,
            functions: tally.functions,
            bytes,
            types: tally.types(),
            skipped: tally.skipped(),
            interrupted,
            duration_ms,
        }))
    }
}

fn internal(panic: &tokio::task::JoinError) -> MigrateError {
    MigrateError::new(ErrorKind::Internal, "exporting keys", panic)
}

/// Writes items.
struct Writer {
    job: Arc<Job>,
    shape: Box<dyn Shape>,
    out: Box<dyn Write + Send>,
    line: Vec<u8>,
    bytes: u64,
}

impl Writer {
    /// Writes all of them; how many bytes that were.
    fn all(mut self, mut items: mpsc::Receiver<Item>) -> Result<u64, MigrateError> {
        self.shape.head(&mut self.line);
        self.flush()?;
        while let Some(item) = items.blocking_recv() {
            match item {
                Item::Batch(batch) => self.batch(&batch)?,
                Item::Large(record) => self.large(record)?,
                Item::Function(code) => {
                    match self.shape.function(&code, &mut self.line) {
                        Ok(()) => self.job.tally(|tally| tally.functions += 1),
                        Err(why) => self.refused(0, b"function library", why)?,
                    }
                    self.flush()?;
                }
            }
        }
        self.out.flush().map_err(|error| cannot_write(&error))?;
        Ok(self.bytes)
    }

    fn batch(&mut self, batch: &Batch) -> Result<(), MigrateError> {
        let now = now_ms();
        for record in &batch.records {
            let (key, value) = (batch.key(record), batch.value(record));
            let entry = Entry { db: batch.db, format: batch.format, head: record.head, key };
            if record.head.expires_at_ms.is_some_and(|at| at <= now) {
                self.job.tally(|tally| tally.keys.expired += 1);
                continue;
            }
            let is_packed = value.len() > WHOLE_MAX
                && !matches!(entry.kind(), Some(ValueKind::String | ValueKind::Module) | None);
            let written = match is_packed {
                true => self.in_parts(&entry, value)?,
                false => self.shape.key(&entry, value, &mut self.line),
            };
            match written {
                Ok(()) => self.count(&entry, (key.len() + value.len()) as u64),
                Err(why) => self.refused(entry.db, key, why)?,
            }
            self.flush()?;
        }
        Ok(())
    }

    /// A value that is small as it is stored, and may be a hundred times that when it is unpacked.
    fn in_parts(
        &mut self,
        entry: &Entry<'_>,
        value: &[u8],
    ) -> Result<Result<(), Refused>, MigrateError> {
        if let Err(why) = self.shape.begin(entry, &mut self.line) {
            return Ok(Err(why));
        }
        let decoder = ValueDecoder::new(entry.format, entry.head.type_byte);
        let mut decoder = match decoder {
            Ok(decoder) => decoder,
            Err(error) => return Ok(Err(Refused::Bad(error))),
        };
        let (mut rest, mut window) = (value, ElementsSink::WINDOW);
        loop {
            let stored = rest.get(..window).unwrap_or(rest);
            let part = match self.shape.part(&mut decoder, stored, &mut self.line) {
                Ok(part) => part,
                Err(why) => return Ok(Err(why)),
            };
            rest = rest.get(part.consumed..).unwrap_or_default();
            self.flush()?;
            match part {
                Part { done: true, .. } => break,
                Part { consumed: 0, .. } if window >= rest.len() => {
                    let kind = ferrite_rdb::ErrorKind::Truncated("a value");
                    return Ok(Err(Refused::Bad(ferrite_rdb::Error::new(kind, 0))));
                }
                Part { consumed: 0, .. } => window *= 2,
                Part { .. } => window = ElementsSink::WINDOW,
            }
        }
        self.shape.end(&mut self.line);
        Ok(Ok(()))
    }

    fn large(&mut self, record: LargeRecord) -> Result<(), MigrateError> {
        let LargeRecord { db, format, head, key, mut elements, .. } = record;
        let entry = Entry { db, format, head, key: &key };
        let begun = self.shape.begin(&entry, &mut self.line);
        let is_wanted = begun.is_ok();
        if let Err(why) = begun {
            self.refused(db, &key, why)?;
        }
        let (mut is_whole, mut bytes) = (false, key.len() as u64);
        while let Some(some) = elements.blocking_recv() {
            bytes += some.bytes() as u64;
            is_whole = some.last;
            if is_wanted {
                self.shape.elements(&entry, &some, &mut self.line);
                self.flush()?;
            }
        }
        if is_wanted && !is_whole {
            let doing = format!("exporting the key \"{}\"", crate::report::key_text(&key));
            return Err(MigrateError::new(ErrorKind::Source, doing, "its value broke off"));
        }
        if is_wanted {
            self.shape.end(&mut self.line);
            self.flush()?;
            self.count(&entry, bytes);
        }
        Ok(())
    }

    fn count(&mut self, entry: &Entry<'_>, bytes: u64) {
        let losses = self.shape.losses();
        self.job.tally(|tally| {
            if let Some(kind) = entry.kind() {
                tally.copied(kind, 1, bytes);
            }
            losses.iter().for_each(|loss| tally.leave_out(entry.db, entry.key, loss));
        });
        self.job.progress(1, bytes);
    }

    fn refused(&mut self, db: u32, key: &[u8], why: Refused) -> Result<(), MigrateError> {
        self.line.clear();
        match why {
            Refused::LeftOut(reason) => {
                self.job.tally(|tally| tally.skip(db, key, reason));
                Ok(())
            }
            Refused::Bad(error) => Err(crate::targets::redis::data_error(key, &error)),
        }
    }

    fn flush(&mut self) -> Result<(), MigrateError> {
        self.out.write_all(&self.line).map_err(|error| cannot_write(&error))?;
        self.bytes += self.line.len() as u64;
        self.line.clear();
        Ok(())
    }
}

fn cannot_write(error: &std::io::Error) -> MigrateError {
    MigrateError::new(ErrorKind::Target, "writing the file", error)
        .with_hint("see that there is room, and that it may be written")
}
