//! The folder of a log: the names of its segments, and what is done to them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::SpoolError;

/// Ends the name of every segment.
const SUFFIX: &str = ".spool";

/// Digits of the offset in the name of a segment: those of the largest 64-bit number.
const DIGITS: usize = 20;

/// A folder that holds the segments of one log.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder, created where it is missing, for its owner alone: it holds the source's data.
    pub fn create(path: PathBuf) -> Result<Self, SpoolError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(|cause| SpoolError::io("create folder", &path, cause))?;
        Ok(Self { path })
    }

    /// The path of the segment that begins at an offset.
    pub fn segment(&self, start: u64) -> PathBuf {
        self.path.join(format!("{start:0DIGITS$}{SUFFIX}"))
    }

    /// The offsets at which segments begin, in order.
    pub fn segments(&self) -> Result<Vec<u64>, SpoolError> {
        let failed = |cause| SpoolError::io("list folder", &self.path, cause);
        let mut starts = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            starts.extend(name.to_str().and_then(start_of));
        }
        starts.sort_unstable();
        Ok(starts)
    }

    /// Creates the segment that begins at an offset, to be appended to.
    pub fn create_segment(&self, start: u64) -> Result<File, SpoolError> {
        let path = self.segment(start);
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).map_err(|cause| SpoolError::io("create", &path, cause))
    }

    /// Opens a segment to be appended to.
    pub fn append_segment(&self, start: u64) -> Result<File, SpoolError> {
        let path = self.segment(start);
        let file = OpenOptions::new().append(true).open(&path);
        file.map_err(|cause| SpoolError::io("open", &path, cause))
    }

    /// Deletes a segment; that it is gone already is fine.
    pub fn remove(&self, start: u64) -> Result<(), SpoolError> {
        let path = self.segment(start);
        match fs::remove_file(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(SpoolError::io("delete", &path, cause))
            }
            _ => Ok(()),
        }
    }

    /// Deletes the segments at these offsets, the last first: where that is cut short, what is
    /// left is still one log without a gap.
    pub fn remove_all(&self, starts: &[u64]) -> Result<(), SpoolError> {
        starts.iter().rev().try_for_each(|start| self.remove(*start))
    }

    /// Cuts a segment to its first bytes.
    pub fn truncate(&self, start: u64, bytes: u64) -> Result<(), SpoolError> {
        let path = self.segment(start);
        let file = OpenOptions::new().write(true).open(&path);
        let result = file.and_then(|file| file.set_len(bytes));
        result.map_err(|cause| SpoolError::io("truncate", &path, cause))
    }

    /// Brings a segment's bytes to the disk; that it was trimmed meanwhile is fine.
    pub fn sync_segment(&self, start: u64) -> Result<(), SpoolError> {
        let path = self.segment(start);
        match File::open(&path).and_then(|file| file.sync_data()) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(SpoolError::io("sync", &path, cause))
            }
            _ => Ok(()),
        }
    }

    /// Brings the names of the segments to the disk.
    pub fn sync(&self) -> Result<(), SpoolError> {
        sync_folder(&self.path).map_err(|cause| SpoolError::io("sync folder", &self.path, cause))
    }
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Elsewhere a folder cannot be opened as a file, and the system keeps names by itself.
#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// The offset a file name stands for, if it is the name of a segment.
fn start_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let plain = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}
