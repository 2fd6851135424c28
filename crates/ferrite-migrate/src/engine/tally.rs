//! What has been done, key by key, in numbers and names.

use std::collections::BTreeMap;
use std::sync::Arc;

use ferrite_rdb::ValueKind;
use ferrite_rdb::transcode::EMPTY;

use super::empty::EmptyKeys;
use crate::report::{KeyCounts, KeyName, Skip, TypeCount};

/// At most this many warnings are kept; what comes after is counted by the last one.
const WARNINGS_MAX: usize = 100;

/// Counts and names for the report.
#[derive(Debug, Default)]
pub struct Tally {
    /// Keys by how they ended.
    pub keys: KeyCounts,
    /// Bytes copied.
    pub bytes: u64,
    /// Libraries copied.
    pub functions: u64,
    /// Keys that were left out for having no elements.
    pub empty: Arc<EmptyKeys>,
    types: BTreeMap<&'static str, (u64, u64)>,
    skipped: BTreeMap<String, Skip>,
    warnings: Vec<String>,
}

/// Counts of keys that were copied.
#[derive(Debug)]
pub struct Counted {
    keys: KeyCounts,
    bytes: u64,
    types: BTreeMap<&'static str, (u64, u64)>,
}

impl Tally {
    /// Keys of one type were written.
    pub fn copied(&mut self, kind: ValueKind, keys: u64, bytes: u64) {
        self.keys.copied += keys;
        self.bytes += bytes;
        let entry = self.types.entry(kind.name()).or_default();
        entry.0 += keys;
        entry.1 += bytes;
    }

    /// A copy begins anew: what the last one counted is copied again.
    pub fn restart(&mut self) {
        let warnings = std::mem::take(&mut self.warnings);
        *self = Self { warnings, empty: Arc::clone(&self.empty), ..Self::default() };
    }

    /// The counts of keys that were copied; see [`put_back`](Self::put_back).
    #[must_use]
    pub fn counted(&self) -> Counted {
        let (keys, bytes, types) = (self.keys, self.bytes, self.types.clone());
        Counted { keys, bytes, types }
    }

    /// What was written since belongs to following, not to the copy: it does not count there. What
    /// was left out stays named.
    pub fn put_back(&mut self, counted: Counted) {
        let (skipped, deleted) = (self.keys.skipped, self.keys.deleted);
        (self.keys, self.bytes, self.types) = (counted.keys, counted.bytes, counted.types);
        (self.keys.skipped, self.keys.deleted) = (skipped, deleted);
    }

    /// Both ends are compared once more: what is found again is not counted twice.
    pub fn look_again(&mut self) {
        self.skipped.clear();
        (self.keys.skipped, self.keys.identical, self.keys.filtered) = (0, 0, 0);
    }

    /// A key was left out.
    pub fn skip(&mut self, db: u32, key: &[u8], reason: &str) {
        self.keys.skipped += 1;
        self.leave_out(db, key, reason);
        if reason == EMPTY {
            self.empty.add(db, key);
        }
    }

    /// Something that is not a key (a function library, a part of a value) was left out.
    pub fn leave_out(&mut self, db: u32, name: &[u8], reason: &str) {
        let skip = self.skipped.entry(reason.to_owned()).or_insert_with(|| Skip {
            reason: reason.to_owned(),
            count: 0,
            examples: Vec::new(),
        });
        skip.count += 1;
        if skip.examples.len() < Skip::EXAMPLES_MAX {
            skip.examples.push((db, KeyName(name.to_vec())));
        }
    }

    /// Something the operator should know.
    pub fn warn(&mut self, message: &str) {
        if self.warnings.len() < WARNINGS_MAX && !self.warnings.iter().any(|known| known == message)
        {
            self.warnings.push(message.to_owned());
        }
    }

    /// Copied keys by type, most first.
    #[must_use]
    pub fn types(&self) -> Vec<TypeCount> {
        let mut types: Vec<_> = self
            .types
            .iter()
            .map(|(&type_name, &(keys, bytes))| TypeCount { type_name, keys, bytes })
            .collect();
        types.sort_by_key(|count| std::cmp::Reverse(count.keys));
        types
    }

    /// What was left out, by reason.
    #[must_use]
    pub fn skipped(&self) -> Vec<Skip> {
        self.skipped.values().cloned().collect()
    }

    /// What the operator should know.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }
}
