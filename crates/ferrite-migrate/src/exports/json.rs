//! JSON: a record on each line, in the shape that [`crate::inputs`] reads.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ferrite_rdb::{
    Dialect, Part, Sink, StreamConsumer, StreamFields, StreamGroup, StreamId, StreamMeta,
    ValueDecoder, ValueKind, decode, dump,
};

use super::{Entry, Refused, Shape};
use crate::inputs::json::{is_text, push_text};
use crate::model::{Element, Elements};

/// Writes records.
#[derive(Debug, Default)]
pub struct JsonShape {
    value: Value,
    losses: Vec<&'static str>,
}

/// Consumers of streams that are too large to be held come without these.
const NOT_SEEN: &str = "when the consumers of a large stream were last seen";

/// Parts of values that are too large to be held, and have no form of their own.
const NO_FORM: &str = "state of a large value that has no form in JSON";

impl Shape for JsonShape {
    fn head(&self, _: &mut Vec<u8>) {}

    fn key(&mut self, entry: &Entry<'_>, value: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        self.value.begin(false);
        let decoded = decode(entry.format, entry.head.type_byte, value, &mut self.value);
        decoded.map_err(Refused::Bad)?;
        let has_no_shape = self.value.is_opaque || entry.kind() == Some(ValueKind::Module);
        open(entry, out);
        if has_no_shape {
            dumped(entry, value, out);
        } else {
            out.extend_from_slice(b"\"value\":");
            self.value.finish();
            out.extend_from_slice(self.value.text());
        }
        out.extend_from_slice(b"}\n");
        Ok(())
    }

    fn begin(&mut self, entry: &Entry<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
        self.value.begin(true);
        open(entry, out);
        out.extend_from_slice(b"\"value\":");
        Ok(())
    }

    fn part(
        &mut self,
        decoder: &mut ValueDecoder,
        stored: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Part, Refused> {
        let part = decoder.decode(stored, &mut self.value).map_err(Refused::Bad)?;
        out.append(&mut self.value.out);
        if self.value.is_opaque {
            lose(&mut self.losses, NO_FORM);
        }
        Ok(part)
    }

    fn elements(&mut self, _: &Entry<'_>, elements: &Elements, out: &mut Vec<u8>) {
        for element in elements.iter() {
            self.element(&element);
        }
        out.append(&mut self.value.out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.value.finish();
        out.append(&mut self.value.out);
        out.extend_from_slice(b"}\n");
    }

    fn function(&mut self, code: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        out.extend_from_slice(b"{\"type\":\"function\",\"code\":");
        push_text(out, code);
        out.extend_from_slice(b"}\n");
        Ok(())
    }

    fn losses(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.losses)
    }
}

impl JsonShape {
    /// An element of a value that is not held whole.
    fn element(&mut self, element: &Element<'_>) {
        let value = &mut self.value;
        match element {
            Element::StringPart { total, piece } => value.string_part(*total, piece),
            Element::ListItem(item) => value.list_item(item),
            Element::SetMember(member) => value.set_member(member),
            Element::ZsetMember(member, score) => value.zset_member(member, *score),
            Element::HashField(field, text, at) => value.hash_field(field, text, *at),
            Element::StreamEntry(id, words) => {
                let mut fields = StreamFields::default();
                words.iter().for_each(|word| fields.push(word));
                value.stream_entry(*id, &fields);
            }
            Element::StreamMeta(meta) => value.stream_meta(meta),
            Element::StreamGroup { name, last_id, entries_read } => {
                let (last_id, entries_read) = (*last_id, *entries_read);
                value.stream_group(&StreamGroup { name, last_id, entries_read });
            }
            Element::StreamPending(id, at_ms, count) => value.stream_pending(*id, *at_ms, *count),
            Element::StreamConsumer(name) => {
                value.stream_consumer(&StreamConsumer { name, seen_ms: 0, active_ms: None });
                lose(&mut self.losses, NOT_SEEN);
            }
            Element::StreamConsumerPending(id) => value.stream_consumer_pending(*id),
            Element::Unsupported(what) => lose(&mut self.losses, what),
        }
    }
}

fn lose(losses: &mut Vec<&'static str>, what: &'static str) {
    if !losses.contains(&what) {
        losses.push(what);
    }
}

/// What stands in front of a value.
fn open(entry: &Entry<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{{\"db\":{},\"key\":", entry.db).as_bytes());
    push_text(out, entry.key);
    let kind = entry.kind().map_or("module", ValueKind::name);
    out.extend_from_slice(format!(",\"type\":\"{kind}\",").as_bytes());
    if let Some(at) = entry.head.expires_at_ms {
        out.extend_from_slice(format!("\"expires_at_ms\":{at},").as_bytes());
    }
}

/// A value as the payload of `DUMP`.
fn dumped(entry: &Entry<'_>, value: &[u8], out: &mut Vec<u8>) {
    let mut payload = Vec::new();
    let version = u16::try_from(entry.format.version).unwrap_or(u16::MAX);
    dump::write(&mut payload, entry.head.type_byte, value, version);
    let dialect = match entry.format.dialect {
        Dialect::Redis => "redis",
        Dialect::Valkey => "valkey",
        Dialect::KeyDb => "keydb",
        Dialect::Dragonfly => "dragonfly",
    };
    out.extend_from_slice(format!("\"dialect\":\"{dialect}\",\"dump\":\"").as_bytes());
    out.extend_from_slice(STANDARD.encode(&payload).as_bytes());
    out.push(b'"');
}

/// What of a value was written last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Nothing,
    /// A string that is not complete.
    String,
    /// Elements in an array.
    Array,
    /// Fields of a hash.
    Hash,
    /// Entries of a stream.
    Entries,
    /// Its groups, none of them open.
    Groups,
    /// Pending entries of a group.
    Pending,
    /// Pending ids of a consumer.
    Owned,
}

