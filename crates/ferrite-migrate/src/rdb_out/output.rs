//! Writes keys as a server of another family or version reads them.

use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ferrite_rdb::transcode::{Reencoded, Route, RouteTable, Target, reencode};
use ferrite_rdb::writer::{KeyAttributes, Writer};
use ferrite_rdb::{Event, Format, Head, ValueKind};

use super::RdbReport;
use super::file::NewFile;
use crate::engine::Tally;
use crate::error::{ErrorKind, MigrateError};
use crate::report::key_text;

/// Bytes that are written at a time.
const BLOCK: usize = 256 << 10;
/// What is said of a key of which only the reader of the whole file knows the fields.
const BY_TEMPLATE: &str = "a hash that is stored by a template elsewhere in its file (Redis 8.10)";

/// A key whose value comes in pieces.
#[derive(Debug)]
pub struct LargeHead {
    /// The database.
    pub db: u64,
    /// The name.
    pub key: Vec<u8>,
    /// What stands in front of it.
    pub attributes: KeyAttributes,
    /// Type byte of the value.
    pub type_byte: u8,
}

/// What is to be done behind an event.
#[derive(Debug)]
pub enum Next {
    /// Give the next one.
    Go,
    /// Give the pieces of this value.
    Large(LargeHead),
    /// There are no more.
    End,
}

/// A file being written.
#[derive(Debug)]
pub struct RdbOutput {
    file: NewFile,
    to: Target,
    writer: Writer,
    buffer: Vec<u8>,
    /// A value that was written anew.
    scratch: Vec<u8>,
    routes: Option<(Format, RouteTable)>,
    /// The database the file is in.
    db: Option<u64>,
    /// The database the source is in.
    source_db: u64,
    tally: Tally,
    reencoded: u64,
}

