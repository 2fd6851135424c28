//! What holds for any value: it survives its encodings, and hostile bytes are errors.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use ferrite_rdb::digest::{Digest, DigestOptions, Digester, StreamDetail, digest};
use ferrite_rdb::encode::{
    BackLengths, HashLayout, Layout, ListLayout, StreamLayout, ValueEncoder, ZsetLayout,
};
use ferrite_rdb::transcode::{Reencoded, Target, Transcoder, reencode};
use ferrite_rdb::{
    Dialect, Format, Sink, StreamConsumer, StreamFields, StreamGroup, StreamId, StreamMeta, dump,
    lzf,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Value {
    String(Vec<u8>),
    List(Vec<Vec<u8>>),
    Set(BTreeSet<Vec<u8>>),
    Zset(BTreeMap<Vec<u8>, f64>),
    Hash(BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>),
    Stream(Stream),
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

#[derive(Clone, Debug)]
struct Stream {
    entries: BTreeMap<(u64, u64), Fields>,
    added: u64,
    deleted: (u64, u64),
    groups: Vec<Group>,
}

#[derive(Clone, Debug)]
struct Group {
    name: Vec<u8>,
    read: i64,
    /// Consumers with the ids they own.
    consumers: BTreeMap<Vec<u8>, BTreeSet<(u64, u64)>>,
}

/// Short and long, text and numbers and anything.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..40),
        4 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        2 => (-200..200_i32).prop_map(|number| number.to_string().into_bytes()),
        1 => vec(Just(b'r'), 0..10_000),
        1 => vec(any::<u8>(), 4000..9000),
    ]
}

fn id() -> impl Strategy<Value = (u64, u64)> {
    prop_oneof![(0..1000_u64, 0..5_u64), (any::<u64>(), any::<u64>())]
}

fn value() -> impl Strategy<Value = Value> {
    let score = any::<f64>().prop_filter("servers have no NaN", |score| !score.is_nan());
    let field = (bytes(), proptest::option::of(1_000_000..2_000_000_u64));
    prop_oneof![
        bytes().prop_map(Value::String),
        vec(bytes(), 1..30).prop_map(Value::List),
        btree_set(bytes(), 1..30).prop_map(Value::Set),
        btree_map(bytes(), score, 1..30).prop_map(Value::Zset),
        btree_map(bytes(), field, 1..30).prop_map(Value::Hash),
        stream().prop_map(Value::Stream),
    ]
}

fn stream() -> impl Strategy<Value = Stream> {
    let consumers = btree_map(bytes(), btree_set(id(), 0..5), 0..4);
    let group = (bytes(), -1..100_i64, consumers).prop_map(|(name, read, consumers)| Group {
        name,
        read,
        consumers,
    });
    // Runs of entries with the same fields, as most streams have.
    let fields = prop_oneof![
        vec((bytes(), bytes()), 0..4),
        bytes().prop_map(|value| vec![(b"same".to_vec(), value)]),
    ];
    (btree_map(id(), fields, 0..250), any::<u64>(), id(), vec(group, 0..3))
        .prop_map(|(entries, added, deleted, groups)| Stream { entries, added, deleted, groups })
}

fn stream_id((ms, seq): (u64, u64)) -> StreamId {
    StreamId { ms, seq }
}

impl Value {
    /// Gives the elements; those without an order backwards if asked.
    fn give(&self, backwards: bool, sink: &mut impl Sink) {
        fn ordered<'a, T>(
            items: impl DoubleEndedIterator<Item = T> + 'a,
            backwards: bool,
        ) -> Box<dyn Iterator<Item = T> + 'a> {
            if backwards { Box::new(items.rev()) } else { Box::new(items) }
        }
        match self {
            Self::String(bytes) => sink.string_part(bytes.len() as u64, bytes),
            Self::List(items) => items.iter().for_each(|item| sink.list_item(item)),
            Self::Set(members) => {
                ordered(members.iter(), backwards).for_each(|member| sink.set_member(member));
            }
            Self::Zset(members) => ordered(members.iter(), backwards)
                .for_each(|(member, score)| sink.zset_member(member, *score)),
            Self::Hash(fields) => ordered(fields.iter(), backwards)
                .for_each(|(field, (value, at))| sink.hash_field(field, value, *at)),
            Self::Stream(stream) => stream.give(sink),
        }
    }

    fn soonest_expiry(&self) -> Option<u64> {
        match self {
            Self::Hash(fields) => fields.values().filter_map(|(_, at)| *at).min(),
            _ => None,
        }
    }
}

