//! The bytes of a file or of standard input, read by a thread of its own, unpacked where they are
//! compressed.
//!
//! ```text
//! file, pipe ──► gzip, if it begins with 1f 8b ──► blocks of 256 KiB ──► buffer
//! ```

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::error::{ErrorKind, MigrateError};

/// What is read at a time.
const BLOCK: usize = 256 << 10;
/// Blocks that wait to be taken.
const BLOCKS_MAX: usize = 4;
/// What a file begins with that was compressed by gzip (RFC 1952).
pub const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// A file, or standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl Place {
    /// The file that can be given to a server whole: not a pipe, and not if its keys get other names.
    #[must_use]
    pub fn whole_rdb(&self, is_renamed: bool) -> Option<&Path> {
        match self {
            Self::File(path) if !is_renamed => Some(path),
            _ => None,
        }
    }

    /// The place of that name; `-` is standard input.
    #[must_use]
    pub fn named(path: &Path) -> Self {
        if path == Path::new("-") { Self::Stdin } else { Self::File(path.to_owned()) }
    }

    /// Opens it, and unpacks it where it is compressed.
    ///
    /// # Errors
    /// A file that cannot be opened or read, or is a directory.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let mut plain = BufReader::with_capacity(BLOCK, self.open_packed()?);
        match plain.fill_buf()?.starts_with(GZIP_MAGIC) {
            true => Ok(Box::new(MultiGzDecoder::new(plain))),
            false => Ok(Box::new(plain)),
        }
    }
}

impl Place {
    /// Opens it, and leaves it compressed where it is.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_packed(&self) -> io::Result<Box<dyn Read + Send>> {
        let Self::File(path) = self else { return Ok(Box::new(io::stdin())) };
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
        }
        Ok(Box::new(file))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// The bytes of a place, from its beginning.
#[derive(Debug)]
pub struct Bytes {
    place: Place,
    blocks: mpsc::Receiver<io::Result<Vec<u8>>>,
    buffer: Vec<u8>,
    /// How many bytes of the buffer are consumed.
    start: usize,
    /// How many bytes came before the buffer.
    offset: u64,
    is_ended: bool,
}

impl Bytes {
    /// Opens a place; the first bytes are there when this returns, if it has any.
    ///
    /// # Errors
    /// A place that cannot be opened or read.
    pub async fn open(place: &Place) -> Result<Self, MigrateError> {
        let (sender, blocks) = mpsc::channel(BLOCKS_MAX);
        let opening = place.clone();
        let opened = spawn_blocking(move || opening.open()).await;
        let failed = |cause: &dyn fmt::Display| {
            let doing = format!("opening {place}");
            MigrateError::new(ErrorKind::Config, doing, cause)
                .with_hint("see that the path is right and that we may read it")
        };
        let mut reader = match opened {
            Ok(Ok(reader)) => reader,
            Ok(Err(error)) => return Err(failed(&error)),
            Err(panic) => return Err(failed(&panic)),
        };
        spawn_blocking(move || {
            while let Some(block) = block(&mut *reader) {
                let is_last = block.is_err();
                if sender.blocking_send(block).is_err() || is_last {
                    return;
                }
            }
        });
        let (place, buffer) = (place.clone(), Vec::new());
        let mut bytes = Self { place, blocks, buffer, start: 0, offset: 0, is_ended: false };
        bytes.fill().await?;
        Ok(bytes)
    }

    /// The bytes that are there and were not consumed.
    #[must_use]
    pub fn available(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Lets go of the first `count` of them.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.buffer.len());
    }

    /// How many bytes were consumed since the beginning, after unpacking.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset + self.start as u64
    }

    /// Waits for more bytes; `false` at the end.
    ///
    /// # Errors
    /// A place that breaks off.
    pub async fn fill(&mut self) -> Result<bool, MigrateError> {
        if self.is_ended {
            return Ok(false);
        }
        match self.blocks.recv().await {
            Some(Ok(block)) => {
                self.buffer.drain(..self.start);
                self.offset += self.start as u64;
                self.start = 0;
                match self.buffer.is_empty() {
                    true => self.buffer = block,
                    false => self.buffer.extend_from_slice(&block),
                }
                Ok(true)
            }
            Some(Err(error)) => {
                let read = self.offset() + self.available().len() as u64;
                let doing = format!("reading {} at offset {read}", self.place);
                Err(MigrateError::new(ErrorKind::Source, doing, error))
            }
            None => {
                self.is_ended = true;
                Ok(false)
            }
        }
    }
}

/// The next block; `None` at the end.
fn block(reader: &mut dyn Read) -> Option<io::Result<Vec<u8>>> {
    let mut block = Vec::with_capacity(BLOCK);
    match reader.take(BLOCK as u64).read_to_end(&mut block) {
        Ok(0) => None,
        Ok(_) => Some(Ok(block)),
        Err(error) => Some(Err(error)),
    }
}
