//! CSV: a row for each key, or for each element of a list, set or sorted set.
//!
//! ```text
//! id,name,age                      --key 'user:{id}' --type hash
//! 7,"Lovelace, Ada",36        ──►  HSET user:7 id 7 name "Lovelace, Ada" age 36
//! ```
//!
//! Rows are taken apart byte by byte by `csv-core` (RFC 4180, quotes doubled): bytes that are no
//! UTF-8 are kept. Rows of one list, set or sorted set have to stand together.

mod mapping;
mod mapping_file;
mod rows;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use ferrite_rdb::Sink;
use ferrite_rdb::encode::ValueEncoder;

use super::json::{LAYOUT, STORED};
use super::{Kind, Opened, Place};
use crate::config::OnConflict;
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::model::{BatchBuilder, RecordHead};
use crate::report::{PreflightReport, key_text};
use crate::sources::{BoxFuture, Closed, Feed, Source};
use mapping::Columns;
use rows::Rows;

pub use mapping::{CsvMapping, CsvShape, delimiter as csv_delimiter};
pub use mapping_file::{CsvOrigin, LENGTH_MAX as CSV_MAPPING_MAX, read as csv_mapping};

/// Bytes of memory for each key whose rows are over, of the lists, sets and sorted sets.
const BYTES_PER_KEY: u64 = 128;

/// CSV in a file or a pipe.
#[derive(Debug)]
pub struct CsvInput {
    place: Place,
    mapping: CsvMapping,
}

impl CsvInput {
    /// The CSV at that path; `-` is standard input.
    #[must_use]
    pub fn new(path: &Path, mapping: CsvMapping) -> Self {
        Self { place: Place::named(path), mapping }
    }

