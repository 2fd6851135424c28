//! The bytes of a file, a window at a time: what a parser without I/O is fed with.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes read at once; more, where what is being read is longer.
const READ_BYTES: usize = 256 << 10;
/// The part of what is there that is read behind it at once: little enough that what is long is not
/// held twice, and so much that looking at it again each time stays linear.
const READ_PART: usize = 4;

/// A window over a file that moves forwards.
#[derive(Debug)]
pub struct FileBytes<R = File> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
}

impl FileBytes {
    /// The file at `path`, from `offset` on.
    ///
    /// # Errors
    /// A file that cannot be opened.
    pub fn open(path: &Path, offset: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self::new(file))
    }
}

impl<R: Read> FileBytes<R> {
    /// A window over anything that is read.
    pub fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), start: 0 }
    }

    /// The bytes that are there.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Lets the first `count` of them go.
    pub fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.buffer.len());
    }

    /// Reads more behind them; `false` at the end of the file.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn more(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let wanted = (self.buffer.len() / READ_PART).max(READ_BYTES);
        self.buffer.reserve_exact(wanted);
        let read = self.input.by_ref().take(wanted as u64).read_to_end(&mut self.buffer)?;
        Ok(read > 0)
    }
}
