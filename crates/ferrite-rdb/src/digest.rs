//! A 128-bit fingerprint of what a value is, whatever its encoding.
//!
//! Two values that commands cannot tell apart have the same digest, though one is a listpack
//! written by Redis and the other a hash table re-encoded by us; two that differ have different
//! ones. It is made of XXH3-128, which is fast and not meant against somebody who tries: an
//! attacker who chooses values can make two of them equal.
//!
//! ```text
//! digest = XXH3( kind 1 B | count 8 B | elements 16 B )
//!
//! string          elements = XXH3( bytes ), count = length
//! list            elements = XXH3( length 8 B | item ... )
//! set             elements = sum of XXH3( member )
//! sorted set      elements = sum of XXH3( score bits 8 B | member )
//! hash            elements = sum of XXH3( field length 8 B | field | 0 or 1 | [expiry 8 B] | value )
//! stream          elements = XXH3( entries, state, groups ... in order )
//! module          elements = XXH3( name length 8 B | name | raw data )
//! ```
//!
//! Numbers are little endian; sums wrap at 128 bits, which makes them independent of order. A
//! score of -0 counts as 0, because packed encodings do not keep the difference.

use std::fmt;

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::{
    Error, Format, Sink, StreamConsumer, StreamFields, StreamGroup, StreamId, StreamMeta, decode,
};

/// The fingerprint of a value. Displayed as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub u128);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// How much of a stream is compared. Two servers are compared at the lower of what both keep.
///
/// When consumers were last seen or active, and the first id, are in no level: the former change
/// by being looked at, the latter follows from the entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamDetail {
    /// What Redis 5.0 keeps: entries, last id, groups with their last id and pending entries,
    /// consumers with the ids they own.
    #[default]
    Entries,
    /// What Redis 7.0 keeps: also entries added, largest deleted id, each group's entries read.
    Counters,
}

/// What counts as the same value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DigestOptions {
    /// Unix time in milliseconds: hash fields that expire then or earlier do not exist.
    pub now_ms: u64,
    /// How much of a stream is compared.
    pub stream_detail: StreamDetail,
}

/// The digest of a whole value as stored in an RDB file or a `DUMP` payload.
///
/// # Errors
/// Those of [`decode`].
pub fn digest(
    format: Format,
    type_byte: u8,
    body: &[u8],
    options: &DigestOptions,
) -> Result<Digest, Error> {
    let mut digester = Digester::new(options);
    decode(format, type_byte, body, &mut digester)?;
    Ok(digester.finish())
}

/// Computes a digest of the elements it is given; for values that arrive in pieces, with
/// [`crate::ValueDecoder`]. Memory does not depend on the value, except for the longest element.
pub struct Digester {
    options: DigestOptions,
    kind: Kind,
    count: u64,
    /// Elements whose order does not matter.
    sum: u128,
    /// Whether the order of elements matters; `sum` is not used then.
    is_ordered: bool,
    /// Elements whose order matters, gathered up to [`GATHER`], or else the current element.
    scratch: Vec<u8>,
    /// What was gathered before. Made on demand: it is half a kilobyte, and most values fit into
    /// the scratch buffer.
    hasher: Option<Box<Xxh3>>,
    /// Whether anything was given to the hasher.
    is_long: bool,
    omitted: Vec<&'static str>,
}

/// Bytes gathered before they are hashed: small pieces are expensive one by one.
const GATHER: usize = 4096;
/// Bytes the scratch buffer keeps between values.
const SCRATCH_KEPT: usize = 1 << 20;

/// The first byte of what is hashed at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Empty = 0,
    String = 1,
    List = 2,
    Set = 3,
    Zset = 4,
    Hash = 5,
    Stream = 6,
    Module = 7,
}

/// What a piece of a stream is, so that no two streams hash the same bytes.
#[derive(Clone, Copy)]
enum Mark {
    Entry = 1,
    Meta = 2,
    Counters = 3,
    Group = 4,
    EntriesRead = 5,
    Pending = 6,
    Consumer = 7,
    Owned = 8,
}

impl fmt::Debug for Digester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digester").field("kind", &self.kind).field("count", &self.count).finish()
    }
}

impl Digester {
    /// Begins a value.
    #[must_use]
    pub fn new(options: &DigestOptions) -> Self {
        Self {
            options: *options,
            kind: Kind::Empty,
            count: 0,
            sum: 0,
            is_ordered: false,
            scratch: Vec::new(),
            hasher: None,
            is_long: false,
            omitted: Vec::new(),
        }
    }

