//! A client's connection: TCP, encrypted or not, or a Unix socket.

use std::io::{self, Read, Write};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use super::secure::Secure;
use crate::clients::address_text;

/// One connection.
#[derive(Debug)]
pub enum Stream {
    /// Over the network.
    Tcp(TcpStream),
    /// The same, encrypted.
    Tls(Box<Secure>),
    /// On this machine.
    Unix {
        /// The connection.
        stream: UnixStream,
        /// The socket's path, which stands for both addresses.
        path: String,
    },
}

impl Stream {
    /// The connection over the network, encrypted or not.
    fn network(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
            Self::Tls(secure) => Some(&secure.socket),
            Self::Unix { .. } => None,
        }
    }

    /// Whether something was taken to be sent that the system has not.
    pub fn has_unsent(&self) -> bool {
        match self {
            Self::Tls(secure) => secure.has_unsent(),
            Self::Tcp(_) | Self::Unix { .. } => false,
        }
    }

    /// Tells the peer that this is the end, where that is to be told.
    pub fn say_goodbye(&mut self) {
        if let Self::Tls(secure) = self {
            secure.say_goodbye();
        }
    }

    /// The peer's address, as `CLIENT LIST` shows it.
    pub fn peer(&self) -> String {
        match self {
            Self::Unix { path, .. } => format!("{path}:0"),
            Self::Tcp(_) | Self::Tls(_) => {
                address_text(self.network().and_then(|stream| stream.peer_addr().ok()))
            }
        }
    }

    /// Whether the peer is on this machine.
    pub fn is_local(&self) -> bool {
        self.network().is_none_or(|stream| {
            stream.peer_addr().is_ok_and(|peer| peer.ip().to_canonical().is_loopback())
        })
    }

    /// The address it connected to.
    pub fn local(&self) -> String {
        match self {
            Self::Unix { path, .. } => format!("{path}:0"),
            Self::Tcp(_) | Self::Tls(_) => {
                address_text(self.network().and_then(|stream| stream.local_addr().ok()))
            }
        }
    }

    /// Has the system ask every so many seconds whether an idle peer is still there; 0: never.
    pub fn keep_alive(&self, seconds: u32) {
        use rustix::net::sockopt;
        let Some(stream) = self.network() else { return };
        let time = std::time::Duration::from_secs(seconds.into());
        let set = sockopt::set_socket_keepalive(stream, seconds > 0).and_then(|()| {
            if seconds == 0 {
                return Ok(());
            }
            sockopt::set_tcp_keepidle(stream, time)?;
            sockopt::set_tcp_keepintvl(stream, (time / 3).max(std::time::Duration::from_secs(1)))?;
            sockopt::set_tcp_keepcnt(stream, 3)
        });
        if let Err(error) = set {
            tracing::debug!("a connection is not kept alive: {error}");
        }
    }

    /// Announces it to a thread's poll.
    ///
    /// # Errors
    /// What the system says.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Tcp(stream) => stream.register(registry, token, both),
            Self::Tls(secure) => secure.socket.register(registry, token, both),
            Self::Unix { stream, .. } => stream.register(registry, token, both),
        }
    }

    /// Takes it out of a thread's poll.
    pub fn deregister(&mut self, registry: &Registry) {
        let gone = match self {
            Self::Tcp(stream) => stream.deregister(registry),
            Self::Tls(secure) => secure.socket.deregister(registry),
            Self::Unix { stream, .. } => stream.deregister(registry),
        };
        if let Err(error) = gone {
            tracing::debug!("taking a connection out of the poll: {error}");
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            Self::Tls(secure) => secure.read(into),
            Self::Unix { stream, .. } => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Tls(secure) => secure.write(bytes),
            Self::Unix { stream, .. } => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(secure) => secure.flush(),
            Self::Tcp(_) | Self::Unix { .. } => Ok(()),
        }
    }
}
