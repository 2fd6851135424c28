//! `redis://[user][:password@]host[:port]`, for the command lines of this crate.

use std::net::ToSocketAddrs;

use super::Connector;

/// The port of an URL that names none.
const DEFAULT_PORT: &str = "6379";

impl Connector {
    /// Reads a `redis://` URL; a path (database) is not accepted, nor TLS.
    ///
    /// # Errors
    /// What is wrong with it, in words. The password is not part of them.
    pub fn from_url(url: &str) -> Result<Connector, String> {
        let rest = url.strip_prefix("redis://").ok_or("the URL must start with redis://")?;
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, rest),
        };
        let place = place.trim_end_matches('/');
        let (host, port) = place.rsplit_once(':').unwrap_or((place, DEFAULT_PORT));
        let found = format!("{host}:{port}").to_socket_addrs();
        let found = found.map_err(|error| format!("cannot find {host}:{port}: {error}"))?.next();
        let mut connector =
            Connector::new(found.ok_or_else(|| format!("{host}:{port} has no address"))?);
        if let Some(login) = login {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            connector.user = Some(unescape(user)).filter(|user| !user.is_empty());
            connector.password = Some(unescape(password));
        }
        Ok(connector)
    }
}

/// Decodes `%41`; a percent sign before anything else stays.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) if byte == b'%' => {
                bytes.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_are_read() {
        let connector = Connector::from_url("redis://ann:s3c%2Fret%@127.0.0.1:7000/").unwrap();
        assert_eq!(connector.addr.to_string(), "127.0.0.1:7000");
        assert_eq!(connector.user.as_deref(), Some("ann"));
        assert_eq!(connector.password.as_deref(), Some("s3c/ret%"));
        let plain = Connector::from_url("redis://127.0.0.1").unwrap();
        assert_eq!((plain.addr.port(), plain.user, plain.password), (6379, None, None));
        assert!(Connector::from_url("rediss://127.0.0.1").is_err());
        assert!(Connector::from_url("redis://127.0.0.1:notaport").is_err());
    }
}
