//! CSV: a row for each key, or for each element of a list, set or sorted set, as a
//! [`mapping`](super::mapping) says.
//!
//! Rows are taken apart byte by byte by `csv-core` (RFC 4180, quotes doubled): bytes that are no
//! UTF-8 are kept. Rows of one list, set or sorted set have to stand together.

mod rows;

use std::path::Path;
use std::sync::Arc;

use super::mapping::{MappedKeys, Mapping};
use super::{Kind, Opened, Place};
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::report::PreflightReport;
use crate::sources::{BoxFuture, Feed, Source};
use rows::Rows;

/// CSV in a file or a pipe.
#[derive(Debug)]
pub struct CsvInput {
    place: Place,
    mapping: Mapping,
}

impl CsvInput {
    /// The CSV at that path; `-` is standard input.
    #[must_use]
    pub fn new(path: &Path, mapping: Mapping) -> Self {
        Self { place: Place::named(path), mapping }
    }

    async fn look(
        &self,
        job: Arc<Job>,
        report: &mut PreflightReport,
    ) -> Result<Opened, MigrateError> {
        let limit = usize::try_from(job.config.memory_limit / 8).unwrap_or(usize::MAX);
        let mut rows =
            Rows::open(&self.place, self.mapping.delimiter.unwrap_or(b','), limit).await?;
        let names = match self.mapping.has_header() {
            true => rows.header().await?,
            false => None,
        };
        let columns = self.mapping.resolve(names.as_deref());
        match &columns {
            Ok(_) => report.ok("source file", format!("{} has the columns it needs", self.place)),
            Err(why) => {
                report.block("source file", format!("{}: {why}", self.place), "see docs/csv.md");
            }
        }
        // Where they are missing, nothing is read: the check has failed.
        let columns = columns.unwrap_or_default();
        let keys = MappedKeys::new(job, columns, self.mapping.shape, limit);
        let source = CsvSource { rows, keys };
        Ok(Opened { source: Box::new(source), keys_total: 0, then: None })
    }
}

impl Kind for CsvInput {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn place(&self) -> String {
        self.place.to_string()
    }

    fn open<'a>(
        &'a self,
        job: Arc<Job>,
        report: &'a mut PreflightReport,
    ) -> BoxFuture<'a, Result<Opened, MigrateError>> {
        Box::pin(self.look(job, report))
    }
}

/// CSV that is being read.
struct CsvSource {
    rows: Rows,
    keys: MappedKeys,
}

impl Source for CsvSource {
    fn read(mut self: Box<Self>, feed: Feed) -> BoxFuture<'static, Result<(), MigrateError>> {
        Box::pin(async move { self.run(&feed).await })
    }
}

impl CsvSource {
    async fn run(&mut self, feed: &Feed) -> Result<(), MigrateError> {
        let ended = self.rows(feed).await;
        // What came before a row that is wrong still arrives.
        let _ = self.keys.flush(feed).await;
        ended
    }

    async fn rows(&mut self, feed: &Feed) -> Result<(), MigrateError> {
        while !feed.job.stop.is_stopped() && self.rows.next().await? {
            let taken = self.keys.row(feed, &self.rows.row(), None);
            taken.map_err(|why| self.rows.bad(&why))?;
            if self.keys.flush_full(feed).await.is_err() {
                return Ok(());
            }
        }
        match feed.job.stop.is_stopped() {
            true => Ok(()),
            false => self.keys.end(feed).map_err(|why| self.rows.bad(&why)),
        }
    }
}

/// An error about what the file says.
fn data_error(doing: String, cause: &str) -> MigrateError {
    MigrateError::new(ErrorKind::Data, doing, cause)
}
