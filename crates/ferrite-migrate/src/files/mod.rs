//! An RDB file, read from the first byte to the last in bounded memory.
//!
//! ```text
//! file, pipe ──► FileBytes (gzip unpacked) ──► window of the bytes ──► Reader ──► events
//! ```
//!
//! The window holds one event at a time: a key with its value, or a piece of a value above
//! [`VALUE_LIMIT`].

mod bytes;

use std::path::Path;

use ferrite_rdb::{ErrorKind as RdbKind, Event, Format, Reader, Sink, Step};

pub use bytes::FileBytes;

use crate::error::{ErrorKind, MigrateError};
use crate::inputs::Place;

/// Bytes from which a value is read in pieces.
pub const VALUE_LIMIT: usize = 1 << 20;
/// Bytes of the window at first: a value below the limit always fits.
const WINDOW_FIRST: usize = 2 * VALUE_LIMIT;
/// Bytes of the window at most, unless told otherwise. What cannot be divided (an element, a packed
/// collection, the value of a module) must fit.
const WINDOW_MAX: usize = 64 << 20;

/// An open RDB file.
#[derive(Debug)]
pub struct RdbReader {
    input: FileBytes,
    reader: Reader,
    /// The bytes from `start` to `end` are read and not yet used.
    window: Vec<u8>,
    window_max: usize,
    start: usize,
    end: usize,
}

