//! Reads addresses, and says what is wrong with the others without showing their secrets.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use super::{Address, DEFAULT_PORT, Endpoint, SENTINEL_PORT, Secret};
use crate::{etcd, memcached};

const EXAMPLE: &str = "redis://user:password@db.example.org:6379/0";
const EXAMPLE_MEMCACHED: &str = "memcached://cache.example.org:11211";
const EXAMPLE_ETCD: &str = "etcd://coordinator.example.org:2379/ferrite/move-1";
const EXAMPLE_UNIX: &str = "unix:///run/redis/redis.sock?db=0";
const EXAMPLE_SENTINEL: &str = "sentinel://:password@host1:26379,host2:26379/mymaster";
/// Sentinels one address may name.
const SENTINELS_MAX: usize = 64;

/// An address that cannot be used, why, and what one looks like. Shows no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the address '{shown}': {reason}; an address looks like {example}")]
pub struct AddressError {
    /// The address without user and password.
    shown: String,
    reason: String,
    example: &'static str,
}

impl AddressError {
    fn new(text: &str, reason: String) -> Self {
        Self::looking_like(text, reason, false)
    }

    fn looking_like(text: &str, reason: String, is_for_etcd: bool) -> Self {
        let example = match text.split_once(':').map_or("", |(scheme, _)| scheme) {
            "unix" => EXAMPLE_UNIX,
            "sentinel" | "sentinels" => EXAMPLE_SENTINEL,
            _ if is_for_etcd => EXAMPLE_ETCD,
            _ if memcached::is_address(text) => EXAMPLE_MEMCACHED,
            _ => EXAMPLE,
        };
        Self { shown: redact(text), reason, example }
    }

    /// What is wrong, without the address.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// Hides what may be a secret: all between the scheme and the last `@`, and all parameters.
fn redact(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), text),
    };
    match (rest.rsplit_once('@'), rest.split_once('?')) {
        (None, None) => format!("{scheme}{rest}"),
        (Some((_, place)), None) => format!("{scheme}…@{place}"),
        (None, Some((place, _))) => format!("{scheme}{place}?…"),
        // Either sign may be part of a password, so nothing is sure to be safe.
        (Some(_), Some(_)) => format!("{scheme}…"),
    }
}

pub(super) fn address(text: &str) -> Result<Address, AddressError> {
    let trimmed = text.trim();
    parse(trimmed).map_err(|reason| AddressError::new(trimmed, reason))
}

/// One address for each server that `memcached://a,b:11212` names.
pub(crate) fn memcached(text: &str) -> Result<Vec<Address>, AddressError> {
    let trimmed = text.trim();
    memcached_servers(trimmed).map_err(|reason| AddressError::new(trimmed, reason))
}

fn memcached_servers(text: &str) -> Result<Vec<Address>, String> {
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "memcached" => false,
        "memcacheds" => true,
        _ => return Err("the scheme is neither memcached nor memcacheds".to_owned()),
    };
    let (identity, places) = match rest.rsplit_once('@') {
        Some((identity, places)) => (Some(identity), places),
        None => (None, rest),
    };
    let places = places.strip_suffix('/').unwrap_or(places);
    if places.contains(['/', '?']) {
        return Err("Memcached has no databases and takes no parameters".to_owned());
    }
    if places.split(',').count() > memcached::SERVERS_MAX {
        return Err(format!("more than {} servers are named", memcached::SERVERS_MAX));
    }
    let server = |place| {
        let (host, port) = host_and_port(place, memcached::DEFAULT_PORT)?;
        let mut address = Address::new(Endpoint::Tcp { host, port });
        (address.family, address.tls) = ("memcached", tls);
        if let Some(identity) = identity {
            set_identity(&mut address, identity)?;
        }
        match address.username.is_some() == address.password.is_some() {
            true => Ok(address),
            false => Err("Memcached wants a user and a password, or none of them".to_owned()),
        }
    };
    places.split(',').map(server).collect()
}

/// The servers and the prefix that `etcd://a,b:2379/prefix` names.
pub(crate) fn etcd(text: &str) -> Result<(Vec<Address>, String), AddressError> {
    let trimmed = text.trim();
    etcd_place(trimmed).map_err(|reason| AddressError::looking_like(trimmed, reason, true))
}

