//! How files of a job are made and read: private to the user, whole or not at all, of bounded size.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::JobError;

/// A new directory that only its owner can look into; those above it too, where they are missing.
pub fn make_dir(path: &Path, with_parents: bool) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(with_parents).create(path)
}

/// How a file is opened that only its owner can read.
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Writes a new file and waits until it is on the disk.
pub fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), JobError> {
    let write = || {
        let mut file = private().write(true).create_new(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(JobError::io("writing", path))
}

/// Replaces a file at once: a reader sees the old one or the new one. Not synced: after a loss of
/// power either may be gone.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), JobError> {
    let new = path.with_extension("new");
    let write = || {
        let mut file = private().write(true).create(true).truncate(true).open(&new)?;
        file.write_all(bytes)?;
        fs::rename(&new, path)
    };
    write().map_err(JobError::io("writing", path))
}

/// Waits until what was made, renamed or removed in a directory is on the disk.
pub fn sync_dir(path: &Path) -> Result<(), JobError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(JobError::io("syncing", path))
}

/// All of a file, if it is not longer than `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, JobError> {
    let file = File::open(path).map_err(JobError::io("opening", path))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(JobError::io("reading", path))?;
    if bytes.len() as u64 > limit {
        return Err(JobError::damaged(path, format!("it is longer than {limit} bytes")));
    }
    Ok(bytes)
}
