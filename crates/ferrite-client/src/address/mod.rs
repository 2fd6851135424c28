//! Where a server is, and as whom to speak to it.
//!
//! ```text
//! redis://[user[:password]@]host[:port][/database]      also valkey:// keydb:// ferrite://
//! rediss://…                                            the same over TLS (valkeys:// …)
//! unix:///path/to/socket[?db=3&user=…&password=…]
//! sentinel://[user[:password]@]host[:port][,host[:port]…]/name[/database]
//!     [?sentinel-user=…&sentinel-password=…]            sentinels:// with TLS
//! host[:port]                                           short for redis://host:port
//! ```

mod parse;

use std::fmt;
use std::path::PathBuf;

pub use parse::AddressError;

/// The port every server of the family listens on unless told otherwise.
pub const DEFAULT_PORT: u16 = 6379;
/// The port sentinels listen on unless told otherwise.
pub const SENTINEL_PORT: u16 = 26_379;

/// Bytes that must not be shown: `Debug` hides them, `Display` does not exist.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Wraps a secret.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for the one place that sends them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<hidden>")
    }
}

/// What to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A host (name, IPv4 or IPv6 without brackets) and a port.
    Tcp {
        /// Name or address.
        host: String,
        /// Port, never 0.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
    /// Whatever server the sentinels name as the primary, asked at every connect.
    Sentinel {
        /// Name or address, and port, of each sentinel.
        sentinels: Vec<(String, u16)>,
        /// What they call the primary.
        name: String,
    },
}

impl fmt::Display for Endpoint {
    /// `host:port`, `[v6]:port`, the socket's path, or `host:port,host:port/name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => place(f, host, *port),
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Sentinel { sentinels, name } => {
                for (index, (host, port)) in sentinels.iter().enumerate() {
                    f.write_str(if index > 0 { "," } else { "" })?;
                    place(f, host, *port)?;
                }
                write!(f, "/{name}")
            }
        }
    }
}

/// An IPv6 address is told from its port by brackets.
fn place(f: &mut fmt::Formatter<'_>, host: &str, port: u16) -> fmt::Result {
    match host.contains(':') {
        true => write!(f, "[{host}]:{port}"),
        false => write!(f, "{host}:{port}"),
    }
}

/// Where a server is, as whom to speak to it, and which database to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    endpoint: Endpoint,
    tls: bool,
    username: Option<String>,
    password: Option<Secret>,
    /// `None` where the address names none.
    database: Option<u32>,
    /// `redis`, `valkey`, `keydb`, `ferrite`, `sentinel`, as written; for display only.
    family: &'static str,
    /// As whom to speak to the sentinels, who do not share the servers' users.
    sentinel_username: Option<String>,
    sentinel_password: Option<Secret>,
}

impl Address {
    /// A plain address without user, password or database.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::new(Endpoint::Tcp { host: host.into(), port })
    }

    /// The address of a Unix socket.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::new(Endpoint::Unix(path.into()))
    }

    fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            tls: false,
            username: None,
            password: None,
            database: None,
            family: "redis",
            sentinel_username: None,
            sentinel_password: None,
        }
    }

    /// What to connect to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The host, unless this is a Unix socket or up to sentinels.
    pub fn host(&self) -> Option<&str> {
        match &self.endpoint {
            Endpoint::Tcp { host, .. } => Some(host),
            Endpoint::Unix(_) | Endpoint::Sentinel { .. } => None,
        }
    }

    /// The port, unless this is a Unix socket or up to sentinels.
    pub fn port(&self) -> Option<u16> {
        match self.endpoint {
            Endpoint::Tcp { port, .. } => Some(port),
            Endpoint::Unix(_) | Endpoint::Sentinel { .. } => None,
        }
    }

    /// Whether TLS is spoken.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The ACL user; without one, the password is that of the user `default`.
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The password.
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// The database selected after connecting: the one the address names, else 0.
    pub fn database(&self) -> u32 {
        self.database.unwrap_or(0)
    }

    /// The database the address names, if it names one.
    pub fn named_database(&self) -> Option<u32> {
        self.database
    }

    /// The address of a sentinel of this address, and as whom to speak to it.
    pub(crate) fn of_sentinel(&self, host: &str, port: u16) -> Self {
        let mut address = Self::tcp(host, port).with_tls(self.tls);
        address.username.clone_from(&self.sentinel_username);
        address.password.clone_from(&self.sentinel_password);
        address
    }

    /// The same user, password and TLS at another host: a node of the same cluster.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = endpoint;
        self
    }

    /// With TLS, or without.
    #[must_use]
    pub fn with_tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// With this ACL user.
    #[must_use]
    pub fn with_username(mut self, username: Option<String>) -> Self {
        self.username = username;
        self
    }

    /// With this password.
    #[must_use]
    pub fn with_password(mut self, password: Option<Secret>) -> Self {
        self.password = password;
        self
    }

    /// With this database.
    #[must_use]
    pub fn with_database(mut self, database: u32) -> Self {
        self.database = Some(database);
        self
    }
}

impl fmt::Display for Address {
    /// The address as a URL, never with its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Endpoint::Unix(path) = &self.endpoint {
            write!(f, "unix://{}", path.display())?;
            return self.database.map_or(Ok(()), |database| write!(f, "?db={database}"));
        }
        write!(f, "{}{}://", self.family, if self.tls { "s" } else { "" })?;
        if let Some(username) = &self.username {
            write!(f, "{username}@")?;
        }
        write!(f, "{}", self.endpoint)?;
        self.database.map_or(Ok(()), |database| write!(f, "/{database}"))
    }
}

impl std::str::FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse::address(text)
    }
}

#[cfg(test)]
mod tests;