fn etcd_place(text: &str) -> Result<(Vec<Address>, String), String> {
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "etcd" => false,
        "etcds" => true,
        _ => return Err("the scheme is neither etcd nor etcds".to_owned()),
    };
    let (identity, place) = match rest.rsplit_once('@') {
        Some((identity, place)) => (Some(identity), place),
        None => (None, rest),
    };
    if place.contains('?') {
        return Err("it takes no parameters".to_owned());
    }
    let (places, prefix) = place.split_once('/').unwrap_or((place, ""));
    let prefix = text_of(percent_decode(prefix.trim_matches('/'), "prefix")?, "prefix")?;
    if prefix.is_empty() {
        return Err("the prefix of the keys is missing".to_owned());
    }
    if places.split(',').count() > etcd::SERVERS_MAX {
        return Err(format!("more than {} servers are named", etcd::SERVERS_MAX));
    }
    let server = |place| {
        let (host, port) = host_and_port(place, etcd::DEFAULT_PORT)?;
        let mut address = Address::new(Endpoint::Tcp { host, port });
        (address.family, address.tls) = ("etcd", tls);
        if let Some(identity) = identity {
            set_identity(&mut address, identity)?;
        }
        match address.username.is_some() == address.password.is_some() {
            true => Ok(address),
            false => Err("etcd wants a user and a password, or none of them".to_owned()),
        }
    };
    let servers: Result<Vec<_>, String> = places.split(',').map(server).collect();
    Ok((servers?, prefix))
}

fn parse(text: &str) -> Result<Address, String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return tcp("redis", false, text);
    };
    match scheme.to_ascii_lowercase().as_str() {
        "redis" => tcp("redis", false, rest),
        "rediss" => tcp("redis", true, rest),
        "valkey" => tcp("valkey", false, rest),
        "valkeys" => tcp("valkey", true, rest),
        "keydb" => tcp("keydb", false, rest),
        "keydbs" => tcp("keydb", true, rest),
        "ferrite" => tcp("ferrite", false, rest),
        "ferrites" => tcp("ferrite", true, rest),
        "unix" => unix(rest),
        "sentinel" => sentinel(false, rest),
        "sentinels" => sentinel(true, rest),
        _ => Err(format!(
            "'{scheme}' is none of the schemes redis, rediss, valkey, valkeys, keydb, keydbs, \
             ferrite, ferrites, unix, sentinel, sentinels"
        )),
    }
}

fn tcp(family: &'static str, tls: bool, rest: &str) -> Result<Address, String> {
    // Passwords are often pasted unescaped, so the last @ is the one that counts.
    let (identity, place) = match rest.rsplit_once('@') {
        Some((identity, place)) => (Some(identity), place),
        None => (None, rest),
    };
    let (place, parameters) = split_parameters(place);
    let (host_port, database) = match place.split_once('/') {
        Some((host_port, path)) => (host_port, path.trim_end_matches('/')),
        None => (place, ""),
    };
    let (host, port) = host_and_port(host_port, DEFAULT_PORT)?;
    let mut address = Address::new(Endpoint::Tcp { host, port });
    (address.family, address.tls) = (family, tls);
    if let Some(identity) = identity {
        set_identity(&mut address, identity)?;
    }
    if !database.is_empty() {
        address.database = Some(database_number(database)?);
    }
    set_parameters(&mut address, parameters)?;
    Ok(address)
}

fn sentinel(tls: bool, rest: &str) -> Result<Address, String> {
    let (identity, place) = match rest.rsplit_once('@') {
        Some((identity, place)) => (Some(identity), place),
        None => (None, rest),
    };
    let (place, parameters) = split_parameters(place);
    let (hosts, path) = place.split_once('/').unwrap_or((place, ""));
    let (name, database) = path.split_once('/').unwrap_or((path, ""));
    let name = text_of(percent_decode(name, "name of the primary")?, "name of the primary")?;
    if name.is_empty() {
        return Err("the name the sentinels know the primary by is missing".to_owned());
    }
    let hosts = hosts.split(',').take(SENTINELS_MAX);
    let sentinels: Result<Vec<_>, _> =
        hosts.map(|host| host_and_port(host, SENTINEL_PORT)).collect();
    let mut address = Address::new(Endpoint::Sentinel { sentinels: sentinels?, name });
    (address.family, address.tls) = ("sentinel", tls);
    if let Some(identity) = identity {
        set_identity(&mut address, identity)?;
    }
    let database = database.trim_end_matches('/');
    if !database.is_empty() {
        address.database = Some(database_number(database)?);
    }
    let (ours, others) = parameters.split('&').partition::<Vec<_>, _>(is_for_sentinels);
    set_parameters(&mut address, &others.join("&"))?;
    for parameter in ours {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = percent_decode(value, "parameter of the sentinels")?;
        let login = address.sentinel_login.get_or_insert_default();
        if name == "sentinel-user" {
            login.username = Some(text_of(value, "user name of the sentinels")?);
        } else {
            login.password = Some(Secret::new(value));
        }
    }
    Ok(address)
}

