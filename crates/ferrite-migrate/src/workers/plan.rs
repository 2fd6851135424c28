//! What the workers of a job agree upon before anything is written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::board::Beat;
use super::part::Part;
use crate::cluster::SlotSet;
use crate::config::{Config, KeyType};
use crate::engine::now_ms;
use crate::preflight::Server;
use crate::report::{PartitionStatus, SharedStatus, key_text};

/// Into how many pieces the slots of each primary are divided. Every piece lists all names of its
/// primary, so more pieces cost the source more; fewer leave machines idle at the end.
const PIECES_PER_PRIMARY: usize = 4;
/// The same for a server that is no cluster.
const PIECES_PER_SERVER: usize = 8;
/// The number that changes when a plan is not understood any more by an older program.
const VERSION: u32 = 1;

/// What is copied, and into which partitions it is divided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedPlan {
    version: u32,
    /// The job's name.
    pub id: String,
    source: String,
    target: String,
    include: Vec<String>,
    exclude: Vec<String>,
    types: Vec<String>,
    /// When it was made, in Unix milliseconds of the machine that made it.
    pub begun_ms: u64,
    /// The slots of each partition, as ranges of first and last.
    pub partitions: Vec<Vec<(u16, u16)>>,
}

impl SharedPlan {
    /// Divides a source.
    #[must_use]
    pub fn new(id: &str, config: &Config, source: &Server) -> Self {
        let partitions = match &source.cluster {
            None => divided(&[(0, ferrite_commands::SLOTS - 1)], PIECES_PER_SERVER),
            Some(cluster) => {
                let map = cluster.map();
                let shards = map.shards().iter();
                interleaved(shards.map(|shard| divided(&shard.slots, PIECES_PER_PRIMARY)).collect())
            }
        };
        let begun_ms = now_ms();
        Self { version: VERSION, id: id.to_owned(), begun_ms, partitions, ..Self::of(config) }
    }

    /// What a configuration says.
    fn of(config: &Config) -> Self {
        let text = |patterns: &[Vec<u8>]| patterns.iter().map(|it| key_text(it)).collect();
        Self {
            version: VERSION,
            id: String::new(),
            source: config.source.to_string(),
            target: config.target.address.to_string(),
            include: text(config.filter.included()),
            exclude: text(config.filter.excluded()),
            types: config.types.iter().copied().map(KeyType::name).map(str::to_owned).collect(),
            begun_ms: 0,
            partitions: Vec::new(),
        }
    }

    /// Why a worker of this configuration cannot take part.
    #[must_use]
    pub fn differs(&self, config: &Config) -> Option<String> {
        let ours = Self::of(config);
        let list = |words: &[String]| match words.is_empty() {
            true => String::from("none"),
            false => words.join(", "),
        };
        let both = [
            ("version", self.version.to_string(), ours.version.to_string()),
            ("source", self.source.clone(), ours.source),
            ("target", self.target.clone(), ours.target),
            ("--filter", list(&self.include), list(&ours.include)),
            ("--exclude", list(&self.exclude), list(&ours.exclude)),
            ("--type", list(&self.types), list(&ours.types)),
        ];
        let other = both.into_iter().find(|(_, planned, given)| planned != given);
        other.map(|(name, planned, given)| {
            format!("the {name} of the job under this prefix is {planned}, not {given}")
        })
    }

    /// The slots of a partition.
    #[must_use]
    pub fn slots(&self, partition: usize) -> SlotSet {
        let mut slots = SlotSet::default();
        slots.insert_ranges(self.partitions.get(partition).map(Vec::as_slice).unwrap_or_default());
        slots
    }

    /// How far the job is.
    #[must_use]
    pub fn status(&self, done: &BTreeMap<usize, Part>, alive: &[Beat]) -> SharedStatus {
        let is_open = |beat: &&Beat| beat.partition.is_some_and(|at| !done.contains_key(&at));
        let copying = alive.iter().filter(is_open).map(|beat| PartitionStatus {
            partition: beat.partition.unwrap_or_default(),
            worker: beat.name.clone(),
            keys: beat.keys,
            bytes: beat.bytes,
        });
        let copying: Vec<_> = copying.collect();
        let workers = Part::shares(done);
        SharedStatus {
            id: self.id.clone(),
            source: self.source.clone(),
            target: self.target.clone(),
            partitions: self.partitions.len() as u64,
            done: done.len() as u64,
            keys: workers.iter().map(|it| it.keys).chain(copying.iter().map(|it| it.keys)).sum(),
            bytes: workers.iter().map(|it| it.bytes).chain(copying.iter().map(|it| it.bytes)).sum(),
            alive: alive.iter().map(|beat| beat.name.clone()).collect(),
            copying,
            workers,
        }
    }
}

/// Divides slots into pieces of about the same number of slots.
fn divided(ranges: &[(u16, u16)], pieces: usize) -> Vec<Vec<(u16, u16)>> {
    let slots: Vec<u16> = ranges.iter().flat_map(|(first, last)| *first..=*last).collect();
    let size = slots.len().div_ceil(pieces).max(1);
    slots.chunks(size).map(as_ranges).collect()
}

fn as_ranges(slots: &[u16]) -> Vec<(u16, u16)> {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for &slot in slots {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == slot => *last = slot,
            _ => ranges.push((slot, slot)),
        }
    }
    ranges
}

/// One of each after the other, so that neighbours are read from different primaries.
fn interleaved<T: Clone>(lists: Vec<Vec<T>>) -> Vec<T> {
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest).flat_map(|at| lists.iter().filter_map(move |list| list.get(at).cloned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_is_in_one_piece() {
        for (ranges, pieces) in
            [(vec![(0, 16383)], 8), (vec![(3, 5), (9, 9), (100, 160)], 4), (vec![(7, 7)], 4)]
        {
            let divided = divided(&ranges, pieces);
            assert!(divided.len() <= pieces && !divided.is_empty());
            let mut slots: Vec<u16> =
                divided.iter().flatten().flat_map(|(first, last)| *first..=*last).collect();
            let whole: Vec<u16> = ranges.iter().flat_map(|(a, b)| *a..=*b).collect();
            assert_eq!(slots, whole, "{ranges:?}");
            slots.dedup();
            assert_eq!(slots.len(), whole.len());
        }
        assert_eq!(divided(&[], 4), Vec::<Vec<(u16, u16)>>::new());
    }

    #[test]
    fn neighbours_are_of_different_lists() {
        assert_eq!(interleaved(vec![vec![1, 2, 3], vec![10], vec![20, 21]]), [1, 10, 20, 2, 21, 3]);
    }

    #[test]
    fn what_differs_is_named() {
        let config = |target: &str, filter: &str| {
            let config = Config::builder().source("redis://a").target(target);
            config.include_pattern(filter).build().unwrap()
        };
        let plan = SharedPlan::of(&config("redis://b", "x*"));
        assert_eq!(plan.differs(&config("redis://b", "x*")), None);
        let why = plan.differs(&config("redis://c", "x*")).unwrap();
        assert!(why.contains("target") && why.contains("redis://c:6379"), "{why}");
        let why = plan.differs(&config("redis://b", "y*")).unwrap();
        assert_eq!(why, "the --filter of the job under this prefix is x*, not y*");
    }
}
