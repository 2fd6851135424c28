//! Writing a value anew in a layout the target reads.

use std::collections::BTreeSet;

use super::route::{EMPTY, Route, UNKNOWN_BACK_LENGTHS, route};
use super::{Target, critical};
use crate::cursor::{Cursor, Scan};
use crate::encode::{
    BackLengths, HashLayout, Layout, ListLayout, StreamLayout, ValueEncoder, ZsetLayout,
};
use crate::types::key_meta::{self, KEY_META};
use crate::{
    Dialect, Error, Format, Sink, StreamConsumer, StreamFields, StreamGroup, StreamId, StreamMeta,
    ValueDecoder, ValueKind, decode,
};

/// What came of re-encoding a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reencoded {
    /// Type byte and body were appended. State the target has no place for, by name.
    Written(Vec<&'static str>),
    /// The target cannot hold this value; why. Nothing was appended.
    Impossible(&'static str),
}

const NO_FIELD_EXPIRY: &str =
    "fields of the hash expire, which the target cannot do (Redis 7.4 and Valkey 9.0 can)";
const NO_MODULE_REENCODING: &str =
    "the value is only read by the module, or the kind of server, that wrote it";

/// Appends type byte and body of a value as the target reads them. The footer, where one is
/// needed, is the caller's: see [`crate::dump::finish`].
///
/// Expiry times of hash fields are carried over as they are, also those in the past.
///
/// # Errors
/// Those of [`decode`], and of [`ValueEncoder::finish`]; `out` is then as it was.
pub fn reencode(
    from: Format,
    type_byte: u8,
    body: &[u8],
    to: &Target,
    out: &mut Vec<u8>,
) -> Result<Reencoded, Error> {
    if type_byte == KEY_META && from.dialect == Dialect::Redis {
        return behind_metadata(from, body, to, out);
    }
    let source = Source { format: from, type_byte, body };
    let start = out.len();
    let written = match ValueKind::of(from, type_byte) {
        Some(ValueKind::Module) => Ok(Reencoded::Impossible(NO_MODULE_REENCODING)),
        Some(ValueKind::Hash) => hash(source, to, out),
        Some(ValueKind::Stream) => stream(source, to, out),
        _ => elements(source, layout(to), out),
    };
    if !matches!(written, Ok(Reencoded::Written(_))) {
        out.truncate(start);
    }
    written
}

/// The value behind metadata of modules; the metadata is left behind.
fn behind_metadata(
    from: Format,
    body: &[u8],
    to: &Target,
    out: &mut Vec<u8>,
) -> Result<Reencoded, Error> {
    let (_, type_byte, value) = key_meta::peel(body)?;
    let written = match route(from, type_byte, value, to) {
        Route::Impossible(reason) => Reencoded::Impossible(reason),
        Route::PassThrough => {
            out.push(type_byte);
            out.extend_from_slice(value);
            Reencoded::Written(Vec::new())
        }
        Route::Reencode => reencode(from, type_byte, value, to, out)?,
    };
    Ok(match written {
        Reencoded::Written(mut losses) => {
            losses.push(key_meta::LEFT_BEHIND);
            Reencoded::Written(losses)
        }
        impossible => impossible,
    })
}

#[derive(Clone, Copy)]
struct Source<'a> {
    format: Format,
    type_byte: u8,
    body: &'a [u8],
}

impl Source<'_> {
    fn decode(self, sink: &mut impl Sink) -> Result<(), Error> {
        decode(self.format, self.type_byte, self.body, sink)
    }
}

