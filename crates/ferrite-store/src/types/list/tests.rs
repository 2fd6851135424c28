//! Lists against a plain deque, in both encodings, and with nodes of all sizes.

use std::collections::VecDeque;

use ferrite_rdb::{Dialect, Format};
use proptest::prelude::*;

use super::super::Collection;
use super::*;

#[derive(Clone, Debug)]
enum Change {
    Push(bool, Vec<u8>),
    Pop(bool, usize),
    Insert(usize, bool, Vec<u8>),
    Replace(usize, Vec<u8>),
    RemoveRange(usize, usize),
    RemoveEqual(usize, usize, bool),
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0..6_u8).prop_map(|digit| vec![b'0' + digit]),
        4 => "[a-c]{0,3}".prop_map(String::into_bytes),
        2 => (0..2000_usize).prop_map(|len| vec![b'x'; len]),
        1 => Just(vec![b'y'; 9000]),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let index = 0..1000_usize;
    prop_oneof![
        6 => (any::<bool>(), value()).prop_map(|(left, value)| Change::Push(left, value)),
        2 => (any::<bool>(), 0..4_usize).prop_map(|(left, count)| Change::Pop(left, count)),
        4 => (index.clone(), any::<bool>(), value())
            .prop_map(|(at, after, value)| Change::Insert(at, after, value)),
        2 => (index.clone(), value()).prop_map(|(at, value)| Change::Replace(at, value)),
        1 => (index.clone(), 0..20_usize).prop_map(|(at, count)| Change::RemoveRange(at, count)),
        1 => (index, 0..4_usize, any::<bool>())
            .prop_map(|(at, limit, left)| Change::RemoveEqual(at, limit, left)),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    (prop_oneof![-5..0_i32, 1..10_i32], prop_oneof![Just(0), 1..50_usize]).prop_map(
        |(list_max_listpack_size, list_packed_threshold)| Limits {
            list_max_listpack_size,
            list_packed_threshold,
            ..Limits::default()
        },
    )
}

fn end(left: bool) -> End {
    if left { End::Left } else { End::Right }
}

fn apply(list: &mut List, model: &mut VecDeque<Vec<u8>>, change: Change, limits: &Limits) {
    let index = |at: usize| at % model.len().max(1);
    match change {
        Change::Push(left, value) => {
            list.grow_for([&value[..]], limits);
            list.push(end(left), &value, limits);
            if left { model.push_front(value) } else { model.push_back(value) }
        }
        Change::Pop(left, count) => {
            list.pop(end(left), count);
            for _ in 0..count {
                if left {
                    model.pop_front()
                } else {
                    model.pop_back()
                };
            }
            list.shrink(limits);
        }
        Change::Insert(at, after, value) => {
            list.grow_for([&value[..]], limits);
            let Some(pivot) = model.get(index(at)) else { return };
            let first = model.iter().position(|other| other == pivot).unwrap();
            let place = list.find(pivot).unwrap();
            assert_eq!(Some(place), list.seek(first));
            list.insert(place, &value, after, limits);
            model.insert(first + usize::from(after), value);
        }
        Change::Replace(at, value) => {
            list.grow_for([&value[..]], limits);
            let index = index(at);
            let Some(place) = list.seek(index) else { return };
            list.replace(place, &value, limits);
            model[index] = value;
            list.shrink(limits);
        }
        Change::RemoveRange(at, count) => {
            let index = index(at);
            list.remove_range(index, count);
            let last = model.len().min(index + count);
            model.drain(index..last);
            list.shrink(limits);
        }
        Change::RemoveEqual(at, limit, left) => {
            let Some(value) = model.get(index(at)).cloned() else { return };
            let removed = list.remove_equal(&value, limit, end(left));
            let mut expected = 0;
            while expected < limit {
                let mut equal = (0..model.len()).filter(|at| model[*at] == value);
                let Some(at) = (if left { equal.next() } else { equal.next_back() }) else { break };
                model.remove(at);
                expected += 1;
            }
            assert_eq!(removed, expected);
            list.shrink(limits);
        }
    }
}

fn bytes(elements: Iter<'_>) -> Vec<Vec<u8>> {
    elements.map(|element| element.as_bytes(&mut itoa::Buffer::new()).to_vec()).collect()
}

fn check(list: &List, model: &VecDeque<Vec<u8>>) {
    assert_eq!(list.len(), model.len());
    assert_eq!(*model, bytes(list.iter()));
    for start in [0, 1, model.len() / 2, model.len().saturating_sub(1), model.len()] {
        let forward: Vec<_> = model.iter().skip(start).cloned().collect();
        assert_eq!(bytes(list.iter_from(start)), forward);
        let backward: Vec<_> = if start < model.len() {
            model.range(..=start).rev().cloned().collect()
        } else {
            vec![]
        };
        assert_eq!(bytes(list.iter_back_from(start)), backward);
    }
    if let Kind::Quicklist(list) = &list.kind {
        assert!(list.nodes.iter().all(|node| node.len() > 0));
    }
}

const FORMAT: Format = Format { dialect: Dialect::Redis, version: 12 };

proptest! {
    #[test]
    fn is_a_deque(
        limits in limits(),
        changes in proptest::collection::vec(change(), 0..300),
    ) {
        let mut list = List::new();
        let mut model = VecDeque::new();
        for change in changes {
            apply(&mut list, &mut model, change, &limits);
            prop_assert_eq!(list.len(), model.len());
        }
        check(&list, &model);
        if !model.is_empty() {
            let mut body = Vec::new();
            let type_byte = Collection::List(list).to_rdb(&mut body);
            let read = Collection::from_rdb(FORMAT, type_byte, &body, &limits).unwrap();
            let Collection::List(read) = read else { panic!("{read:?}") };
            check(&read, &model);
        }
    }
}

#[test]
fn the_encoding_goes_back_only_at_half_of_the_limit() {
    let limits = Limits { list_max_listpack_size: 4, ..Limits::default() };
    let mut list = List::new();
    for value in [b"1", b"2", b"3", b"4"] {
        list.grow_for([&value[..]], &limits);
        list.push(End::Right, value, &limits);
        assert_eq!(list.encoding_name(), "listpack");
    }
    list.grow_for([&b"5"[..]], &limits);
    list.push(End::Right, b"5", &limits);
    assert_eq!(list.encoding_name(), "quicklist");
    list.pop(End::Right, 2);
    list.shrink(&limits);
    assert_eq!(list.encoding_name(), "quicklist");
    list.pop(End::Left, 1);
    list.shrink(&limits);
    assert_eq!(list.encoding_name(), "listpack");
    assert_eq!(bytes(list.iter()), [b"2", b"3"]);
}

#[test]
fn nodes_are_filled_as_far_as_the_limit_says() {
    let limits = Limits::default();
    let mut list = List::new();
    for _ in 0..1000 {
        list.grow_for([&[b'x'; 100][..]], &limits);
        list.push(End::Right, &[b'x'; 100], &limits);
    }
    // 103 bytes an element in nodes of 8 KiB: 79 fit, and the room for 8 more bytes.
    assert_eq!(list.nodes(), 1000_usize.div_ceil(79));
    list.grow_for([&[b'y'; 8193][..]], &limits);
    list.push(End::Left, &[b'y'; 8193], &limits);
    assert!(matches!(list.node(0), Some(NodeView::Plain(_))));
}
