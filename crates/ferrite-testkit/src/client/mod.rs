//! A small blocking client for tests.
//!
//! Written apart from the product's own client and protocol crates on purpose: it is the oracle
//! they are compared with.

pub(crate) mod parse;
mod pipeline;
mod reply;
mod stream;
mod url;

use std::io::{self, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use pipeline::{Pipeline, PipelineError};
pub use reply::Reply;
pub(crate) use reply::write_bytes;

use crate::tls::TlsFiles;
use stream::Stream;

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a reply may take unless [`Client::set_timeout`] says otherwise.
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes read from the socket at a time.
const READ_BUFFER: usize = 256 * 1024;

/// Why a command has no reply.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection could not be made.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Where to.
        address: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The connection broke, or nothing came in time.
    #[error("connection to {address} failed while {doing}: {source}")]
    Io {
        /// The server.
        address: String,
        /// What was going on.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The server sent what is not RESP.
    #[error("{address} sent something that is not RESP: {what}")]
    Protocol {
        /// The server.
        address: String,
        /// What was found.
        what: String,
    },
    /// The server refused AUTH.
    #[error("{address} refused the password: {reply}")]
    Auth {
        /// The server.
        address: String,
        /// Its answer.
        reply: String,
    },
}

/// How to connect; [`crate::Peer::client`] fills this in.
#[derive(Debug, Clone)]
pub struct Connector {
    /// The server's address; with TLS its certificate must be for `localhost`.
    pub addr: SocketAddr,
    /// User for AUTH; `None` means the default user.
    pub user: Option<String>,
    /// Password for AUTH.
    pub password: Option<String>,
    /// TLS with these files: the CA checks the server, the client certificate is presented.
    pub tls: Option<TlsFiles>,
    /// Connect to this Unix socket instead of the address.
    pub unix_path: Option<PathBuf>,
}

impl Connector {
    /// A plain connection to the address.
    pub fn new(addr: SocketAddr) -> Connector {
        Connector { addr, user: None, password: None, tls: None, unix_path: None }
    }

    /// Connects and authenticates.
    ///
    /// # Errors
    /// [`ClientError`] when either fails.
    pub fn connect(&self) -> Result<Client, ClientError> {
        let address = match &self.unix_path {
            Some(path) => path.display().to_string(),
            None => self.addr.to_string(),
        };
        let stream = self
            .open()
            .map_err(|source| ClientError::Connect { address: address.clone(), source })?;
        let reader = BufReader::with_capacity(READ_BUFFER, stream);
        let mut client = Client { address, reader, output: Vec::new() };
        if let Some(password) = &self.password {
            client.authenticate(self.user.as_deref(), password)?;
        }
        Ok(client)
    }

    fn open(&self) -> io::Result<Stream> {
        let stream = match (&self.unix_path, &self.tls) {
            (Some(path), _) => Stream::unix(path)?,
            (None, Some(files)) => Stream::tls(self.addr, CONNECT_TIMEOUT, files)?,
            (None, None) => Stream::tcp(self.addr, CONNECT_TIMEOUT)?,
        };
        stream.set_timeout(Some(REPLY_TIMEOUT))?;
        Ok(stream)
    }
}

/// One connection to a server.
#[derive(Debug)]
pub struct Client {
    address: String,
    reader: BufReader<Stream>,
    output: Vec<u8>,
}

impl Client {
    /// Connects to an address without TLS or password.
    ///
    /// # Errors
    /// [`ClientError::Connect`].
    pub fn connect(addr: SocketAddr) -> Result<Client, ClientError> {
        Connector::new(addr).connect()
    }

    /// Connects to a Unix socket without a password.
    ///
    /// # Errors
    /// [`ClientError::Connect`].
    pub fn connect_unix(path: &Path) -> Result<Client, ClientError> {
        let mut connector = Connector::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        connector.unix_path = Some(path.to_path_buf());
        connector.connect()
    }

    /// Longest wait for a reply; `None` waits for ever.
    ///
    /// # Errors
    /// [`ClientError::Io`] when the system refuses the value, such as zero.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) -> Result<(), ClientError> {
        let result = self.reader.get_ref().set_timeout(timeout);
        result.map_err(|source| self.broken("setting the timeout", source))
    }

    /// Sends one command and gives its reply, which may be [`Reply::Error`].
    ///
    /// # Panics
    /// When the connection fails.
    pub fn call<A: AsRef<[u8]>>(&mut self, command: &[A]) -> Reply {
        self.try_call(command).unwrap_or_else(|error| panic!("{}: {error}", shown(command)))
    }

    /// As [`call`](Client::call), for commands that must succeed.
    ///
    /// # Panics
    /// When the connection fails or the server answers with an error.
    pub fn ok<A: AsRef<[u8]>>(&mut self, command: &[A]) -> Reply {
        let reply = self.call(command);
        assert!(!reply.is_error(), "{} answered {}: {reply}", self.address, shown(command));
        reply
    }

    /// As [`call`](Client::call), for connections that are expected to break.
    ///
    /// # Errors
    /// [`ClientError`] when no reply came.
    pub fn try_call<A: AsRef<[u8]>>(&mut self, command: &[A]) -> Result<Reply, ClientError> {
        self.queue(command);
        self.flush()?;
        self.read()
    }

    /// Sends several commands at once and gives their replies in order.
    ///
    /// # Errors
    /// [`ClientError`] when a reply is missing.
    pub fn pipeline<A: AsRef<[u8]>>(
        &mut self,
        commands: &[Vec<A>],
    ) -> Result<Vec<Reply>, ClientError> {
        commands.iter().for_each(|command| self.queue(command));
        self.flush()?;
        commands.iter().map(|_| self.read()).collect()
    }

    /// Adds a command to those waiting to be sent by [`flush`](Client::flush).
    pub fn queue<A: AsRef<[u8]>>(&mut self, command: &[A]) {
        push_header(&mut self.output, b'*', command.len());
        for argument in command {
            let argument = argument.as_ref();
            push_header(&mut self.output, b'$', argument.len());
            self.output.extend_from_slice(argument);
            self.output.extend_from_slice(b"\r\n");
        }
    }

    /// Bytes queued and not sent.
    pub fn queued(&self) -> usize {
        self.output.len()
    }

    /// Adds bytes as they are to those waiting to be sent.
    pub fn queue_raw(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// Sends what is queued.
    ///
    /// # Errors
    /// [`ClientError::Io`].
    pub fn flush(&mut self) -> Result<(), ClientError> {
        let stream = self.reader.get_mut();
        let result = stream.write_all(&self.output).and_then(|()| stream.flush());
        self.output.clear();
        result.map_err(|source| self.broken("sending", source))
    }

    /// Reads one reply (or push message).
    ///
    /// # Errors
    /// [`ClientError`] when the connection breaks, the time is up or the bytes are not RESP.
    pub fn read(&mut self) -> Result<Reply, ClientError> {
        parse::reply(&mut self.reader).map_err(|error| match error {
            parse::Error::Io(source) => self.broken("waiting for a reply", source),
            parse::Error::Protocol(what) => {
                ClientError::Protocol { address: self.address.clone(), what }
            }
        })
    }

    fn authenticate(&mut self, user: Option<&str>, password: &str) -> Result<(), ClientError> {
        let reply = match user {
            Some(user) => self.try_call(&["AUTH", user, password])?,
            None => self.try_call(&["AUTH", password])?,
        };
        if reply.is_error() {
            let reply = reply.to_string();
            return Err(ClientError::Auth { address: self.address.clone(), reply });
        }
        Ok(())
    }

    fn broken(&self, doing: &'static str, source: io::Error) -> ClientError {
        ClientError::Io { address: self.address.clone(), doing, source }
    }
}

fn push_header(output: &mut Vec<u8>, kind: u8, length: usize) {
    output.push(kind);
    output.extend_from_slice(length.to_string().as_bytes());
    output.extend_from_slice(b"\r\n");
}

/// A command as a reader of a test log wants to see it.
fn shown<A: AsRef<[u8]>>(command: &[A]) -> String {
    let arguments: Vec<Reply> =
        command.iter().map(|argument| Reply::Bulk(argument.as_ref().to_vec())).collect();
    Reply::Array(arguments).to_string()
}
