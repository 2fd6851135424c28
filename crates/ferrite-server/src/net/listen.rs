//! Where clients connect to.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use rustix::net;

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

    /// The same with a queue of this length for connections that were not accepted yet.
    ///
    /// # Errors
    /// What the system says, with the address.
    pub fn tcp_with(address: SocketAddr, backlog: i32) -> io::Result<Self> {
        let at = |error: rustix::io::Errno| {
            let error = io::Error::from(error);
            io::Error::new(error.kind(), format!("listening on {address}: {error}"))
        };
        let family = match address {
            SocketAddr::V4(_) => net::AddressFamily::INET,
            SocketAddr::V6(_) => net::AddressFamily::INET6,
        };
        let flags = net::SocketFlags::CLOEXEC | net::SocketFlags::NONBLOCK;
        let socket = net::socket_with(family, net::SocketType::STREAM, flags, None).map_err(at)?;
        net::sockopt::set_socket_reuseaddr(&socket, true).map_err(at)?;
        net::bind(&socket, &address).map_err(at)?;
        net::listen(&socket, backlog.max(1)).map_err(at)?;
        Ok(Self::Tcp(TcpListener::from_std(socket.into())))
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

    /// Takes it out of a thread's poll.
    pub fn deregister(&mut self, registry: &Registry) {
        let gone = match self {
            Self::Tcp(listener) => registry.deregister(listener),
            Self::Unix { listener, .. } => registry.deregister(listener),
        };
        if let Err(error) = gone {
            tracing::debug!("taking a listener out of the poll: {error}");
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
