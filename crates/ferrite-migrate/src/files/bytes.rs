//! The bytes of a file or of standard input, unpacked where they are gzip, for readers that are not
//! part of a copy and may wait.

use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use crate::error::{ErrorKind, MigrateError};
use crate::inputs::{GZIP_MAGIC, Place};

/// Bytes that are looked at to tell what a file is.
const HEAD_LEN: usize = 16;

/// A stream of bytes with a name for messages.
pub struct FileBytes {
    name: String,
    bytes: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
    is_gzip: bool,
    head: Vec<u8>,
}

impl std::fmt::Debug for FileBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileBytes").field("name", &self.name).finish_non_exhaustive()
    }
}

impl FileBytes {
    /// Opens a place.
    ///
    /// # Errors
    /// It cannot be opened or read, or is a directory.
    pub fn open(place: &Place) -> Result<Self, MigrateError> {
        let failed = |error| unopened(&place.to_string(), &error);
        Self::of(place.to_string(), place.open_packed().map_err(failed)?)
    }

    /// What a reader gives, which is called `name` in messages.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(name: String, reader: Box<dyn Read + Send>) -> Result<Self, MigrateError> {
        let taken = Arc::new(AtomicU64::new(0));
        let failed = |error: io::Error| unopened(&name, &error);
        let counting = Counting { reader, taken: Arc::clone(&taken) };
        let (head, plain) = peek(counting).map_err(failed)?;
        let is_gzip = head.starts_with(GZIP_MAGIC);
        if !is_gzip {
            return Ok(Self { name, bytes: Box::new(plain), taken, is_gzip, head });
        }
        let (head, unpacked) = peek(MultiGzDecoder::new(plain)).map_err(failed)?;
        Ok(Self { name, bytes: Box::new(unpacked), taken, is_gzip, head })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first bytes, unpacked; fewer than 16 where there are no more.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Whether it is packed by gzip.
    #[must_use]
    pub fn is_gzip(&self) -> bool {
        self.is_gzip
    }

    /// Bytes read so far, as they are in the file.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Reads what there is, at most as much as fits; 0 at the end.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged gzip.
    pub fn read(&mut self, room: &mut [u8]) -> Result<usize, MigrateError> {
        loop {
            match self.bytes.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(&error)),
                Ok(len) => return Ok(len),
            }
        }
    }

    fn broken(&self, error: &io::Error) -> MigrateError {
        let taken = self.taken();
        if !self.is_gzip {
            return unreadable(&format!("reading byte {taken} of"), &self.name, error);
        }
        let doing = format!("unpacking {}", self.name);
        let cause = match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                format!("it ends early, after {taken} bytes, in the middle of its gzip data")
            }
            _ => format!("its gzip data is damaged, before byte {taken}: {error}"),
        };
        let hint = format!("see whether it arrived whole: gzip -t {}", self.name);
        MigrateError::new(ErrorKind::Data, doing, cause).with_hint(hint)
    }
}

fn unopened(name: &str, error: &io::Error) -> MigrateError {
    MigrateError::new(ErrorKind::Config, format!("opening {name}"), error)
        .with_hint("see that the path is right and that we may read it")
}

fn unreadable(doing: &str, name: &str, error: &io::Error) -> MigrateError {
    MigrateError::new(ErrorKind::Source, format!("{doing} {name}"), error)
}

/// The first bytes, and a reader that begins with them.
fn peek<R: Read>(mut reader: R) -> io::Result<(Vec<u8>, impl Read)> {
    let mut head = Vec::with_capacity(HEAD_LEN);
    reader.by_ref().take(HEAD_LEN as u64).read_to_end(&mut head)?;
    Ok((head.clone(), Cursor::new(head).chain(reader)))
}

/// Counts what is read.
struct Counting {
    reader: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
}

impl Read for Counting {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let len = self.reader.read(room)?;
        self.taken.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }
}
