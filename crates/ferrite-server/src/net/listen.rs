//! Where clients connect to.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};

use super::stream::Stream;

/// One place clients connect to.
#[derive(Debug)]
pub enum Listener {
    /// An address of the network.
    Tcp(TcpListener),
    /// A Unix socket; its file is removed at the end.
    Unix {
        /// The socket.
        listener: UnixListener,
        /// Its file.
        path: PathBuf,
    },
}

impl Listener {
    /// Listens on an address.
    ///
    /// # Errors
    /// What the system says, with the address.
    pub fn tcp(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).map_err(|error| {
            io::Error::new(error.kind(), format!("listening on {address}: {error}"))
        })?;
        Ok(Self::Tcp(listener))
    }

    /// Listens on a Unix socket; a file that an earlier run left is replaced.
    ///
    /// # Errors
    /// What the system says, with the path.
    pub fn unix(path: &Path) -> io::Result<Self> {
        let at = |error: io::Error| {
            io::Error::new(error.kind(), format!("listening on {}: {error}", path.display()))
        };
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(error)),
            _ => {}
        }
        let listener = UnixListener::bind(path).map_err(at)?;
        Ok(Self::Unix { listener, path: path.to_owned() })
    }

    /// The address, where it is one of the network.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix { .. } => None,
        }
    }

    /// Announces it to a thread's poll.
    ///
    /// # Errors
    /// What the system says.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => registry.register(listener, token, Interest::READABLE),
            Self::Unix { listener, .. } => registry.register(listener, token, Interest::READABLE),
        }
    }

    /// A connection that waits to be accepted.
    ///
    /// # Errors
    /// What the system says; `WouldBlock` when nobody waits.
    pub fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!("a connection keeps small packets back: {error}");
                }
                Ok(Stream::Tcp(stream))
            }
            Self::Unix { listener, path } => {
                let (stream, _) = listener.accept()?;
                Ok(Stream::Unix { stream, path: path.display().to_string() })
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix { path, .. } = self
            && let Err(error) = std::fs::remove_file(&*path)
        {
            tracing::debug!("removing {}: {error}", path.display());
        }
    }
}