    /// The digest of the value, and the digester ready for another one.
    pub fn finish(&mut self) -> Digest {
        let elements = if self.is_ordered { self.ordered() } else { self.sum };
        let mut input = [0; 25];
        input[0] = self.kind as u8;
        input[1..9].copy_from_slice(&self.count.to_le_bytes());
        input[9..].copy_from_slice(&elements.to_le_bytes());
        self.reset();
        Digest(xxh3_128(&input))
    }

    /// State of the value that is in no digest, by name: what [`Sink::unsupported`] reported
    /// since the last [`Digester::finish`].
    #[must_use]
    pub fn omitted(&self) -> &[&'static str] {
        &self.omitted
    }

    fn reset(&mut self) {
        self.kind = Kind::Empty;
        self.count = 0;
        self.sum = 0;
        self.omitted.clear();
        self.scratch.clear();
        self.scratch.shrink_to(SCRATCH_KEPT);
        if let Some(hasher) = self.hasher.as_mut().filter(|_| self.is_long) {
            hasher.reset();
        }
        self.is_long = false;
        self.is_ordered = false;
    }

    /// The hash of all elements whose order matters.
    fn ordered(&mut self) -> u128 {
        if !self.is_long {
            return xxh3_128(&self.scratch);
        }
        self.hash_gathered(&[]);
        self.hasher.as_ref().map_or(0, |hasher| hasher.digest128())
    }

    /// Takes the next bytes of elements whose order matters.
    fn feed(&mut self, bytes: &[u8]) {
        self.is_ordered = true;
        if self.scratch.len() + bytes.len() <= GATHER {
            self.scratch.extend_from_slice(bytes);
        } else {
            self.hash_gathered(bytes);
        }
    }

    fn hash_gathered(&mut self, bytes: &[u8]) {
        let hasher = self.hasher.get_or_insert_with(|| Box::new(Xxh3::new()));
        hasher.update(&self.scratch);
        hasher.update(bytes);
        self.scratch.clear();
        self.is_long = true;
    }

    fn element(&mut self, kind: Kind, hash: u128) {
        self.kind = kind;
        self.count += 1;
        self.sum = self.sum.wrapping_add(hash);
    }

    /// A piece of a stream: a mark and numbers, all of which a mark has in the same number.
    fn stream(&mut self, mark: Mark, numbers: &[u64]) {
        self.kind = Kind::Stream;
        self.feed(&[mark as u8]);
        for number in numbers {
            self.feed(&number.to_le_bytes());
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.feed(&(bytes.len() as u64).to_le_bytes());
        self.feed(bytes);
    }

    fn counters(&self) -> bool {
        self.options.stream_detail >= StreamDetail::Counters
    }
}

impl Sink for Digester {
    fn string_part(&mut self, total: u64, piece: &[u8]) {
        self.kind = Kind::String;
        self.count = total;
        if !self.is_ordered && piece.len() as u64 == total {
            self.sum = xxh3_128(piece);
        } else if !piece.is_empty() {
            self.feed(piece);
        }
    }

    fn list_item(&mut self, item: &[u8]) {
        self.kind = Kind::List;
        self.count += 1;
        self.bytes(item);
    }

    fn set_member(&mut self, member: &[u8]) {
        self.element(Kind::Set, xxh3_128(member));
    }

    fn zset_member(&mut self, member: &[u8], score: f64) {
        // Adding 0 makes 0 of -0.
        let bits = (score + 0.0).to_bits();
        self.scratch.clear();
        self.scratch.extend_from_slice(&bits.to_le_bytes());
        self.scratch.extend_from_slice(member);
        self.element(Kind::Zset, xxh3_128(&self.scratch));
    }

