//! Servers of other kinds that migrations meet: Memcached as a source, etcd as a coordinator.

use super::debian::Release;
use super::{Binary, PeerError};

const RELEASE: Release = Release {
    suite: "bookworm",
    folder: "debian-bookworm-other-1",
    what: "memcached-1.6 and etcd-3.4 (Debian bookworm)",
    packages: &["memcached", "etcd-server"],
};

/// A server that does not speak the Redis protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherServer {
    /// Memcached 1.6, with the meta protocol.
    Memcached,
    /// etcd 3.4.
    Etcd,
}

impl OtherServer {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Memcached, Self::Etcd];

    /// The name of its program.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memcached => "memcached",
            Self::Etcd => "etcd",
        }
    }

    /// The server program, fetched when it is not on this machine yet.
    ///
    /// # Errors
    /// [`PeerError::Fetch`] with the failing command and the one that gets the server.
    pub fn binary(self) -> Result<Binary, PeerError> {
        let failed = |reason| PeerError::Fetch { peer: self.name(), reason };
        let tree = RELEASE.tree().map_err(failed)?;
        let missing = || failed(format!("the download holds no {}", self.name()));
        let (loader, arguments) = tree.program(self.name()).ok_or_else(missing)?;
        Ok(Binary::new(&loader, &arguments))
    }
}
