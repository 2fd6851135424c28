//! The replication stream of a source, kept on local disk until the target has it.
//!
//! The link to the source does nothing but read and write here, so that the source never waits
//! for the target; the applier reads behind it at its own pace. The log knows bytes and offsets,
//! not commands.
//!
//! ```text
//! link ──append──▶ 00000000000000000100.spool  00000000000000020100.spool  … ──next──▶ applier
//!                  offsets 100 to 20100        20100 to …                    ◀──trim──
//! ```
//!
//! What holds at every instruction:
//!
//! * Offsets are those of the source's stream and run on without a gap from segment to segment.
//!   A segment is named by the offset of its first byte, in 20 decimal digits.
//! * A block (see [`block`](self::block) for its bytes) is written whole behind the one before it
//!   and never changed. The reader sees it once it is written. Where the process is killed in
//!   between, the torn block is the last one, and [`open`] cuts it off.
//! * Only the writer adds segments, only the reader takes the oldest away, and the last one stays.
//! * The log never takes more bytes on disk than its quota, headers included.
//! * Every checksum is checked before a byte is handed out: damage ends the log, it never changes
//!   what is read.
//!
//! A killed *process* loses nothing that was appended. A machine that loses power keeps what
//! [`Writer::sync`] has returned for. One process at a time may have a folder open; that it is
//! only one is for the owner of the folder to see to.

mod block;
mod cursor;
mod error;
mod folder;
mod reader;
mod recover;
mod shared;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

pub use error::SpoolError;
pub use reader::{Block, Reader};
pub use shared::Gauge;
pub use writer::Writer;

use folder::Folder;
use shared::Shared;

/// Raw bytes of one block at most; what is appended at once may be more.
pub const BLOCK_RAW_MAX: usize = 256 * 1024;

/// Raw bytes of a segment unless told otherwise.
pub const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

/// The smallest quota, in bytes: below it a log could be full with nothing to trim.
pub const QUOTA_MIN: u64 = 1024 * 1024;

/// A quota holds at least so many segments, so that trimming gives room back in parts.
const SEGMENTS_MIN: u64 = 4;

/// A quota holds at most about so many segments: a bound on files and on memory.
const SEGMENTS_MAX: u64 = 65_536;

/// Where a log is kept and how large it may grow.
#[derive(Clone, Debug)]
pub struct SpoolOptions {
    /// The folder of the segments; it is created where it is missing.
    pub dir: PathBuf,
    /// Bytes the segments may take on disk together, at least [`QUOTA_MIN`].
    pub quota: u64,
    /// Bytes after which the next segment begins; brought between a 65536th and a quarter of the
    /// quota.
    pub segment_bytes: u64,
}

impl SpoolOptions {
    /// A log in a folder, within a quota in bytes, with segments of [`SEGMENT_BYTES`].
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, quota: u64) -> Self {
        Self { dir: dir.into(), quota, segment_bytes: SEGMENT_BYTES }
    }

    fn check(mut self) -> Result<Self, SpoolError> {
        if self.quota < QUOTA_MIN {
            return Err(SpoolError::QuotaTooSmall { quota: self.quota });
        }
        let (least, most) = (self.quota / SEGMENTS_MAX, self.quota / SEGMENTS_MIN);
        self.segment_bytes = self.segment_bytes.clamp(least, most);
        Ok(self)
    }
}

/// An empty log whose first byte will have the offset `start`. Segments an earlier log left in
/// the folder are deleted.
///
/// # Errors
/// The quota is too small, or the folder cannot be written.
pub fn create(options: SpoolOptions, start: u64) -> Result<(Writer, Reader), SpoolError> {
    let options = options.check()?;
    let folder = Folder::create(options.dir.clone())?;
    let shared = Arc::new(Shared::new(folder, options.quota));
    let writer = Writer::create(Arc::clone(&shared), options.segment_bytes, start)?;
    let reader = Reader::new(shared, start);
    Ok((writer, reader))
}

/// The log a killed process left, to be read on from `from` and written on behind its end.
///
/// The first damaged or torn block is cut off together with everything behind it; what lies in
/// segments wholly below `from` is trimmed. `None`, and nothing is touched, where the log does
/// not reach from `from` or below to `from` or beyond. Reads and checks the whole log, which takes
/// as long as the disk needs for that: call it where blocking is allowed.
///
/// # Errors
/// The quota is too small, or the folder cannot be read or written.
pub fn open(options: SpoolOptions, from: u64) -> Result<Option<(Writer, Reader)>, SpoolError> {
    let options = options.check()?;
    let folder = Folder::create(options.dir.clone())?;
    let Some(found) = recover::find(&folder, from)? else {
        return Ok(None);
    };
    recover::cut(&folder, &found)?;
    let shared = Arc::new(Shared::new(folder, options.quota));
    let writer = Writer::resume(Arc::clone(&shared), options.segment_bytes, found)?;
    let reader = Reader::new(shared, from);
    Ok(Some((writer, reader)))
}
