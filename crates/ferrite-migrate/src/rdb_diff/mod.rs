//! Compares two RDB files: type, value and expiry of every key, whatever its encoding and place.
//!
//! ```text
//! A ──► key: fingerprints ──► 256 parts by key ─┐
//! B ──► key: fingerprints ──► 256 parts by key ─┴─► part by part: equal | differs | on one side
//! ```
//!
//! A key is always in the part of the same number, so that one part of each file is in memory at a
//! time. Parts that are short stay in memory, longer ones go to disk.

mod parts;

use std::collections::HashMap;
use std::path::Path;
use std::thread;
use std::time::Instant;

use ferrite_rdb::digest::DigestOptions;
use ferrite_rdb::{Event, Format, Head, ValueKind, decode};

use crate::error::{ErrorKind, MigrateError};
use crate::files::RdbReader;
use crate::report::{Difference, DifferenceKind, KeyName, VerificationReport, key_text};
use crate::verify::{Findings, Found, Measured, Verdict, judge, options};
use parts::{Parts, Record};

/// Stored bytes of a large value that are decoded at a time.
const PART_LEN: usize = 256 << 10;

/// Compares two files; either may be `-`, standard input. Parts go to a folder in `scratch`, which
/// is removed again. In the report, the first file is the source and the second one the target.
///
/// Fields of hashes are compared with their expiries, whether these are past or not.
///
/// # Errors
/// A file that cannot be read to its end, or parts that cannot be written.
pub fn diff_rdb(a: &Path, b: &Path, scratch: &Path) -> Result<VerificationReport, MigrateError> {
    let began = Instant::now();
    let (mut left, mut right) = (RdbReader::open(a)?, RdbReader::open(b)?);
    // The first event is the header: who wrote the file decides what can be compared.
    left.next(|_, _| ())?;
    right.next(|_, _| ())?;
    let options = DigestOptions { now_ms: 0, ..options(left.format(), right.format()) };
    let folder = parts::Folder::new(scratch);
    let read = |file, name| Side::new(&options, folder.parts(name)).read(file);
    let (left, right) = thread::scope(|scope| {
        let left = scope.spawn(|| read(left, "a"));
        let right = read(right, "b");
        let panicked = |_| {
            Err(MigrateError::new(ErrorKind::Internal, "reading the first file", "a thread ended"))
        };
        (left.join().unwrap_or_else(panicked), right)
    });
    let (mut left, mut right) = (left?, right?);
    let findings = Findings::default();
    for part in 0..parts::PARTS {
        compare(&mut left, &mut right, part, &findings)?;
    }
    let mut report = VerificationReport::default();
    findings.count(|found| report = std::mem::take(found));
    report.elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    report.success = report.is_verified();
    Ok(report)
}

/// One file, while it is read.
struct Side<'a> {
    options: &'a DigestOptions,
    measured: Option<Measured>,
    parts: Parts,
}

/// A key whose value comes in pieces.
struct Large {
    db: u64,
    key: Vec<u8>,
    type_byte: u8,
    expires_at_ms: Option<u64>,
}

enum Then {
    Go,
    Large(Large),
    End,
}

impl<'a> Side<'a> {
    fn new(options: &'a DigestOptions, parts: Parts) -> Self {
        Self { options, measured: None, parts }
    }

    fn read(mut self, mut file: RdbReader) -> Result<Parts, MigrateError> {
        loop {
            let then = file.next(|format, event| self.event(format, event))??;
            match then {
                Then::Go => {}
                Then::End => return Ok(self.parts),
                Then::Large(large) => {
                    let mut measured = Measured::new(self.options);
                    while !file.next_part(&mut measured, PART_LEN)? {}
                    self.measured = Some(measured);
                    let Large { db, key, type_byte, expires_at_ms } = large;
                    self.key(file.format(), db, &key, type_byte, expires_at_ms)?;
                }
            }
        }
    }

    fn event(&mut self, format: Format, event: Event<'_>) -> Result<Then, MigrateError> {
        Ok(match event {
            Event::Entry(entry) => {
                let Head { db, key, type_byte, expires_at_ms, .. } = &entry.head;
                let mut measured = Measured::new(self.options);
                decode(format, *type_byte, entry.value, &mut measured).map_err(|error| {
                    let doing = format!("reading key \"{}\"", key_text(key));
                    MigrateError::new(ErrorKind::Data, doing, error)
                })?;
                self.measured = Some(measured);
                self.key(format, *db, key, *type_byte, *expires_at_ms)?;
                Then::Go
            }
            Event::Large(head) => Then::Large(Large {
                db: head.db,
                type_byte: head.type_byte,
                expires_at_ms: head.expires_at_ms,
                key: head.key.into_owned(),
            }),
            Event::End { .. } => Then::End,
            _ => Then::Go,
        })
    }

    fn key(
        &mut self,
        format: Format,
        db: u64,
        key: &[u8],
        type_byte: u8,
        expires_at_ms: Option<u64>,
    ) -> Result<(), MigrateError> {
        let Some(measured) = self.measured.take() else { return Ok(()) };
        let (size, groups) = (measured.size(), measured.groups());
        let found = Found {
            kind: ValueKind::of(format, type_byte),
            expires_at_ms,
            digest: measured.finish(),
            size,
            groups,
            type_byte,
        };
        self.parts.push(u32::try_from(db).unwrap_or(u32::MAX), key, &found)
    }
}

/// Compares one part of both files.
fn compare(
    left: &mut Parts,
    right: &mut Parts,
    part: usize,
    findings: &Findings,
) -> Result<(), MigrateError> {
    let ours = left.take(part)?;
    let mut index: HashMap<u128, (Found, bool)> = HashMap::new();
    for record in parts::records(&ours) {
        index.insert(record.name, (record.found(), false));
    }
    let theirs = right.take(part)?;
    for record in parts::records(&theirs) {
        match index.get_mut(&record.name) {
            None => {
                only(&record, DifferenceKind::MissingSource, "only in the second file", findings)
            }
            Some((found, is_on_both)) => {
                *is_on_both = true;
                settle(&record, judge(found, &record.found(), 0), findings);
            }
        }
    }
    for record in parts::records(&ours) {
        if index.get(&record.name).is_some_and(|(_, is_on_both)| !is_on_both) {
            only(&record, DifferenceKind::MissingTarget, "only in the first file", findings);
            findings.count(|report| report.compared += 1);
        }
    }
    Ok(())
}

fn settle(record: &Record<'_>, verdict: Verdict, findings: &Findings) {
    match verdict {
        Verdict::Differs(kind, detail) => {
            let detail = detail.replace("source ", "first ").replace("target ", "second ");
            findings.differs(difference(record, kind, detail));
        }
        Verdict::NotComparable => {
            findings.count(|report| report.not_comparable += 1);
            return;
        }
        _ => findings.count(|report| report.matching += 1),
    }
    findings.count(|report| report.compared += 1);
}

fn only(record: &Record<'_>, kind: DifferenceKind, detail: &str, findings: &Findings) {
    findings.differs(difference(record, kind, detail.to_owned()));
}

fn difference(record: &Record<'_>, kind: DifferenceKind, detail: String) -> Difference {
    Difference { db: record.db, key: KeyName(record.key.to_vec()), kind, detail }
}
