//! Where something is kept in etcd: its servers, and what the keys begin with.

use std::fmt;
use std::str::FromStr;

use crate::address::parse;
use crate::{Address, AddressError};

/// The servers of an etcd and a prefix, read from `etcd://[user:password@]host[:port][,…]/prefix`;
/// `etcds://` for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdPlace {
    servers: Vec<Address>,
    prefix: String,
}

impl EtcdPlace {
    /// The servers, of which any can be asked.
    #[must_use]
    pub fn servers(&self) -> &[Address] {
        &self.servers
    }

    /// What all keys begin with, without slashes at either end.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether TLS is spoken with the servers.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.servers.iter().any(Address::is_tls)
    }
}

impl FromStr for EtcdPlace {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (servers, prefix) = parse::etcd(text)?;
        Ok(Self { servers, prefix })
    }
}

impl fmt::Display for EtcdPlace {
    /// As it was given, without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_tls() { "etcds://" } else { "etcd://" })?;
        for (at, server) in self.servers.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma}{}", server.endpoint())?;
        }
        write!(f, "/{}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_prefix_are_read() {
        let place: EtcdPlace = "etcd://a,b:1234,[::1]/ferrite/move-1/".parse().unwrap();
        assert_eq!(place.to_string(), "etcd://a:2379,b:1234,[::1]:2379/ferrite/move-1");
        assert_eq!(place.prefix(), "ferrite/move-1");
        assert!(!place.is_tls());
        let place: EtcdPlace = "etcds://root:s3cret@a/x".parse().unwrap();
        assert_eq!(place.to_string(), "etcds://a:2379/x");
        assert_eq!(place.servers()[0].username(), Some("root"));
    }

    #[test]
    fn what_is_missing_is_said() {
        for (text, reason) in [
            ("etcd://a:2379", "the prefix"),
            ("etcd://a:2379//", "the prefix"),
            ("etcd:///x", "the host is missing"),
            ("http://a:2379/x", "neither etcd nor etcds"),
            ("etcd://a/x?lease=3", "takes no parameters"),
            ("etcd://:s3cret@a/x", "a user and a password"),
        ] {
            let error = text.parse::<EtcdPlace>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(error.contains("looks like etcd://"), "{text}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
