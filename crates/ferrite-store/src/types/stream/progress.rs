//! How far a group has come: its logical read counter and its lag.

use super::{Group, Stream, StreamId, id};

impl Stream {
    /// How many entries were added up to an id, if that can be told: deleted entries make gaps.
    #[must_use]
    pub fn entries_up_to(&self, id: StreamId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.is_empty() && id <= self.last_id {
            return Some(self.entries_added);
        }
        if id == self.last_id {
            return Some(self.entries_added);
        }
        if id > self.last_id {
            return None;
        }
        let is_whole = self.max_deleted_id == id::MIN || self.max_deleted_id < self.first_id;
        let before_first = self.entries_added.saturating_sub(self.length);
        match id.cmp(&self.first_id) {
            std::cmp::Ordering::Less if is_whole => Some(before_first),
            std::cmp::Ordering::Equal if is_whole => Some(before_first + 1),
            _ => None,
        }
    }

    /// Whether entries behind an id were deleted.
    fn has_gaps_from(&self, from: StreamId) -> bool {
        !self.is_empty() && self.max_deleted_id != id::MIN && from <= self.max_deleted_id
    }

    /// How many entries a group has yet to read, if that can be told.
    #[must_use]
    pub fn lag(&self, group: &Group) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        let read = group
            .entries_read
            .filter(|_| self.counts_hold(group) && !self.has_gaps_from(group.last_id));
        let read = read.or_else(|| self.entries_up_to(group.last_id))?;
        Some(self.entries_added.saturating_sub(read))
    }

    /// Whether a group's counter was not overtaken by trimming.
    fn counts_hold(&self, group: &Group) -> bool {
        self.is_empty() || group.last_id >= self.first_id
    }

    /// The counter of a group after an entry behind its last id was delivered.
    #[must_use]
    pub fn entries_read_after(&self, group: &Group, delivered: StreamId) -> Option<u64> {
        match group.entries_read {
            Some(read) if self.counts_hold(group) && !self.has_gaps_from(delivered) => {
                Some(read + 1)
            }
            _ if self.entries_added > 0 => self.entries_up_to(delivered),
            before => before,
        }
    }
}
