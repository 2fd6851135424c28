//! The table against a plain map: every operation, expiry, and snapshots under writes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ferrite_store::table::{
    Content, EXPIRY_GRANULARITY, Entry, Owned, Ref, Sink, Table, Value, hash,
};
use proptest::prelude::*;

type Key = Vec<u8>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Int(i64),
    Bytes(Vec<u8>),
    Raw(Vec<u8>),
    Object(Vec<u32>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    kind: Kind,
    expires_at: Option<i64>,
    access: u32,
}

type Model = BTreeMap<Key, Row>;

#[derive(Debug, Clone)]
enum Step {
    Insert(Key, Kind, Option<i64>),
    SetValue(Key, Kind),
    Remove(Key),
    Rename(Key, Key),
    Append(Key, Vec<u8>),
    Push(Key, u32),
    Expire(Key, Option<i64>),
    Touch(Key, u32),
    RemoveExpired(i64),
    BeginSnapshot,
    Save(usize),
}

fn key() -> impl Strategy<Value = Key> {
    // Few keys of every length that is encoded differently.
    (0u32..400).prop_map(|number| {
        let mut key = format!("key:{number}").into_bytes();
        if number % 50 == 0 {
            key.resize(300, b'x');
        }
        if number == 77 {
            key.resize(70_000, b'y');
        }
        if number == 78 {
            key.clear();
        }
        key
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    let length = prop_oneof![0usize..40, 0usize..1200, Just(5000usize)];
    prop_oneof![
        any::<i64>().prop_map(Kind::Int),
        (-200i64..200).prop_map(Kind::Int),
        (length.clone(), any::<u8>()).prop_map(|(length, byte)| Kind::Bytes(vec![byte; length])),
        (length, any::<u8>()).prop_map(|(length, byte)| Kind::Raw(vec![byte; length])),
        prop::collection::vec(any::<u32>(), 0..4).prop_map(Kind::Object),
    ]
}

fn expiry() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![Just(None), (0i64..100_000).prop_map(Some), any::<i64>().prop_map(Some)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (key(), kind(), expiry()).prop_map(|(key, kind, at)| Step::Insert(key, kind, at)),
        2 => (key(), kind()).prop_map(|(key, kind)| Step::SetValue(key, kind)),
        3 => key().prop_map(Step::Remove),
        1 => (key(), key()).prop_map(|(from, to)| Step::Rename(from, to)),
        2 => (key(), prop::collection::vec(any::<u8>(), 0..9))
            .prop_map(|(key, more)| Step::Append(key, more)),
        2 => (key(), any::<u32>()).prop_map(|(key, item)| Step::Push(key, item)),
        3 => (key(), expiry()).prop_map(|(key, at)| Step::Expire(key, at)),
        1 => (key(), 0u32..1 << 24).prop_map(|(key, access)| Step::Touch(key, access)),
        1 => (0i64..100_000).prop_map(Step::RemoveExpired),
        1 => (0i64..9_000_000_000_000).prop_map(Step::RemoveExpired),
        1 => Just(Step::BeginSnapshot),
        2 => (1usize..40).prop_map(Step::Save),
    ]
}

fn content(kind: &Kind) -> Content<'_, Vec<u32>> {
    match kind {
        Kind::Int(number) => Content::Int(*number),
        Kind::Bytes(bytes) => Content::Bytes(bytes),
        Kind::Raw(bytes) => Content::Heap(bytes.clone()),
        Kind::Object(object) => Content::Object(object.clone()),
    }
}

fn kind_of(value: Value<'_, Vec<u32>>) -> Kind {
    match value {
        Value::Int(number) => Kind::Int(number),
        Value::Bytes { bytes, raw: false } => Kind::Bytes(bytes.to_vec()),
        Value::Bytes { bytes, raw: true } => Kind::Raw(bytes.to_vec()),
        Value::Object(object) => Kind::Object(object.clone()),
    }
}

fn row(table: &Table<Vec<u32>>, at: Ref) -> Row {
    Row {
        kind: kind_of(table.value(at)),
        expires_at: table.expires_at(at),
        access: table.access(at),
    }
}

type Saved = BTreeMap<Key, (Kind, Option<i64>)>;

/// Keeps what a snapshot hands over, and fails when a key comes twice.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Saved>>);

impl Sink<Vec<u32>> for Collector {
    fn save(&mut self, entry: Entry<'_, Vec<u32>>) {
        let row = (kind_of(entry.value), entry.expires_at);
        let before = self.0.lock().unwrap().insert(entry.key.to_vec(), row);
        assert!(before.is_none(), "an entry was saved twice");
    }
}

struct Pair {
    table: Table<Vec<u32>>,
    model: Model,
    cut: Option<(Model, Collector)>,
    snapshots: usize,
    now: i64,
}

impl Pair {
    fn apply(&mut self, step: &Step) {
        let Self { table, model, .. } = self;
        match step {
            Step::Insert(key, kind, expires_at) => {
                table.insert(hash(key), key, content(kind), *expires_at);
                let access = model.get(key).map_or(0, |row| row.access);
                let row = Row { kind: kind.clone(), expires_at: *expires_at, access };
                model.insert(key.clone(), row);
            }
            Step::Remove(key) => {
                let removed = table.remove(hash(key), key).is_some();
                assert_eq!(removed, model.remove(key).is_some());
            }
            Step::Rename(from, to) => self.rename(from, to),
            Step::RemoveExpired(now) => self.remove_expired(*now),
            Step::BeginSnapshot => self.begin_snapshot(),
            Step::Save(count) => self.save(*count),
            Step::SetValue(key, _)
            | Step::Append(key, _)
            | Step::Push(key, _)
            | Step::Expire(key, _)
            | Step::Touch(key, _) => {
                let at = table.find(hash(key), key);
                assert_eq!(at.is_some(), model.contains_key(key));
                if let Some(at) = at {
                    self.change(key, at, step);
                }
            }
        }
    }

