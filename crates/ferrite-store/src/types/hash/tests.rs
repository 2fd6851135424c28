//! Hashes against a map, in all encodings, with fields that expire.

use std::collections::BTreeMap;

use ferrite_rdb::{Dialect, Format};
use proptest::prelude::*;

use super::super::Collection;
use super::*;

const FORMAT: Format = Format { dialect: Dialect::Redis, version: 12 };

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

#[derive(Clone, Debug)]
enum Change {
    Set(Vec<u8>, Vec<u8>, FieldExpiry),
    SetExpiry(Vec<u8>, Option<u64>),
    Remove(Vec<u8>),
    Expire(u64),
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0..20_i64).prop_map(|value| value.to_string().into_bytes()),
        "[a-c]{0,2}".prop_map(String::into_bytes),
        (0..300_usize).prop_map(|len| vec![b'x'; len]),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let at = 1..200_u64;
    let expiry = prop_oneof![
        2 => Just(FieldExpiry::Clear),
        1 => Just(FieldExpiry::Keep),
        1 => at.clone().prop_map(FieldExpiry::At),
    ];
    prop_oneof![
        6 => (name(), name(), expiry).prop_map(|(name, value, at)| Change::Set(name, value, at)),
        2 => (name(), proptest::option::of(at.clone()))
            .prop_map(|(name, at)| Change::SetExpiry(name, at)),
        2 => name().prop_map(Change::Remove),
        1 => at.prop_map(Change::Expire),
    ]
}

fn bytes(element: Element<'_>) -> Vec<u8> {
    element.as_bytes(&mut itoa::Buffer::new()).to_vec()
}

fn fields(hash: &Hash) -> Model {
    let field =
        |(name, field): (_, Field<'_>)| (bytes(name), (bytes(field.value), field.expires_at));
    let fields: Model = hash.iter().map(field).collect();
    assert_eq!(fields.len(), hash.len());
    fields
}

fn apply(hash: &mut Hash, model: &mut Model, change: Change, limits: &Limits) {
    match change {
        Change::Set(name, value, expiry) => {
            let old = model.get(&name).cloned();
            let expires_at = expiry.over(old.as_ref().and_then(|(_, at)| *at));
            assert_eq!(hash.set(&name, &value, expiry, limits), old.is_none());
            model.insert(name, (value, expires_at));
        }
        Change::SetExpiry(name, at) => {
            hash.set_expiry(&name, at);
            model.entry(name).and_modify(|(_, old)| *old = at);
        }
        Change::Remove(name) => assert_eq!(hash.remove(&name), model.remove(&name).is_some()),
        Change::Expire(now) => {
            let is_live = |at: Option<u64>| at.is_none_or(|at| at > now);
            while let Some(name) = hash.remove_expired(now) {
                let (_, at) = model.remove(&name).unwrap();
                assert!(!is_live(at));
            }
            assert!(model.values().all(|(_, at)| is_live(*at)));
        }
    }
    let next = model.values().filter_map(|(_, at)| *at).min();
    assert_eq!(hash.next_expiry(), next);
}

proptest! {
    #[test]
    fn is_a_map_with_expiries(
        sizes in (0..20_usize, 0..300_usize),
        changes in proptest::collection::vec(change(), 0..200),
    ) {
        let limits = Limits {
            hash_max_listpack_entries: sizes.0,
            hash_max_listpack_value: sizes.1,
            ..Limits::default()
        };
        let mut hash = Hash::new();
        let mut model = Model::new();
        for change in changes {
            apply(&mut hash, &mut model, change, &limits);
            prop_assert_eq!(hash.len(), model.len());
        }
        prop_assert_eq!(fields(&hash), model.clone());
        for (name, (value, expires_at)) in &model {
            let field = hash.get(name).unwrap();
            prop_assert_eq!((bytes(field.value), field.expires_at), (value.clone(), *expires_at));
        }
        let mut seen = Model::new();
        let mut cursor = 0;
        loop {
            cursor = hash.scan(cursor, |name, field| {
                seen.insert(bytes(name), (bytes(field.value), field.expires_at));
            });
            if cursor == 0 {
                break;
            }
        }
        prop_assert_eq!(&seen, &model);
        let drawn = hash.random(|| 1 << 40).map(|(name, _)| model.contains_key(&bytes(name)));
        prop_assert_eq!(drawn, (!model.is_empty()).then_some(true));
        if !model.is_empty() {
            let mut body = Vec::new();
            let type_byte = Collection::Hash(hash).to_rdb(&mut body);
            let read = Collection::from_rdb(FORMAT, type_byte, &body, &limits).unwrap();
            let Collection::Hash(read) = read else { panic!("{read:?}") };
            prop_assert_eq!(fields(&read), model);
        }
    }
}

#[test]
fn the_encoding_changes_where_redis_changes_it() {
    let limits =
        Limits { hash_max_listpack_entries: 2, hash_max_listpack_value: 4, ..Limits::default() };
    let mut hash = Hash::new();
    hash.set(b"a", b"1", FieldExpiry::Clear, &limits);
    hash.set(b"b", b"1234", FieldExpiry::Clear, &limits);
    assert_eq!(hash.encoding_name(), "listpack");
    hash.set_expiry(b"b", Some(7));
    assert_eq!(hash.encoding_name(), "listpackex");
    let mut longer = hash.clone();
    longer.set(b"a", b"12345", FieldExpiry::Clear, &limits);
    assert_eq!(longer.encoding_name(), "hashtable");
    hash.set(b"c", b"", FieldExpiry::Clear, &limits);
    assert_eq!(hash.encoding_name(), "hashtable");
    assert_eq!(hash.next_expiry(), Some(7));
}

#[test]
fn fields_are_ordered_by_their_expiry() {
    let limits = Limits::default();
    let mut hash = Hash::new();
    for (name, at) in [(b"a", None), (b"b", Some(9)), (b"c", Some(5)), (b"d", Some(9))] {
        hash.set(name, b"v", at.into(), &limits);
    }
    let names: Vec<_> = hash.iter().map(|(name, _)| bytes(name)).collect();
    assert_eq!(names, [b"c", b"b", b"d", b"a"]);
}

#[test]
fn a_listpack_out_of_order_is_put_in_order() {
    let limits = Limits::default();
    let mut packed = super::super::packed::Listpack::new();
    for (name, at) in [(b"a", 0), (b"b", 9), (b"c", 5)] {
        packed.push(name);
        packed.push(b"v");
        packed.push_int(at);
    }
    let mut hash = Hash::from_listpack_ex(packed.clone(), &limits).unwrap();
    assert_eq!(hash.next_expiry(), Some(5));
    assert_eq!(hash.remove_expired(9), Some(b"c".to_vec()));
    packed.push(b"odd");
    assert!(Hash::from_listpack_ex(packed, &limits).is_err());
}

#[test]
fn fields_that_are_there_twice_are_refused() {
    let limits = Limits::default();
    assert!(Collection::from_rdb(FORMAT, 4, b"\x02\x01a\x01b\x01a\x01b", &limits).is_err());
    let mut packed = super::super::packed::Listpack::new();
    for value in [b"a", b"b", b"a", b"b"] {
        packed.push(value);
    }
    assert!(Hash::from_listpack(packed, &limits).is_err());
}
