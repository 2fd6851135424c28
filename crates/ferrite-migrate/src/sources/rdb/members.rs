//! The expiries that KeyDB gives to single members of a key. In its RDB they stand behind the key:
//!
//! ```text
//! 4 | key | hash | AUX keydb-subexpire-key <field>  AUX keydb-subexpire-when <Unix ms> | …
//! ```
//!
//! Others keep the expiries of a hash's fields with its value. So such a hash is written anew as a
//! Redis 7.4 has it, and takes the way of all hashes from there.

use std::collections::HashMap;

use ferrite_rdb::encode::{
    BackLengths, HashLayout, Layout, ListLayout, StreamLayout, ValueEncoder, ZsetLayout,
};
use ferrite_rdb::{Format, Sink, decode};

use crate::model::{BatchBuilder, RecordHead};

/// Bytes of names at most that are kept for one key.
const NAMES_MAX: usize = 16 << 20;
/// The first format with expiries of fields.
const WITH_FIELD_EXPIRY: Format = Format::redis(12);

/// What stands behind one key.
#[derive(Debug, Default)]
pub struct Members {
    expiries: HashMap<Vec<u8>, u64>,
    bytes: usize,
}

impl Members {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expiries.is_empty()
    }

    /// Remembers one; whether there was room.
    pub fn add(&mut self, member: &[u8], expires_at_ms: u64) -> bool {
        let has_room = self.bytes + member.len() <= NAMES_MAX;
        if has_room {
            self.bytes += member.len();
            self.expiries.insert(member.to_vec(), expires_at_ms);
        }
        has_room
    }

    /// Takes the last key of a batch, a hash, out of it and gives it with its expiries. `None`
    /// where none of its fields expires, or the value cannot be understood: whoever writes it says
    /// so.
    pub fn apply(&self, db: u32, batch: &mut BatchBuilder) -> Option<BatchBuilder> {
        let (format, head, key, value) = batch.last()?;
        let mut fields = Fields { members: self, encoder: None, soonest: None };
        decode(format, head.type_byte, value, &mut fields).ok()?;
        let layout = layout(fields.soonest?);
        let mut out = Vec::with_capacity(value.len() + 8 * self.expiries.len());
        fields.encoder = Some(ValueEncoder::new(&mut out, layout));
        decode(format, head.type_byte, value, &mut fields).ok()?;
        fields.encoder?.finish().ok()?;
        let (&type_byte, body) = out.split_first()?;
        let mut anew = BatchBuilder::new(db, WITH_FIELD_EXPIRY, 1);
        anew.push(RecordHead { type_byte, ..head }, key, body);
        batch.drop_last();
        Some(anew)
    }
}

/// Of all this, only hashes are written.
fn layout(min_expires_at_ms: u64) -> Layout {
    Layout {
        list: ListLayout::Plain,
        zset: ZsetLayout::Binary,
        hash: HashLayout::Metadata { min_expires_at_ms },
        stream: StreamLayout::Three,
        back_lengths: BackLengths::Wide,
        compress: false,
    }
}

/// A hash that is read for its first expiry, and then once more to be written.
struct Fields<'a> {
    members: &'a Members,
    encoder: Option<ValueEncoder<'a>>,
    soonest: Option<u64>,
}

impl Sink for Fields<'_> {
    fn hash_field(&mut self, field: &[u8], value: &[u8], _: Option<u64>) {
        let expires_at_ms = self.members.expiries.get(field).copied();
        match &mut self.encoder {
            Some(encoder) => encoder.hash_field(field, value, expires_at_ms),
            None => self.soonest = self.soonest.into_iter().chain(expires_at_ms).min(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYDB: Format = Format { dialect: ferrite_rdb::Dialect::KeyDb, version: 9 };

    fn head(type_byte: u8) -> RecordHead {
        RecordHead { type_byte, expires_at_ms: Some(9), idle_s: None, freq: None }
    }

    /// Fields of a hash of type 24, as a digest of what is read.
    #[derive(Default)]
    struct Read(Vec<(Vec<u8>, Option<u64>)>);

    impl Sink for Read {
        fn hash_field(&mut self, field: &[u8], _: &[u8], expires_at_ms: Option<u64>) {
            self.0.push((field.to_vec(), expires_at_ms));
        }
    }

    #[test]
    fn the_last_hash_gets_its_expiries() {
        let mut members = Members::default();
        assert!(members.is_empty());
        assert!(members.add(b"b", 4_102_444_800_123) && members.add(b"other", 1));
        let mut batch = BatchBuilder::new(3, KEYDB, 10);
        batch.push(head(4), b"first", b"\x01\x01a\x011");
        batch.push(head(4), b"last", b"\x02\x01a\x011\x01b\x012");
        let anew = members.apply(3, &mut batch).unwrap().finish(None);
        assert_eq!(batch.finish(None).records.len(), 1);
        let record = &anew.records[0];
        assert_eq!(
            (anew.db, anew.key(record), record.head.expires_at_ms),
            (3, &b"last"[..], Some(9))
        );
        let mut read = Read::default();
        decode(anew.format, record.head.type_byte, anew.value(record), &mut read).unwrap();
        let expected = [(b"a".to_vec(), None), (b"b".to_vec(), Some(4_102_444_800_123))];
        assert_eq!(read.0, expected);
    }

    #[test]
    fn a_hash_without_such_fields_stays_as_it_is() {
        let mut members = Members::default();
        members.add(b"c", 5);
        for value in [&b"\x01\x01a\x011"[..], b"\x07nonsense"] {
            let mut batch = BatchBuilder::new(0, KEYDB, 10);
            batch.push(head(4), b"k", value);
            assert!(members.apply(0, &mut batch).is_none());
            assert_eq!(batch.finish(None).records.len(), 1);
        }
        assert!(members.apply(0, &mut BatchBuilder::new(0, KEYDB, 1)).is_none());
    }

    #[test]
    fn names_have_a_limit() {
        let mut members = Members::default();
        assert!(members.add(&vec![0; NAMES_MAX], 1));
        assert!(!members.add(b"one more", 1));
    }
}
