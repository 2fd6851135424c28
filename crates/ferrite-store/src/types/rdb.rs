//! From values as they stand in RDB files and `DUMP` payloads to collections, and back.
//!
//! Packed collections are checked and copied; whatever else any server writes goes through the
//! decoder element by element.

use ferrite_rdb::{Body, Error, ErrorKind, Format, Sink, ValueKind, decode};

use super::limits::Limits;
use super::packed::{Intset, Listpack};
use super::sorted_set::SortedSetLoader;
use super::{Collection, Hash, List, Set, SortedSet, Stream};

/// The type bytes of Redis that are taken as they are.
mod native {
    pub(super) use ferrite_rdb::encode::{
        TYPE_HASH_LISTPACK, TYPE_HASH_LISTPACK_EX, TYPE_LIST_QUICKLIST_2, TYPE_SET_INTSET,
        TYPE_SET_LISTPACK, TYPE_ZSET_LISTPACK,
    };
}

impl Collection {
    /// Appends the value as it stands in an RDB file, and returns its type byte, which comes
    /// first there.
    pub fn to_rdb(&self, out: &mut Vec<u8>) -> u8 {
        match self {
            Self::List(list) => list.to_rdb(out),
            Self::Set(set) => set.to_rdb(out),
            Self::Hash(hash) => hash.to_rdb(out),
            Self::SortedSet(set) => set.to_rdb(out),
            Self::Stream(stream) => stream.to_rdb(out),
        }
    }

    /// Makes a collection of a value out of an RDB file or payload. Everything is checked: a
    /// value that is taken is whole.
    ///
    /// # Errors
    /// What is wrong with the bytes; [`ErrorKind::Unsupported`] for types that are no collection.
    pub fn from_rdb(
        format: Format,
        type_byte: u8,
        body: &[u8],
        limits: &Limits,
    ) -> Result<Self, Error> {
        let collection = Self::read(format, type_byte, body, limits)?;
        // A stream lives on when its last entry is gone.
        if collection.is_empty() && !matches!(collection, Self::Stream(_)) {
            return Err(at_start(ErrorKind::Malformed("value: it has no elements")));
        }
        Ok(collection)
    }

    fn read(format: Format, type_byte: u8, body: &[u8], limits: &Limits) -> Result<Self, Error> {
        match (ValueKind::of(format, type_byte), type_byte) {
            (Some(ValueKind::List), native::TYPE_LIST_QUICKLIST_2) => {
                List::from_quicklist(body, limits).map(Self::List)
            }
            (Some(ValueKind::Set), native::TYPE_SET_INTSET) => {
                let intset = Intset::from_bytes(one_string(body)?).map_err(at_start)?;
                Ok(Self::Set(Set::from_intset(intset, limits)))
            }
            (Some(ValueKind::Set), native::TYPE_SET_LISTPACK) => {
                let packed = one_listpack(body)?;
                Set::from_listpack(packed, limits).map(Self::Set).map_err(at_start)
            }
            (Some(ValueKind::Hash), native::TYPE_HASH_LISTPACK) => {
                let packed = one_listpack(body)?;
                Hash::from_listpack(packed, limits).map(Self::Hash).map_err(at_start)
            }
            (Some(ValueKind::Hash), native::TYPE_HASH_LISTPACK_EX) => {
                let packed = listpack_behind_minimum(body)?;
                Hash::from_listpack_ex(packed, limits).map(Self::Hash).map_err(at_start)
            }
            (Some(ValueKind::Zset), native::TYPE_ZSET_LISTPACK) => {
                let packed = one_listpack(body)?;
                SortedSet::from_listpack(packed, limits).map(Self::SortedSet).map_err(at_start)
            }
            (Some(ValueKind::Stream), _) => {
                Stream::from_rdb(format, type_byte, body).map(Self::Stream)
            }
            _ => Builder::build(format, type_byte, body, limits),
        }
    }
}

fn at_start(kind: ErrorKind) -> Error {
    Error::new(kind, 0)
}

/// The string that is the whole value.
pub(super) fn one_string(body: &[u8]) -> Result<Vec<u8>, Error> {
    let mut parts = Body::new(body);
    let bytes = parts.string()?.into_owned();
    parts.end()?;
    Ok(bytes)
}

/// The listpack that is the whole value.
pub(super) fn one_listpack(body: &[u8]) -> Result<Listpack, Error> {
    Listpack::from_bytes(one_string(body)?).map_err(at_start)
}

fn listpack_behind_minimum(body: &[u8]) -> Result<Listpack, Error> {
    let mut parts = Body::new(body);
    parts.u64_le()?;
    let bytes = parts.string()?.into_owned();
    parts.end()?;
    Listpack::from_bytes(bytes).map_err(at_start)
}

/// Puts a collection together out of decoded elements.
struct Builder<'a> {
    limits: &'a Limits,
    built: Option<Collection>,
    sorted_set: Option<SortedSetLoader>,
    fault: Option<ErrorKind>,
}

impl<'a> Builder<'a> {
    fn build(
        format: Format,
        type_byte: u8,
        body: &[u8],
        limits: &'a Limits,
    ) -> Result<Collection, Error> {
        let mut builder = Self { limits, built: None, sorted_set: None, fault: None };
        decode(format, type_byte, body, &mut builder)?;
        if let Some(loader) = builder.sorted_set {
            return loader.finish(limits).map(Collection::SortedSet).map_err(at_start);
        }
        if let Some(kind) = builder.fault {
            return Err(at_start(kind));
        }
        let Some(mut built) = builder.built else {
            return Err(at_start(ErrorKind::Malformed("value: it has no elements")));
        };
        if let Collection::List(list) = &mut built {
            list.fit_loaded(limits);
        }
        Ok(built)
    }

    fn fail(&mut self, kind: ErrorKind) {
        self.fault.get_or_insert(kind);
    }
}

impl Sink for Builder<'_> {
    fn list_item(&mut self, item: &[u8]) {
        let limits = self.limits;
        let built = self.built.get_or_insert_with(|| Collection::List(List::new()));
        if let Collection::List(list) = built {
            list.grow_for([item], limits);
            list.push(super::End::Right, item, limits);
        }
    }

    fn set_member(&mut self, member: &[u8]) {
        let limits = self.limits;
        let built =
            self.built.get_or_insert_with(|| Collection::Set(Set::for_members(member, 1, limits)));
        if let Collection::Set(set) = built
            && !set.add(member, limits)
        {
            self.fail(ErrorKind::Malformed("set: a member is there twice"));
        }
    }

    fn hash_field(&mut self, field: &[u8], value: &[u8], expires_at_ms: Option<u64>) {
        let limits = self.limits;
        let built = self.built.get_or_insert_with(|| Collection::Hash(Hash::new()));
        let Collection::Hash(hash) = built else { return };
        let is_new = hash.set(field, value, super::FieldExpiry::from(expires_at_ms), limits);
        if !is_new {
            self.fail(ErrorKind::Malformed("hash: a field is there twice"));
        }
    }

    fn zset_member(&mut self, member: &[u8], score: f64) {
        self.sorted_set.get_or_insert_default().add(member, score);
    }

    fn string_part(&mut self, _: u64, _: &[u8]) {
        self.fail(ErrorKind::Unsupported("string, where a collection is expected"));
    }

    fn module(&mut self, _: &str, _: &[u8]) {
        self.fail(ErrorKind::Unsupported("module value"));
    }
}
