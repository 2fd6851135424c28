//! When fields of hashes expire: which hash has to be looked at next.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// For each hash of a shard with fields that expire, when the first of them does. A hash that is
/// gone, or whose fields were given more time, is found out when it is looked at.
#[derive(Debug, Default)]
pub struct FieldExpiries {
    order: BTreeSet<(u64, usize, Arc<[u8]>)>,
    times: HashMap<(usize, Arc<[u8]>), u64>,
}

impl FieldExpiries {
    /// The first field of a hash expires then, in Unix milliseconds.
    pub fn note(&mut self, db: usize, key: &[u8], time: u64) {
        let key: Arc<[u8]> = key.into();
        let place = (db, Arc::clone(&key));
        if let Some(old) = self.times.insert(place, time) {
            if old == time {
                return;
            }
            self.order.remove(&(old, db, Arc::clone(&key)));
        }
        self.order.insert((time, db, key));
    }

    /// Whether no hash has fields that expire; hashes that are gone may still count.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// A database was emptied.
    pub fn clear(&mut self, db: usize) {
        self.order.retain(|(_, of, _)| *of != db);
        self.times.retain(|(of, _), _| *of != db);
    }

    /// Two databases have changed places.
    pub fn swap(&mut self, first: usize, second: usize) {
        let other = |db| match db {
            db if db == first => second,
            db if db == second => first,
            db => db,
        };
        let order = std::mem::take(&mut self.order);
        self.order = order.into_iter().map(|(time, db, key)| (time, other(db), key)).collect();
        let times = std::mem::take(&mut self.times).into_iter();
        self.times = times.map(|((db, key), time)| ((other(db), key), time)).collect();
    }

    /// Takes a hash out whose first field has expired.
    pub fn due(&mut self, now: u64) -> Option<(usize, Arc<[u8]>)> {
        let first = self.order.first().filter(|(time, ..)| *time <= now)?;
        let (_, db, key) = first.clone();
        self.order.pop_first();
        let place = (db, key);
        self.times.remove(&place);
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_due_in_order_and_once() {
        let mut expiries = FieldExpiries::default();
        expiries.note(0, b"late", 9);
        expiries.note(0, b"moved", 1);
        expiries.note(1, b"early", 3);
        expiries.note(0, b"moved", 5);
        let mut due = || expiries.due(7).map(|(db, key)| (db, key.to_vec()));
        assert_eq!(due(), Some((1, b"early".to_vec())));
        assert_eq!(due(), Some((0, b"moved".to_vec())));
        assert_eq!(due(), None);
        expiries.swap(0, 2);
        let late = expiries.due(9).map(|(db, key)| (db, key.to_vec()));
        assert_eq!(late, Some((2, b"late".to_vec())));
        expiries.note(0, b"emptied", 1);
        expiries.note(1, b"kept", 2);
        expiries.clear(0);
        let kept = expiries.due(9).map(|(db, key)| (db, key.to_vec()));
        assert_eq!(kept, Some((1, b"kept".to_vec())));
        assert!(expiries.is_empty());
    }
}