/// The plainest layouts the target reads.
fn layout(to: &Target) -> Layout {
    let version = to.format.version;
    let dragonfly = to.format.dialect == Dialect::Dragonfly;
    Layout {
        list: if dragonfly { ListLayout::Quicklist2 } else { ListLayout::Plain },
        zset: if version < 8 { ZsetLayout::Decimal } else { ZsetLayout::Binary },
        hash: HashLayout::Plain,
        stream: match version {
            _ if dragonfly => StreamLayout::Three,
            0..=9 => StreamLayout::One,
            10 => StreamLayout::Two,
            _ => StreamLayout::Three,
        },
        // Without a rule, nothing is packed that depends on it: see `stream`.
        back_lengths: to.back_lengths.unwrap_or(BackLengths::Wide),
        compress: false,
    }
}

fn elements(source: Source<'_>, layout: Layout, out: &mut Vec<u8>) -> Result<Reencoded, Error> {
    let mut encoder = ValueEncoder::new(out, layout);
    source.decode(&mut encoder)?;
    finish(encoder)
}

fn finish(encoder: ValueEncoder<'_>) -> Result<Reencoded, Error> {
    if encoder.is_empty() {
        return Ok(Reencoded::Impossible(EMPTY));
    }
    encoder.finish().map(|encoded| Reencoded::Written(encoded.losses))
}

fn hash(source: Source<'_>, to: &Target, out: &mut Vec<u8>) -> Result<Reencoded, Error> {
    let mut soonest = SoonestExpiry(None);
    if source.type_byte > LAST_SHARED_TYPE {
        source.decode(&mut soonest)?;
    }
    let hash = match (soonest.0, to.format.dialect) {
        (None, _) => HashLayout::Plain,
        (Some(_), _) if !to.has_field_expiry() => {
            return Ok(Reencoded::Impossible(NO_FIELD_EXPIRY));
        }
        (Some(_), Dialect::Valkey) => HashLayout::Hash2,
        (Some(min_expires_at_ms), _) => HashLayout::Metadata { min_expires_at_ms },
    };
    let held = |at: u64| at.saturating_add(to.hold_fields_ms);
    let hash = match hash {
        HashLayout::Metadata { min_expires_at_ms } => {
            HashLayout::Metadata { min_expires_at_ms: held(min_expires_at_ms) }
        }
        other => other,
    };
    let encoder = ValueEncoder::new(out, Layout { hash, ..layout(to) });
    let mut holding = Holding { encoder, hold_ms: to.hold_fields_ms };
    source.decode(&mut holding)?;
    finish(holding.encoder)
}

/// Moves the expiries of a hash's fields.
struct Holding<'a> {
    encoder: ValueEncoder<'a>,
    hold_ms: u64,
}

impl Sink for Holding<'_> {
    fn hash_field(&mut self, field: &[u8], value: &[u8], expires_at_ms: Option<u64>) {
        let held = expires_at_ms.map(|at| at.saturating_add(self.hold_ms));
        self.encoder.hash_field(field, value, held);
    }
    fn unsupported(&mut self, what: &'static str) {
        self.encoder.unsupported(what);
    }
}

/// Up to this type byte, hashes have no field expiry.
const LAST_SHARED_TYPE: u8 = 21;

/// Finds the smallest expiry of a hash's fields.
struct SoonestExpiry(Option<u64>);

impl Sink for SoonestExpiry {
    fn hash_field(&mut self, _field: &[u8], _value: &[u8], expires_at_ms: Option<u64>) {
        self.0 = [self.0, expires_at_ms].into_iter().flatten().min();
    }
}