    fn change(&mut self, key: &Key, at: Ref, step: &Step) {
        let Self { table, model, .. } = self;
        let row = model.get_mut(key).unwrap();
        match step {
            Step::SetValue(_, kind) => {
                drop(table.set_value(at, content(kind)));
                row.kind = kind.clone();
            }
            Step::Append(_, more) => {
                let bytes = table.string_mut(at);
                let before = match &row.kind {
                    Kind::Int(number) => Some(number.to_string().into_bytes()),
                    Kind::Bytes(bytes) | Kind::Raw(bytes) => Some(bytes.clone()),
                    Kind::Object(_) => None,
                };
                assert_eq!(bytes.as_deref(), before.as_ref());
                if let (Some(bytes), Some(mut after)) = (bytes, before) {
                    bytes.extend_from_slice(more);
                    after.extend_from_slice(more);
                    row.kind = Kind::Raw(after);
                }
            }
            Step::Push(_, item) => {
                let object = table.object_mut(at);
                match (&mut row.kind, object) {
                    (Kind::Object(expected), Some(object)) => {
                        expected.push(*item);
                        object.push(*item);
                    }
                    (Kind::Object(_), None) => panic!("the collection is gone"),
                    (_, object) => assert!(object.is_none()),
                }
            }
            Step::Expire(_, expires_at) => {
                let after = table.set_expiry(at, *expires_at);
                assert_eq!(table.key(after), key);
                row.expires_at = *expires_at;
            }
            Step::Touch(_, access) => {
                table.set_access(at, *access);
                row.access = *access;
            }
            _ => unreachable!("not a change of one entry"),
        }
        assert_eq!(table.find(hash(key), key), Some(at), "the place has moved");
    }

    fn rename(&mut self, from: &Key, to: &Key) {
        let Some(at) = self.table.find(hash(from), from) else {
            assert!(!self.model.contains_key(from));
            return;
        };
        let taken = self.table.take_at(at);
        if let Owned::Raw(bytes) = &taken.value {
            assert_eq!(self.model[from].kind, Kind::Raw(bytes.clone()));
        }
        self.table.put(hash(to), to, taken);
        let row = self.model.remove(from).unwrap();
        self.model.insert(to.clone(), row);
    }

    fn remove_expired(&mut self, now: i64) {
        let late = |at: i64| at <= now.saturating_sub(EXPIRY_GRANULARITY);
        let overdue = |model: &Model| model.values().any(|row| row.expires_at.is_some_and(late));
        // One call moves few entries closer to their time, so that it may take several.
        for _ in 0..1000 {
            while let Some(at) = self.table.next_expired(now) {
                assert!(self.table.expires_at(at).is_some_and(|at| at <= now));
                let key = self.table.key(at).to_vec();
                drop(self.table.remove_at(at));
                assert!(self.model.remove(&key).is_some());
            }
            if now < self.now || !overdue(&self.model) {
                self.now = self.now.max(now);
                return;
            }
        }
        panic!("entries that have expired are not found");
    }

    fn begin_snapshot(&mut self) {
        if self.cut.is_none() || self.snapshots.is_multiple_of(3) {
            let collector = Collector::default();
            self.table.begin_snapshot(Box::new(collector.clone()));
            self.cut = Some((self.model.clone(), collector));
        }
        self.snapshots += 1;
    }

    fn save(&mut self, count: usize) {
        if self.cut.is_none() || !self.table.save_next(count) {
            return;
        }
        let (cut, collector) = self.cut.take().unwrap();
        assert!(self.table.end_snapshot().is_some());
        let saved = std::mem::take(&mut *collector.0.lock().unwrap());
        let expected: BTreeMap<_, _> =
            cut.into_iter().map(|(key, row)| (key, (row.kind, row.expires_at))).collect();
        assert_eq!(saved, expected);
    }

    fn compare(&self) {
        let expiring = self.model.values().filter(|row| row.expires_at.is_some());
        assert_eq!(self.table.len(), self.model.len());
        assert_eq!(self.table.expiring(), expiring.count());
        for (key, expected) in &self.model {
            let at = self.table.find(hash(key), key);
            let at = at.unwrap_or_else(|| panic!("{} is gone", key.escape_ascii()));
            assert_eq!(self.table.key(at), key);
            assert_eq!(&row(&self.table, at), expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_table_does_what_a_map_does(steps in prop::collection::vec(step(), 1..2000), seat in 0u8..64) {
        let mut pair = Pair {
            table: Table::new(seat),
            model: Model::new(),
            cut: None,
            snapshots: 0,
            now: 0,
        };
        for (index, step) in steps.iter().enumerate() {
            pair.apply(step);
            if index % 100 == 0 {
                pair.compare();
            }
        }
        pair.compare();
        pair.save(usize::MAX);
        for key in pair.model.keys().cloned().collect::<Vec<_>>() {
            pair.apply(&Step::Remove(key));
        }
        pair.compare();
    }
}
