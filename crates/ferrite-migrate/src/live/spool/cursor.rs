//! Walks the blocks of one segment.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use super::SpoolError;
use super::block::{BLOCK_DISK_MAX, HEADER, Header};

/// Bytes read from a segment at once.
const READ_AHEAD: usize = BLOCK_DISK_MAX;

/// A place between two blocks of a segment.
#[derive(Debug)]
pub struct Cursor {
    file: File,
    path: PathBuf,
    /// Offset in the stream at which the next block has to begin.
    pub offset: u64,
    /// Where the next block begins in the segment.
    pub position: u64,
    /// Bytes read ahead; the block before is still in front.
    window: Vec<u8>,
    consumed: usize,
}

impl Cursor {
    /// Before the first block of the segment that begins at an offset.
    pub fn open(path: PathBuf, offset: u64) -> Result<Self, SpoolError> {
        let file = File::open(&path).map_err(|cause| SpoolError::io("open", &path, cause))?;
        Ok(Self { file, path, offset, position: 0, window: Vec::new(), consumed: 0 })
    }

    /// The next block, header and payload, verified; `None` where the first `limit` bytes of the
    /// segment are through. Nothing behind the limit is read.
    ///
    /// # Errors
    /// The segment cannot be read, or is damaged; the cursor then stands before the damage.
    pub fn next(&mut self, limit: u64) -> Result<Option<(Header, &[u8])>, SpoolError> {
        if self.position >= limit {
            return Ok(None);
        }
        self.fill(HEADER, limit)?;
        let header = Header::parse(self.ahead()).map_err(|why| self.damaged(why))?;
        self.fill(header.disk_bytes(), limit)?;
        header.verify(self.ahead()).map_err(|why| self.damaged(why))?;
        if header.start != self.offset {
            return Err(self.damaged("its offset is not the one that has to follow"));
        }
        let begin = self.consumed;
        self.consumed += header.disk_bytes();
        self.position += header.disk_bytes() as u64;
        self.offset = header.end;
        Ok(Some((header, self.window.get(begin..self.consumed).unwrap_or_default())))
    }

    /// An error about the block the cursor stands before.
    pub fn damaged(&self, why: &'static str) -> SpoolError {
        SpoolError::Damaged { path: self.path.clone(), position: self.position, why }
    }

    fn ahead(&self) -> &[u8] {
        self.window.get(self.consumed..).unwrap_or_default()
    }

    /// Reads ahead until so many bytes are there.
    fn fill(&mut self, wanted: usize, limit: u64) -> Result<(), SpoolError> {
        if self.ahead().len() >= wanted {
            return Ok(());
        }
        self.window.drain(..self.consumed);
        self.consumed = 0;
        let have = self.window.len();
        let left = limit.saturating_sub(self.position).saturating_sub(have as u64);
        let more = left.min(READ_AHEAD.max(wanted).saturating_sub(have) as u64);
        let result = (&mut self.file).take(more).read_to_end(&mut self.window);
        result.map_err(|cause| SpoolError::io("read", &self.path, cause))?;
        if self.window.len() < wanted { Err(self.damaged("it is torn")) } else { Ok(()) }
    }
}
