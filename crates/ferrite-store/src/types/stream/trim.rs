//! Trimming: taking the oldest entries away.

use super::node::Node;
use super::{Stream, StreamId};

/// Down to what a stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimBy {
    /// So many entries stay.
    Length(u64),
    /// Entries from this id on stay.
    Id(StreamId),
}

/// How a stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// Down to what.
    pub by: TrimBy,
    /// Whether only whole nodes are taken away.
    pub is_approximate: bool,
    /// How many entries may be taken away at once; 0 for any number.
    pub limit: u64,
}

impl Stream {
    /// Trims the stream; how many entries were taken away.
    pub fn trim(&mut self, trim: &Trim) -> u64 {
        let mut taken = 0;
        while let Some((&first, node)) = self.nodes.iter_mut().next() {
            if matches!(trim.by, TrimBy::Length(length) if self.length <= length) {
                break;
            }
            let (entries, deleted) = node.counts();
            let entries = entries.cast_unsigned();
            if trim.limit > 0 && taken + entries > trim.limit {
                break;
            }
            let is_whole = match trim.by {
                TrimBy::Length(length) => self.length - entries >= length,
                TrimBy::Id(id) => node.entries(first).last().is_none_or(|last| last.id < id),
            };
            if is_whole {
                self.nodes.remove(&first);
                self.length -= entries;
                taken += entries;
                continue;
            }
            if !trim.is_approximate {
                let most = match trim.by {
                    TrimBy::Length(length) => self.length - length,
                    TrimBy::Id(_) => u64::MAX,
                };
                let marked = mark(node, first, trim.by, most);
                node.set_counts((entries - marked).cast_signed(), deleted + marked.cast_signed());
                self.length -= marked;
                taken += marked;
            }
            break;
        }
        if taken > 0 {
            self.find_first();
        }
        taken
    }
}

/// Marks entries of a node as deleted, of which some stay; how many.
fn mark(node: &mut Node, first: StreamId, by: TrimBy, most: u64) -> u64 {
    let goes = |id: StreamId| match by {
        TrimBy::Length(_) => true,
        TrimBy::Id(least) => id < least,
    };
    let marked: Vec<_> = node
        .entries(first)
        .take_while(|entry| goes(entry.id))
        .filter(|entry| !entry.is_deleted())
        .take(usize::try_from(most).unwrap_or(usize::MAX))
        .map(|entry| entry.flags_at())
        .collect();
    for &flags_at in &marked {
        node.mark_deleted(flags_at);
    }
    marked.len() as u64
}