impl Stream {
    fn give(&self, sink: &mut impl Sink) {
        let mut fields = StreamFields::default();
        for (id, pairs) in &self.entries {
            fields.clear();
            for (name, value) in pairs {
                fields.push(name);
                fields.push(value);
            }
            sink.stream_entry(stream_id(*id), &fields);
        }
        let last_id = self.entries.keys().last().copied().map(stream_id).unwrap_or_default();
        sink.stream_meta(&StreamMeta {
            length: self.entries.len() as u64,
            last_id,
            first_id: None,
            max_deleted_id: Some(stream_id(self.deleted)),
            entries_added: Some(self.added),
        });
        self.groups.iter().for_each(|group| group.give(last_id, sink));
    }
}

impl Group {
    fn give(&self, last_id: StreamId, sink: &mut impl Sink) {
        let entries_read = Some(self.read);
        sink.stream_group(&StreamGroup { name: &self.name, last_id, entries_read });
        let owned: BTreeSet<_> = self.consumers.values().flatten().collect();
        for (count, id) in owned.iter().enumerate() {
            sink.stream_pending(stream_id(**id), 1_000_000 + id.0 as i64 / 2, count as u64);
        }
        for (name, ids) in &self.consumers {
            sink.stream_consumer(&StreamConsumer { name, seen_ms: 5, active_ms: Some(-1) });
            ids.iter().for_each(|id| sink.stream_consumer_pending(stream_id(*id)));
        }
    }
}

const OPTIONS: DigestOptions =
    DigestOptions { now_ms: 999_999, stream_detail: StreamDetail::Counters };

fn digest_of(value: &Value, backwards: bool) -> Digest {
    let mut digester = Digester::new(&OPTIONS);
    value.give(backwards, &mut digester);
    digester.finish()
}

fn layout() -> impl Strategy<Value = Layout> {
    (any::<[bool; 5]>()).prop_map(|[list, zset, stream, back_lengths, compress]| Layout {
        list: if list { ListLayout::Plain } else { ListLayout::Quicklist2 },
        zset: if zset { ZsetLayout::Decimal } else { ZsetLayout::Binary },
        hash: HashLayout::Plain,
        stream: if stream { StreamLayout::Two } else { StreamLayout::Three },
        back_lengths: if back_lengths { BackLengths::Wide } else { BackLengths::Narrow },
        compress,
    })
}

/// The value's type byte and body in that layout, hashes as the dialect has them.
fn encode(value: &Value, mut layout: Layout, dialect: Dialect) -> Vec<u8> {
    layout.hash = match (value.soonest_expiry(), dialect) {
        (None, _) => HashLayout::Plain,
        (Some(_), Dialect::Valkey) => HashLayout::Hash2,
        (Some(min_expires_at_ms), _) => HashLayout::Metadata { min_expires_at_ms },
    };
    let mut out = Vec::new();
    let mut encoder = ValueEncoder::new(&mut out, layout);
    value.give(false, &mut encoder);
    let encoded = encoder.finish().unwrap();
    let inactive = layout.stream == StreamLayout::Two && matches!(value, Value::Stream(_));
    assert!(encoded.losses.is_empty() || inactive, "{:?}", encoded.losses);
    out
}

const REDIS: Format = Format::redis(12);
const VALKEY: Format = Format::valkey(80);