    async fn look(
        &self,
        job: Arc<Job>,
        report: &mut PreflightReport,
    ) -> Result<Opened, MigrateError> {
        let limit = usize::try_from(job.config.memory_limit / 8).unwrap_or(usize::MAX);
        let mut rows = Rows::open(&self.place, self.mapping.delimiter, limit).await?;
        let names = match self.mapping.has_header {
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
        let source = CsvSource {
            job,
            rows,
            // Where they are missing, nothing is read: the check has failed.
            columns: columns.unwrap_or_default(),
            shape: self.mapping.shape,
            limit,
            batch: None,
            key: Vec::new(),
            group: None,
            ended: HashSet::new(),
        };
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

/// A list, set or sorted set whose rows go on.
#[derive(Debug)]
struct Group {
    key: Vec<u8>,
    head: RecordHead,
    /// Its elements: length, bytes, and the score of a sorted set.
    elements: Vec<(Vec<u8>, f64)>,
    bytes: usize,
}

/// CSV that is being read.
struct CsvSource {
    job: Arc<Job>,
    rows: Rows,
    columns: Columns,
    shape: CsvShape,
    limit: usize,
    batch: Option<BatchBuilder>,
    /// The key of the row that is looked at.
    key: Vec<u8>,
    group: Option<Group>,
    /// Hashes of keys whose rows are over.
    ended: HashSet<u64>,
}

impl Source for CsvSource {
    fn read(mut self: Box<Self>, feed: Feed) -> BoxFuture<'static, Result<(), MigrateError>> {
        Box::pin(async move { self.run(&feed).await })
    }
}

impl CsvSource {
    async fn run(&mut self, feed: &Feed) -> Result<(), MigrateError> {
        let ended = self.keys(feed).await;
        // What came before a row that is wrong still arrives.
        let _ = self.flush(feed).await;
        ended
    }

    async fn keys(&mut self, feed: &Feed) -> Result<(), MigrateError> {
        while !feed.job.stop.is_stopped() && self.rows.next().await? {
            let told = self.row().map_err(|why| self.rows.bad(&why));
            if let Some(done) = told? {
                self.take(feed, &done)?;
            }
            if self.batch.as_ref().is_some_and(BatchBuilder::is_full)
                && self.flush(feed).await.is_err()
            {
                return Ok(());
            }
        }
        match self.group.take().filter(|_| !feed.job.stop.is_stopped()) {
            Some(last) => self.take(feed, &last),
            None => Ok(()),
        }
    }

    /// Takes the row that was read; the group that ends with it.
    fn row(&mut self) -> Result<Option<Group>, String> {
        let row = self.rows.row();
        self.columns.check(&row)?;
        self.key.clear();
        self.columns.key(&row, &mut self.key)?;
        let expires_at_ms = self.columns.expiry(&row)?;
        let head = RecordHead { type_byte: 0, expires_at_ms, idle_s: None, freq: None };
        if !self.shape.is_grown() {
            let mut elements: Vec<(Vec<u8>, f64)> = Vec::new();
            self.columns.whole(self.shape, &row, |bytes| elements.push((bytes.to_vec(), 0.0)));
            let bytes = elements.iter().map(|(bytes, _)| bytes.len()).sum();
            let key = self.key.clone();
            return Ok(Some(Group { key, head, elements, bytes }));
        }
        let (member, score) = self.columns.element(self.shape, &row)?;
        let bytes = member.len() + size_of::<(Vec<u8>, f64)>();
        if let Some(group) = self.group.as_mut().filter(|group| group.key == self.key) {
            group.bytes += bytes;
            if group.bytes > self.limit {
                let key = key_text(&self.key);
                return Err(format!("the rows of \"{key}\" take more than {} bytes", self.limit));
            }
            group.elements.push((member.to_vec(), score));
            return Ok(None);
        }
        let (key, elements) = (self.key.clone(), vec![(member.to_vec(), score)]);
        Ok(self.group.replace(Group { key, head, elements, bytes }))
    }

    /// Stores a key whose rows are complete.
    fn take(&mut self, feed: &Feed, group: &Group) -> Result<(), MigrateError> {
        if self.shape.is_grown() {
            self.remember(&group.key).map_err(|why| self.rows.bad(&why))?;
        }
        if !feed.accepts(&group.key) {
            return Ok(());
        }
        let mut stored = Vec::new();
        let encoded = self.store(group, &mut stored);
        encoded.map_err(|error| self.rows.bad(&error.kind.to_string()))?;
        let Some((&type_byte, value)) = stored.split_first() else { return Ok(()) };
        let max_keys = self.job.config.batch_size;
        let batch = self.batch.get_or_insert_with(|| BatchBuilder::new(0, STORED, max_keys));
        batch.push(RecordHead { type_byte, ..group.head }, &group.key, value);
        Ok(())
    }

    fn store(&self, group: &Group, out: &mut Vec<u8>) -> Result<(), ferrite_rdb::Error> {
        let mut sink = ValueEncoder::new(out, LAYOUT);
        match self.shape {
            CsvShape::String => {
                let text = group.elements.first().map(|(text, _)| text.as_slice());
                let text = text.unwrap_or_default();
                sink.string_part(text.len() as u64, text);
            }
            CsvShape::Hash => {
                // Of columns with the same name, the last one counts.
                let pairs = group.elements.chunks_exact(2);
                let fields: BTreeMap<_, _> = pairs.map(|pair| (&pair[0].0, &pair[1].0)).collect();
                fields.iter().for_each(|(field, value)| sink.hash_field(field, value, None));
            }
            CsvShape::List => group.elements.iter().for_each(|(item, _)| sink.list_item(item)),
            CsvShape::Set | CsvShape::Zset => {
                // Of rows with the same member, the last one counts.
                let members = group.elements.iter().map(|(member, score)| (member, *score));
                for (member, score) in members.collect::<BTreeMap<_, _>>() {
                    match self.shape {
                        CsvShape::Zset => sink.zset_member(member, score),
                        _ => sink.set_member(member),
                    }
                }
            }
        }
        sink.finish().map(|_| ())
    }

    /// Rows of a key that come again would replace those that came before.
    fn remember(&mut self, key: &[u8]) -> Result<(), String> {
        if self.job.config.on_conflict == OnConflict::Fail {
            // The target tells it: the key is there already.
            return Ok(());
        }
        let most = self.job.config.memory_limit / BYTES_PER_KEY / 8;
        if self.ended.len() as u64 >= most {
            return Err(format!("after {most} keys it cannot be told whether one comes again"));
        }
        match self.ended.insert(xxhash_rust::xxh3::xxh3_64(key)) {
            true => Ok(()),
            false => {
                let key = key_text(key);
                Err(format!("rows of \"{key}\" came before: sort the file by its key"))
            }
        }
    }

    async fn flush(&mut self, feed: &Feed) -> Result<(), Closed> {
        match self.batch.take() {
            Some(batch) => feed.batch(batch).await,
            None => Ok(()),
        }
    }
}

/// An error about what the file says.
fn data_error(doing: String, cause: &str) -> MigrateError {
    MigrateError::new(ErrorKind::Data, doing, cause)
}
