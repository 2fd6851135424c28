//! Where clients connect to.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use arc_swap::ArcSwapOption;
use mio::net::{TcpListener, TcpStream, UnixListener};
use mio::{Interest, Registry, Token};
use rustix::net;
use rustls::ServerConfig;

use super::secure::Secure;
use super::stream::Stream;

/// One place clients connect to.
#[derive(Debug)]
pub enum Listener {
    /// An address of the network.
    Tcp(TcpListener),
    /// The same, for encrypted connections.
    Tls(TcpListener),
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

    /// The same with a queue of this length for connections that were not accepted yet, for
    /// connections that are `encrypted` or not.
    ///
    /// # Errors
    /// What the system says, with the address.
    pub fn tcp_with(address: SocketAddr, backlog: i32, encrypted: bool) -> io::Result<Self> {
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
        let listener = TcpListener::from_std(socket.into());
        Ok(if encrypted { Self::Tls(listener) } else { Self::Tcp(listener) })
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
            Self::Tcp(listener) | Self::Tls(listener) => listener.local_addr().ok(),
            Self::Unix { .. } => None,
        }
    }

    /// Announces it to a thread's poll.
    ///
    /// # Errors
    /// What the system says.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Tcp(listener) | Self::Tls(listener) => {
                registry.register(listener, token, Interest::READABLE)
            }
            Self::Unix { listener, .. } => registry.register(listener, token, Interest::READABLE),
        }
    }

    /// Takes it out of a thread's poll.
    pub fn deregister(&mut self, registry: &Registry) {
        let gone = match self {
            Self::Tcp(listener) | Self::Tls(listener) => registry.deregister(listener),
            Self::Unix { listener, .. } => registry.deregister(listener),
        };
        if let Err(error) = gone {
            tracing::debug!("taking a listener out of the poll: {error}");
        }
    }

    /// A connection that waits to be accepted, encrypted with `tls` where it is to be.
    ///
    /// # Errors
    /// What the system says; `WouldBlock` when nobody waits.
    pub fn accept(&self, tls: &ArcSwapOption<ServerConfig>) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                send_at_once(&stream);
                Ok(Stream::Tcp(stream))
            }
            Self::Tls(listener) => {
                let (stream, _) = listener.accept()?;
                send_at_once(&stream);
                let config = tls.load_full();
                let config = config.ok_or_else(|| io::Error::other("there is no certificate"))?;
                Ok(Stream::Tls(Box::new(Secure::new(stream, config)?)))
            }
            Self::Unix { listener, path } => {
                let (stream, _) = listener.accept()?;
                Ok(Stream::Unix { stream, path: path.display().to_string() })
            }
        }
    }
}

fn send_at_once(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("a connection keeps small packets back: {error}");
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
