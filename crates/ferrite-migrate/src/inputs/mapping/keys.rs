//! Keys that are made of rows, and the batches they travel in.
//!
//! A string or hash is made of one row. The rows of one list, set or sorted set have to stand
//! together: they are held until another key comes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use ferrite_rdb::Sink;
use ferrite_rdb::encode::ValueEncoder;

use super::columns::{Columns, MappedType, Row};
use crate::config::OnConflict;
use crate::engine::Job;
use crate::inputs::json::{LAYOUT, STORED};
use crate::model::{BatchBuilder, RecordHead};
use crate::report::key_text;
use crate::sources::{Closed, Feed};

/// Bytes of memory for each key whose rows are over, of the lists, sets and sorted sets.
const BYTES_PER_KEY: u64 = 128;

/// A key whose rows go on, or are complete.
#[derive(Debug)]
struct Group {
    key: Vec<u8>,
    head: RecordHead,
    /// Its elements, and their scores in a sorted set; of a hash, names and values in turn.
    elements: Vec<(Vec<u8>, f64)>,
    bytes: usize,
}

/// Makes keys of rows.
pub struct MappedKeys {
    job: Arc<Job>,
    columns: Columns,
    shape: MappedType,
    limit: usize,
    batch: Option<BatchBuilder>,
    /// The key of the row that is looked at.
    key: Vec<u8>,
    group: Option<Group>,
    /// Hashes of keys whose rows are over.
    ended: HashSet<u64>,
}

impl MappedKeys {
    /// Keys of this shape; the rows of one key may take `limit` bytes.
    #[must_use]
    pub fn new(job: Arc<Job>, columns: Columns, shape: MappedType, limit: usize) -> Self {
        let (key, ended) = (Vec::new(), HashSet::new());
        Self { job, columns, shape, limit, batch: None, key, group: None, ended }
    }

    /// The columns of a row.
    #[must_use]
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// What a row becomes.
    #[must_use]
    pub fn shape(&self) -> MappedType {
        self.shape
    }

    /// Takes a row. `all` are the names and values of a hash that has all there are.
    ///
    /// # Errors
    /// What is wrong with the row, or with the key that ends before it.
    pub fn row(
        &mut self,
        feed: &Feed,
        row: &Row<'_>,
        all: Option<&[(&[u8], &[u8])]>,
    ) -> Result<(), String> {
        self.columns.check(row)?;
        self.key.clear();
        self.columns.key(row, &mut self.key)?;
        let expires_at_ms = self.columns.expiry(row)?;
        let head = RecordHead { type_byte: 0, expires_at_ms, idle_s: None, freq: None };
        match self.shape.is_grown() {
            true => self.grow(feed, row, head),
            false => {
                let mut elements: Vec<(Vec<u8>, f64)> = Vec::new();
                let mut each = |bytes: &[u8]| elements.push((bytes.to_vec(), 0.0));
                match all {
                    Some(all) => all.iter().for_each(|(name, value)| {
                        each(name);
                        each(value);
                    }),
                    None => self.columns.whole(self.shape, row, each)?,
                }
                let bytes = elements.iter().map(|(bytes, _)| bytes.len()).sum();
                let key = self.key.clone();
                self.take(feed, &Group { key, head, elements, bytes })
            }
        }
    }

    /// Adds an element to the key that is collected, or begins another one.
    fn grow(&mut self, feed: &Feed, row: &Row<'_>, head: RecordHead) -> Result<(), String> {
        let (member, score) = self.columns.element(self.shape, row)?;
        let bytes = member.len() + size_of::<(Vec<u8>, f64)>();
        if let Some(group) = self.group.as_mut().filter(|group| group.key == self.key) {
            group.bytes += bytes;
            if group.bytes > self.limit {
                let key = key_text(&self.key);
                return Err(format!("the rows of \"{key}\" take more than {} bytes", self.limit));
            }
            group.elements.push((member.to_vec(), score));
            return Ok(());
        }
        let (key, elements) = (self.key.clone(), vec![(member.to_vec(), score)]);
        match self.group.replace(Group { key, head, elements, bytes }) {
            Some(complete) => self.take(feed, &complete),
            None => Ok(()),
        }
    }

    /// Takes the key whose rows are collected, at the end.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn end(&mut self, feed: &Feed) -> Result<(), String> {
        self.group.take().map_or(Ok(()), |last| self.take(feed, &last))
    }

    /// Stores a key whose rows are complete.
    fn take(&mut self, feed: &Feed, group: &Group) -> Result<(), String> {
        if self.shape.is_grown() {
            self.remember(&group.key)?;
        }
        if !feed.accepts(&group.key) {
            return Ok(());
        }
        let mut stored = Vec::new();
        self.store(group, &mut stored).map_err(|error| error.kind.to_string())?;
        let Some((&type_byte, value)) = stored.split_first() else { return Ok(()) };
        let max_keys = self.job.config.batch_size;
        let batch = self.batch.get_or_insert_with(|| BatchBuilder::new(0, STORED, max_keys));
        batch.push(RecordHead { type_byte, ..group.head }, &group.key, value);
        Ok(())
    }

    fn store(&self, group: &Group, out: &mut Vec<u8>) -> Result<(), ferrite_rdb::Error> {
        let mut sink = ValueEncoder::new(out, LAYOUT);
        match self.shape {
            MappedType::String => {
                let text = group.elements.first().map(|(text, _)| text.as_slice());
                let text = text.unwrap_or_default();
                sink.string_part(text.len() as u64, text);
            }
            MappedType::Hash => {
                // Of columns with the same name, the last one counts.
                let pairs = group.elements.chunks_exact(2);
                let fields: BTreeMap<_, _> = pairs.map(|pair| (&pair[0].0, &pair[1].0)).collect();
                fields.iter().for_each(|(field, value)| sink.hash_field(field, value, None));
            }
            MappedType::List => group.elements.iter().for_each(|(item, _)| sink.list_item(item)),
            MappedType::Set | MappedType::Zset => {
                // Of rows with the same member, the last one counts.
                let members = group.elements.iter().map(|(member, score)| (member, *score));
                for (member, score) in members.collect::<BTreeMap<_, _>>() {
                    match self.shape {
                        MappedType::Zset => sink.zset_member(member, score),
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

    /// Sends the keys on when they are enough.
    ///
    /// # Errors
    /// Nobody takes them any more.
    pub async fn flush_full(&mut self, feed: &Feed) -> Result<(), Closed> {
        match self.batch.as_ref().is_some_and(BatchBuilder::is_full) {
            true => self.flush(feed).await,
            false => Ok(()),
        }
    }

    /// Sends the keys on that are stored.
    ///
    /// # Errors
    /// Nobody takes them any more.
    pub async fn flush(&mut self, feed: &Feed) -> Result<(), Closed> {
        match self.batch.take() {
            Some(batch) => feed.batch(batch).await,
            None => Ok(()),
        }
    }
}
