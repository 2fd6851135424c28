//! The journal of a job: every state it has been in, since when and why.
//!
//! ```text
//! {"at_ms":1700000000000,"state":"COPYING","reason":"…","detail":{…}}\n     reason, detail: if any
//! {…,"by":{"format":1,"program":"0.1.0"}}\n     the first line that a process writes
//! ```
//!
//! A journal that was written to by a version with another format is not read: it may say what this
//! version does not know.
//!
//! A line is written and synced before the change it tells of is acted on. A process that is
//! killed while it writes leaves a last line without its end: that change was not acted on, so
//! the line does not count, and the next process to write cuts it off.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plan::FORMAT;
use super::{JobError, State, files};
use crate::engine::now_ms;

/// The file's name.
pub const NAME: &str = "journal.jsonl";
/// Longest journal in bytes; over a hundred thousand records fit.
const LENGTH_MAX: u64 = 16 << 20;
/// Longest reason in bytes; what is longer is cut.
const REASON_MAX: usize = 4 << 10;

/// A change of state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalRecord {
    /// When, in milliseconds of Unix time.
    pub at_ms: u64,
    /// The state from then on.
    pub state: State,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What whoever wrote it needs in order to resume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
    /// Which version wrote this and what follows, in the first record of each process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<WrittenBy>,
}

/// The version of this program that wrote a file, and how it keeps a job's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenBy {
    /// The layout of the job's directory.
    pub format: u32,
    /// The version of the program.
    pub program: String,
}

impl WrittenBy {
    /// This version.
    fn this() -> Self {
        Self { format: FORMAT, program: env!("CARGO_PKG_VERSION").to_owned() }
    }

    /// Whether it is.
    #[must_use]
    pub fn is_this(&self) -> bool {
        *self == Self::this()
    }
}

impl JournalRecord {
    /// A change at this moment.
    #[must_use]
    pub fn now(state: State, reason: Option<&str>, detail: Option<Value>) -> Self {
        Self { at_ms: now_ms(), state, reason: reason.map(shortened), detail, by: None }
    }

    /// Whether it tells that the target was to become again what it was before the migration.
    #[must_use]
    pub fn is_cleaning(&self) -> bool {
        let detail = self.detail.as_ref().and_then(|detail| detail.get("cleaning"));
        detail.and_then(Value::as_bool).unwrap_or(false)
    }
}

fn shortened(reason: &str) -> String {
    reason.get(..reason.floor_char_boundary(REASON_MAX)).unwrap_or_default().to_owned()
}

/// A journal that is written to.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes of whole records.
    length: u64,
    /// Whether something may stand behind them.
    is_torn: bool,
    /// Whether this process has said in it which version it is.
    is_signed: bool,
    records: Vec<JournalRecord>,
}

impl Journal {
    /// Reads the journal in `dir`, or begins one, to go on writing.
    pub fn open(dir: &Path) -> Result<Self, JobError> {
        let path = dir.join(NAME);
        let options = files::private().create(true).append(true).clone();
        let file = options.open(&path).map_err(JobError::io("opening", &path))?;
        let (records, length) = parse(&path, &files::read(&path, LENGTH_MAX)?)?;
        Ok(Self { path, file, length, is_torn: true, is_signed: false, records })
    }

    /// All of it, the oldest first.
    pub fn records(&self) -> &[JournalRecord] {
        &self.records
    }

    /// Adds a record; it is on the disk when this returns.
    pub fn append(&mut self, mut record: JournalRecord) -> Result<(), JobError> {
        record.by = (!self.is_signed).then(WrittenBy::this);
        let mut line =
            serde_json::to_vec(&record).map_err(|error| JobError::damaged(&self.path, error))?;
        line.push(b'\n');
        let length = self.length + line.len() as u64;
        if length > LENGTH_MAX {
            let why = format!("a record more would make it longer than {LENGTH_MAX} bytes");
            return Err(JobError::damaged(&self.path, why));
        }
        self.write(&line).map_err(JobError::io("writing", &self.path))?;
        self.length = length;
        self.is_signed = true;
        self.records.push(record);
        Ok(())
    }

    /// A line that could not be written whole is cut off before the next one.
    fn write(&mut self, line: &[u8]) -> std::io::Result<()> {
        if self.is_torn {
            self.file.set_len(self.length)?;
        }
        self.is_torn = true;
        self.file.write_all(line)?;
        self.file.sync_data()?;
        self.is_torn = false;
        Ok(())
    }
}

/// The records of the journal in `dir`, the oldest first.
pub fn read(dir: &Path) -> Result<Vec<JournalRecord>, JobError> {
    let path = dir.join(NAME);
    parse(&path, &files::read(&path, LENGTH_MAX)?).map(|(records, _)| records)
}

