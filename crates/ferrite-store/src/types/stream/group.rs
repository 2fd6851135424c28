//! Consumer groups: what was delivered to whom, and is not acknowledged yet.

use std::collections::{BTreeMap, BTreeSet};

use super::StreamId;

/// A group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The last id that was delivered.
    pub last_id: StreamId,
    /// How many entries were delivered, counted from the stream's first; nothing where that
    /// cannot be told.
    pub entries_read: Option<u64>,
    pending: BTreeMap<StreamId, Pending>,
    consumers: Vec<Option<Consumer>>,
    names: BTreeMap<Vec<u8>, u32>,
}

/// A consumer's place in its group: valid until the consumer is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerId(u32);

/// An entry that was delivered and is not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// When it was delivered last, Unix milliseconds.
    pub delivered_ms: i64,
    /// How often it was delivered.
    pub deliveries: u64,
    /// To whom.
    pub consumer: ConsumerId,
}

/// Who reads for a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its name.
    pub name: Vec<u8>,
    /// When it asked for anything last, Unix milliseconds.
    pub seen_ms: i64,
    /// When it got anything last; -1 for never.
    pub active_ms: i64,
    pending: BTreeSet<StreamId>,
}

impl Consumer {
    /// The entries it has not acknowledged, in order.
    #[must_use]
    pub fn pending(&self) -> &BTreeSet<StreamId> {
        &self.pending
    }
}

impl Group {
    /// A group that begins behind an id.
    #[must_use]
    pub fn new(last_id: StreamId, entries_read: Option<u64>) -> Self {
        Self { last_id, entries_read, ..Self::default() }
    }

    /// All entries that are not acknowledged, in order.
    #[must_use]
    pub fn pending(&self) -> &BTreeMap<StreamId, Pending> {
        &self.pending
    }

    /// The consumers in the order of their names.
    pub fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.names.values().filter_map(|&at| self.consumers.get(at as usize)?.as_ref())
    }

    /// How many consumers there are.
    #[must_use]
    pub fn consumer_count(&self) -> usize {
        self.names.len()
    }

    /// Where a consumer is.
    #[must_use]
    pub fn find_consumer(&self, name: &[u8]) -> Option<ConsumerId> {
        self.names.get(name).copied().map(ConsumerId)
    }

    /// A consumer.
    #[must_use]
    pub fn consumer(&self, id: ConsumerId) -> Option<&Consumer> {
        self.consumers.get(id.0 as usize)?.as_ref()
    }

    /// A consumer, to be changed.
    pub fn consumer_mut(&mut self, id: ConsumerId) -> Option<&mut Consumer> {
        self.consumers.get_mut(id.0 as usize)?.as_mut()
    }

    /// Where a consumer is, made where there is none; whether it was made.
    pub fn add_consumer(&mut self, name: &[u8], now: i64) -> (ConsumerId, bool) {
        if let Some(id) = self.find_consumer(name) {
            return (id, false);
        }
        let consumer =
            Consumer { name: name.to_vec(), seen_ms: now, active_ms: -1, pending: BTreeSet::new() };
        let at = match self.consumers.iter().position(Option::is_none) {
            Some(at) => {
                self.consumers[at] = Some(consumer);
                at
            }
            None => {
                self.consumers.push(Some(consumer));
                self.consumers.len() - 1
            }
        };
        self.names.insert(name.to_vec(), at as u32);
        (ConsumerId(at as u32), true)
    }

    /// Deletes a consumer and what it has not acknowledged; how many entries that were.
    pub fn delete_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let at = self.names.remove(name)?;
        let consumer = self.consumers.get_mut(at as usize)?.take()?;
        for id in &consumer.pending {
            self.pending.remove(id);
        }
        Some(consumer.pending.len())
    }

    /// An entry was delivered to a consumer, whoever had it before.
    pub fn deliver(&mut self, id: StreamId, pending: Pending) {
        if let Some(before) = self.pending.insert(id, pending)
            && before.consumer != pending.consumer
            && let Some(consumer) = self.consumer_mut(before.consumer)
        {
            consumer.pending.remove(&id);
        }
        if let Some(consumer) = self.consumer_mut(pending.consumer) {
            consumer.pending.insert(id);
        }
    }

    /// An entry that is not acknowledged, to be changed; its consumer must stay.
    pub fn pending_mut(&mut self, id: StreamId) -> Option<&mut Pending> {
        self.pending.get_mut(&id)
    }

    /// An entry is acknowledged, or given up; whether it was pending.
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(&id) else { return false };
        if let Some(consumer) = self.consumer_mut(pending.consumer) {
            consumer.pending.remove(&id);
        }
        true
    }

    pub(super) fn memory(&self) -> usize {
        // What entries take in the two trees, and consumers.
        let names: usize = self.names.keys().map(|name| 2 * name.len() + 48).sum();
        self.pending.len() * (size_of::<StreamId>() * 2 + size_of::<Pending>() + 8)
            + self.consumers.capacity() * size_of::<Option<Consumer>>()
            + names
    }
}
