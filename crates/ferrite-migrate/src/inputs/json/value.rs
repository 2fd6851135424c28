//! The values of each type.
//!
//! ```text
//! string   text
//! list     [text, …]                    head first
//! set      [text, …]
//! zset     [[text, score], …]           or {"member": score, …}
//! hash     {"field": text, …}           or [[text, text], [text, text, expires_at_ms], …]
//! stream   {"entries": [["1-0", [text, text, …]], …], "last_id": "1-0",
//!           "max_deleted_id": "0-0", "entries_added": 1,
//!           "groups": [{"name": text, "last_id": "1-0", "entries_read": 1,
//!                       "pending": [["1-0", delivered_ms, deliveries], …],
//!                       "consumers": [{"name": text, "seen_ms": 1, "active_ms": 1,
//!                                      "pending": ["1-0", …]}, …]}, …]}
//! ```
//!
//! A score is a number, or "inf" or "-inf". Elements are stored as they are parsed: what is held
//! is the record and the stored value, not a tree of both.

use std::fmt;

use ferrite_rdb::encode::{
    BackLengths, HashLayout, Layout, ListLayout, StreamLayout, ValueEncoder, ZsetLayout,
};
use ferrite_rdb::{Sink, StreamConsumer, StreamFields, StreamGroup, StreamId, StreamMeta};
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::record::told;
use super::text::Text;

/// Appends a value as it is stored, type byte first.
///
/// # Errors
/// What is wrong with it.
pub fn store(kind: &str, value: &RawValue, out: &mut Vec<u8>) -> Result<(), String> {
    let text = value.get();
    let mut layout = LAYOUT;
    if kind == "hash" && text.starts_with('[') {
        let mut first = None;
        read(text, |pair: &Pair| {
            first = pair.2.into_iter().chain(first).min();
            Ok(())
        })?;
        if let Some(min_expires_at_ms) = first {
            layout.hash = HashLayout::Metadata { min_expires_at_ms };
        }
    }
    let mut sink = ValueEncoder::new(out, layout);
    let stored = match kind {
        "string" => {
            let text: Text = serde_json::from_str(text).map_err(|error| told(&error))?;
            sink.string_part(text.0.len() as u64, &text.0);
            Ok(())
        }
        "list" => read(text, |item: &One| {
            sink.list_item(&item.0.0);
            Ok(())
        }),
        "set" => read(text, |member: &One| {
            sink.set_member(&member.0.0);
            Ok(())
        }),
        "zset" => read(text, |pair: &Pair| {
            sink.zset_member(&pair.0.0, score(&pair.1)?);
            Ok(())
        }),
        "hash" => read(text, |pair: &Pair| {
            sink.hash_field(&pair.0.0, &pair.1.0, pair.2);
            Ok(())
        }),
        "stream" => stream(text, &mut sink),
        other => Err(format!(
            "\"{other}\" is no type: string, list, set, zset, hash or stream; others have a dump"
        )),
    };
    stored?;
    sink.finish().map(|_| ()).map_err(|error| error.kind.to_string())
}

/// How values are stored: the plainest forms, from which servers make their own.
pub const LAYOUT: Layout = Layout {
    list: ListLayout::Plain,
    zset: ZsetLayout::Binary,
    hash: HashLayout::Plain,
    stream: StreamLayout::Three,
    back_lengths: BackLengths::Wide,
    compress: false,
};

/// An element that is one text.
#[derive(Deserialize)]
struct One(Text);

/// Two texts, and an expiry where there is one.
struct Pair(Text, Text, Option<u64>);

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairVisitor;
        impl<'de> Visitor<'de> for PairVisitor {
            type Value = Pair;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of two, or of three with an expiry")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Pair, A::Error> {
                let missing = |at| de::Error::invalid_length(at, &"two or three elements");
                let one = seq.next_element()?.ok_or_else(|| missing(0))?;
                let other = seq.next_element()?.ok_or_else(|| missing(1))?;
                let third = seq.next_element()?.flatten();
                match seq.next_element::<IgnoredAny>()? {
                    None => Ok(Pair(one, other, third)),
                    Some(_) => Err(missing(4)),
                }
            }
        }
        deserializer.deserialize_seq(PairVisitor)
    }
}

/// An element that can also be an entry of an object.
pub trait Element: Sized {
    /// That entry, if it can be one.
    fn of(name: Text, value: Text) -> Option<Self>;
}

impl Element for One {
    fn of(_: Text, _: Text) -> Option<Self> {
        None
    }
}

impl Element for Pair {
    fn of(name: Text, value: Text) -> Option<Self> {
        Some(Pair(name, value, None))
    }
}