/// The whole records and how many bytes they take.
fn parse(path: &Path, bytes: &[u8]) -> Result<(Vec<JournalRecord>, u64), JobError> {
    let length = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let whole = bytes.get(..length).unwrap_or_default();
    let lines = whole.split_inclusive(|byte| *byte == b'\n').zip(1..);
    let record = |(line, number): (&[u8], u64)| {
        known(path, line)?;
        serde_json::from_slice(line)
            .map_err(|error| JobError::damaged(path, format!("line {number}: {error}")))
    };
    let records = lines.map(record).collect::<Result<_, _>>()?;
    Ok((records, length as u64))
}

/// Refuses a line that says it is of a version with another format.
fn known(path: &Path, line: &[u8]) -> Result<(), JobError> {
    #[derive(Deserialize)]
    struct Signed {
        by: WrittenBy,
    }
    match serde_json::from_slice::<Signed>(line) {
        Ok(Signed { by }) if by.format != FORMAT => Err(JobError::other_version(path, by.program)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn records() -> Vec<JournalRecord> {
        vec![
            JournalRecord::now(State::Planned, None, None),
            JournalRecord::now(State::Attaching, Some("größe\n"), None),
            JournalRecord::now(State::Copying, None, Some(serde_json::json!({"offset": 7}))),
        ]
    }

    fn written(dir: &Path) -> Vec<u8> {
        let mut journal = Journal::open(dir).unwrap();
        records().into_iter().for_each(|record| journal.append(record).unwrap());
        fs::read(dir.join(NAME)).unwrap()
    }

    #[test]
    fn records_are_lines_in_the_published_form() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = written(dir.path());
        let lines: Vec<Value> = String::from_utf8(bytes)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].as_object().unwrap().len(), 3);
        let this = env!("CARGO_PKG_VERSION");
        assert_eq!(lines[0]["by"], serde_json::json!({"format": 1, "program": this}));
        assert_eq!(lines[1]["by"], Value::Null, "once is enough");
        assert_eq!(lines[1]["state"], "ATTACHING");
        assert_eq!(lines[1]["reason"], "größe\n");
        assert_eq!(lines[2]["detail"]["offset"], 7);
        assert!(lines[2]["at_ms"].as_u64().unwrap() > 1_600_000_000_000);
    }

    #[test]
    fn torn_at_any_byte_it_reads_up_to_there_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let whole = written(dir.path());
        let all = read(dir.path()).unwrap();
        for length in 0..=whole.len() {
            let part = &whole[..length];
            let complete = part.iter().filter(|byte| **byte == b'\n').count();
            fs::write(dir.path().join(NAME), part).unwrap();
            assert_eq!(read(dir.path()).unwrap(), all[..complete], "{length}");

            let mut journal = Journal::open(dir.path()).unwrap();
            assert_eq!(journal.records(), &all[..complete], "{length}");
            journal.append(JournalRecord::now(State::Failed, None, None)).unwrap();
            let again = read(dir.path()).unwrap();
            assert_eq!(again, journal.records(), "{length}");
            assert_eq!((again.len(), again[complete].state), (complete + 1, State::Failed));
        }
    }

    #[test]
    fn a_line_in_the_middle_that_is_no_record_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(NAME), "{\"at_ms\":1,\"state\":\"LIVE\"}\n{\"at\":2}\n{")
            .unwrap();
        let error = read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("journal.jsonl is damaged: line 2: "), "{error}");
        assert!(Journal::open(dir.path()).is_err());
    }

    #[test]
    fn what_another_version_wrote_is_not_read_whatever_it_says() {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path());
        let other =
            "{\"at\":1,\"state\":\"SHADOWING\",\"by\":{\"format\":2,\"program\":\"9.9\"}}\n";
        let whole = fs::read_to_string(dir.path().join(NAME)).unwrap() + other;
        fs::write(dir.path().join(NAME), &whole).unwrap();
        let refused =
            |error| matches!(error, JobError::OtherVersion { program, .. } if program == "9.9");
        assert!(refused(read(dir.path()).unwrap_err()));
        assert!(refused(Journal::open(dir.path()).unwrap_err()));
        assert_eq!(fs::read_to_string(dir.path().join(NAME)).unwrap(), whole);
    }

    #[test]
    fn it_does_not_grow_longer_than_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path()).unwrap();
        journal.length = LENGTH_MAX - 10;
        let error = journal.append(JournalRecord::now(State::Live, None, None)).unwrap_err();
        assert!(error.to_string().contains("longer than 16777216 bytes"), "{error}");
    }

    #[test]
    fn long_reasons_are_cut_between_characters() {
        let record = JournalRecord::now(State::Failed, Some(&"ö".repeat(REASON_MAX)), None);
        assert_eq!(record.reason.unwrap(), "ö".repeat(REASON_MAX / 2));
    }
}
