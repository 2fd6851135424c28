//! Streams against a list of entries; bytes of a real server; damage.

use std::collections::BTreeMap as Model;

use ferrite_rdb::Format;
use proptest::prelude::*;

use super::*;

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId { ms, seq }
}

fn fields_of(kind: u8, value: &str) -> Vec<Vec<u8>> {
    match kind % 3 {
        0 => vec![b"field".to_vec(), value.into()],
        1 => vec![b"a".to_vec(), value.into(), b"b".to_vec(), b"12".to_vec()],
        _ => vec![b"field".to_vec(), vec![b'x'; 200]],
    }
}

fn slices(fields: &[Vec<u8>]) -> Vec<&[u8]> {
    fields.iter().map(Vec::as_slice).collect()
}

fn listed(stream: &Stream, direction: Direction) -> Vec<(StreamId, Vec<Vec<u8>>)> {
    let mut all = Vec::new();
    stream.walk(id::MIN, id::MAX, direction, &mut |entry| {
        let mut fields = Vec::new();
        for (name, value) in entry.pairs() {
            fields.push(name.as_bytes(&mut itoa::Buffer::new()).to_vec());
            fields.push(value.as_bytes(&mut itoa::Buffer::new()).to_vec());
        }
        all.push((entry.id, fields));
        true
    });
    all
}

fn check(stream: &Stream, model: &Model<StreamId, Vec<Vec<u8>>>) {
    assert_eq!(stream.len(), model.len());
    let all: Vec<_> = model.iter().map(|(id, fields)| (*id, fields.clone())).collect();
    assert_eq!(listed(stream, Direction::Ascending), all);
    let mut back = listed(stream, Direction::Descending);
    back.reverse();
    assert_eq!(back, all);
    assert_eq!(stream.first_id(), model.keys().next().copied().unwrap_or_default());
}

fn read_again(stream: &Stream) -> Stream {
    let mut body = Vec::new();
    let type_byte = stream.to_rdb(&mut body);
    let again = Stream::from_rdb(Format::redis(11), type_byte, &body).unwrap();
    let mut second = Vec::new();
    again.to_rdb(&mut second);
    assert_eq!(second, body);
    again
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_stream_is_a_list_of_entries(
        steps in prop::collection::vec((0_u8..12, any::<u8>(), 0_u64..3), 1..300),
        node_entries in prop::sample::select(vec![0_usize, 3, 100]),
    ) {
        let limits = Limits { stream_node_max_entries: node_entries, ..Limits::default() };
        let (mut stream, mut model) = (Stream::new(), Model::new());
        let (mut next, mut added) = (id(1, 0), 0);
        for (step, number, more) in steps {
            match step {
                0..=7 => {
                    next = id(next.ms + more, if more == 0 { next.seq + 1 } else { 0 });
                    let fields = fields_of(number, &number.to_string());
                    stream.append(next, &slices(&fields), &limits);
                    model.insert(next, fields);
                    added += 1;
                }
                8 | 9 => {
                    let at = usize::from(number) % (model.len() + 1);
                    let chosen = model.keys().nth(at).copied().unwrap_or(id(0, 7));
                    prop_assert_eq!(stream.delete(chosen), model.remove(&chosen).is_some());
                    prop_assert!(!stream.delete(chosen));
                }
                10 => {
                    let length = u64::from(number) % 64;
                    let trim = Trim { by: TrimBy::Length(length), is_approximate: false, limit: 0 };
                    let gone = model.len().saturating_sub(length as usize);
                    prop_assert_eq!(stream.trim(&trim), gone as u64);
                    for _ in 0..gone { model.pop_first(); }
                }
                _ => {
                    let at = usize::from(number) % (model.len() + 1) / 4;
                    let least = model.keys().nth(at).copied().unwrap_or_default();
                    let trim = Trim { by: TrimBy::Id(least), is_approximate: false, limit: 0 };
                    let kept = model.split_off(&least);
                    prop_assert_eq!(stream.trim(&trim), model.len() as u64);
                    model = kept;
                }
            }
            prop_assert_eq!(stream.last_id(), if added == 0 { id::MIN } else { next });
        }
        check(&stream, &model);
        prop_assert_eq!(stream.entries_added(), added);
        let again = read_again(&stream);
        check(&again, &model);
        prop_assert_eq!(again.max_deleted_id(), stream.max_deleted_id());
    }
}

#[test]
fn bytes_are_those_redis_writes() {
    // XADD s 1-1 a 1; XADD s 1-2 a 2; XADD s 2-1 b 1 on Redis 7.0.15, then DUMP s.
    let mut stream = Stream::new();
    for (id, name, value) in [(id(1, 1), "a", "1"), (id(1, 2), "a", "2"), (id(2, 1), "b", "1")] {
        stream.append(id, &[name.as_bytes(), value.as_bytes()], &Limits::default());
    }
    let node = stream.nodes.values().next().unwrap();
    assert_eq!(
        node.listpack().as_bytes(),
        b"\x35\0\0\0\x16\0\x03\x01\0\x01\x01\x01\x81a\x02\0\x01\
          \x02\x01\0\x01\0\x01\x01\x01\x04\x01\
          \x02\x01\0\x01\x01\x01\x02\x01\x04\x01\
          \0\x01\x01\x01\0\x01\x01\x01\x81b\x02\x01\x01\x06\x01\xff"
    );
}

#[test]
fn groups_keep_what_is_not_acknowledged() {
    let mut group = Group::new(id(0, 0), Some(0));
    let (alice, is_new) = group.add_consumer(b"alice", 5);
    assert!(is_new);
    let (bob, _) = group.add_consumer(b"bob", 5);
    for seq in 1..=4 {
        let pending = Pending { delivered_ms: 7, deliveries: 1, consumer: alice };
        group.deliver(id(1, seq), pending);
    }
    group.deliver(id(1, 2), Pending { delivered_ms: 8, deliveries: 2, consumer: bob });
    assert_eq!(group.consumer(alice).unwrap().pending().len(), 3);
    assert_eq!(group.consumer(bob).unwrap().pending().len(), 1);
    assert!(group.acknowledge(id(1, 3)));
    assert!(!group.acknowledge(id(1, 3)));
    let mut stream = Stream::new();
    stream.append(id(9, 9), &[b"a", b"b"], &Limits::default());
    stream.groups_mut().insert(b"readers".to_vec(), group.clone());
    let again = read_again(&stream);
    assert_eq!(again.groups()[&b"readers"[..]].pending(), group.pending());
    assert_eq!(group.delete_consumer(b"alice"), Some(2));
    assert_eq!(group.delete_consumer(b"alice"), None);
    assert_eq!((group.pending().len(), group.consumer_count()), (1, 1));
}

#[test]
fn damage_is_refused_in_every_byte() {
    let mut stream = Stream::new();
    for seq in 1..=3 {
        stream.append(id(1, seq), &[b"a", b"1", b"b", b"long enough"], &Limits::default());
    }
    stream.delete(id(1, 2));
    let mut body = Vec::new();
    let type_byte = stream.to_rdb(&mut body);
    for at in 0..body.len() {
        for bit in 0..8 {
            let mut damaged = body.clone();
            damaged[at] ^= 1 << bit;
            // It may be another stream that is whole; it must never be one that is not.
            if let Ok(stream) = Stream::from_rdb(Format::redis(11), type_byte, &damaged) {
                assert_eq!(listed(&stream, Direction::Ascending).len(), stream.len());
                read_again(&stream);
            }
        }
        assert!(Stream::from_rdb(Format::redis(11), type_byte, &body[..at]).is_err());
    }
}
