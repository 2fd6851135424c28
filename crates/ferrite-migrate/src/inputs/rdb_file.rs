//! An RDB file, or one that comes through a pipe.

use std::sync::Arc;

use super::{Bytes, Kind, Opened, Place};
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::report::PreflightReport;
use crate::sources::BoxFuture;
use crate::sources::rdb::{RdbSource, Supply};

/// What an RDB begins with.
const MAGICS: [&[u8]; 2] = [b"REDIS", b"VALKEY"];

/// An RDB file.
#[derive(Debug)]
pub struct RdbFile {
    place: Place,
}

impl RdbFile {
    /// The RDB at that place.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self { place }
    }

    async fn look(
        &self,
        job: Arc<Job>,
        report: &mut PreflightReport,
    ) -> Result<Opened, MigrateError> {
        let bytes = Bytes::open(&self.place).await?;
        let begins = bytes.available();
        if MAGICS.iter().any(|magic| begins.starts_with(magic)) {
            report.ok("source file", format!("{} is an RDB", self.place));
        } else {
            let what = match begins.first() {
                None => "it is empty",
                Some(b'*') => "it begins as an AOF does",
                Some(_) => "it does not begin with REDIS or VALKEY",
            };
            let detail = format!("{} is no RDB: {what}", self.place);
            report.block("source file", detail, "give a file written by SAVE or BGSAVE");
        }
        let supply = FileSupply { place: self.place.clone(), bytes };
        Ok(Opened { source: Box::new(RdbSource::new(job, supply)), keys_total: 0, then: None })
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

    fn open<'a>(
        &'a self,
        job: Arc<Job>,
        report: &'a mut PreflightReport,
    ) -> BoxFuture<'a, Result<Opened, MigrateError>> {
        Box::pin(self.look(job, report))
    }
}

/// The bytes of the file, for the reader.
struct FileSupply {
    place: Place,
    bytes: Bytes,
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

    fn bad_data(&self, error: &ferrite_rdb::Error) -> MigrateError {
        let doing = format!("reading the RDB {}", self.place);
        MigrateError::new(ErrorKind::Data, doing, error)
            .with_hint("what was read before that offset is on the target")
    }
}