impl RdbOutput {
    /// Begins a file for a server.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: &Path, to: Target) -> Result<Self, MigrateError> {
        let mut output = Self {
            file: NewFile::create(path)?,
            writer: Writer::new(to.format, true),
            to,
            buffer: Vec::with_capacity(2 * BLOCK),
            scratch: Vec::new(),
            routes: None,
            db: None,
            source_db: 0,
            tally: Tally::default(),
            reencoded: 0,
        };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (writer, buffer) = (&mut output.writer, &mut output.buffer);
        writer.header(buffer);
        writer.aux(buffer, b"ferrite-ver", env!("CARGO_PKG_VERSION").as_bytes());
        writer.aux(buffer, b"redis-bits", b"64");
        writer.aux(buffer, b"ctime", since.as_secs().to_string().as_bytes());
        Ok(output)
    }

    /// Takes an event of another RDB.
    ///
    /// # Errors
    /// A value that cannot be understood, or a file that cannot be written.
    pub fn event(&mut self, format: Format, event: Event<'_>) -> Result<Next, MigrateError> {
        match event {
            Event::Entry(entry) => self.entry(format, &entry.head, entry.value)?,
            Event::Large(head) => {
                return Ok(Next::Large(LargeHead {
                    db: head.db,
                    attributes: attributes(&head),
                    key: head.key.into_owned(),
                    type_byte: head.type_byte,
                }));
            }
            Event::SelectDb(db) => self.source_db = db,
            Event::ResizeDb { keys, expires } => {
                self.select(self.source_db);
                self.writer.resize_db(&mut self.buffer, keys, expires);
            }
            Event::Function(code) => self.function(&code),
            Event::ModuleAux { name, .. } => {
                let name = name.to_string();
                self.tally.leave_out(0, name.as_bytes(), "module data outside of keys");
            }
            Event::SubkeyExpiry { subkey, .. } => {
                self.tally.leave_out(0, &subkey, "expiry of a KeyDB subkey");
            }
            Event::Skipped { what, .. } => self.tally.leave_out(0, b"", what),
            Event::End { .. } => return Ok(Next::End),
            _ => {}
        }
        self.flush(BLOCK)?;
        Ok(Next::Go)
    }

    /// Adds a function library.
    pub fn function(&mut self, code: &[u8]) {
        if self.writer.function(&mut self.buffer, code) {
            self.tally.functions += 1;
        } else {
            let name = crate::targets::redis::library_name(code);
            let reason = "the server has no functions (Redis has them since 7.0)";
            self.tally.leave_out(0, name, reason);
        }
    }

    /// Adds a key with its value.
    ///
    /// # Errors
    /// As [`event`](Self::event).
    pub fn entry(
        &mut self,
        format: Format,
        head: &Head<'_>,
        value: &[u8],
    ) -> Result<(), MigrateError> {
        let attributes = attributes(head);
        self.value(format, head.db, &head.key, &attributes, head.type_byte, value)
    }

    fn value(
        &mut self,
        format: Format,
        db: u64,
        key: &[u8],
        attributes: &KeyAttributes,
        type_byte: u8,
        value: &[u8],
    ) -> Result<(), MigrateError> {
        match self.routes(format).route(type_byte, value) {
            Route::Impossible(reason) => self.skip(db, key, reason),
            Route::PassThrough => {
                self.select(db);
                self.writer.entry(&mut self.buffer, attributes, key, type_byte, value);
                self.count(format, type_byte, key, value.len());
            }
            Route::Reencode => self.anew(format, db, key, attributes, type_byte, value)?,
        }
        self.flush(BLOCK)
    }

    fn anew(
        &mut self,
        format: Format,
        db: u64,
        key: &[u8],
        attributes: &KeyAttributes,
        type_byte: u8,
        value: &[u8],
    ) -> Result<(), MigrateError> {
        self.scratch.clear();
        let written = reencode(format, type_byte, value, &self.to, &mut self.scratch);
        let losses = match written.map_err(|error| bad_value(key, &error))? {
            Reencoded::Impossible(reason) => {
                self.skip(db, key, reason);
                return Ok(());
            }
            Reencoded::Written(losses) => losses,
        };
        for loss in losses {
            self.tally.leave_out(number(db), key, loss);
        }
        self.select(db);
        if let Some((&written_as, body)) = self.scratch.split_first() {
            self.writer.entry(&mut self.buffer, attributes, key, written_as, body);
        }
        self.reencoded += 1;
        self.count(format, type_byte, key, value.len());
        Ok(())
    }

    /// Whether a value can be written piece by piece as it is, for a reason that its type alone
    /// tells.
    pub fn passes_in_pieces(&mut self, format: Format, type_byte: u8) -> bool {
        let is_plain = matches!(type_byte, 0..=5);
        let route = self.routes(format).route(type_byte, &[]);
        is_plain && route == Route::PassThrough
    }

    /// Whether a value that is too large to be looked into may be written as it is: the file is
    /// for the family that wrote it.
    pub fn passes_unseen(&mut self, format: Format, type_byte: u8) -> bool {
        let route = self.routes(format).route(type_byte, &[]);
        format.dialect == self.to.format.dialect && route == Route::PassThrough
    }

    /// Begins a key whose value follows by [`piece`](Self::piece).
    pub fn begin(&mut self, format: Format, head: &LargeHead) {
        self.select(head.db);
        self.writer.key(&mut self.buffer, &head.attributes, &head.key, head.type_byte);
        self.count(format, head.type_byte, &head.key, 0);
    }

    /// The next stored bytes of a value.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn piece(&mut self, bytes: &[u8]) -> Result<(), MigrateError> {
        self.writer.value_part(&mut self.buffer, bytes);
        self.flush(BLOCK)
    }

    /// Adds a key that came in pieces.
    ///
    /// # Errors
    /// As [`event`](Self::event).
    pub fn collected(
        &mut self,
        format: Format,
        head: &LargeHead,
        value: &[u8],
    ) -> Result<(), MigrateError> {
        if matches!(format.dialect, ferrite_rdb::Dialect::Redis)
            && matches!(head.type_byte, 30 | 32)
        {
            self.skip(head.db, &head.key, BY_TEMPLATE);
            return Ok(());
        }
        self.value(format, head.db, &head.key, &head.attributes, head.type_byte, value)
    }

    /// Leaves a key out.
    pub fn skip(&mut self, db: u64, key: &[u8], reason: &str) {
        self.tally.skip(number(db), key, reason);
    }

    /// Ends the file and gives it its name.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(
        mut self,
        source: String,
        how: &'static str,
        began: Instant,
    ) -> Result<RdbReport, MigrateError> {
        let Format { dialect, version } = self.to.format;
        let writer = std::mem::replace(&mut self.writer, Writer::new(self.to.format, false));
        writer.end(&mut self.buffer);
        self.flush(0)?;
        let file = self.file.name();
        self.file.complete()?;
        Ok(RdbReport {
            source,
            how,
            file,
            dialect: dialect.to_string(),
            rdb_version: version,
            file_bytes: self.file.bytes(),
            keys: self.tally.keys.copied,
            reencoded: self.reencoded,
            functions: self.tally.functions,
            types: self.tally.types(),
            skipped: self.tally.skipped(),
            elapsed_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    fn routes(&mut self, format: Format) -> &RouteTable {
        if self.routes.as_ref().is_none_or(|(known, _)| *known != format) {
            self.routes = None;
        }
        let to = &self.to;
        &self.routes.get_or_insert_with(|| (format, RouteTable::new(format, to))).1
    }

    fn select(&mut self, db: u64) {
        if self.db != Some(db) {
            self.writer.select_db(&mut self.buffer, db);
            self.db = Some(db);
        }
    }

    fn count(&mut self, format: Format, type_byte: u8, key: &[u8], bytes: usize) {
        let kind = ValueKind::of(format, type_byte).unwrap_or(ValueKind::Module);
        self.tally.copied(kind, 1, (key.len() + bytes) as u64);
    }

    fn flush(&mut self, above: usize) -> Result<(), MigrateError> {
        if self.buffer.len() > above {
            self.file.write(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

fn attributes(head: &Head<'_>) -> KeyAttributes {
    KeyAttributes { expires_at_ms: head.expires_at_ms, idle_seconds: head.idle_s, freq: head.freq }
}

fn number(db: u64) -> u32 {
    u32::try_from(db).unwrap_or(u32::MAX)
}

/// A value that cannot be understood, as the end of the run.
pub fn bad_value(key: &[u8], error: &ferrite_rdb::Error) -> MigrateError {
    MigrateError::new(ErrorKind::Data, format!("reading key \"{}\"", key_text(key)), error)
        .with_hint("see what the server's own check says: redis-check-rdb FILE")
}
