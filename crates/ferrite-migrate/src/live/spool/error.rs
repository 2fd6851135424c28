//! What can go wrong with a log on disk.

use std::io;
use std::path::{Path, PathBuf};

use super::QUOTA_MIN;

/// Why a log could not be written or read: what was being done, to which file, and why it failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// The disk, or the user's share of it, is full. The log is whole and can be written on
    /// once there is space.
    #[error("cannot {doing} {}: the disk is full ({source})", path.display())]
    DiskFull {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The log would outgrow its quota. It is whole and can be written on once the reader has
    /// trimmed it.
    #[error("the log holds {bytes} bytes and may hold {quota}")]
    Quota {
        /// Bytes it may take.
        quota: u64,
        /// Bytes it takes.
        bytes: u64,
    },
    /// The system refused to do something to a file.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A block is not what was written.
    #[error("{} is damaged at byte {position}: {why}", path.display())]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where the block begins in the segment.
        position: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An offset the log does not hold.
    #[error("the log holds offsets {start} to {end}, and {offset} is not among them")]
    NotHeld {
        /// The offset asked for.
        offset: u64,
        /// The first offset held.
        start: u64,
        /// The offset behind the last one held.
        end: u64,
    },
    /// The writer began a new log: what was read before is no part of it. Reading goes on at
    /// `start`.
    #[error("the log was begun anew at offset {start}")]
    Restarted {
        /// The offset of the new log's first byte.
        start: u64,
    },
    /// The writer is gone and everything it wrote has been read.
    #[error("the log has ended")]
    Closed,
    /// An earlier failure left the last segment in a state nobody knows; only a new log helps.
    #[error("an earlier write to the log failed, so nothing more is written to it")]
    Broken,
    /// Offsets would pass the end of their 64 bits.
    #[error("{bytes} bytes do not fit behind offset {end}")]
    OffsetOverflow {
        /// The offset behind the last byte of the log.
        end: u64,
        /// Bytes that were to follow.
        bytes: usize,
    },
    /// The quota is below the smallest one.
    #[error("a quota of {quota} bytes is too small: give the log {QUOTA_MIN} at least")]
    QuotaTooSmall {
        /// The quota asked for, in bytes.
        quota: u64,
    },
}

impl SpoolError {
    /// A refusal of the system while doing something to a file.
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { doing, path, source }
            }
            _ => Self::Io { doing, path, source },
        }
    }
}
