//! Where the keys come from.

use std::fmt;

use ferrite_client::{Address, TlsOptions};

use super::Endpoint;
use crate::inputs::Input;

/// Where the keys of a migration come from.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a configuration has one")]
pub enum Origin {
    /// A server that speaks the Redis protocol.
    Server(Endpoint),
    /// Anything else: a file, another kind of server.
    Input(Input),
}

impl Origin {
    /// The server, if it is one.
    #[must_use]
    pub fn server(&self) -> Option<&Endpoint> {
        match self {
            Self::Server(endpoint) => Some(endpoint),
            Self::Input(_) => None,
        }
    }

    /// What it is, if it is no server.
    #[must_use]
    pub fn input(&self) -> Option<&Input> {
        match self {
            Self::Server(_) => None,
            Self::Input(input) => Some(input),
        }
    }

    /// The server's address, if it is one.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        self.server().map(|endpoint| &endpoint.address)
    }

    /// How TLS is spoken with it.
    #[must_use]
    pub fn tls(&self) -> TlsOptions {
        self.server().map(|endpoint| endpoint.tls.clone()).unwrap_or_default()
    }
}

impl fmt::Display for Origin {
    /// Its address or path, never with a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(endpoint) => endpoint.address.fmt(f),
            Self::Input(input) => input.fmt(f),
        }
    }
}
