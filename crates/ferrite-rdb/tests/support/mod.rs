//! What the tests of the reading side share: the fixtures, and a listing of what was read in the
//! words `fixtures/generate.py` uses for what the server said.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
#![allow(dead_code, reason = "each test binary uses its part")]

use std::fmt::Write;
use std::path::Path;

use ferrite_rdb::{
    Error, ErrorKind, Event, Format, Head, Reader, Sink, Step, StreamConsumer, StreamFields,
    StreamGroup, StreamId, StreamMeta, ValueDecoder, ValueKind, decode, type_name, value_len,
};

/// The directories under `tests/fixtures`, each the snapshot of one server.
pub const FIXTURES: [&str; 7] = [
    "redis-6.2",
    "redis-7.0",
    "redis-7.0-lfu",
    "redis-7.0-lru",
    "redis-8.0",
    "valkey-8.1",
    "valkey-9.1",
];

/// The bytes the server wrote, and the listing of its replies.
pub fn fixture(name: &str) -> (Vec<u8>, String) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let bytes = std::fs::read(dir.join("snapshot.bin")).unwrap();
    (bytes, std::fs::read_to_string(dir.join("expected.txt")).unwrap())
}

/// Bytes as they appear in a listing.
pub fn text(bytes: &[u8]) -> String {
    if bytes.len() > 80 {
        let digest = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| {
            (digest ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        });
        return format!("({} bytes, fnv {digest:016x})", bytes.len());
    }
    let mut out = String::new();
    for byte in bytes {
        match byte {
            0x21..=0x7e if *byte != b'\\' => out.push(char::from(*byte)),
            _ => write!(out, "\\x{byte:02x}").unwrap(),
        }
    }
    out
}

fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Lists the elements of one value.
#[derive(Default)]
pub struct Lines {
    pub lines: Vec<String>,
    string: Vec<u8>,
    total: Option<u64>,
}

impl Sink for Lines {
    fn string_part(&mut self, total: u64, piece: &[u8]) {
        self.string.extend_from_slice(piece);
        self.total = Some(total);
    }
    fn list_item(&mut self, item: &[u8]) {
        self.lines.push(format!("item {}", text(item)));
    }
    fn set_member(&mut self, member: &[u8]) {
        self.lines.push(format!("member {}", text(member)));
    }
    fn zset_member(&mut self, member: &[u8], score: f64) {
        self.lines.push(format!("member {} {:016x}", text(member), score.to_bits()));
    }
    fn hash_field(&mut self, field: &[u8], value: &[u8], expires_at_ms: Option<u64>) {
        let expiry = or_dash(expires_at_ms);
        self.lines.push(format!("field {} {} {expiry}", text(field), text(value)));
    }
    fn stream_entry(&mut self, id: StreamId, fields: &StreamFields) {
        let mut line = format!("entry {id}");
        for (name, value) in fields.iter() {
            write!(line, " {} {}", text(name), text(value)).unwrap();
        }
        self.lines.push(line);
    }
    fn stream_meta(&mut self, meta: &StreamMeta) {
        let (first, deleted) = (or_dash(meta.first_id), or_dash(meta.max_deleted_id));
        let added = or_dash(meta.entries_added);
        self.lines.push(format!("meta {} {} {first} {deleted} {added}", meta.length, meta.last_id));
    }
    fn stream_group(&mut self, group: &StreamGroup<'_>) {
        let read = or_dash(group.entries_read);
        self.lines.push(format!("group {} {} {read}", text(group.name), group.last_id));
    }
    fn stream_pending(&mut self, id: StreamId, delivered_ms: i64, count: u64) {
        self.lines.push(format!("pending {id} {delivered_ms} {count}"));
    }
    fn stream_consumer(&mut self, consumer: &StreamConsumer<'_>) {
        let active = or_dash(consumer.active_ms);
        self.lines.push(format!("consumer {} {} {active}", text(consumer.name), consumer.seen_ms));
    }
    fn stream_consumer_pending(&mut self, id: StreamId) {
        self.lines.push(format!("owns {id}"));
    }
    fn unsupported(&mut self, what: &'static str) {
        self.lines.push(format!("unsupported {what}"));
    }
    fn module(&mut self, name: &str, raw: &[u8]) {
        self.lines.push(format!("module {name} {}", text(raw)));
    }
}

impl Lines {
    /// The lines, in the order of the listing: of sets, sorted sets and hashes, sorted.
    pub fn finish(mut self, kind: ValueKind) -> Vec<String> {
        if let Some(total) = self.total {
            assert_eq!(total, self.string.len() as u64, "total of a string");
            self.lines.push(format!("value {}", text(&self.string)));
        }
        if matches!(kind, ValueKind::Set | ValueKind::Zset | ValueKind::Hash) {
            self.lines.sort();
        }
        self.lines
    }
}

