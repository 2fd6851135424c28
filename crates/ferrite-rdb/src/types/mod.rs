//! The value types: which bytes each type byte stands for, one module a kind of value.
//!
//! A type byte means something only together with its [`Format`]; [`Layout`] is what is left when
//! that has been settled, and the only thing the decoders look at.

pub(crate) mod hash;
pub(crate) mod key_meta;
pub(crate) mod list;
pub(crate) mod module;
pub(crate) mod opaque;
pub(crate) mod set;
pub(crate) mod stream;
pub(crate) mod string;
pub(crate) mod template;
pub(crate) mod walk;
pub(crate) mod zset;

use std::fmt;

use opaque::Opaque;

use crate::cursor::{Cursor, Scan, Stop};
use crate::{Dialect, ErrorKind, Format};

/// The kinds of value commands can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ValueKind {
    /// Bytes, bitmaps and HyperLogLogs included.
    String,
    /// Ordered items.
    List,
    /// Unique members.
    Set,
    /// Unique members with scores, geo sets included.
    Zset,
    /// Field-value pairs.
    Hash,
    /// Entries with consumer groups.
    Stream,
    /// The value of a module's own type, or of a type that only servers of one family have, such
    /// as arrays, rate limiters, JSON and filters: carried whole or not at all.
    Module,
}

impl ValueKind {
    /// The kind of value a type byte stands for; `None` for bytes that are no type, and for types
    /// of which no value can be decoded.
    #[must_use]
    pub fn of(format: Format, type_byte: u8) -> Option<Self> {
        layout(format, type_byte).ok().map(Layout::kind)
    }

    /// The name as `TYPE` prints it; a module type's own name is in its value, so it is `module`
    /// for all of them. [`type_name`] tells types of one family apart.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::Zset => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
            Self::Module => "module",
        }
    }
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the elements of a value are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    String,
    List,
    ListZiplist,
    /// Nodes, each a ziplist.
    Quicklist,
    /// Nodes, each with a container: one plain item or a listpack.
    Quicklist2,
    Set,
    SetIntset,
    SetListpack,
    /// Member, expiry as a string, -1 for none (Dragonfly).
    SetExpiring,
    /// Scores as text.
    ZsetText,
    /// Scores as eight bytes.
    Zset,
    ZsetZiplist,
    ZsetListpack,
    Hash,
    HashZipmap,
    HashZiplist,
    HashListpack,
    /// Name, value, expiry in eight bytes, -1 for none (Valkey 9).
    HashExpiring,
    /// Name, value, expiry as a string, -1 for none (Dragonfly).
    HashExpiringSeconds,
    /// Expiry as a length, 0 for none; relative to a minimum in front where there is one.
    HashMetadata {
        minimum: bool,
    },
    /// Listpack of name, value, expiry; a minimum in front where there is one.
    HashListpackExpiring {
        minimum: bool,
    },
    /// Field names, then a listpack of values.
    HashTemplateListpack,
    /// Names and values.
    HashTemplateArray,
    /// The same, names by reference to a template of the file.
    HashTemplateListpackRef,
    HashTemplateArrayRef,
    Stream(u8),
    Module,
    Opaque(Opaque),
    /// Data of modules, another type byte and its value.
    BehindMetadata,
}

impl Layout {
    pub(crate) const fn kind(self) -> ValueKind {
        match self {
            Self::String => ValueKind::String,
            Self::List | Self::ListZiplist | Self::Quicklist | Self::Quicklist2 => ValueKind::List,
            Self::Set | Self::SetIntset | Self::SetListpack | Self::SetExpiring => ValueKind::Set,
            Self::ZsetText | Self::Zset | Self::ZsetZiplist | Self::ZsetListpack => ValueKind::Zset,
            Self::Stream(_) => ValueKind::Stream,
            Self::Module | Self::Opaque(_) | Self::BehindMetadata => ValueKind::Module,
            Self::Hash
            | Self::HashZipmap
            | Self::HashZiplist
            | Self::HashListpack
            | Self::HashExpiring
            | Self::HashExpiringSeconds
            | Self::HashMetadata { .. }
            | Self::HashListpackExpiring { .. }
            | Self::HashTemplateListpack
            | Self::HashTemplateArray
            | Self::HashTemplateListpackRef
            | Self::HashTemplateArrayRef => ValueKind::Hash,
        }
    }
}

