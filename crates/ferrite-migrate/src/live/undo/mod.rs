//! What the target had before anything was written to it, so that it can be had again.
//!
//! Before the first copy begins, the keys of the target that take part are read (`SCAN`, `DUMP`,
//! `PEXPIRETIME`) and written to the file `undo` in the job's directory, with its function
//! libraries. The file is on the disk, and the journal says so, before the first write to the
//! target. Taking the copy back is: every key that takes part is deleted, then those in the file are
//! written again (`RESTORE … REPLACE ABSTTL`). That can be begun again after whatever ended it, and
//! the result is the same.
//!
//! ```text
//! file      magic "FERUNDO" and the byte 1, then records up to and with the one of kind 3
//!
//! record    +------+----------------+- - - - - - - -+----------------+
//!           | kind | length of body | body          | CRC-64         |
//!           | 1    | 8, LE          | length        | 8, LE          |
//!           +------+----------------+- - - - - - - -+----------------+
//!           the CRC-64 (Jones, as in RDB files) is that of kind, length and body
//!
//! kind 1    +----------+------------+-------------+- - - -+- - - - - -+
//! a key     | database | expires at | name length | name  | payload   |
//!           | 4, LE    | 8, LE      | 4, LE       |       | of DUMP   |
//!           +----------+------------+-------------+- - - -+- - - - - -+
//!           expires at: Unix time in ms, 0 for never
//!
//! kind 2    the payload of FUNCTION DUMP; none where the server has no functions
//!
//! kind 3    +--------------+
//! the end   | keys  8, LE  |
//!           +--------------+
//! ```
//!
//! What a key was used last (`OBJECT IDLETIME`, `OBJECT FREQ`) is not kept.

mod format;
mod keep;
mod restore;

use std::path::{Path, PathBuf};

pub use keep::keep;
pub use restore::{forget, take_back};

use crate::error::{ErrorKind, MigrateError};

/// The file's name in the job's directory.
const NAME: &str = "undo";
/// Longest payload that a server takes in one `RESTORE`, in bytes: `proto-max-bulk-len` unless it
/// was changed.
const PAYLOAD_MAX: u64 = 512 << 20;

/// Where the file is.
#[must_use]
pub fn path(job_dir: &Path) -> PathBuf {
    job_dir.join(NAME)
}

/// Removes the file, if there is one.
pub fn remove(job_dir: &Path) {
    if let Err(error) = std::fs::remove_file(path(job_dir)) {
        tracing::debug!(%error, "what was kept of the target stays");
    }
}

/// The file cannot be written, or read.
fn file_error(doing: &str, path: &Path, cause: impl std::fmt::Display) -> MigrateError {
    MigrateError::new(ErrorKind::Internal, format!("{doing} {}", path.display()), cause)
}
