//! What one partition brought, written down for all workers, and the sum of them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ferrite_rdb::ValueKind;
use serde::{Deserialize, Serialize};

use crate::engine::{Tally, now_ms};
use crate::report::{KeyCounts, KeyName, Report, Skip, TypeCount, WorkerShare};

/// Reasons to skip keys that are written down of one partition.
const REASONS_MAX: usize = 50;
/// Warnings that are written down of one partition.
const WARNINGS_MAX: usize = 20;
/// The longest key that is named as an example, and the longest text that is kept, in bytes: etcd
/// keeps at most 1.5 MiB under a key.
const TEXT_MAX: usize = 1024;
/// Warnings in a report.
const WARNINGS_TOLD_MAX: usize = 100;

const KINDS: [ValueKind; 7] = [
    ValueKind::String,
    ValueKind::List,
    ValueKind::Set,
    ValueKind::Zset,
    ValueKind::Hash,
    ValueKind::Stream,
    ValueKind::Module,
];

/// What one partition brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Who copied it.
    pub worker: String,
    /// When it was done, in Unix milliseconds of that machine.
    pub ended_ms: u64,
    /// Where its keys ended up.
    pub keys: KeyCounts,
    /// Bytes copied.
    pub bytes: u64,
    functions: u64,
    /// Keys and bytes by type.
    types: Vec<(String, u64, u64)>,
    skipped: Vec<Skipped>,
    warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Skipped {
    reason: String,
    count: u64,
    /// Databases, and names in base 64.
    examples: Vec<(u32, String)>,
}

impl Part {
    /// What was counted since the last partition.
    #[must_use]
    pub fn new(worker: &str, tally: &Tally) -> Self {
        let types = tally.types().into_iter();
        let skipped = tally.skipped().into_iter().take(REASONS_MAX).map(|skip| Skipped {
            reason: shortened(&skip.reason),
            count: skip.count,
            examples: skip
                .examples
                .iter()
                .filter(|(_, name)| name.0.len() <= TEXT_MAX)
                .map(|(db, name)| (*db, STANDARD.encode(&name.0)))
                .collect(),
        });
        Self {
            worker: worker.to_owned(),
            ended_ms: now_ms(),
            keys: tally.keys,
            bytes: tally.bytes,
            functions: tally.functions,
            types: types.map(|it| (it.type_name.to_owned(), it.keys, it.bytes)).collect(),
            skipped: skipped.collect(),
            warnings: tally.warnings().iter().take(WARNINGS_MAX).map(|it| shortened(it)).collect(),
        }
    }

    /// Who did how much of what is done.
    #[must_use]
    pub fn shares(done: &BTreeMap<usize, Self>) -> Vec<WorkerShare> {
        let mut shares: BTreeMap<&str, WorkerShare> = BTreeMap::new();
        for part in done.values() {
            let share = shares.entry(&part.worker).or_default();
            share.name.clone_from(&part.worker);
            share.partitions += 1;
            share.keys += part.keys.copied;
            share.bytes += part.bytes;
        }
        shares.into_values().collect()
    }

    /// Puts the sum of what is done into a report.
    pub fn sum(done: &BTreeMap<usize, Self>, report: &mut Report) {
        let mut types: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
        let mut skipped: BTreeMap<&str, Skip> = BTreeMap::new();
        (report.keys, report.bytes, report.functions) = (KeyCounts::default(), 0, 0);
        for part in done.values() {
            report.keys.add(&part.keys);
            report.bytes += part.bytes;
            report.functions += part.functions;
            for (name, keys, bytes) in &part.types {
                let Some(kind) = KINDS.into_iter().find(|kind| kind.name() == name) else {
                    continue;
                };
                let entry = types.entry(kind.name()).or_default();
                *entry = (entry.0 + keys, entry.1 + bytes);
            }
            for skip in &part.skipped {
                let entry = skipped.entry(&skip.reason).or_insert_with(|| Skip {
                    reason: skip.reason.clone(),
                    count: 0,
                    examples: Vec::new(),
                });
                entry.count += skip.count;
                let room = Skip::EXAMPLES_MAX.saturating_sub(entry.examples.len());
                let named = skip.examples.iter().filter_map(|(db, name)| {
                    STANDARD.decode(name).ok().map(|name| (*db, KeyName(name)))
                });
                entry.examples.extend(named.take(room));
            }
            for warning in &part.warnings {
                if report.warnings.len() < WARNINGS_TOLD_MAX && !report.warnings.contains(warning) {
                    report.warnings.push(warning.clone());
                }
            }
        }
        let types = types.into_iter();
        report.types =
            types.map(|(type_name, (keys, bytes))| TypeCount { type_name, keys, bytes }).collect();
        report.types.sort_by_key(|count| std::cmp::Reverse(count.keys));
        report.skipped = skipped.into_values().collect();
    }
}

/// At most so much of a text, cut between characters.
fn shortened(text: &str) -> String {
    let end = (0..=TEXT_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_was_written_down_is_read_as_it_was() {
        let mut tally = Tally::default();
        tally.copied(ValueKind::Hash, 3, 100);
        tally.copied(ValueKind::String, 5, 50);
        tally.skip(2, b"\xff\x00", "too new");
        tally.skip(2, &vec![b'x'; 5000], "too new");
        tally.warn(&"é".repeat(1000));
        let part = Part::new("one", &tally);
        let text = serde_json::to_string(&part).unwrap();
        assert!(text.len() < 4096, "{}", text.len());
        let read: Part = serde_json::from_str(&text).unwrap();
        assert_eq!(read, part);
        assert_eq!(read.keys.copied, 8);
        let done = BTreeMap::from([(0, read.clone()), (1, Part { worker: "two".into(), ..read })]);
        let shares = Part::shares(&done);
        assert_eq!(shares.len(), 2);
        assert_eq!((shares[1].name.as_str(), shares[1].keys, shares[1].bytes), ("two", 8, 150));
    }
}