/// Settles what a type byte means in a format.
///
/// Types up to 21 mean the same to everybody who has them; a version older than the type is not
/// held against it, because the version is only a promise not to exceed it.
pub(crate) const fn layout(format: Format, type_byte: u8) -> Result<Layout, ErrorKind> {
    Ok(match type_byte {
        0 => Layout::String,
        1 => Layout::List,
        2 => Layout::Set,
        3 => Layout::ZsetText,
        4 => Layout::Hash,
        5 => Layout::Zset,
        6 => return Err(ErrorKind::Unsupported("module value of a Redis 4.0 release candidate")),
        7 => Layout::Module,
        9 => Layout::HashZipmap,
        10 => Layout::ListZiplist,
        11 => Layout::SetIntset,
        12 => Layout::ZsetZiplist,
        13 => Layout::HashZiplist,
        14 => Layout::Quicklist,
        15 => Layout::Stream(1),
        16 => Layout::HashListpack,
        17 => Layout::ZsetListpack,
        18 => Layout::Quicklist2,
        19 => Layout::Stream(2),
        20 if is_old_json(format) => Layout::Opaque(Opaque::Json),
        20 => Layout::SetListpack,
        21 => Layout::Stream(3),
        _ => return dialect_layout(format, type_byte),
    })
}

const fn dialect_layout(format: Format, type_byte: u8) -> Result<Layout, ErrorKind> {
    match format.dialect {
        Dialect::Redis => redis_layout(type_byte),
        Dialect::Valkey => match type_byte {
            22 => Ok(Layout::HashExpiring),
            23 => Ok(Layout::Opaque(Opaque::PathHash)),
            _ => Err(ErrorKind::Type(type_byte)),
        },
        Dialect::KeyDb => match type_byte {
            64 => Ok(Layout::Opaque(Opaque::Cron)),
            _ => Err(ErrorKind::Type(type_byte)),
        },
        Dialect::Dragonfly => dragonfly_layout(type_byte),
    }
}

const fn redis_layout(type_byte: u8) -> Result<Layout, ErrorKind> {
    Ok(match type_byte {
        22 => Layout::HashMetadata { minimum: false },
        23 => Layout::HashListpackExpiring { minimum: false },
        24 => Layout::HashMetadata { minimum: true },
        25 => Layout::HashListpackExpiring { minimum: true },
        26 => Layout::Stream(4),
        27 => Layout::Stream(5),
        28 => Layout::Opaque(Opaque::Array),
        29 => Layout::HashTemplateListpack,
        31 => Layout::HashTemplateArray,
        30 => Layout::HashTemplateListpackRef,
        32 => Layout::HashTemplateArrayRef,
        33 => Layout::Opaque(Opaque::RateLimiter),
        key_meta::KEY_META => Layout::BehindMetadata,
        _ => return Err(ErrorKind::Type(type_byte)),
    })
}

const fn dragonfly_layout(type_byte: u8) -> Result<Layout, ErrorKind> {
    Ok(Layout::Opaque(match type_byte {
        30 => Opaque::Json,
        31 => return Ok(Layout::HashExpiringSeconds),
        32 => return Ok(Layout::SetExpiring),
        33 => Opaque::Bloom,
        34 => Opaque::BloomChunked,
        35 => Opaque::CountMin,
        36 => Opaque::TopK,
        37 => Opaque::Cuckoo,
        _ => return Err(ErrorKind::Type(type_byte)),
    }))
}

/// Whether type 20, a set to everybody else, is JSON. Dragonfly gave JSON that number before
/// Redis gave it to sets, and still reads it so below version 10.
pub(crate) const fn is_old_json(format: Format) -> bool {
    matches!(format.dialect, Dialect::Dragonfly) && format.version < 10
}

const TEMPLATE_ELSEWHERE: ErrorKind =
    ErrorKind::Unsupported("hash by template outside of its RDB file");

/// The same for somebody who has the value alone, without the file it was in.
pub(crate) fn standalone_layout(format: Format, type_byte: u8) -> Result<Layout, ErrorKind> {
    match layout(format, type_byte)? {
        Layout::HashTemplateListpackRef | Layout::HashTemplateArrayRef => Err(TEMPLATE_ELSEWHERE),
        layout => Ok(layout),
    }
}

/// Whether values of a type have members (fields of a hash, members of a set) that may expire on
/// their own.
#[must_use]
pub fn has_member_expiry(format: Format, type_byte: u8) -> bool {
    matches!(
        layout(format, type_byte),
        Ok(Layout::SetExpiring
            | Layout::HashExpiring
            | Layout::HashMetadata { .. }
            | Layout::HashExpiringSeconds
            | Layout::HashListpackExpiring { .. })
    )
}

/// The name of a type for messages, naming the encoding too.
#[must_use]
pub fn type_name(format: Format, type_byte: u8) -> &'static str {
    match layout(format, type_byte) {
        Ok(layout) => layout_name(layout),
        Err(ErrorKind::Unsupported(name)) => name,
        Err(_) => "unknown type",
    }
}

