//! A client's connection: TCP or a Unix socket.

use std::io::{self, Read, Write};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use crate::clients::address_text;

/// One connection.
#[derive(Debug)]
pub enum Stream {
    /// Over the network.
    Tcp(TcpStream),
    /// On this machine.
    Unix {
        /// The connection.
        stream: UnixStream,
        /// The socket's path, which stands for both addresses.
        path: String,
    },
}

impl Stream {
    /// The peer's address, as `CLIENT LIST` shows it.
    pub fn peer(&self) -> String {
        match self {
            Self::Tcp(stream) => address_text(stream.peer_addr().ok()),
            Self::Unix { path, .. } => format!("{path}:0"),
        }
    }

    /// The address it connected to.
    pub fn local(&self) -> String {
        match self {
            Self::Tcp(stream) => address_text(stream.local_addr().ok()),
            Self::Unix { path, .. } => format!("{path}:0"),
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
            Self::Unix { stream, .. } => stream.register(registry, token, both),
        }
    }

    /// Takes it out of a thread's poll.
    pub fn deregister(&mut self, registry: &Registry) {
        let gone = match self {
            Self::Tcp(stream) => stream.deregister(registry),
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
            Self::Unix { stream, .. } => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix { stream, .. } => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
