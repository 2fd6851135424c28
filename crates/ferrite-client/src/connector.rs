//! Makes connections: socket, TLS, authentication, database.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::net::{TcpSocket, TcpStream, UnixStream, lookup_host};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use crate::stream::{Stream, tls_socket};
use crate::tls::explain;
use crate::{Address, Backoff, ClientError, Connection, Endpoint, TlsOptions};

/// Time for a socket, for TLS, and for the first replies, each.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may be silent within a call.
const DEFAULT_REPLY_TIMEOUT: Duration = Duration::from_secs(60);

/// Everything needed to connect to one server, as often as wanted. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Connector {
    address: Address,
    tls: TlsOptions,
    connect_timeout: Duration,
    reply_timeout: Duration,
    client_name: Option<String>,
    resp3: bool,
    /// The certificates, read once and shared by clones.
    loaded: Arc<OnceCell<Arc<ClientConfig>>>,
}

impl Connector {
    /// A connector with default options: 10 s to connect, 60 s for replies, RESP2.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            tls: TlsOptions::default(),
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            reply_timeout: DEFAULT_REPLY_TIMEOUT,
            client_name: None,
            resp3: false,
            loaded: Arc::default(),
        }
    }

    /// With these TLS options; they count when the address asks for TLS.
    #[must_use]
    pub fn tls(mut self, tls: TlsOptions) -> Self {
        self.tls = tls;
        self.loaded = Arc::default();
        self
    }

    /// With this much time for the socket, for TLS, and for the first replies, each.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// With this much silence allowed while a reply is due.
    #[must_use]
    pub fn reply_timeout(mut self, timeout: Duration) -> Self {
        self.reply_timeout = timeout;
        self
    }

    /// With this name in the server's `CLIENT LIST`; a server may refuse it without harm.
    #[must_use]
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = Some(name.into());
        self
    }

    /// Speaks RESP3 (`HELLO 3`), which servers before 6.0 refuse.
    #[must_use]
    pub fn resp3(mut self, resp3: bool) -> Self {
        self.resp3 = resp3;
        self
    }

    /// The same options for another address: another node, another database.
    #[must_use]
    pub fn with_address(mut self, address: Address) -> Self {
        self.address = address;
        self
    }

    /// Where this connects to.
    pub fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn connect_timeout_limit(&self) -> Duration {
        self.connect_timeout
    }

    /// How long a server may be silent within a call.
    pub fn reply_timeout_limit(&self) -> Duration {
        self.reply_timeout
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.client_name.as_deref()
    }

    pub(crate) fn speaks_resp3(&self) -> bool {
        self.resp3
    }

    /// Connects, authenticates, selects the database, and makes sure that a server answers.
    ///
    /// # Errors
    /// `Unreachable`, `Tls`, `Auth`, `Reply` (such as `LOADING`, or a database out of range),
    /// `Timeout`, `Closed`, `Protocol`; of an address with sentinels also `NoSuchPrimary` and
    /// `NotPrimary`.
    pub async fn connect(&self) -> Result<Connection, ClientError> {
        match self.address.endpoint() {
            Endpoint::Sentinel { sentinels, name } => {
                crate::topology::sentinel::connect(self, sentinels, name).await
            }
            Endpoint::Tcp { .. } | Endpoint::Unix(_) => self.connect_here().await,
        }
    }

    /// The same of an address that names the server itself.
    pub(crate) async fn connect_here(&self) -> Result<Connection, ClientError> {
        let stream = self.open().await?;
        let address: Arc<str> = self.place().into();
        let mut connection = Connection::new(stream, address, Some(self.connect_timeout));
        crate::greeting::greet(self, &mut connection).await?;
        connection.set_timeout(Some(self.reply_timeout));
        Ok(connection)
    }

    /// Connects, trying again after transient failures (nobody there yet, `LOADING`, `BUSY`)
    /// as `backoff` allows. `before_wait` hears of every failure and of the wait that follows.
    ///
    /// # Errors
    /// The last attempt's error, or the first that waiting cannot cure.
    pub async fn connect_with_backoff(
        &self,
        backoff: &Backoff,
        mut before_wait: impl FnMut(&ClientError, Duration),
    ) -> Result<Connection, ClientError> {
        let began = Instant::now();
        let mut failed = 0;
        loop {
            let error = match self.connect().await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            failed += 1;
            match backoff.wait(failed, began.elapsed()) {
                Some(wait) if error.is_transient() => {
                    before_wait(&error, wait);
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(error),
            }
        }
    }

    /// `host:port` or a path: what errors call this server.
    pub(crate) fn place(&self) -> String {
        self.address.endpoint().to_string()
    }

    async fn open(&self) -> Result<Stream, ClientError> {
        match self.address.endpoint() {
            Endpoint::Unix(path) => self.within(open_unix(path)).await.map(Stream::Unix),
            Endpoint::Sentinel { .. } => {
                let cause = io::Error::new(io::ErrorKind::InvalidInput, "it names no server");
                Err(ClientError::Unreachable { address: self.place(), cause })
            }
            Endpoint::Tcp { host, port } => {
                let socket = self.within(open_tcp(host, *port)).await?;
                if self.address.is_tls() {
                    self.start_tls(socket, host).await
                } else {
                    Ok(Stream::Tcp(socket))
                }
            }
        }
    }

    async fn within<T>(&self, open: impl Future<Output = io::Result<T>>) -> Result<T, ClientError> {
        let opened = tokio::time::timeout(self.connect_timeout, open).await;
        opened
            .unwrap_or_else(|_| Err(late(self.connect_timeout)))
            .map_err(|cause| ClientError::Unreachable { address: self.place(), cause })
    }

    async fn start_tls(&self, socket: TcpStream, host: &str) -> Result<Stream, ClientError> {
        let config = self.loaded.get_or_try_init(|| async { self.tls.load() }).await;
        let config = config.map_err(|reason| self.tls_error(reason))?;
        let name = self.tls.name_for(host).map_err(|reason| self.tls_error(reason))?;
        let connector = TlsConnector::from(Arc::clone(config));
        let handshake = connector.connect(name, tls_socket(socket));
        match tokio::time::timeout(self.connect_timeout, handshake).await {
            Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
            Ok(Err(error)) => Err(self.tls_error(explain(&error))),
            Err(_) => Err(self.tls_error(format!(
                "it did not answer the handshake within {} ms; perhaps this port does not speak \
                 TLS: use redis:// instead of rediss://",
                self.connect_timeout.as_millis()
            ))),
        }
    }

    pub(crate) fn tls_error(&self, reason: String) -> ClientError {
        ClientError::Tls { address: self.place(), reason }
    }
}

fn late(after: Duration) -> io::Error {
    let text = format!("no answer within {} ms", after.as_millis());
    io::Error::new(io::ErrorKind::TimedOut, text)
}

async fn open_unix(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(path).await
}

/// Tries every address of the host; the last failure is the one reported.
async fn open_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((host, port)).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_nodelay(true)?;
        socket.set_keepalive(true)?;
        match socket.connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