impl RdbReader {
    /// Opens a file, plain or gzip; `-` is standard input.
    ///
    /// # Errors
    /// It cannot be opened or read, or is a directory.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, MigrateError> {
        Self::at(&Place::named(path.as_ref()))
    }

    /// Opens a place.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn at(place: &Place) -> Result<Self, MigrateError> {
        Ok(Self::of(FileBytes::open(place)?))
    }

    /// Reads these bytes.
    pub(crate) fn of(input: FileBytes) -> Self {
        let (reader, window) = (Reader::new(VALUE_LIMIT), vec![0; WINDOW_FIRST]);
        Self { input, reader, window, window_max: WINDOW_MAX, start: 0, end: 0 }
    }

    /// The same, for a process that may take `bytes` of memory: half of it is for what cannot be
    /// divided, such as an element. 128 MiB unless told otherwise.
    #[must_use]
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        let half = usize::try_from(bytes / 2).unwrap_or(usize::MAX);
        self.window_max = half.max(WINDOW_FIRST);
        self
    }

    /// Where the bytes come from.
    #[must_use]
    pub fn input(&self) -> &FileBytes {
        &self.input
    }

    /// Who wrote the file, as far as it has been read.
    #[must_use]
    pub fn format(&self) -> Format {
        self.reader.format()
    }

    /// Bytes of the RDB that were used, unpacked.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.reader.offset()
    }

    /// Gives the next event to `take`. After [`Event::End`] there is none.
    ///
    /// # Errors
    /// The file cannot be read, ends early or is malformed, with the offset.
    pub fn next<R>(
        &mut self,
        take: impl FnOnce(Format, Event<'_>) -> R,
    ) -> Result<R, MigrateError> {
        loop {
            let bytes = self.window.get(self.start..self.end).unwrap_or_default();
            match self.reader.next(bytes) {
                Ok(Step::Event { consumed, event }) => {
                    self.start += consumed;
                    return Ok(take(self.reader.format(), event));
                }
                Ok(Step::NeedMore) => {}
                Err(error) => return Err(self.bad_data(&error)),
            }
            self.fill()?;
        }
    }

    /// Gives pieces of the value of an [`Event::Large`] to `sink`, `window` stored bytes of it or
    /// somewhat more; whether it is complete.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn next_part<S: Sink + ?Sized>(
        &mut self,
        sink: &mut S,
        window: usize,
    ) -> Result<bool, MigrateError> {
        let mut window = window;
        loop {
            let bytes = self.window.get(self.start..self.end).unwrap_or_default();
            let is_all = window >= bytes.len();
            let part = self.reader.next_part(bytes.get(..window).unwrap_or(bytes), sink);
            let part = match part {
                Ok(part) => part,
                Err(error) => return Err(self.bad_data(&error)),
            };
            self.start += part.consumed;
            if part.done || part.consumed > 0 {
                return Ok(part.done);
            }
            if is_all {
                self.fill()?;
            }
            window = window.saturating_mul(2);
        }
    }

    /// Reads more behind what is there.
    fn fill(&mut self) -> Result<(), MigrateError> {
        if self.start > 0 {
            self.window.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.window.len() {
            if self.end >= self.window_max {
                return Err(self.too_large());
            }
            let larger = self.end.saturating_mul(2).min(self.window_max);
            self.window.reserve_exact(larger - self.end);
            self.window.resize(larger, 0);
        }
        let room = self.window.get_mut(self.end..).unwrap_or_default();
        let len = self.input.read(room)?;
        if len == 0 {
            return Err(self.ends_early());
        }
        self.end += len;
        Ok(())
    }

    fn doing(&self) -> String {
        format!("reading the RDB file {}", self.input.name())
    }

    fn too_large(&self) -> MigrateError {
        let (offset, limit) = (self.offset(), self.window_max >> 20);
        let cause = format!(
            "what begins at byte {offset} cannot be divided and is above {limit} MiB, half of the \
             memory limit"
        );
        MigrateError::new(ErrorKind::Data, self.doing(), cause).with_hint("--memory-limit 1GiB")
    }

    fn ends_early(&self) -> MigrateError {
        let offset = self.offset();
        let bytes = offset + (self.end - self.start) as u64;
        if bytes == 0 {
            return MigrateError::new(ErrorKind::Data, self.doing(), "it is empty")
                .with_hint("SAVE on the server writes the file");
        }
        let head = self.input.head();
        if offset == 0 && !b"REDIS".starts_with(head) && !b"VALKEY".starts_with(head) {
            return self.foreign();
        }
        let cause = format!(
            "it ends early, after {bytes} bytes; what begins at byte {offset} is not whole"
        );
        MigrateError::new(ErrorKind::Data, self.doing(), cause)
            .with_hint("copy it again once the server has written it: LASTSAVE tells")
    }

    fn foreign(&self) -> MigrateError {
        let head = self.input.head();
        let (what, hint) = what_else(head);
        let cause = format!("it is no RDB file: it begins with \"{}\"{what}", head.escape_ascii());
        MigrateError::new(ErrorKind::Data, self.doing(), cause).with_hint(hint)
    }

    fn bad_data(&self, error: &ferrite_rdb::Error) -> MigrateError {
        let hint = match &error.kind {
            RdbKind::Magic => return self.foreign(),
            RdbKind::Version(_) => {
                "it is from a newer server than this program knows: use a newer ferrite-migrate"
            }
            RdbKind::Checksum { .. } => {
                "some byte of it changed since it was written: compare it with the original, \
                 and copy it again"
            }
            _ => "see what the server's own check says: redis-check-rdb FILE",
        };
        MigrateError::new(ErrorKind::Data, self.doing(), error).with_hint(hint)
    }
}

/// What a file is that is no RDB file, and what to do about it.
fn what_else(head: &[u8]) -> (&'static str, &'static str) {
    match head {
        [b'*', b'0'..=b'9', ..] => (
            ", as an append-only file does",
            "let a server load it (appendonly yes) and SAVE, which writes an RDB file",
        ),
        [b'f', b'i', b'l', b'e', b' ', ..] => (
            ", as the manifest of an append-only file does",
            "the file beside it that ends in .base.rdb is an RDB file",
        ),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            (", which is zstd", "unpack it: zstd -dc FILE | ferrite-migrate … -")
        }
        [b'P', b'K', ..] => (", which is zip", "unpack it: unzip -p FILE | ferrite-migrate … -"),
        [b'B', b'Z', b'h', ..] => {
            (", which is bzip2", "unpack it: bzip2 -dc FILE | ferrite-migrate … -")
        }
        [0xfd, b'7', b'z', b'X', ..] => {
            (", which is xz", "unpack it: xz -dc FILE | ferrite-migrate … -")
        }
        _ => ("", "an RDB file begins with REDIS or VALKEY; it is mostly called dump.rdb"),
    }
}
