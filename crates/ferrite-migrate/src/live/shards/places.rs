//! How far each stream has been told to the target, kept in the job's directory.
//!
//! ```text
//! places.json   {"reversed":false,"copying":false,
//!                "target":[{"id":"…","run_id":"…"}],
//!                "shards":[{"name":"0","replid":"…","offset":1234,"db":0}]}
//! ```
//!
//! It is written after the target has acknowledged, so it is behind it or level with it. What the
//! target may have lost since is told by its runs: where one of them is another, both ends are
//! compared. A file that cannot be read is as good as none.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::nodes::Node;
use crate::error::MigrateError;
use crate::jobs::{read_file, replace_file};
use crate::live::run::journal_error;

/// The file's name in the job's directory.
const NAME: &str = "places.json";
/// Longest file in bytes: a cluster has a thousand nodes at most.
const FILE_MAX: u64 = 4 << 20;

/// How far all streams are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    /// Whether it is the way back that is followed.
    pub reversed: bool,
    /// Whether both ends have to be compared first.
    pub copying: bool,
    /// The servers that have acknowledged it.
    pub target: Vec<Node>,
    /// Each stream.
    pub shards: Vec<Place>,
}

/// How far one stream is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Names its spool.
    pub name: String,
    /// Names its history.
    pub replid: String,
    /// Everything up to here is on the target.
    pub offset: u64,
    /// The database the stream has selected there.
    pub db: u32,
}

impl Places {
    /// What is kept; nothing where that cannot be read.
    #[must_use]
    pub fn read(job_dir: &Path) -> Option<Self> {
        let bytes = read_file(&path(job_dir), FILE_MAX).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Replaces what is kept.
    ///
    /// # Errors
    /// A disk that does not take it.
    pub fn write(&self, job_dir: &Path) -> Result<(), MigrateError> {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        replace_file(&path(job_dir), &bytes).map_err(journal_error)
    }

    /// A name that no spool has.
    #[must_use]
    pub fn new_name(&self) -> String {
        let numbers = self.shards.iter().filter_map(|place| place.name.parse::<u64>().ok());
        numbers.max().map_or(0, |highest| highest + 1).to_string()
    }
}

fn path(job_dir: &Path) -> PathBuf {
    job_dir.join(NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_and_what_is_damaged_is_not() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Places::read(dir.path()), None);
        let shard = |name: &str| Place { name: name.to_owned(), ..Place::default() };
        let target = vec![Node { id: String::from("a"), run_id: String::from("b") }];
        let shards = vec![shard("0"), shard("7")];
        let places = Places { reversed: true, copying: false, target, shards };
        places.write(dir.path()).unwrap();
        assert_eq!(Places::read(dir.path()).as_ref(), Some(&places));
        assert_eq!((places.new_name().as_str(), Places::default().new_name().as_str()), ("8", "0"));
        std::fs::write(path(dir.path()), b"{\"reversed\":tr").unwrap();
        assert_eq!(Places::read(dir.path()), None);
    }
}
