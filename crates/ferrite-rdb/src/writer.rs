//! Writing RDB files.
//!
//! ```text
//! REDIS0009 or VALKEY080
//! 250 name value                     AUX field
//! 245 code                           function library (RDB 10 and later)
//! 254 number                         the keys that follow belong to this database
//! 251 keys expiring                  how many keys, and how many with an expiry
//! [252 expiry | 248 idle | 249 freq] type key value
//! 255 CRC64
//! ```
//!
//! The writer appends to buffers of the caller, who writes them away whenever they are long
//! enough; only the checksum is kept here. A value longer than a buffer is written in pieces.

use crate::encode::{length, string, string_compressed};
use crate::{Crc64, Dialect, Format};

/// AUX field.
const OPCODE_AUX: u8 = 250;
/// Function library.
const OPCODE_FUNCTION: u8 = 245;
/// Idle time in seconds, of servers that evict by it.
const OPCODE_IDLE: u8 = 248;
/// Logarithmic access counter, of servers that evict by it.
const OPCODE_FREQ: u8 = 249;
/// Sizes of the database.
const OPCODE_RESIZE_DB: u8 = 251;
/// Expiry in Unix milliseconds.
const OPCODE_EXPIRE_MS: u8 = 252;
/// Database number.
const OPCODE_SELECT_DB: u8 = 254;
/// End of file.
const OPCODE_EOF: u8 = 255;

/// The first RDB version with AUX fields and database sizes.
const AUX_SINCE: u32 = 7;
/// The first RDB version with idle times and access counters.
const ACCESS_SINCE: u32 = 9;
/// The first RDB version with a checksum at the end.
const CHECKSUM_SINCE: u32 = 5;

/// What stands before a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyAttributes {
    /// When the key expires, in Unix milliseconds.
    pub expires_at_ms: Option<u64>,
    /// Seconds since it was last used.
    pub idle_seconds: Option<u64>,
    /// Logarithmic access counter.
    pub freq: Option<u8>,
}

/// Appends an RDB file to buffers of the caller.
///
/// Calls come in the order of the file: [`Writer::header`], AUX fields, functions, for each
/// database [`Writer::select_db`] and its keys, [`Writer::end`]. What the version of the file does
/// not have is left out: AUX fields and sizes before 7, idle times and counters before 9.
#[derive(Debug)]
pub struct Writer {
    format: Format,
    compress: bool,
    checksum: Crc64,
}

impl Writer {
    /// A file of that format. With `compress`, keys, AUX fields and functions above 20 bytes are
    /// LZF compressed; values are written as they are given, see [`crate::encode::Layout`].
    #[must_use]
    pub fn new(format: Format, compress: bool) -> Self {
        Self { format, compress, checksum: Crc64::new() }
    }

    /// The format of the file.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Begins the file.
    pub fn header(&mut self, out: &mut Vec<u8>) {
        let version = self.format.version;
        let magic = match self.format.dialect {
            Dialect::Valkey => format!("VALKEY{version:03}"),
            Dialect::Redis | Dialect::KeyDb | Dialect::Dragonfly => format!("REDIS{version:04}"),
        };
        self.append(out, |_, out| out.extend_from_slice(magic.as_bytes()));
    }

    /// An AUX field, such as `redis-ver` or `ctime`. Readers ignore those they do not know.
    pub fn aux(&mut self, out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
        if self.format.version < AUX_SINCE {
            return;
        }
        self.append(out, |writer, out| {
            out.push(OPCODE_AUX);
            writer.string(out, name);
            writer.string(out, value);
        });
    }

    /// A function library, by its source code. Returns whether the format has functions, since
    /// RDB 10; nothing is written otherwise.
    #[must_use]
    pub fn function(&mut self, out: &mut Vec<u8>, code: &[u8]) -> bool {
        let has_functions = self.format.version >= 10;
        if has_functions {
            self.append(out, |writer, out| {
                out.push(OPCODE_FUNCTION);
                writer.string(out, code);
            });
        }
        has_functions
    }

    /// The keys that follow are in database `db`.
    pub fn select_db(&mut self, out: &mut Vec<u8>, db: u64) {
        self.append(out, |_, out| {
            out.push(OPCODE_SELECT_DB);
            length(out, db);
        });
    }

    /// How many keys the database has and how many of them expire: a hint for memory, which need
    /// not be exact. After [`Writer::select_db`].
    pub fn resize_db(&mut self, out: &mut Vec<u8>, keys: u64, expiring: u64) {
        if self.format.version < AUX_SINCE {
            return;
        }
        self.append(out, |_, out| {
            out.push(OPCODE_RESIZE_DB);
            length(out, keys);
            length(out, expiring);
        });
    }

    /// A key with its value as the file's format stores it.
    pub fn entry(
        &mut self,
        out: &mut Vec<u8>,
        attributes: &KeyAttributes,
        key: &[u8],
        type_byte: u8,
        body: &[u8],
    ) {
        self.key(out, attributes, key, type_byte);
        self.value_part(out, body);
    }

    /// A key whose value follows in pieces, by [`Writer::value_part`].
    pub fn key(
        &mut self,
        out: &mut Vec<u8>,
        attributes: &KeyAttributes,
        key: &[u8],
        type_byte: u8,
    ) {
        self.append(out, |writer, out| {
            writer.attributes(out, attributes);
            out.push(type_byte);
            writer.string(out, key);
        });
    }

    /// The next bytes of the value of the key that was begun last.
    pub fn value_part(&mut self, out: &mut Vec<u8>, bytes: &[u8]) {
        self.append(out, |_, out| out.extend_from_slice(bytes));
    }

    /// Ends the file.
    pub fn end(mut self, out: &mut Vec<u8>) {
        self.append(out, |_, out| out.push(OPCODE_EOF));
        if self.format.version >= CHECKSUM_SINCE {
            out.extend_from_slice(&self.checksum.value().to_le_bytes());
        }
    }

    fn attributes(&self, out: &mut Vec<u8>, attributes: &KeyAttributes) {
        if let Some(at) = attributes.expires_at_ms {
            out.push(OPCODE_EXPIRE_MS);
            out.extend_from_slice(&at.to_le_bytes());
        }
        if self.format.version < ACCESS_SINCE {
            return;
        }
        if let Some(seconds) = attributes.idle_seconds {
            out.push(OPCODE_IDLE);
            length(out, seconds);
        }
        if let Some(freq) = attributes.freq {
            out.extend_from_slice(&[OPCODE_FREQ, freq]);
        }
    }

    fn string(&self, out: &mut Vec<u8>, bytes: &[u8]) {
        if self.compress {
            string_compressed(out, bytes);
        } else {
            string(out, bytes);
        }
    }

    /// Appends, and takes what was appended into the checksum.
    fn append(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&Self, &mut Vec<u8>)) {
        let start = out.len();
        write(self, out);
        self.checksum.update(out.get(start..).unwrap_or_default());
    }
}
