//! What stands between keys: the opcodes, and the attributes in front of a key.

use std::borrow::Cow;

use super::{Event, Head, Reader, text};
use crate::cursor::{Cursor, Scan, Stop};
use crate::types::key_meta::{self, KEY_META};
use crate::types::module::{self, ModuleName};
use crate::{Dialect, ErrorKind};

/// Redis Enterprise: when the key was last used in memory, and the slot it is in. Bookkeeping of
/// that server, of no meaning to others.
const ENTERPRISE_LRU: u8 = 107;
const ENTERPRISE_SLOT: u8 = 121;
const DRAGONFLY_FLAGS: u8 = 220;
const HASH_TEMPLATE: u8 = 242;
const SLOT_INFO: u8 = 244;
const FUNCTION: u8 = 245;
const FUNCTION_PRE_GA: u8 = 246;
const MODULE_AUX: u8 = 247;
const IDLE: u8 = 248;
const FREQ: u8 = 249;
const AUX: u8 = 250;
const RESIZE_DB: u8 = 251;
const EXPIRE_MS: u8 = 252;
const EXPIRE_SECONDS: u8 = 253;
const SELECT_DB: u8 = 254;
const END: u8 = 255;

const SUBKEY: &[u8] = b"keydb-subexpire-key";
const SUBKEY_WHEN: &[u8] = b"keydb-subexpire-when";
const MALFORMED_SUBKEY: ErrorKind = ErrorKind::Malformed("KeyDB member expiry");

/// What is known about the next key.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attributes {
    expires_at_ms: Option<u64>,
    idle_s: Option<u64>,
    freq: Option<u8>,
}

impl Attributes {
    #[inline]
    pub(super) fn head(self, db: u64, key: Cow<'_, [u8]>, type_byte: u8) -> Head<'_> {
        let Self { expires_at_ms, idle_s, freq } = self;
        Head { db, key, expires_at_ms, idle_s, freq, type_byte }
    }
}

impl Reader {
    /// Reads attributes until something comes that is an event.
    #[inline]
    pub(super) fn body<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        available: usize,
    ) -> Scan<Event<'a>> {
        let mut attributes = self.attributes;
        loop {
            match cursor.byte()? {
                EXPIRE_MS => {
                    attributes.expires_at_ms = expiry(i64::from_le_bytes(cursor.array()?));
                }
                EXPIRE_SECONDS => {
                    let seconds = i64::from(i32::from_le_bytes(cursor.array()?));
                    attributes.expires_at_ms = expiry(seconds).map(|seconds| seconds * 1000);
                }
                IDLE => attributes.idle_s = Some(cursor.length()?),
                FREQ => attributes.freq = Some(cursor.byte()?),
                ENTERPRISE_LRU | ENTERPRISE_SLOT if self.format.dialect == Dialect::Redis => {
                    cursor.length()?;
                }
                opcode @ HASH_TEMPLATE.. => {
                    let event = self.opcode(opcode, cursor)?;
                    self.attributes = attributes;
                    return Ok(event);
                }
                opcode @ 200..HASH_TEMPLATE => {
                    let event = self.dragonfly(opcode, cursor)?;
                    self.attributes = attributes;
                    return Ok(event);
                }
                type_byte => return self.entry(type_byte, attributes, cursor, available),
            }
        }
    }

    fn opcode<'a>(&mut self, opcode: u8, cursor: &mut Cursor<'a>) -> Scan<Event<'a>> {
        match opcode {
            END => self.end(cursor),
            SELECT_DB => {
                self.db = cursor.length()?;
                Ok(Event::SelectDb(self.db))
            }
            RESIZE_DB => Ok(Event::ResizeDb { keys: cursor.length()?, expires: cursor.length()? }),
            AUX => self.aux(cursor),
            MODULE_AUX => module_aux(cursor),
            FUNCTION_PRE_GA => {
                Err(Stop::Bad(ErrorKind::Unsupported("function of a Redis 7.0 release candidate")))
            }
            FUNCTION => text(cursor.stored()?).map(Event::Function),
            SLOT_INFO => Ok(Event::SlotInfo {
                slot: cursor.length()?,
                keys: cursor.length()?,
                expires: cursor.length()?,
            }),
            HASH_TEMPLATE if self.format.dialect == Dialect::Redis => {
                let (id, fields) = self.templates.define(cursor)?;
                Ok(Event::HashTemplate { id, fields })
            }
            KEY_META => self.key_meta_or_slot_import(cursor),
            _ => Err(Stop::Bad(match self.format.dialect {
                // It is known where such a command ends, but without it the copy is another one.
                Dialect::Valkey => ErrorKind::Unsupported("write in a snapshot (Valkey 9.2)"),
                _ => ErrorKind::Type(opcode),
            })),
        }
    }

    fn aux<'a>(&mut self, cursor: &mut Cursor<'a>) -> Scan<Event<'a>> {
        let (key, value) = (text(cursor.stored()?)?, text(cursor.stored()?)?);
        let event = if *key == *SUBKEY {
            Event::SubkeyExpiry { subkey: value, expires_at_ms: subkey_when(cursor)? }
        } else {
            Event::Aux { key: key.clone(), value }
        };
        self.notice(&key);
        Ok(event)
    }

    /// 243 is two things: data of module classes in front of a key, or a slot being imported.
    fn key_meta_or_slot_import<'a>(&mut self, cursor: &mut Cursor<'a>) -> Scan<Event<'a>> {
        let start = cursor.pos() - 1;
        let what = match self.format.dialect {
            Dialect::Redis => {
                key_meta::skip(cursor)?;
                key_meta::LEFT_BEHIND
            }
            Dialect::Valkey => {
                cursor.skip_string()?;
                for _ in 0..cursor.length()? {
                    cursor.length()?;
                    cursor.length()?;
                }
                "import of slots in progress"
            }
            _ => return Err(Stop::Bad(ErrorKind::Type(KEY_META))),
        };
        Ok(Event::Skipped { what, raw: cursor.since(start) })
    }

    /// An opcode only Dragonfly has, or nobody. All but the flags are of its own snapshots and its
    /// own replication; what it saves as RDB has none. Their contents are keys and writes, so that
    /// to step over them would be to lose those.
    fn dragonfly<'a>(&self, opcode: u8, cursor: &mut Cursor<'a>) -> Scan<Event<'a>> {
        Err(Stop::Bad(match (self.format.dialect, opcode) {
            (Dialect::Dragonfly, DRAGONFLY_FLAGS) => return dragonfly_flags(cursor),
            (Dialect::Dragonfly, 200) => ErrorKind::Unsupported("end of a full sync (Dragonfly)"),
            (Dialect::Dragonfly, 201..=203) => {
                ErrorKind::Unsupported("compressed block (Dragonfly's own snapshot: save as RDB)")
            }
            (Dialect::Dragonfly, 210 | 211) => ErrorKind::Unsupported("journal (Dragonfly)"),
            (Dialect::Dragonfly, 222 | 223) => ErrorKind::Unsupported("search index (Dragonfly)"),
            (Dialect::Dragonfly, 224) => ErrorKind::Unsupported("tagged chunk (Dragonfly)"),
            _ => ErrorKind::Type(opcode),
        }))
    }
}

