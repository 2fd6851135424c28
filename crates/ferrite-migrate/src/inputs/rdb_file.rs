//! An RDB file, or one that comes through a pipe.

use std::path::Path;
use std::sync::Arc;

use ferrite_rdb::{ErrorKind as ErrorKindOfRdb, Reader};

use super::aof::AofInput;
use super::{Bytes, Comparing, Kind, Opened, Place};
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::key_template::KeyTemplate;
use crate::report::PreflightReport;
use crate::sources::BoxFuture;
use crate::sources::rdb::{RdbSource, Supply};
use crate::verify::{FileComparer, WrittenTo};

/// What an RDB begins with.
const MAGICS: [&[u8]; 2] = [b"REDIS", b"VALKEY"];

/// What to do about a file that is none.
const A_FILE: &str =
    "give a file written by SAVE or BGSAVE of a server that docs/rdb-files.md names";

/// An RDB file.
#[derive(Debug)]
pub struct RdbFile {
    place: Place,
    rename: Option<KeyTemplate>,
}

impl RdbFile {
    /// The RDB at that place, whose keys get other names where there is a template for them.
    #[must_use]
    pub fn new(place: Place, rename: Option<KeyTemplate>) -> Self {
        Self { place, rename }
    }

    /// Whether a file with these first bytes is an RDB.
    #[must_use]
    pub fn is_begun_by(begins: &[u8]) -> bool {
        MAGICS.iter().any(|magic| begins.starts_with(magic))
    }

    /// Looks at the beginning of what is there.
    #[must_use]
    pub fn look(&self, job: Arc<Job>, bytes: Bytes, report: &mut PreflightReport) -> Opened {
        match foreign(bytes.available()) {
            None => report.ok("source file", format!("{} is an RDB", self.place)),
            Some(what) => {
                let detail = format!("{} is no RDB that can be read: {what}", self.place);
                report.block("source file", detail, A_FILE);
            }
        }
        let supply = FileSupply { place: self.place.clone(), bytes };
        let mut source = RdbSource::new(job, supply);
        source.rename = self.rename.clone();
        Opened { source: Box::new(source), keys_total: 0, then: None }
    }
}

impl Kind for RdbFile {
    fn name(&self) -> &'static str {
        "rdb"
    }

    fn place(&self) -> String {
        self.place.to_string()
    }

    fn has_databases(&self) -> bool {
        true
    }

    fn whole_rdb(&self) -> Option<&Path> {
        self.place.whole_rdb(self.rename.is_some())
    }

    fn is_comparable(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    fn compare(&self, job: Arc<Job>, target: WrittenTo) -> Comparing<'_> {
        let comparer = FileComparer::new(job, self.rename.clone(), target);
        Box::pin(async { comparer.run(&self.place).await.map(Some) })
    }

    fn open<'a>(
        &'a self,
        job: Arc<Job>,
        report: &'a mut PreflightReport,
    ) -> BoxFuture<'a, Result<Opened, MigrateError>> {
        Box::pin(async move {
            let bytes = Bytes::open(&self.place).await?;
            if let Some(file) = AofInput::behind_rdb(&self.place, bytes.available()).await? {
                return file.look_instead(self.rename.is_some(), job, report).await;
            }
            Ok(self.look(job, bytes, report))
        })
    }
}

/// The bytes of the file, for the reader.
pub struct FileSupply {
    place: Place,
    bytes: Bytes,
}

impl FileSupply {
    /// Opens a place.
    ///
    /// # Errors
    /// Those of [`Bytes::open`], and a file that is no RDB.
    pub async fn open(place: &Place) -> Result<Self, MigrateError> {
        let bytes = Bytes::open(place).await?;
        if let Some(what) = foreign(bytes.available()) {
            let doing = format!("reading the RDB {place}");
            return Err(MigrateError::new(ErrorKind::Data, doing, what).with_hint(A_FILE));
        }
        Ok(Self { place: place.clone(), bytes })
    }
}

/// What a file is that is no RDB, or none that can be read.
fn foreign(begins: &[u8]) -> Option<String> {
    let what = match begins.first() {
        _ if RdbFile::is_begun_by(begins) => {
            let unread = Reader::new(begins.len()).next(begins).err();
            return unread.map(|error| error.kind.to_string());
        }
        None => "it is empty",
        Some(b'*') => "it begins as an AOF does",
        Some(_) => "it does not begin with REDIS or VALKEY",
    };
    Some(what.to_owned())
}

impl Supply for FileSupply {
    fn bytes(&self) -> &[u8] {
        self.bytes.available()
    }

    fn consume(&mut self, count: usize) {
        self.bytes.consume(count);
    }

    async fn fill(&mut self) -> Result<(), MigrateError> {
        if self.bytes.fill().await? {
            return Ok(());
        }
        let read = self.bytes.offset() + self.bytes.available().len() as u64;
        let doing = format!("reading the RDB {}", self.place);
        let cause = format!("it ends early, after {read} bytes");
        Err(MigrateError::new(ErrorKind::Data, doing, cause).with_hint(
            "redis-check-rdb shows how far a plain file is good; what was read before is on the \
             target",
        ))
    }

    async fn end(&mut self) -> Result<(), MigrateError> {
        if self.bytes.available().is_empty() && !self.bytes.fill().await? {
            return Ok(());
        }
        let doing = format!("reading {}", self.place);
        let cause = format!(
            "something stands behind its RDB, from offset {} on: it is an append-only file, and the \
             commands in it were not read",
            self.bytes.offset()
        );
        Err(MigrateError::new(ErrorKind::Data, doing, cause)
            .with_hint("ferrite-migrate import-aof reads both; empty the target before"))
    }

    fn keeps_what_came(&self) -> bool {
        true
    }

    fn bad_data(&self, error: &ferrite_rdb::Error) -> MigrateError {
        let doing = format!("reading the RDB {}", self.place);
        let is_doubtful = matches!(error.kind, ErrorKindOfRdb::Checksum { .. });
        let hint = if is_doubtful { WRONG_SOMEWHERE } else { WHAT_IS_THERE };
        MigrateError::new(ErrorKind::Data, doing, error).with_hint(hint).doubtful(is_doubtful)
    }
}

/// What is said where a byte is wrong and nobody knows which.
const WRONG_SOMEWHERE: &str = "the file has changed since it was written: empty the target, and take \
                               another file";
/// What is said where the bytes make no sense.
const WHAT_IS_THERE: &str = "what was read before that offset is on the target; what can be read of \
                             the file: ferrite-migrate analyze-rdb FILE";