fn is_for_sentinels(parameter: &&str) -> bool {
    let name = parameter.split('=').next().unwrap_or_default();
    matches!(name, "sentinel-user" | "sentinel-password")
}

fn unix(rest: &str) -> Result<Address, String> {
    let (place, parameters) = split_parameters(rest);
    let (identity, path) = match place.split_once("@/") {
        Some((identity, path)) if !place.starts_with('/') => (Some(identity), format!("/{path}")),
        _ => (None, place.to_owned()),
    };
    if path.trim_matches('/').is_empty() {
        return Err("the path of the socket is missing".to_owned());
    }
    let path = text_of(percent_decode(&path, "path")?, "path")?;
    let mut address = Address::new(Endpoint::Unix(PathBuf::from(path)));
    if let Some(identity) = identity {
        set_identity(&mut address, identity)?;
    }
    set_parameters(&mut address, parameters)?;
    Ok(address)
}

fn split_parameters(place: &str) -> (&str, &str) {
    place.split_once('?').unwrap_or((place, ""))
}

fn set_identity(address: &mut Address, identity: &str) -> Result<(), String> {
    let (username, password) = match identity.split_once(':') {
        Some((username, password)) => (username, Some(password)),
        None => (identity, None),
    };
    if username.contains(['/', '?']) {
        return Err("a / or ? before the @ is written %2F or %3F".to_owned());
    }
    if !username.is_empty() {
        address.username = Some(text_of(percent_decode(username, "user name")?, "user name")?);
    }
    if let Some(password) = password.filter(|password| !password.is_empty()) {
        address.password = Some(Secret::new(percent_decode(password, "password")?));
    }
    Ok(())
}

fn set_parameters(address: &mut Address, parameters: &str) -> Result<(), String> {
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name {
            "db" => address.database = Some(database_number(value)?),
            "user" | "username" => {
                address.username = Some(text_of(percent_decode(value, "user name")?, "user name")?);
            }
            "password" => address.password = Some(Secret::new(percent_decode(value, "password")?)),
            _ => {
                return Err(format!(
                    "'{name}' is none of the parameters db, user, password (a '?' within a \
                     password is written %3F)"
                ));
            }
        }
    }
    Ok(())
}

fn host_and_port(text: &str, default_port: u16) -> Result<(String, u16), String> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, tail) =
            rest.split_once(']').ok_or("the ] behind an IPv6 address is missing".to_owned())?;
        host.parse::<Ipv6Addr>().map_err(|_| format!("'{host}' is not an IPv6 address"))?;
        return match tail.strip_prefix(':') {
            Some(port) => Ok((host.to_owned(), port_number(port)?)),
            None if tail.is_empty() => Ok((host.to_owned(), default_port)),
            None => Err("only a port may follow the ] of an IPv6 address".to_owned()),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text.to_owned(), default_port));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, port_number(port)?),
        None => (text, default_port),
    };
    if host.is_empty() {
        return Err("the host is missing".to_owned());
    }
    if host.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("a host has no spaces".to_owned());
    }
    Ok((host.to_owned(), port))
}

fn port_number(text: &str) -> Result<u16, String> {
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u16>().ok());
    number
        .flatten()
        .filter(|port| *port != 0)
        .ok_or_else(|| format!("the port '{text}' is not a number from 1 to 65535"))
}

fn database_number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("the database '{text}' is not a number"))
}

fn text_of(bytes: Vec<u8>, what: &str) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|_| format!("the {what} is not UTF-8"))
}

/// `%40` stands for the byte 0x40. Never shows what it reads: it may be a password.
fn percent_decode(text: &str, what: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = (bytes.next().and_then(hex), bytes.next().and_then(hex));
        let (Some(high), Some(low)) = digits else {
            return Err(format!(
                "a % in the {what} is not followed by two hexadecimal digits (% itself is \
                 written %25)"
            ));
        };
        out.push(high << 4 | low);
    }
    Ok(out)
}

fn hex(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