/// Flags in front of a key: 1 keeps it from eviction, 2 says that Memcached flags follow.
fn dragonfly_flags<'a>(cursor: &mut Cursor<'a>) -> Scan<Event<'a>> {
    let start = cursor.pos() - 1;
    match u32::from_le_bytes(cursor.array()?) {
        0 | 1 => {}
        2 | 3 => drop(cursor.array::<4>()?),
        _ => return Err(Stop::Bad(ErrorKind::Unsupported("key flags (Dragonfly)"))),
    }
    Ok(Event::Skipped { what: "Dragonfly's flags of a key", raw: cursor.since(start) })
}

/// An expiry as stored: -1 is none, and other times before 1970 are long past.
#[inline]
fn expiry(stored: i64) -> Option<u64> {
    (stored != -1).then(|| u64::try_from(stored).unwrap_or(0))
}

fn module_aux<'a>(cursor: &mut Cursor<'a>) -> Scan<Event<'a>> {
    let start = cursor.pos();
    let id = cursor.length()?;
    module::skip_fields(cursor)?;
    Ok(Event::ModuleAux { name: ModuleName::of(id), raw: cursor.since(start) })
}

/// The second of the two fields KeyDB writes for an expiring member: the time.
fn subkey_when(cursor: &mut Cursor<'_>) -> Scan<u64> {
    if cursor.byte()? != AUX || *text(cursor.stored()?)? != *SUBKEY_WHEN {
        return Err(Stop::Bad(MALFORMED_SUBKEY));
    }
    let when = text(cursor.stored()?)?;
    let when = std::str::from_utf8(&when).ok().and_then(|digits| digits.parse().ok());
    when.ok_or(Stop::Bad(MALFORMED_SUBKEY))
}
