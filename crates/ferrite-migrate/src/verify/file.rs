//! Compares the keys of an RDB file with those of the server they were written to.
//!
//! ```text
//! file ──► reader ──► fingerprint ─┐ a hundred at a time
//! server ──► DUMP ──► fingerprint ─┴──► equal | differs
//! ```
//!
//! Keys that the server has besides are not looked for.

use std::sync::Arc;
use std::time::Instant;

use ferrite_rdb::digest::DigestOptions;
use ferrite_rdb::transcode::{Restorable, Route, Target, Transcoder};
use ferrite_rdb::{Entry, Event, Format, Head, ValueKind, decode};

use super::Findings;
use super::end::{End, Found, Verdict, judge};
use super::value::{Measured, options};
use crate::engine::{Job, now_ms};
use crate::error::{ErrorKind, MigrateError};
use crate::files::RdbReader;
use crate::inputs::Place;
use crate::key_template::KeyTemplate;
use crate::report::{Difference, DifferenceKind, KeyName, Phase, VerificationReport, key_text};

/// Keys read in one transaction.
const TRANSACTION_KEYS_MAX: usize = 100;
/// Stored bytes of a large value that are decoded at a time.
const PART_LEN: usize = 256 << 10;
/// A key this close to its expiry, in ms, may be gone already.
const EXPIRING_MS: u64 = 1000;

/// The server a file was written to.
#[derive(Debug)]
pub struct WrittenTo {
    /// Reads its keys.
    pub end: End,
    /// Which values it can hold.
    pub values: Target,
    /// How far expiries may be apart, in ms.
    pub tolerance_ms: u64,
}

/// A key of the file whose turn has not come.
struct Waiting {
    db: u32,
    name: Vec<u8>,
    found: Found,
    /// Whether the server can hold it.
    is_possible: bool,
}

enum Then {
    Go,
    Large { db: u32, key: Vec<u8>, type_byte: u8, expires_at_ms: Option<u64> },
    End,
}

/// Compares one file with one server.
pub struct FileComparer {
    job: Arc<Job>,
    rename: Option<KeyTemplate>,
    target: WrittenTo,
    findings: Findings,
    waiting: Vec<Waiting>,
    transcoder: Option<(Format, Transcoder)>,
    /// What counts as equal, at the moment when the first of those that wait was read.
    options: DigestOptions,
    /// A payload that is written to see whether that can be done.
    scratch: Vec<u8>,
}

impl FileComparer {
    /// A comparer for a file whose keys got other names where there is a template for them.
    #[must_use]
    pub fn new(job: Arc<Job>, rename: Option<KeyTemplate>, target: WrittenTo) -> Self {
        Self {
            job,
            rename,
            target,
            findings: Findings::default(),
            waiting: Vec::new(),
            transcoder: None,
            options: DigestOptions::default(),
            scratch: Vec::new(),
        }
    }

    /// Compares every key that takes part.
    ///
    /// # Errors
    /// A file or a server that cannot be read.
    pub async fn run(mut self, place: &Place) -> Result<VerificationReport, MigrateError> {
        let began = Instant::now();
        let keys = self.job.tally(|tally| tally.keys.copied);
        self.job.begin(Phase::Verifying, keys);
        let mut file = RdbReader::at(place)?;
        while !self.job.stop.is_stopped() {
            match file.next(|format, event| self.event(format, event))?? {
                Then::Go => {}
                Then::End => break,
                Then::Large { db, key, type_byte, expires_at_ms } => {
                    let format = file.format();
                    let mut measured = Measured::new(&self.now(format));
                    while !file.next_part(&mut measured, PART_LEN)? {}
                    let is_possible =
                        !matches!(self.route(format, type_byte), Route::Impossible(_));
                    let found = found(format, type_byte, expires_at_ms, measured);
                    self.wait(db, &key, found, is_possible);
                }
            }
            if self.waiting.len() >= TRANSACTION_KEYS_MAX {
                self.compare().await?;
            }
        }
        self.compare().await?;
        let mut report = VerificationReport::default();
        self.findings.count(|found| report = std::mem::take(found));
        report.elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        report.interrupted = self.job.stop.is_stopped();
        report.success = report.is_verified() && !report.interrupted;
        Ok(report)
    }

    fn event(&mut self, format: Format, event: Event<'_>) -> Result<Then, MigrateError> {
        match event {
            Event::Entry(entry) if self.wants(format, &entry.head) => self.entry(format, &entry)?,
            Event::Large(head) => {
                // Its value is read whether it takes part or not.
                let is_wanted = self.wants(format, &head);
                return Ok(Then::Large {
                    db: if is_wanted { number(head.db) } else { u32::MAX },
                    type_byte: head.type_byte,
                    expires_at_ms: head.expires_at_ms,
                    key: head.key.into_owned(),
                });
            }
            Event::End { .. } => return Ok(Then::End),
            _ => {}
        }
        Ok(Then::Go)
    }