    fn hash_field(&mut self, field: &[u8], value: &[u8], expires_at_ms: Option<u64>) {
        self.kind = Kind::Hash;
        if expires_at_ms.is_some_and(|at| at <= self.options.now_ms) {
            return;
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(&(field.len() as u64).to_le_bytes());
        self.scratch.extend_from_slice(field);
        self.scratch.push(u8::from(expires_at_ms.is_some()));
        if let Some(at) = expires_at_ms {
            self.scratch.extend_from_slice(&at.to_le_bytes());
        }
        self.scratch.extend_from_slice(value);
        self.element(Kind::Hash, xxh3_128(&self.scratch));
    }

    fn stream_entry(&mut self, id: StreamId, fields: &StreamFields) {
        self.stream(Mark::Entry, &[id.ms, id.seq, fields.len() as u64]);
        for (name, value) in fields.iter() {
            self.bytes(name);
            self.bytes(value);
        }
    }

    fn stream_meta(&mut self, meta: &StreamMeta) {
        self.count = meta.length;
        self.stream(Mark::Meta, &[meta.last_id.ms, meta.last_id.seq]);
        if !self.counters() {
            return;
        }
        if let (Some(added), Some(deleted)) = (meta.entries_added, meta.max_deleted_id) {
            self.stream(Mark::Counters, &[added, deleted.ms, deleted.seq]);
        }
    }

    fn stream_group(&mut self, group: &StreamGroup<'_>) {
        self.stream(Mark::Group, &[group.last_id.ms, group.last_id.seq]);
        self.bytes(group.name);
        if let Some(read) = group.entries_read.filter(|_| self.counters()) {
            self.stream(Mark::EntriesRead, &[read.cast_unsigned()]);
        }
    }

    fn stream_pending(&mut self, id: StreamId, delivered_ms: i64, count: u64) {
        self.stream(Mark::Pending, &[id.ms, id.seq, delivered_ms.cast_unsigned(), count]);
    }

    fn stream_consumer(&mut self, consumer: &StreamConsumer<'_>) {
        self.stream(Mark::Consumer, &[]);
        self.bytes(consumer.name);
    }

    fn stream_consumer_pending(&mut self, id: StreamId) {
        self.stream(Mark::Owned, &[id.ms, id.seq]);
    }

    fn unsupported(&mut self, what: &'static str) {
        self.omitted.push(what);
    }

    fn module(&mut self, name: &str, raw: &[u8]) {
        self.kind = Kind::Module;
        self.bytes(name.as_bytes());
        self.feed(raw);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(give: impl FnOnce(&mut Digester)) -> Digest {
        let mut digester = Digester::new(&DigestOptions { now_ms: 1000, ..Default::default() });
        give(&mut digester);
        digester.finish()
    }

    #[test]
    fn kinds_with_the_same_elements_differ() {
        let all = [
            of(|_| ()),
            of(|d| d.string_part(1, b"a")),
            of(|d| d.list_item(b"a")),
            of(|d| d.set_member(b"a")),
            of(|d| d.zset_member(b"a", 0.0)),
            of(|d| d.hash_field(b"a", b"", None)),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one), "{at}");
        }
    }

    #[test]
    fn strings_may_be_cut_anywhere() {
        let bytes: Vec<u8> = (0..2000_u32).map(|i| (i * 7) as u8).collect();
        let whole = of(|d| d.string_part(2000, &bytes));
        for cut in [0, 1, 16, 240, 241, 1024, 2000] {
            let cut_up = of(|d| {
                d.string_part(2000, &bytes[..cut]);
                d.string_part(2000, &bytes[cut..]);
            });
            assert_eq!(cut_up, whole, "{cut}");
        }
    }

    #[test]
    fn items_are_not_run_together() {
        let pair = |a: &'static [u8], b: &'static [u8]| {
            of(|d| {
                d.list_item(a);
                d.list_item(b);
            })
        };
        assert_ne!(pair(b"ab", b"c"), pair(b"a", b"bc"));
        assert_ne!(pair(b"a", b"b"), pair(b"b", b"a"));
    }

    #[test]
    fn expired_fields_do_not_exist() {
        let without = of(|d| d.hash_field(b"f", b"v", None));
        let expired = of(|d| {
            d.hash_field(b"f", b"v", None);
            d.hash_field(b"g", b"v", Some(1000));
        });
        assert_eq!(without, expired);
        let living = of(|d| d.hash_field(b"f", b"v", Some(1001)));
        assert_ne!(without, living);
        assert_ne!(living, of(|d| d.hash_field(b"f", b"v", Some(1002))));
    }

    #[test]
    fn a_digester_is_reusable() {
        let mut digester = Digester::new(&DigestOptions::default());
        let mut twice = [0; 2].map(|_| {
            digester.list_item(b"a");
            digester.finish()
        });
        digester.set_member(b"a");
        digester.finish();
        digester.list_item(b"a");
        twice[0] = digester.finish();
        assert_eq!(twice[0], twice[1]);
    }

    #[test]
    fn a_digest_is_32_hexadecimal_digits() {
        assert_eq!(Digest(0xab).to_string(), "000000000000000000000000000000ab");
    }
}
