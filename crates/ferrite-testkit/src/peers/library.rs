//! Client libraries that tests use servers with: fetched once and kept beside the servers, not
//! installed.

use std::path::PathBuf;

use super::PeerError;
use super::cache;
use super::wheel::{download, only_file, unpack};

/// A client library of another language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientLibrary {
    /// redis-py 5.2, for `python3`.
    RedisPy,
}

/// redis-py, and what it needs where Python is older than 3.11.3.
const REDIS_PY: [(&str, &str); 2] = [("redis", "5.2.1"), ("async-timeout", "5.0.1")];

impl ClientLibrary {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::RedisPy];

    /// Its name and version.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RedisPy => "redis-py-5.2.1",
        }
    }

    /// The folder to put into `PYTHONPATH`; fetched with pip when it is not there.
    ///
    /// # Errors
    /// [`PeerError::Fetch`] with the failing command and the one that gets the library.
    pub fn folder(self) -> Result<PathBuf, PeerError> {
        let what = "redis-py (Python package redis)";
        let fetched = cache::bundle(self.name(), what, |root, scratch| {
            for (package, version) in REDIS_PY {
                let folder = scratch.join(package);
                std::fs::create_dir(&folder).map_err(|error| format!("{package}: {error}"))?;
                download(package, version, &folder)?;
                unpack(&only_file(&folder, ".whl")?, root)?;
            }
            Ok(())
        });
        fetched.map_err(|reason| PeerError::Fetch { peer: self.name(), reason })
    }
}
