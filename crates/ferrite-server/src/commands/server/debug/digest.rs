//! DEBUG DIGEST and DIGEST-VALUE: what tells equal data from different data. The digests are
//! those of Redis 7.2, so that two servers can be compared.

use ferrite_store::table::{Table, Value};
use ferrite_store::types::sorted_set::Direction;
use ferrite_store::types::{Collection, Element, SortedSet, Stream};
use sha1::{Digest as _, Sha1};

use crate::ctx::{Ctx, Outcome};
use crate::number;

/// A digest that grows with what is added to it.
#[derive(Clone, Copy, Default)]
struct Digest([u8; 20]);

impl Digest {
    /// Adds something whose order does not matter.
    fn add(&mut self, bytes: &[u8]) {
        let other: [u8; 20] = Sha1::digest(bytes).into();
        self.0.iter_mut().zip(other).for_each(|(byte, other)| *byte ^= other);
    }

    /// Adds something whose order matters.
    fn follow(&mut self, bytes: &[u8]) {
        self.add(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    fn follow_element(&mut self, element: Element<'_>) {
        self.follow(element.as_bytes(&mut itoa::Buffer::new()));
    }

    fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn value(&mut self, value: Value<'_, Collection>, expires: bool) {
        match value {
            Value::Int(value) => self.string(itoa::Buffer::new().format(value).as_bytes()),
            Value::Bytes { bytes, .. } => self.string(bytes),
            Value::Object(collection) => self.collection(collection),
        }
        if expires {
            self.add(b"!!expire!!");
        }
    }

    fn string(&mut self, bytes: &[u8]) {
        self.follow(&0_u32.to_be_bytes());
        self.follow(bytes);
    }

    fn collection(&mut self, collection: &Collection) {
        match collection {
            Collection::List(list) => {
                self.follow(&1_u32.to_be_bytes());
                list.iter().for_each(|element| self.follow_element(element));
            }
            Collection::Set(set) => {
                self.follow(&2_u32.to_be_bytes());
                let mut digits = itoa::Buffer::new();
                set.iter().for_each(|member| self.add(member.as_bytes(&mut digits)));
            }
            Collection::SortedSet(set) => self.sorted_set(set),
            Collection::Hash(hash) => {
                self.follow(&4_u32.to_be_bytes());
                for (name, field) in hash.iter() {
                    let mut one = Self::default();
                    one.follow_element(name);
                    one.follow_element(field.value);
                    if field.expires_at.is_some() {
                        one.add(b"!!hexpire!!");
                    }
                    self.add(&one.0);
                }
            }
            Collection::Stream(stream) => self.stream(stream),
        }
    }

    fn sorted_set(&mut self, set: &SortedSet) {
        self.follow(&3_u32.to_be_bytes());
        set.walk(0..set.len(), Direction::Ascending, &mut |member, score| {
            let mut one = Self::default();
            one.follow(member);
            one.follow(number::double_text(score).as_bytes());
            self.add(&one.0);
            true
        });
    }

    fn stream(&mut self, stream: &Stream) {
        self.follow(&6_u32.to_be_bytes());
        let (first, last) = (stream.first_id(), stream.last_id());
        stream.walk(first, last, Direction::Ascending, &mut |entry| {
            self.follow(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
            for (name, value) in entry.pairs() {
                self.follow_element(name);
                self.follow_element(value);
            }
            true
        });
    }
}

/// `DEBUG DIGEST`: of all keys.
pub(super) fn of_all(ctx: &mut Ctx<'_>) {
    let mut all = Digest::default();
    for db in 0..ctx.shared.store.databases() {
        let tables = || ctx.held.shards().filter_map(move |shard| shard.tables.get(db));
        if tables().all(Table::is_empty) {
            continue;
        }
        all.follow(&u32::try_from(db).unwrap_or_default().to_be_bytes());
        tables().for_each(|table| of_table(table, &mut all));
    }
    ctx.reply.simple(&all.hex());
}

fn of_table(table: &Table<Collection>, all: &mut Digest) {
    super::keys::each(table, &mut |at| {
        let mut one = Digest::default();
        one.follow(table.key(at));
        one.value(table.value(at), table.expires_at(at).is_some());
        all.add(&one.0);
    });
}

/// `DEBUG DIGEST-VALUE key…`: of the value of each key; zeros for one that is not there.
pub(super) fn of_values(ctx: &mut Ctx<'_>, keys: &[&[u8]]) -> Outcome {
    ctx.reply.array(keys.len());
    for key in keys {
        let mut digest = Digest::default();
        if let Some(at) = ctx.peek_at(key) {
            let table = ctx.table(key);
            digest.value(table.value(at), table.expires_at(at).is_some());
        }
        ctx.reply.simple(&digest.hex());
    }
    Ok(())
}
