//! Any bytes as a value of any type of any dialect: decoded at once and in parts, both must hand
//! out the same and end at the same place, which the length walk must name too.

#![no_main]

use ferrite_rdb::{
    Dialect, Format, Sink, StreamConsumer, StreamFields, StreamGroup, StreamId, StreamMeta,
    ValueDecoder, decode, value_len,
};
use libfuzzer_sys::fuzz_target;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A digest of everything handed out, strings without their cuts.
#[derive(Default)]
struct Digest(DefaultHasher);

impl Sink for Digest {
    fn string_part(&mut self, total: u64, piece: &[u8]) {
        piece.iter().for_each(|byte| (total, byte).hash(&mut self.0));
    }
    fn list_item(&mut self, item: &[u8]) {
        item.hash(&mut self.0);
    }
    fn set_member(&mut self, member: &[u8]) {
        member.hash(&mut self.0);
    }
    fn zset_member(&mut self, member: &[u8], score: f64) {
        (member, score.to_bits()).hash(&mut self.0);
    }
    fn hash_field(&mut self, field: &[u8], value: &[u8], expires_at_ms: Option<u64>) {
        (field, value, expires_at_ms).hash(&mut self.0);
    }
    fn stream_entry(&mut self, id: StreamId, fields: &StreamFields) {
        id.hash(&mut self.0);
        fields.iter().for_each(|pair| pair.hash(&mut self.0));
    }
    fn stream_meta(&mut self, meta: &StreamMeta) {
        (meta.length, meta.last_id).hash(&mut self.0);
    }
    fn stream_group(&mut self, group: &StreamGroup<'_>) {
        (group.name, group.last_id).hash(&mut self.0);
    }
    fn stream_pending(&mut self, id: StreamId, delivered_ms: i64, count: u64) {
        (id, delivered_ms, count).hash(&mut self.0);
    }
    fn stream_consumer(&mut self, consumer: &StreamConsumer<'_>) {
        consumer.name.hash(&mut self.0);
    }
    fn stream_consumer_pending(&mut self, id: StreamId) {
        id.hash(&mut self.0);
    }
    fn module(&mut self, name: &str, raw: &[u8]) {
        (name, raw).hash(&mut self.0);
    }
}

fuzz_target!(|data: &[u8]| {
    let [dialect, type_byte, window, body @ ..] = data else { return };
    let format = match dialect % 4 {
        0 => Format::redis(15),
        1 => Format::valkey(80),
        2 => Format { dialect: Dialect::KeyDb, version: 9 },
        _ => Format { dialect: Dialect::Dragonfly, version: 9 },
    };
    let mut whole = Digest::default();
    let complete = decode(format, *type_byte, body, &mut whole);
    let Ok(mut decoder) = ValueDecoder::new(format, *type_byte) else {
        assert!(complete.is_err());
        return;
    };
    let mut parts = Digest::default();
    let end = decode_parts(&mut decoder, body, usize::from(*window).max(1), &mut parts);
    if complete.is_ok() && format.dialect != Dialect::KeyDb {
        assert_eq!(end, Some(body.len()));
        assert_eq!(value_len(format, *type_byte, body), Ok(Some(body.len())));
        assert_eq!(parts.0.finish(), whole.0.finish());
    }
    if let Some(end) = end {
        assert_eq!(value_len(format, *type_byte, body), Ok(Some(end)));
    }
});

fn decode_parts(
    decoder: &mut ValueDecoder,
    body: &[u8],
    window: usize,
    sink: &mut Digest,
) -> Option<usize> {
    let (mut start, mut size) = (0, window);
    loop {
        let end = body.len().min(start + size);
        let part = decoder.decode(&body[start..end], sink).ok()?;
        start += part.consumed;
        match part {
            _ if part.done => return Some(start),
            _ if part.consumed > 0 => size = window,
            _ if end == body.len() => return None,
            _ => size *= 2,
        }
    }
}