    /// Whether a key takes part, and is still there.
    fn wants(&self, format: Format, head: &Head<'_>) -> bool {
        let config = &self.job.config;
        let kind = ValueKind::of(format, head.type_byte);
        config.source_db().is_none_or(|only| only == number(head.db))
            && config.filter.accepts(&head.key)
            && (config.types.is_empty()
                || kind.is_some_and(|kind| config.types.iter().any(|t| t.name() == kind.name())))
            && head.expires_at_ms.is_none_or(|at| at > now_ms() + EXPIRING_MS)
    }

    fn entry(&mut self, format: Format, entry: &Entry<'_>) -> Result<(), MigrateError> {
        let Head { db, key, type_byte, expires_at_ms, .. } = &entry.head;
        let mut measured = Measured::new(&self.now(format));
        let unread = |error| {
            let doing = format!("reading key \"{}\"", key_text(key));
            MigrateError::new(ErrorKind::Data, doing, error)
        };
        decode(format, *type_byte, entry.value, &mut measured).map_err(unread)?;
        let is_possible = match self.route(format, *type_byte) {
            Route::PassThrough => true,
            _ => {
                self.scratch.clear();
                let (Some((_, transcoder)), scratch) = (&self.transcoder, &mut self.scratch) else {
                    return Ok(());
                };
                let written = transcoder.value(*type_byte, entry.value, scratch);
                !matches!(written.map_err(unread)?, Restorable::Impossible(_))
            }
        };
        let found = found(format, *type_byte, *expires_at_ms, measured);
        self.wait(number(*db), key, found, is_possible);
        Ok(())
    }

    fn route(&mut self, format: Format, type_byte: u8) -> Route {
        if self.transcoder.as_ref().is_none_or(|(known, _)| *known != format) {
            self.transcoder = None;
        }
        let values = &self.target.values;
        let (_, transcoder) =
            self.transcoder.get_or_insert_with(|| (format, Transcoder::new(format, values)));
        transcoder.route(type_byte, &[])
    }

    fn wait(&mut self, db: u32, key: &[u8], found: Found, is_possible: bool) {
        if db == u32::MAX {
            return;
        }
        let mut name = Vec::new();
        match &self.rename {
            Some(template) => template.apply(key, &mut name),
            None => name.extend_from_slice(key),
        }
        let db = self.job.config.target_db().unwrap_or(db);
        self.waiting.push(Waiting { db, name, found, is_possible });
    }

    /// Compares those that wait.
    async fn compare(&mut self) -> Result<(), MigrateError> {
        let waiting = std::mem::take(&mut self.waiting);
        for group in waiting.chunk_by(|left, right| left.db == right.db) {
            let db = group.first().map_or(0, |first| first.db);
            let names: Vec<&[u8]> = group.iter().map(|one| one.name.as_slice()).collect();
            self.target.end.request(db, &names).await?;
            for one in group {
                let theirs = self.target.end.next().await?;
                let theirs = self.target.end.found(&one.name, theirs, &self.options).await?;
                self.settle(one, theirs.as_ref());
            }
            self.job.progress(group.len() as u64, 0);
        }
        Ok(())
    }

    /// What counts as equal now, or did when the first of those that wait was read.
    fn now(&mut self, format: Format) -> DigestOptions {
        if self.waiting.is_empty() {
            self.options = options(format, self.target.end.format);
        }
        self.options
    }

    fn settle(&self, one: &Waiting, theirs: Option<&Found>) {
        let verdict = match theirs {
            None if !one.is_possible => Verdict::NotComparable,
            None => {
                let detail = String::from("only in the file");
                Verdict::Differs(DifferenceKind::MissingTarget, detail)
            }
            Some(theirs) => judge(&one.found, theirs, self.target.tolerance_ms),
        };
        self.findings.count(|report| match verdict {
            Verdict::NotComparable => report.not_comparable += 1,
            Verdict::Differs(..) => report.compared += 1,
            _ => {
                report.compared += 1;
                report.matching += 1;
            }
        });
        if let Verdict::Differs(kind, detail) = verdict {
            let key = KeyName(one.name.clone());
            self.findings.differs(Difference { db: one.db, key, kind, detail });
        }
    }
}

fn found(format: Format, type_byte: u8, expires_at_ms: Option<u64>, measured: Measured) -> Found {
    let (size, groups) = (measured.size(), measured.groups());
    let kind = ValueKind::of(format, type_byte);
    Found { kind, expires_at_ms, digest: measured.finish(), size, groups, type_byte }
}

fn number(db: u64) -> u32 {
    u32::try_from(db).unwrap_or(u32::MAX)
}