/// The text of one value.
#[derive(Debug, Default)]
struct Value {
    out: Vec<u8>,
    /// A hash as an object, as long as that is possible.
    object: Option<Vec<u8>>,
    at: At,
    is_first: bool,
    /// Whether the text is taken away before the value is complete.
    is_in_parts: bool,
    /// Bytes of a string: all of them, or fewer than three that wait for others.
    string: Vec<u8>,
    /// Whether it has something that has no shape here.
    is_opaque: bool,
}

impl Value {
    fn begin(&mut self, is_in_parts: bool) {
        self.out.clear();
        self.string.clear();
        self.object = (!is_in_parts).then(Vec::new);
        (self.at, self.is_first, self.is_in_parts) = (At::Nothing, true, is_in_parts);
        self.is_opaque = false;
    }

    /// The text of a value that was held whole.
    fn text(&self) -> &[u8] {
        match (&self.object, self.at) {
            (Some(object), At::Hash) => object,
            _ => &self.out,
        }
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Begins an array, unless that was done, and separates what follows from what is there.
    fn next(&mut self, at: At, opening: &str) {
        if self.at == At::Nothing {
            self.at = at;
            self.push(opening);
        }
        if !std::mem::replace(&mut self.is_first, false) {
            self.out.push(b',');
        }
    }

    fn id(&mut self, id: StreamId) {
        self.push(&format!("\"{id}\""));
    }

    fn close_group(&mut self) {
        match self.at {
            At::Pending => self.push("],\"consumers\":[]}"),
            At::Owned => self.push("]}]}"),
            _ => {}
        }
        if matches!(self.at, At::Pending | At::Owned) {
            (self.at, self.is_first) = (At::Groups, false);
        }
    }

    fn finish(&mut self) {
        match self.at {
            At::String if self.is_in_parts => {
                let rest = STANDARD.encode(&self.string);
                self.push(&rest);
                self.push("\"}");
            }
            At::String => push_text(&mut self.out, &self.string),
            At::Hash => {
                self.out.push(b']');
                if let Some(object) = &mut self.object {
                    object.push(b'}');
                }
            }
            At::Array => self.out.push(b']'),
            At::Groups | At::Pending | At::Owned => {
                self.close_group();
                self.push("]}");
            }
            At::Nothing | At::Entries => {}
        }
    }

    /// The same hash as an object, where its names are text and nothing expires.
    fn object_field(&mut self, field: &[u8], value: &[u8], expires_at_ms: Option<u64>) {
        let Some(object) = &mut self.object else { return };
        if expires_at_ms.is_some() || !is_text(field) {
            self.object = None;
            return;
        }
        object.push(if object.is_empty() { b'{' } else { b',' });
        push_text(object, field);
        object.push(b':');
        push_text(object, value);
    }
}

impl Sink for Value {
    fn string_part(&mut self, _: u64, piece: &[u8]) {
        if self.at == At::Nothing && self.is_in_parts {
            self.push("{\"base64\":\"");
        }
        self.at = At::String;
        self.string.extend_from_slice(piece);
        if self.is_in_parts {
            let whole = self.string.len() / 3 * 3;
            let rest = self.string.split_off(whole);
            let text = STANDARD.encode(&self.string);
            self.push(&text);
            self.string = rest;
        }
    }
    fn list_item(&mut self, item: &[u8]) {
        self.next(At::Array, "[");
        push_text(&mut self.out, item);
    }
    fn set_member(&mut self, member: &[u8]) {
        self.list_item(member);
    }
    fn zset_member(&mut self, member: &[u8], score: f64) {
        self.next(At::Array, "[");
        self.out.push(b'[');
        push_text(&mut self.out, member);
        match score.is_finite() {
            // The shortest digits that are read as the same number.
            true => self.push(&format!(",{score:?}]")),
            false => self.push(if score > 0.0 { ",\"inf\"]" } else { ",\"-inf\"]" }),
        }
    }
    fn hash_field(&mut self, field: &[u8], value: &[u8], expires_at_ms: Option<u64>) {
        self.object_field(field, value, expires_at_ms);
        self.next(At::Hash, "[");
        self.out.push(b'[');
        push_text(&mut self.out, field);
        self.out.push(b',');
        push_text(&mut self.out, value);
        if let Some(at) = expires_at_ms {
            self.push(&format!(",{at}"));
        }
        self.out.push(b']');
    }
    fn stream_entry(&mut self, id: StreamId, fields: &StreamFields) {
        self.next(At::Entries, "{\"entries\":[");
        self.push(&format!("[\"{id}\",["));
        for (at, (name, value)) in fields.iter().enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            push_text(&mut self.out, name);
            self.out.push(b',');
            push_text(&mut self.out, value);
        }
        self.push("]]");
    }
    fn stream_meta(&mut self, meta: &StreamMeta) {
        if self.at == At::Nothing {
            self.push("{\"entries\":[");
        }
        self.push("],\"last_id\":");
        self.id(meta.last_id);
        if let Some(id) = meta.max_deleted_id {
            self.push(",\"max_deleted_id\":");
            self.id(id);
        }
        if let Some(added) = meta.entries_added {
            self.push(&format!(",\"entries_added\":{added}"));
        }
        self.push(",\"groups\":[");
        (self.at, self.is_first) = (At::Groups, true);
    }
    fn stream_group(&mut self, group: &StreamGroup<'_>) {
        self.close_group();
        self.next(At::Groups, "");
        self.push("{\"name\":");
        push_text(&mut self.out, group.name);
        self.push(",\"last_id\":");
        self.id(group.last_id);
        if let Some(read) = group.entries_read {
            self.push(&format!(",\"entries_read\":{read}"));
        }
        self.push(",\"pending\":[");
        (self.at, self.is_first) = (At::Pending, true);
    }
    fn stream_pending(&mut self, id: StreamId, delivered_ms: i64, count: u64) {
        self.next(At::Pending, "");
        self.push(&format!("[\"{id}\",{delivered_ms},{count}]"));
    }
    fn stream_consumer(&mut self, consumer: &StreamConsumer<'_>) {
        match self.at {
            At::Pending => self.push("],\"consumers\":["),
            _ => self.push("]},"),
        }
        self.push("{\"name\":");
        push_text(&mut self.out, consumer.name);
        self.push(&format!(",\"seen_ms\":{}", consumer.seen_ms));
        if let Some(active) = consumer.active_ms {
            self.push(&format!(",\"active_ms\":{active}"));
        }
        self.push(",\"pending\":[");
        (self.at, self.is_first) = (At::Owned, true);
    }
    fn stream_consumer_pending(&mut self, id: StreamId) {
        self.next(At::Owned, "");
        self.id(id);
    }
    fn unsupported(&mut self, _: &'static str) {
        self.is_opaque = true;
    }
    fn module(&mut self, _: &str, _: &[u8]) {
        self.is_opaque = true;
    }
}
