//! Sets against the standard library's, in all encodings.

use std::collections::BTreeSet;

use ferrite_rdb::{Dialect, Format};
use proptest::prelude::*;

use super::super::Collection;
use super::*;

const FORMAT: Format = Format { dialect: Dialect::Redis, version: 12 };

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => (0..40_i64).prop_map(|value| value.to_string().into_bytes()),
        1 => any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        2 => "[a-c]{0,3}".prop_map(String::into_bytes),
        1 => (0..300_usize).prop_map(|len| vec![b'x'; len]),
    ]
}

fn members(set: &Set) -> BTreeSet<Vec<u8>> {
    set.iter().map(|member| member.as_bytes(&mut itoa::Buffer::new()).to_vec()).collect()
}

fn add(set: &mut Set, members: &[&str], limits: &Limits) {
    for member in members {
        set.add(member.as_bytes(), limits);
    }
}

proptest! {
    #[test]
    fn is_a_set(
        sizes in (0..20_usize, 0..20_usize, 0..70_usize),
        only_ints in any::<bool>(),
        changes in proptest::collection::vec((0..4_u8, member()), 0..200),
    ) {
        let limits = Limits {
            set_max_intset_entries: sizes.0,
            set_max_listpack_entries: sizes.1,
            set_max_listpack_value: sizes.2,
            ..Limits::default()
        };
        let mut set = Set::new();
        let mut model = BTreeSet::new();
        for (action, member) in changes {
            if only_ints && integer(&member).is_none() {
                continue;
            }
            prop_assert_eq!(set.contains(&member), model.contains(&member));
            if action > 0 {
                prop_assert_eq!(set.add(&member, &limits), model.insert(member));
            } else {
                prop_assert_eq!(set.remove(&member), model.remove(&member));
            }
            prop_assert_eq!(set.len(), model.len());
        }
        prop_assert_eq!(members(&set), model.clone());
        let mut seen = BTreeSet::new();
        let mut cursor = 0;
        loop {
            cursor = set.scan(cursor, |member| {
                seen.insert(member.as_bytes(&mut itoa::Buffer::new()).to_vec());
            });
            if cursor == 0 {
                break;
            }
        }
        prop_assert_eq!(&seen, &model);
        let drawn = set.random(|| 1 << 40).map(|member| set.contains_element(member));
        prop_assert_eq!(drawn, (!model.is_empty()).then_some(true));
        if !model.is_empty() {
            let mut body = Vec::new();
            let type_byte = Collection::Set(set.clone()).to_rdb(&mut body);
            let read = Collection::from_rdb(FORMAT, type_byte, &body, &limits).unwrap();
            let Collection::Set(read) = read else { panic!("{read:?}") };
            prop_assert_eq!(members(&read), model.clone());
            let all_ints = model.iter().all(|member| integer(member).is_some());
            set.become_intset(&limits);
            let is_intset = all_ints && model.len() <= limits.set_max_intset_entries;
            prop_assert!(!is_intset || set.encoding_name() == "intset");
            prop_assert_eq!(members(&set), model);
        }
    }
}

#[test]
fn the_encoding_changes_where_redis_changes_it() {
    let limits = Limits {
        set_max_intset_entries: 3,
        set_max_listpack_entries: 4,
        set_max_listpack_value: 5,
        ..Limits::default()
    };
    let mut set = Set::for_members(b"1", 3, &limits);
    add(&mut set, &["1", "2", "3"], &limits);
    assert_eq!(set.encoding_name(), "intset");
    let mut other = set.clone();
    add(&mut other, &["4"], &limits);
    assert_eq!(other.encoding_name(), "hashtable");
    add(&mut set, &["a"], &limits);
    assert_eq!(set.encoding_name(), "listpack");
    let mut other = set.clone();
    add(&mut other, &["b"], &limits);
    assert_eq!(other.encoding_name(), "hashtable");
    set.remove(b"a");
    add(&mut set, &["longer"], &limits);
    assert_eq!(set.encoding_name(), "hashtable");
    assert_eq!(Set::for_members(b"a", 4, &limits).encoding_name(), "listpack");
    assert_eq!(Set::for_members(b"1", 4, &limits).encoding_name(), "listpack");
    assert_eq!(Set::for_members(b"1", 5, &limits).encoding_name(), "hashtable");
}

#[test]
fn members_that_are_there_twice_are_refused() {
    let limits = Limits::default();
    let mut packed = Listpack::new();
    packed.push(b"a");
    packed.push(b"a");
    let mut body = Vec::new();
    ferrite_rdb::encode::string(&mut body, packed.as_bytes());
    assert!(Collection::from_rdb(FORMAT, 20, &body, &limits).is_err());
    assert!(Collection::from_rdb(FORMAT, 2, b"\x02\x01a\x01a", &limits).is_err());
    assert!(Collection::from_rdb(FORMAT, 2, b"\x00", &limits).is_err());
    assert!(Collection::from_rdb(FORMAT, 11, b"\x08\x02\0\0\0\0\0\0\0", &limits).is_err());
}