/// Decodes a value and compares the lines, whole and in parts; asks every prefix for its length.
pub fn check(format: Format, type_byte: u8, body: &[u8], expected: &[&str]) {
    let name = type_name(format, type_byte);
    let kind = ValueKind::of(format, type_byte).unwrap();
    let mut lines = Lines::default();
    decode(format, type_byte, body, &mut lines).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(lines.finish(kind), expected, "{name}");
    assert_eq!(byte_by_byte(format, type_byte, body).finish(kind), expected, "{name} in parts");
    for len in 0..body.len() {
        assert_eq!(value_len(format, type_byte, &body[..len]), Ok(None), "{name} cut at {len}");
        let cut = decode(format, type_byte, &body[..len], &mut Lines::default());
        assert!(matches!(cut.unwrap_err().kind, ErrorKind::Truncated(_)), "{name} cut at {len}");
    }
    let mut longer = body.to_vec();
    longer.push(0);
    assert_eq!(value_len(format, type_byte, &longer), Ok(Some(body.len())), "{name}");
    let left_over = decode(format, type_byte, &longer, &mut Lines::default()).unwrap_err();
    assert_eq!(left_over.offset, body.len() as u64, "{name}: {left_over}");
}

fn byte_by_byte(format: Format, type_byte: u8, body: &[u8]) -> Lines {
    let mut lines = Lines::default();
    let mut decoder = ValueDecoder::new(format, type_byte).unwrap();
    let (mut start, mut end) = (0, 0);
    loop {
        let part = decoder.decode(&body[start..end], &mut lines).unwrap();
        start += part.consumed;
        if part.done {
            assert_eq!((start, decoder.offset()), (body.len(), body.len() as u64));
            return lines;
        }
        if part.consumed == 0 {
            end += 1;
        }
    }
}

/// Everything read from a stream, keys sorted by database and name, functions in front.
#[derive(Default)]
pub struct Listing {
    pub functions: Vec<String>,
    pub keys: Vec<(u64, Vec<u8>, Vec<String>)>,
    /// Type bytes seen.
    pub types: Vec<u8>,
    pub large: usize,
    pub other: Vec<String>,
    pub checksum: Option<u64>,
}

impl Listing {
    pub fn render(mut self) -> String {
        self.keys.sort();
        let keys = self.keys.into_iter().flat_map(|(_, _, lines)| lines);
        let mut out = String::new();
        for line in self.functions.into_iter().chain(keys) {
            out.push_str(&line);
            out.push('\n');
        }
        out
    }

    fn key(&mut self, head: &Head<'_>, kind: ValueKind, lines: Vec<String>) {
        let mut all = vec![format!(
            "key {} {} {kind} {} {} {}",
            head.db,
            text(&head.key),
            or_dash(head.expires_at_ms),
            or_dash(head.idle_s),
            or_dash(head.freq),
        )];
        all.extend(lines);
        self.types.push(head.type_byte);
        self.keys.push((head.db, head.key.to_vec(), all));
    }
}

/// How the bytes reach the reader: this many at first, this many more whenever it asks.
#[derive(Clone, Copy)]
pub struct Feed {
    pub first: usize,
    pub more: usize,
}

/// All at once.
pub const WHOLE: Feed = Feed { first: usize::MAX, more: usize::MAX };

/// Reads a whole stream and decodes every value.
pub fn list(bytes: &[u8], value_limit: usize, feed: Feed) -> Result<Listing, Error> {
    let mut reader = Reader::new(value_limit);
    let mut out = Listing::default();
    let (mut start, mut end) = (0, bytes.len().min(feed.first));
    loop {
        match reader.next(&bytes[start..end])? {
            Step::NeedMore => grow(&reader, bytes, &mut end, feed)?,
            Step::Event { consumed, event } => {
                start += consumed;
                if let Event::Large(head) = event {
                    large(&mut reader, bytes, (&mut start, &mut end), feed, &head, &mut out)?;
                } else if take(reader.format(), event, &mut out)? {
                    assert_eq!(reader.offset(), start as u64);
                    return Ok(out);
                }
            }
        }
    }
}

fn grow(reader: &Reader, bytes: &[u8], end: &mut usize, feed: Feed) -> Result<(), Error> {
    if *end == bytes.len() {
        let kind = ErrorKind::Truncated("the stream");
        return Err(Error::new(kind, reader.offset()));
    }
    *end = bytes.len().min(end.saturating_add(feed.more));
    Ok(())
}

fn large(
    reader: &mut Reader,
    bytes: &[u8],
    (start, end): (&mut usize, &mut usize),
    feed: Feed,
    head: &Head<'_>,
    out: &mut Listing,
) -> Result<(), Error> {
    let mut lines = Lines::default();
    loop {
        let part = reader.next_part(&bytes[*start..*end], &mut lines)?;
        *start += part.consumed;
        if part.done {
            break;
        }
        if part.consumed == 0 {
            grow(reader, bytes, end, feed)?;
        }
    }
    let kind = ValueKind::of(reader.format(), head.type_byte).unwrap();
    out.large += 1;
    out.key(head, kind, lines.finish(kind));
    Ok(())
}

/// Notes an event; true at the end.
fn take(format: Format, event: Event<'_>, out: &mut Listing) -> Result<bool, Error> {
    match event {
        Event::Entry(entry) => {
            let kind = ValueKind::of(format, entry.type_byte).unwrap();
            let mut lines = Lines::default();
            decode(format, entry.type_byte, entry.value, &mut lines)?;
            out.key(&entry.head, kind, lines.finish(kind));
        }
        Event::Function(code) => out.functions.push(format!("function {}", text(&code))),
        Event::End { checksum } => {
            out.checksum = checksum;
            return Ok(true);
        }
        other => out.other.push(format!("{other:?}")),
    }
    Ok(false)
}