/// How a value of a type is kept, in the words of `OBJECT ENCODING` as far as the stored form tells;
/// `string` for strings, of which it does not.
#[must_use]
pub fn encoding_name(format: Format, type_byte: u8) -> &'static str {
    match layout(format, type_byte) {
        Ok(layout) => layout_encoding(layout),
        Err(_) => "unknown",
    }
}

const fn layout_encoding(layout: Layout) -> &'static str {
    match layout {
        Layout::String => "string",
        Layout::List => "linkedlist",
        Layout::Quicklist | Layout::Quicklist2 => "quicklist",
        Layout::SetIntset => "intset",
        Layout::HashZipmap => "zipmap",
        Layout::ListZiplist | Layout::ZsetZiplist | Layout::HashZiplist => "ziplist",
        Layout::SetListpack | Layout::ZsetListpack | Layout::HashListpack => "listpack",
        Layout::HashListpackExpiring { .. } => "listpackex",
        Layout::ZsetText | Layout::Zset => "skiplist",
        Layout::Set | Layout::SetExpiring => "hashtable",
        Layout::Hash
        | Layout::HashExpiring
        | Layout::HashExpiringSeconds
        | Layout::HashMetadata { .. } => "hashtable",
        Layout::HashTemplateListpack
        | Layout::HashTemplateArray
        | Layout::HashTemplateListpackRef
        | Layout::HashTemplateArrayRef => "template",
        Layout::Stream(_) => "stream",
        Layout::Module => "module",
        Layout::Opaque(opaque) => opaque.name(),
        Layout::BehindMetadata => "metadata",
    }
}

const fn layout_name(layout: Layout) -> &'static str {
    match layout {
        Layout::String => "string",
        Layout::List => "list",
        Layout::ListZiplist => "list (ziplist)",
        Layout::Quicklist => "list (quicklist of ziplists)",
        Layout::Quicklist2 => "list (quicklist)",
        Layout::Set => "set",
        Layout::SetIntset => "set (intset)",
        Layout::SetListpack => "set (listpack)",
        Layout::SetExpiring => "set with member expiry",
        Layout::ZsetText => "zset (scores as text)",
        Layout::Zset => "zset",
        Layout::ZsetZiplist => "zset (ziplist)",
        Layout::ZsetListpack => "zset (listpack)",
        Layout::Hash => "hash",
        Layout::HashZipmap => "hash (zipmap)",
        Layout::HashZiplist => "hash (ziplist)",
        Layout::HashListpack => "hash (listpack)",
        Layout::HashExpiring | Layout::HashMetadata { .. } | Layout::HashExpiringSeconds => {
            "hash with field expiry"
        }
        Layout::HashListpackExpiring { .. } => "hash with field expiry (listpack)",
        Layout::HashTemplateListpack => "hash by template (listpack)",
        Layout::HashTemplateArray => "hash by template",
        Layout::HashTemplateListpackRef => "hash by template of its file (listpack)",
        Layout::HashTemplateArrayRef => "hash by template of its file",
        Layout::Stream(1) => "stream",
        Layout::Stream(2) => "stream (version 2)",
        Layout::Stream(3) => "stream (version 3)",
        Layout::Stream(4) => "stream (version 4)",
        Layout::Stream(_) => "stream (version 5)",
        Layout::Module => "module value",
        Layout::Opaque(opaque) => opaque.name(),
        Layout::BehindMetadata => "value behind metadata of modules",
    }
}

/// A number of units of the same shape, read one by one across as many buffers as it takes.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    left: Option<u64>,
}

impl Counted {
    /// Starts with a count already known.
    pub(crate) fn of(count: u64) -> Self {
        Self { left: Some(count) }
    }

    /// Reads the count, unless that was done before, then units until none is left.
    #[inline]
    pub(crate) fn run<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        mut unit: impl FnMut(&mut Cursor<'a>) -> Scan<()>,
    ) -> Scan<()> {
        let mut left = self.begin(cursor)?;
        while left > 0 {
            if let Err(stop) = unit(cursor) {
                self.left = Some(left);
                return Err(stop);
            }
            left -= 1;
            cursor.commit();
        }
        self.left = Some(0);
        Ok(())
    }

    fn begin(&mut self, cursor: &mut Cursor<'_>) -> Scan<u64> {
        if let Some(left) = self.left {
            return Ok(left);
        }
        let count = cursor.length()?;
        cursor.commit();
        self.left = Some(count);
        Ok(count)
    }
}

/// The error for a packed pair whose second half is missing.
pub(crate) const fn odd(what: &'static str) -> Stop {
    Stop::Bad(ErrorKind::Malformed(what))
}
