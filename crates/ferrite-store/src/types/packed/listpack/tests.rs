//! Listpacks against a plain vector, and against the bytes the writer of RDB files makes.

use ferrite_rdb::encode::{BackLengths, Listpack as Writer};
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Change {
    Push(Vec<u8>),
    PushFront(Vec<u8>),
    Insert(usize, Vec<u8>),
    InsertAfter(usize, Vec<u8>),
    Replace(usize, Vec<u8>),
    Remove(usize, usize),
    SplitAndAppend(usize),
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<i64>().prop_map(|int| int.to_string().into_bytes()),
        (-5000_i64..5000).prop_map(|int| int.to_string().into_bytes()),
        "[a-z0-9-]{0,5}".prop_map(String::into_bytes),
        (prop_oneof![60..70_usize, 120..130_usize, 4090..4100_usize, 16_370..16_390_usize])
            .prop_map(|len| vec![b'x'; len]),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let index = 0..100_usize;
    prop_oneof![
        value().prop_map(Change::Push),
        value().prop_map(Change::PushFront),
        (index.clone(), value()).prop_map(|(at, value)| Change::Insert(at, value)),
        (index.clone(), value()).prop_map(|(at, value)| Change::InsertAfter(at, value)),
        (index.clone(), value()).prop_map(|(at, value)| Change::Replace(at, value)),
        (index.clone(), 0..4_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        index.prop_map(Change::SplitAndAppend),
    ]
}

fn apply(listpack: &mut Listpack, model: &mut Vec<Vec<u8>>, change: Change) {
    let index = |at: usize| at % model.len().max(1);
    let place = |at: usize| listpack.seek(index(at) as i64);
    match change {
        Change::Push(value) => {
            listpack.push(&value);
            model.push(value);
        }
        Change::PushFront(value) => {
            listpack.push_front(&value);
            model.insert(0, value);
        }
        Change::Insert(at, value) => {
            let Some(place) = place(at) else { return };
            listpack.insert_before(place, &value);
            model.insert(index(at), value);
        }
        Change::InsertAfter(at, value) => {
            let Some(place) = place(at) else { return };
            let new = listpack.insert_after(place, &value);
            assert!(listpack.is_equal(new, &value));
            model.insert(index(at) + 1, value);
        }
        Change::Replace(at, value) => {
            let Some(place) = place(at) else { return };
            listpack.replace(place, &value);
            let index = index(at);
            model[index] = value;
        }
        Change::Remove(at, count) => {
            let Some(place) = place(at) else { return };
            let index = index(at);
            let count = count.min(model.len() - index);
            let behind = listpack.remove(place, count);
            model.drain(index..index + count);
            assert_eq!(behind.is_some(), index < model.len());
        }
        Change::SplitAndAppend(at) => {
            let Some(place) = place(at) else { return };
            let tail = listpack.split_off(place);
            assert_eq!(listpack.len(), index(at));
            assert_eq!(tail.len(), model.len() - index(at));
            listpack.append(&tail);
        }
    }
}

fn written(model: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = Writer::new(BackLengths::Wide);
    for value in model {
        writer.push(value);
    }
    writer.finish().unwrap().to_vec()
}

fn bytes_of(element: Element<'_>) -> Vec<u8> {
    element.as_bytes(&mut itoa::Buffer::new()).to_vec()
}

proptest! {
    #[test]
    fn any_changes_leave_the_bytes_the_writer_makes(
        changes in proptest::collection::vec(change(), 0..60)
    ) {
        let mut listpack = Listpack::new();
        let mut model = Vec::new();
        for change in changes {
            apply(&mut listpack, &mut model, change);
        }
        prop_assert_eq!(listpack.as_bytes(), &written(&model)[..]);
        prop_assert_eq!(listpack.len(), model.len());
        let backwards: Vec<_> = listpack.iter().rev().map(bytes_of).collect();
        let reversed: Vec<_> = model.iter().rev().cloned().collect();
        prop_assert_eq!(backwards, reversed);
        for (index, value) in model.iter().enumerate() {
            for index in [index as i64, index as i64 - model.len() as i64] {
                prop_assert_eq!(bytes_of(listpack.get(listpack.seek(index).unwrap())), value.clone());
            }
            let first = model.iter().position(|other| other == value).unwrap();
            let found = listpack.find(listpack.first(), value, 0);
            prop_assert_eq!(found, listpack.seek(first as i64));
        }
        prop_assert_eq!(listpack.seek(model.len() as i64), None);
        prop_assert_eq!(listpack.seek(-1 - model.len() as i64), None);
        prop_assert_eq!(Listpack::from_bytes(listpack.as_bytes().to_vec()), Ok(listpack));
    }

    #[test]
    fn damaged_bytes_are_refused_or_made_whole(
        values in proptest::collection::vec(value(), 0..8),
        damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = written(&values);
        for (at, byte) in damage {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        if let Ok(taken) = Listpack::from_bytes(bytes) {
            let forward: Vec<_> = taken.iter().collect();
            let mut backward: Vec<_> = taken.iter().rev().collect();
            backward.reverse();
            prop_assert_eq!(forward, backward);
        }
    }
}

#[test]
fn the_count_is_unknown_above_65534_elements() {
    let mut listpack = Listpack::new();
    for value in 0..65_534 {
        listpack.push_int(value);
    }
    assert_eq!(&listpack.as_bytes()[4..6], [0xfe, 0xff]);
    for value in 65_534..70_000 {
        listpack.push_int(value);
    }
    assert_eq!(&listpack.as_bytes()[4..6], [0xff, 0xff]);
    assert_eq!(listpack.len(), 70_000);
    assert_eq!(listpack.get(listpack.seek(69_999).unwrap()), Element::Int(69_999));
    assert_eq!(listpack.get(listpack.seek(-70_000).unwrap()), Element::Int(0));
    assert_eq!(listpack.seek(70_000), None);
    let taken = Listpack::from_bytes(listpack.as_bytes().to_vec()).unwrap();
    assert_eq!(taken, listpack);
    let at = listpack.first().unwrap();
    assert_eq!(listpack.remove(at, 70_000), None);
    assert_eq!(listpack, Listpack::new());
}

#[test]
fn back_lengths_of_valkey_9_1_are_written_anew() {
    let long = vec![b'x'; 16_378];
    let mut writer = Writer::new(BackLengths::Narrow);
    writer.push(b"first");
    writer.push(&long);
    let taken = Listpack::from_bytes(writer.finish().unwrap().to_vec()).unwrap();
    assert_eq!(taken.as_bytes(), written(&[b"first".to_vec(), long]));
}

#[test]
fn finding_skips_what_it_is_told_to() {
    let mut listpack = Listpack::new();
    for value in [&b"1"[..], b"name", b"name", b"value", b"12"] {
        listpack.push(value);
    }
    assert_eq!(listpack.find(listpack.first(), b"name", 0), listpack.seek(1));
    assert_eq!(listpack.find(listpack.first(), b"name", 1), listpack.seek(2));
    assert_eq!(listpack.find(listpack.first(), b"value", 1), None);
    assert_eq!(listpack.find(listpack.first(), b"12", 1), listpack.seek(4));
    assert_eq!(listpack.find(None, b"12", 1), None);
}