/// Entries are copied as the listpacks they are in, unless the target could not read those; what
/// is around them is written anew.
fn stream(source: Source<'_>, to: &Target, out: &mut Vec<u8>) -> Result<Reencoded, Error> {
    let at = listpacks_len(source.body)?;
    let (listpacks, rest) = source.body.split_at_checked(at).unwrap_or((source.body, &[]));
    match critical::listpacks(source.type_byte, source.body) {
        Some(_) if to.back_lengths.is_none() => {
            return Ok(Reencoded::Impossible(UNKNOWN_BACK_LENGTHS));
        }
        Some(critical::Found::Only(rule)) if to.back_lengths == Some(rule) => {}
        Some(_) => return repacked(source, to, out),
        None => {}
    }
    let layout = layout(to);
    // A stream without a first id stays one: it would have to be looked for in the entries.
    let stream = if source.type_byte == TYPE_STREAM { StreamLayout::One } else { layout.stream };
    let rest = Rest { source, rest };
    let mut unowned = Unowned::default();
    if source.type_byte == TYPE_STREAM_5 {
        rest.decode(&mut unowned)?;
        unowned.close_group();
    }
    let encoder = ValueEncoder::with_listpacks(out, Layout { stream, ..layout }, listpacks);
    let mut sink = OwnedOnly { encoder, unowned: unowned.groups, group: 0 };
    rest.decode(&mut sink)?;
    finish(sink.encoder)
}

/// Writes the entries, too, anew.
fn repacked(source: Source<'_>, to: &Target, out: &mut Vec<u8>) -> Result<Reencoded, Error> {
    let mut unowned = Unowned::default();
    if source.type_byte == TYPE_STREAM_5 {
        source.decode(&mut unowned)?;
        unowned.close_group();
    }
    let encoder = ValueEncoder::new(out, layout(to));
    let mut sink = OwnedOnly { encoder, unowned: unowned.groups, group: 0 };
    source.decode(&mut sink)?;
    finish(sink.encoder)
}

const TYPE_STREAM: u8 = crate::encode::TYPE_STREAM;
/// Redis 8.8: groups may have pending entries that no consumer owns.
const TYPE_STREAM_5: u8 = 27;

/// Length of the listpacks at the beginning of a stream, their count included.
fn listpacks_len(body: &[u8]) -> Result<usize, Error> {
    let mut cursor = Cursor::new(body);
    let scan = skip_listpacks(&mut cursor);
    let offset = cursor.pos() as u64;
    match scan {
        Ok(()) => Ok(cursor.pos()),
        Err(stop) => {
            let truncated = Error::new(crate::ErrorKind::Truncated("a stream"), offset);
            Err(stop.into_error(offset, Some("a stream")).unwrap_or(truncated))
        }
    }
}

fn skip_listpacks(cursor: &mut Cursor<'_>) -> Scan<()> {
    for _ in 0..cursor.length()? {
        cursor.skip_string()?;
        cursor.skip_string()?;
    }
    Ok(())
}

/// A stream without its listpacks.
#[derive(Clone, Copy)]
struct Rest<'a> {
    source: Source<'a>,
    rest: &'a [u8],
}

impl Rest<'_> {
    /// Decodes as if there were no listpacks.
    fn decode(self, sink: &mut impl Sink) -> Result<(), Error> {
        let mut decoder = ValueDecoder::new(self.source.format, self.source.type_byte)?;
        decoder.decode(&[0], sink)?;
        let part = decoder.decode(self.rest, sink)?;
        if part.done {
            return Ok(());
        }
        let offset = self.source.body.len() as u64;
        Err(Error::new(crate::ErrorKind::Truncated("a stream"), offset))
    }
}

/// Finds the pending entries that no consumer owns. Readers before Redis 8.8 rely on an owner.
#[derive(Default)]
struct Unowned {
    pending: BTreeSet<StreamId>,
    groups: Vec<BTreeSet<StreamId>>,
    in_group: bool,
}

impl Unowned {
    fn close_group(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if self.in_group {
            self.groups.push(pending);
        }
    }
}

impl Sink for Unowned {
    fn stream_group(&mut self, _group: &StreamGroup<'_>) {
        self.close_group();
        self.in_group = true;
    }

    fn stream_pending(&mut self, id: StreamId, _delivered_ms: i64, _count: u64) {
        self.pending.insert(id);
    }

    fn stream_consumer_pending(&mut self, id: StreamId) {
        self.pending.remove(&id);
    }
}