/// Shows each element of an array, or each entry of an object, to `each`.
///
/// # Errors
/// What is wrong with the text, and what `each` says.
pub fn read<E: Element + for<'a> Deserialize<'a>>(
    text: &str,
    each: impl FnMut(&E) -> Result<(), String>,
) -> Result<(), String> {
    struct Each<E, F>(F, std::marker::PhantomData<E>);
    impl<'de, E, F> Visitor<'de> for Each<E, F>
    where
        E: Element + Deserialize<'de>,
        F: FnMut(&E) -> Result<(), String>,
    {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of its elements")
        }
        fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
            while let Some(element) = seq.next_element::<E>()? {
                (self.0)(&element).map_err(de::Error::custom)?;
            }
            Ok(())
        }
        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some((name, value)) = map.next_entry::<Text, Text>()? {
                let element = E::of(name, value);
                let element = element.ok_or_else(|| de::Error::custom("it must be an array"))?;
                (self.0)(&element).map_err(de::Error::custom)?;
            }
            Ok(())
        }
    }
    let mut parser = serde_json::Deserializer::from_str(text);
    let visitor = Each(each, std::marker::PhantomData::<E>);
    Deserializer::deserialize_any(&mut parser, visitor).map_err(|error| told(&error))
}

fn score(text: &Text) -> Result<f64, String> {
    let score = std::str::from_utf8(&text.0).ok().and_then(|text| text.parse::<f64>().ok());
    let score = score.filter(|score| !score.is_nan());
    score.ok_or_else(|| format!("\"{}\" is no score", text.0.escape_ascii()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stream<'a> {
    #[serde(borrow)]
    entries: &'a RawValue,
    last_id: String,
    #[serde(default)]
    max_deleted_id: Option<String>,
    #[serde(default)]
    entries_added: Option<u64>,
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: Text,
    last_id: String,
    #[serde(default)]
    entries_read: Option<i64>,
    #[serde(default)]
    pending: Vec<(String, i64, u64)>,
    #[serde(default)]
    consumers: Vec<Consumer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Consumer {
    name: Text,
    #[serde(default)]
    seen_ms: i64,
    #[serde(default)]
    active_ms: Option<i64>,
    #[serde(default)]
    pending: Vec<String>,
}

#[derive(Deserialize)]
struct Entry(String, Vec<Text>);

impl Element for Entry {
    fn of(_: Text, _: Text) -> Option<Self> {
        None
    }
}

fn stream(text: &str, sink: &mut ValueEncoder<'_>) -> Result<(), String> {
    let stream: Stream<'_> = serde_json::from_str(text).map_err(|error| told(&error))?;
    let (mut fields, mut length, mut first, mut last) = (StreamFields::default(), 0, None, None);
    read(stream.entries.get(), |entry: &Entry| {
        let id = id(&entry.0)?;
        if last.is_some_and(|last| id <= last) {
            return Err(format!("the entry {id} does not come after the one before it"));
        }
        if !entry.1.len().is_multiple_of(2) {
            return Err(format!("a field of the entry {id} has no value"));
        }
        fields.clear();
        entry.1.iter().for_each(|text| fields.push(&text.0));
        sink.stream_entry(id, &fields);
        (length, last) = (length + 1, Some(id));
        first.get_or_insert(id);
        Ok(())
    })?;
    let last_id = id(&stream.last_id)?;
    if last.is_some_and(|last| last > last_id) {
        return Err(format!("last_id {last_id} is before the last entry"));
    }
    let max_deleted_id = stream.max_deleted_id.as_deref().map(id).transpose()?;
    sink.stream_meta(&StreamMeta {
        length,
        last_id,
        first_id: first,
        max_deleted_id,
        entries_added: stream.entries_added,
    });
    stream.groups.iter().try_for_each(|one| group(one, sink))
}

fn group(group: &Group, sink: &mut ValueEncoder<'_>) -> Result<(), String> {
    let last_id = id(&group.last_id)?;
    let name = &group.name.0;
    sink.stream_group(&StreamGroup { name, last_id, entries_read: group.entries_read });
    for (pending, delivered_ms, count) in &group.pending {
        sink.stream_pending(id(pending)?, *delivered_ms, *count);
    }
    for consumer in &group.consumers {
        let Consumer { name, seen_ms, active_ms, pending } = consumer;
        let (name, seen_ms, active_ms) = (&name.0, *seen_ms, *active_ms);
        sink.stream_consumer(&StreamConsumer { name, seen_ms, active_ms });
        for owned in pending {
            if !group.pending.iter().any(|(known, ..)| known == owned) {
                return Err(format!("{owned} is pending for a consumer, and not in its group"));
            }
            sink.stream_consumer_pending(id(owned)?);
        }
    }
    Ok(())
}

/// An id as servers write it.
fn id(text: &str) -> Result<StreamId, String> {
    let parsed = text
        .split_once('-')
        .and_then(|(ms, seq)| Some(StreamId { ms: ms.parse().ok()?, seq: seq.parse().ok()? }));
    parsed.ok_or_else(|| format!("\"{text}\" is no id of a stream, such as 1700000000000-0"))
}

#[cfg(test)]
mod tests {
    use ferrite_rdb::decode;

    use super::super::record::{STORED, parse};
    use super::*;

    #[derive(Default)]
    struct Seen(Vec<String>);

    impl Sink for Seen {
        fn string_part(&mut self, _: u64, piece: &[u8]) {
            self.0.push(piece.escape_ascii().to_string());
        }
        fn zset_member(&mut self, member: &[u8], score: f64) {
            self.0.push(format!("{}={score:?}", member.escape_ascii()));
        }
        fn hash_field(&mut self, field: &[u8], value: &[u8], at: Option<u64>) {
            self.0.push(format!("{}={} {at:?}", field.escape_ascii(), value.escape_ascii()));
        }
        fn list_item(&mut self, item: &[u8]) {
            self.0.push(item.escape_ascii().to_string());
        }
        fn stream_entry(&mut self, id: StreamId, fields: &StreamFields) {
            self.0.push(format!("{id} {}", fields.len()));
        }
    }

    fn seen(record: &str) -> Result<String, String> {
        let mut out = Vec::new();
        parse(record.as_bytes(), &mut out)?;
        let mut seen = Seen::default();
        decode(STORED, out[0], &out[1..], &mut seen).map_err(|error| error.to_string())?;
        Ok(seen.0.join("; "))
    }

    #[test]
    fn values_of_all_shapes_are_stored() {
        let cases = [
            (r#"{"value":"a","type":"string","key":"k"}"#, "a"),
            (r#"{"key":1,"type":"string","value":-7}"#, "-7"),
            (r#"{"key":"k","type":"list","value":["a",{"base64":"/w=="}]}"#, "a; \\xff"),
            (r#"{"key":"k","type":"zset","value":[["a",0.1],["b","-inf"]]}"#, "a=0.1; b=-inf"),
            (r#"{"key":"k","type":"zset","value":{"a":1e300}}"#, "a=1e300"),
            (r#"{"key":"k","type":"hash","value":{"f":"v","g":2}}"#, "f=v None; g=2 None"),
            (
                r#"{"key":"k","type":"hash","value":[["f","v",5000],["g","w"],["h","x",4000]]}"#,
                "f=v Some(5000); g=w None; h=x Some(4000)",
            ),
            (
                r#"{"key":"k","type":"stream","value":{"entries":[["1-1",["a","b"]]],"last_id":"2-0"}}"#,
                "1-1 1",
            ),
        ];
        for (record, expected) in cases {
            assert_eq!(seen(record).as_deref(), Ok(expected), "{record}");
        }
    }

    #[test]
    fn what_would_be_lost_is_refused() {
        let cases = [
            (r#"{"type":"string","value":"a"}"#, "no key"),
            (r#"{"key":"k","type":"string"}"#, "needs a value"),
            (r#"{"key":"k","type":"string","value":"a","ttl":5}"#, "unknown field `ttl`"),
            (r#"{"key":"k","type":"text","value":"a"}"#, "is no type"),
            (r#"{"key":"k","type":"list","value":{"a":"b"}}"#, "must be an array"),
            (r#"{"key":"k","type":"list","value":[]}"#, "no elements"),
            (r#"{"key":"k","type":"list","value":[null]}"#, "null"),
            (r#"{"key":"k","type":"zset","value":[["a","x"]]}"#, "is no score"),
            (r#"{"key":"k","type":"zset","value":[["a","nan"]]}"#, "is no score"),
            (r#"{"key":"k","type":"hash","value":[["a"]]}"#, "two or three"),
            (r#"{"key":"k","type":"hash","dump":"AA==","dialect":"redis"}"#, "dump"),
            (r#"{"key":"k","type":"stream","value":{"entries":[],"last_id":"1"}}"#, "no id"),
            (
                r#"{"key":"k","type":"stream","value":{"entries":[["2-0",[]],["1-0",[]]],"last_id":"3-0"}}"#,
                "does not come after",
            ),
        ];
        for (record, why) in cases {
            let error = seen(record).unwrap_err();
            assert!(error.contains(why), "{record}: {error}");
        }
    }
}