/// Everything we write for.
fn targets() -> Vec<Target> {
    let mut targets: Vec<Target> = [(2, 8), (4, 0), (6, 2), (7, 0), (7, 2), (8, 0), (8, 10)]
        .map(|(major, minor)| Target::for_server(Dialect::Redis, major, minor))
        .into();
    targets.extend(
        [(8, 1), (9, 0), (9, 1)]
            .map(|(major, minor)| Target::for_server(Dialect::Valkey, major, minor)),
    );
    targets.extend([Dialect::KeyDb, Dialect::Dragonfly].map(|d| Target::for_server(d, 1, 0)));
    targets
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_counts_only_where_values_have_one(value in value()) {
        prop_assert_eq!(digest_of(&value, false), digest_of(&value, true));
        if let Value::List(mut items) = value {
            items.push(b"last".to_vec());
            items.insert(0, b"first".to_vec());
            let forwards = digest_of(&Value::List(items.clone()), false);
            items.reverse();
            prop_assert_ne!(forwards, digest_of(&Value::List(items), false));
        }
    }

    #[test]
    fn every_layout_holds_the_value(value in value(), layout in layout(), valkey: bool) {
        let format = if valkey { VALKEY } else { REDIS };
        let encoded = encode(&value, layout, format.dialect);
        let arrived = digest(format, encoded[0], &encoded[1..], &OPTIONS).unwrap();
        prop_assert_eq!(arrived, digest_of(&value, false));
    }

    #[test]
    fn what_is_written_anew_is_the_same(value in value(), layout in layout(), valkey: bool) {
        let from = if valkey { VALKEY } else { REDIS };
        let encoded = encode(&value, layout, from.dialect);
        for target in targets() {
            let mut out = Vec::new();
            match reencode(from, encoded[0], &encoded[1..], &target, &mut out).unwrap() {
                Reencoded::Impossible(_) => prop_assert!(out.is_empty()),
                Reencoded::Written(losses) if losses.is_empty() => {
                    let arrived = digest(target.format, out[0], &out[1..], &OPTIONS).unwrap();
                    prop_assert_eq!(arrived, digest_of(&value, false));
                }
                Reencoded::Written(_) => {
                    let detail = DigestOptions { stream_detail: StreamDetail::Entries, ..OPTIONS };
                    let left = digest(from, encoded[0], &encoded[1..], &detail).unwrap();
                    let arrived = digest(target.format, out[0], &out[1..], &detail).unwrap();
                    prop_assert_eq!(arrived, left);
                }
            }
        }
    }

    #[test]
    fn hostile_payloads_are_errors(
        value in value(),
        layout in layout(),
        type_byte: Option<u8>,
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        keep in any::<prop::sample::Index>(),
        cut: bool,
    ) {
        let mut encoded = encode(&value, layout, Dialect::Redis);
        encoded[0] = type_byte.unwrap_or(encoded[0]);
        for (at, byte) in damage {
            let at = at.index(encoded.len());
            encoded[at] = byte;
        }
        if cut {
            encoded.truncate(1 + keep.index(encoded.len()));
        }
        let mut payload = Vec::new();
        dump::write(&mut payload, encoded[0], &encoded[1..], 12);
        let nine = [Dialect::KeyDb, Dialect::Dragonfly].map(|dialect| Format { dialect, version: 9 });
        for from in [REDIS, VALKEY].into_iter().chain(nine) {
            for target in targets() {
                let mut out = Vec::new();
                let _ = Transcoder::new(from, &target).payload(&payload, &mut out);
                prop_assert!(out.is_empty() || dump::split(&out).is_ok());
            }
            let _ = digest(from, encoded[0], &encoded[1..], &OPTIONS);
        }
    }

    #[test]
    fn anything_may_be_split(bytes in vec(any::<u8>(), 0..40)) {
        let _ = dump::split(&bytes);
        let mut payload = Vec::new();
        dump::write(&mut payload, 0, &bytes, 9);
        prop_assert_eq!(dump::split(&payload).unwrap().body, &bytes[..]);
    }

    #[test]
    fn compression_is_undone(words in vec(prop_oneof![vec(any::<u8>(), 1..9), Just(b"words".to_vec()), vec(Just(0), 1..700)], 0..300)) {
        let bytes = words.concat();
        let mut packed = b"kept".to_vec();
        if lzf::compress(&bytes, &mut packed) {
            let mut unpacked = Vec::new();
            prop_assert!(packed.len() - 4 < bytes.len());
            lzf::decompress(&packed[4..], bytes.len(), &mut unpacked).unwrap();
            prop_assert_eq!(unpacked, bytes);
        } else {
            prop_assert_eq!(packed, b"kept");
        }
    }
}