/// Passes on everything but pending entries without an owner. That they were left out is said by
/// [`Sink::unsupported`], which the decoder calls for the zone they are in.
struct OwnedOnly<'a> {
    encoder: ValueEncoder<'a>,
    unowned: Vec<BTreeSet<StreamId>>,
    /// Groups begun so far.
    group: usize,
}

impl Sink for OwnedOnly<'_> {
    fn stream_entry(&mut self, id: StreamId, fields: &StreamFields) {
        self.encoder.stream_entry(id, fields);
    }

    fn stream_meta(&mut self, meta: &StreamMeta) {
        self.encoder.stream_meta(meta);
    }

    fn stream_group(&mut self, group: &StreamGroup<'_>) {
        self.group += 1;
        self.encoder.stream_group(group);
    }

    fn stream_pending(&mut self, id: StreamId, delivered_ms: i64, count: u64) {
        let unowned = self.unowned.get(self.group.wrapping_sub(1));
        if unowned.is_none_or(|ids| !ids.contains(&id)) {
            self.encoder.stream_pending(id, delivered_ms, count);
        }
    }

    fn stream_consumer(&mut self, consumer: &StreamConsumer<'_>) {
        self.encoder.stream_consumer(consumer);
    }

    fn stream_consumer_pending(&mut self, id: StreamId) {
        self.encoder.stream_consumer_pending(id);
    }

    fn unsupported(&mut self, what: &'static str) {
        self.encoder.unsupported(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::length;

    /// A group with two pending entries, one of which nobody owns (type 27).
    fn stream_with_unowned() -> Vec<u8> {
        let mut body = Vec::new();
        // No listpacks, no entries; last, first, largest deleted id; entries added.
        [0, 0, 7, 0, 0, 0, 6, 0, 2].into_iter().for_each(|number| length(&mut body, number));
        // One group: name, last id, entries read, two pending entries.
        body.extend_from_slice(b"\x01\x01g\x07\x00\x02\x02");
        for ms in [5_u64, 6] {
            body.extend_from_slice(&raw_id(ms));
            body.extend_from_slice(&9_i64.to_le_bytes());
            body.push(1);
        }
        // One consumer: name, seen, active, one id it owns.
        body.extend_from_slice(b"\x01\x01c");
        body.extend_from_slice(&[0; 16]);
        body.push(1);
        body.extend_from_slice(&raw_id(5));
        // The group's one entry that was given back; no producers.
        body.push(1);
        body.extend_from_slice(&raw_id(6));
        body.extend_from_slice(&[0; 5]);
        body
    }

    fn raw_id(ms: u64) -> Vec<u8> {
        [ms.to_be_bytes(), [0; 8]].concat()
    }

    #[derive(Default)]
    struct Pending(Vec<u64>);

    impl Sink for Pending {
        fn stream_pending(&mut self, id: StreamId, _delivered_ms: i64, _count: u64) {
            self.0.push(id.ms);
        }
    }

    #[test]
    fn entries_nobody_owns_are_left_out_and_named() {
        let body = stream_with_unowned();
        let to = Target::for_server(Dialect::Redis, 7, 2);
        let mut out = Vec::new();
        let written = reencode(Format::redis(14), TYPE_STREAM_5, &body, &to, &mut out).unwrap();
        let Reencoded::Written(losses) = written else { panic!("{written:?}") };
        assert!(losses.iter().any(|loss| loss.contains("NACK")), "{losses:?}");
        let mut pending = Pending::default();
        decode(to.format, out[0], &out[1..], &mut pending).unwrap();
        assert_eq!(pending.0, [5]);
    }

    #[test]
    fn empty_collections_are_impossible() {
        let to = Target::for_server(Dialect::Redis, 6, 2);
        for type_byte in [1, 2, 4, 5] {
            let written = reencode(Format::redis(9), type_byte, &[0], &to, &mut Vec::new());
            assert_eq!(written, Ok(Reencoded::Impossible(EMPTY)), "type {type_byte}");
        }
    }
}
