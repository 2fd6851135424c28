//! What a [`Reader`](crate::Reader) finds in an RDB stream.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use crate::Format;
use crate::types::module::ModuleName;

/// The outcome of one call of [`Reader::next`](crate::Reader::next).
#[derive(Debug)]
pub enum Step<'a> {
    /// Something was found in the first `consumed` bytes; the next input starts behind them.
    Event {
        /// How many bytes it took.
        consumed: usize,
        /// What it is.
        event: Event<'a>,
    },
    /// The next thing is not complete: call again with the same bytes and more. Doubling the
    /// buffer keeps the work of reading again linear.
    NeedMore,
}

/// One thing in an RDB stream, in the order of the stream.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The first bytes: who wrote the stream. A later [`Event::Aux`] can refine the dialect, see
    /// [`Reader::format`](crate::Reader::format).
    Header(Format),
    /// An auxiliary field, known or not; unknown ones are to be ignored and reported.
    Aux {
        /// Its name, such as `redis-ver`.
        key: Cow<'a, [u8]>,
        /// Its value, numbers as digits.
        value: Cow<'a, [u8]>,
    },
    /// The keys that follow belong to this database.
    SelectDb(u64),
    /// How many keys the current database has.
    ResizeDb {
        /// All keys.
        keys: u64,
        /// Keys with an expiry.
        expires: u64,
    },
    /// How many keys a cluster slot has.
    SlotInfo {
        /// The slot, 0 to 16,383.
        slot: u64,
        /// All keys.
        keys: u64,
        /// Keys with an expiry.
        expires: u64,
    },
    /// A library of functions: its source, `#!` line included, as for `FUNCTION LOAD`.
    Function(Cow<'a, [u8]>),
    /// Data a module keeps outside of keys.
    ModuleAux {
        /// The module type.
        name: ModuleName,
        /// The bytes behind the opcode, module id first and end mark last.
        raw: &'a [u8],
    },
    /// A key with its whole value.
    Entry(Entry<'a>),
    /// Field names that hashes further on refer to (Redis 8.10). The reader keeps them: such
    /// hashes come as [`Event::Large`] whatever their size, because their stored bytes mean
    /// nothing outside of this stream.
    HashTemplate {
        /// What hashes refer to it by.
        id: u64,
        /// How many names it has.
        fields: u64,
    },
    /// A key whose value does not fit: read it by
    /// [`Reader::next_part`](crate::Reader::next_part) before calling
    /// [`Reader::next`](crate::Reader::next) again.
    Large(Head<'a>),
    /// KeyDB only: a member or field of the key of the [`Event::Entry`] or [`Event::Large`] that
    /// came last expires. Comes behind the key, once for each such member.
    SubkeyExpiry {
        /// The member or field.
        subkey: Cow<'a, [u8]>,
        /// Unix time in milliseconds.
        expires_at_ms: u64,
    },
    /// Something that is understood well enough to be stepped over, but not carried on.
    Skipped {
        /// What it is, for the report.
        what: &'static str,
        /// The bytes, opcode included.
        raw: &'a [u8],
    },
    /// The end of the stream. Bytes behind it are not the RDB's.
    End {
        /// The checksum, which has been verified; `None` when the writer stored none (versions
        /// below 5, or `rdbchecksum no`).
        checksum: Option<u64>,
    },
}

/// A key and everything known about it but its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The database.
    pub db: u64,
    /// The key.
    pub key: Cow<'a, [u8]>,
    /// Unix time in milliseconds, also where seconds are stored.
    pub expires_at_ms: Option<u64>,
    /// Seconds since it was last used, where the server evicts by that.
    pub idle_s: Option<u64>,
    /// Logarithmic access counter, where the server evicts by that.
    pub freq: Option<u8>,
    /// The type byte, meaningful only with the format of the reader.
    pub type_byte: u8,
}

/// A key with its value; the fields of [`Head`] can be read on it directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The key.
    pub head: Head<'a>,
    /// The value as stored, without the type byte: what a `DUMP` payload has between its type
    /// byte and its footer.
    pub value: &'a [u8],
}

impl<'a> Deref for Entry<'a> {
    type Target = Head<'a>;

    fn deref(&self) -> &Head<'a> {
        &self.head
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
