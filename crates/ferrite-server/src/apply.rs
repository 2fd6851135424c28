//! The configuration in effect: what happens when parameters get new values.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ferrite_store::types::Limits;

use crate::config::{Apply, Config, Spec};
use crate::net::listen::Listener;
use crate::net::mail::Mail;
use crate::shared::Shared;
use crate::tls;

/// The sizes from which on collections change their form.
pub fn limits(config: &Config) -> Limits {
    let encodings = &config.encodings;
    let list_size = encodings.list_max_listpack_size.get();
    Limits {
        list_max_listpack_size: i32::try_from(list_size).unwrap_or(i32::MAX),
        list_compress_depth: encodings.list_compress_depth.get(),
        set_max_intset_entries: encodings.set_max_intset_entries.get(),
        set_max_listpack_entries: encodings.set_max_listpack_entries.get(),
        set_max_listpack_value: encodings.set_max_listpack_value.get(),
        hash_max_listpack_entries: encodings.hash_max_listpack_entries.get(),
        hash_max_listpack_value: encodings.hash_max_listpack_value.get(),
        zset_max_listpack_entries: encodings.zset_max_listpack_entries.get(),
        zset_max_listpack_value: encodings.zset_max_listpack_value.get(),
        stream_node_max_bytes: encodings.stream_node_max_bytes.get(),
        stream_node_max_entries: encodings.stream_node_max_entries.get(),
        hll_sparse_max_bytes: encodings.hll_sparse_max_bytes.get(),
        ..Limits::default()
    }
}

/// The ports of the network, and whether what comes there is encrypted.
fn ports(config: &Config) -> [(u16, bool); 2] {
    [(config.network.port.get(), false), (config.tls.port.get(), true)]
}

/// The addresses that `bind` names at a port, and whether each must be there.
fn addresses(config: &Config, port: u16) -> Vec<(String, Vec<SocketAddr>, bool)> {
    if port == 0 {
        return Vec::new();
    }
    let bind = config.network.bind.get();
    let mut found: Vec<_> = bind.0.iter().map(|word| address(word, port)).collect();
    // The socket for all IPv6 addresses takes IPv4 connections, too, and must be the first.
    found.sort_by_key(|(_, addresses, _)| !addresses.iter().any(is_every_ipv6));
    found
}

fn is_every_ipv6(address: &SocketAddr) -> bool {
    address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
}

fn address(word: &str, port: u16) -> (String, Vec<SocketAddr>, bool) {
    let name = word.strip_prefix('-').unwrap_or(word);
    let host = match name {
        "*" => "0.0.0.0",
        "::*" => "::",
        name => name,
    };
    let found = (host, port).to_socket_addrs().map(|found| found.take(1).collect());
    (name.to_owned(), found.unwrap_or_default(), name.len() == word.len())
}

/// Listens at the addresses that `bind`, `port` and `tls-port` name.
///
/// # Errors
/// The address that cannot be listened at, and what the system says.
pub fn listen(config: &Config) -> io::Result<Vec<Listener>> {
    listen_besides(config, &[])
}

/// The same without those that are listened at already.
fn listen_besides(config: &Config, there: &[SocketAddr]) -> io::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for (port, encrypted) in ports(config) {
        listeners.extend(listen_at(config, port, encrypted, there)?);
    }
    Ok(listeners)
}

/// The same at one port.
fn listen_at(
    config: &Config,
    port: u16,
    encrypted: bool,
    there: &[SocketAddr],
) -> io::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    let (mut every_ipv6, wanted) = (false, addresses(config, port));
    for (name, found, needed) in &wanted {
        if found.is_empty() && *needed {
            let why = format!("{name} is no address of a machine that is known");
            return Err(io::Error::other(why));
        }
        for address in found {
            if there.contains(address) {
                every_ipv6 |= is_every_ipv6(address);
                continue;
            }
            let covered = every_ipv6 && address.ip().is_unspecified();
            match Listener::tcp_with(*address, config.network.tcp_backlog.get(), encrypted) {
                Ok(listener) => {
                    every_ipv6 |= is_every_ipv6(address);
                    listeners.push(listener);
                }
                Err(_) if covered => {}
                Err(error) if !needed => tracing::debug!("{error}; it may be missing"),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(listeners)
}

impl Shared {
    /// Puts every value into effect that is not read where it is needed.
    pub fn put_into_effect(&self) {
        self.live_limits.store(Arc::new(limits(&self.config)));
        let events = self.config.events.notify_keyspace_events.get();
        self.notify.store(events.0, Ordering::Relaxed);
        self.persistence.folder.lock().clone_from(&self.config.folder());
        let file = self.config.snapshots.dbfilename.get();
        self.persistence.file.lock().clone_from(&file.0);
        let replication = &self.config.replication;
        let needed = i64::from(replication.min_replicas_to_write.get());
        self.replicas.needed.store(needed, Ordering::Relaxed);
        let lag = i64::from(replication.min_replicas_max_lag.get());
        self.replicas.needed_lag.store(lag, Ordering::Relaxed);
        self.log.backlog.store(replication.repl_backlog_size.get(), Ordering::Relaxed);
        let patience = self.config.scripting.busy_reply_threshold.get();
        self.scripting.patience.store(patience.max(0).unsigned_abs(), Ordering::Relaxed);
        self.slow_log.lock().trim(self.config.slow_log.max_len.get());
        self.acl.log().trim(self.config.security.acllog_max_len.get());
    }

    /// Takes certificates, authorities and versions for encrypted connections from now on.
    ///
    /// # Errors
    /// What cannot be used; what was used before is kept.
    pub fn encrypt(&self, config: &Config) -> Result<(), String> {
        if config.tls.port.get() != 0 {
            let loaded = tls::load(config)
                .inspect_err(|why| tracing::warn!("Failed to configure TLS: {why}"))?;
            self.tls.store(Some(loaded));
        }
        Ok(())
    }

    /// Listens at other addresses, and no longer at those of before.
    fn listen_anew(&self, config: &Config) -> Result<(), String> {
        let mut there = self.listening.lock();
        let all = ports(config).map(|(port, _)| addresses(config, port));
        let wanted: Vec<SocketAddr> =
            all.into_iter().flatten().flat_map(|(_, found, _)| found).collect();
        let named = !config.network.bind.get().0.is_empty();
        if named && wanted.is_empty() && ports(config).iter().any(|(port, _)| *port != 0) {
            return Err("none of the addresses of bind is known: nobody could connect".to_owned());
        }
        let mut kept = there.clone();
        kept.retain(|address| wanted.contains(address));
        let listeners = listen_besides(config, &kept)
            .inspect_err(|why| tracing::warn!("{why}"))
            .map_err(|error| error.to_string())?;
        *there = kept.clone();
        there.extend(listeners.iter().filter_map(Listener::address));
        self.mail(0, Mail::Listen { listeners, kept });
        Ok(())
    }
}

impl Apply for Shared {
    fn apply(&self, config: &Config, changed: &[&'static Spec]) -> Result<(), (String, String)> {
        let of =
            |names: &[&str]| changed.iter().map(|spec| spec.name).find(|name| names.contains(name));
        if let Some(spec) = changed.iter().find(|spec| spec.section == "tls") {
            self.encrypt(config).map_err(|_| {
                let why = "Unable to update TLS configuration. Check server logs.";
                (spec.name.to_owned(), why.to_owned())
            })?;
        }
        if let Some(name) = of(&["port", "tls-port", "bind"]) {
            self.listen_anew(config).map_err(|_| {
                let why = match name {
                    "port" | "tls-port" => "Unable to listen on this port. Check server logs.",
                    _ => "Failed to bind to specified addresses.",
                };
                (name.to_owned(), why.to_owned())
            })?;
        }
        if let Some(name) = of(&["oom-score-adj", "oom-score-adj-values"]) {
            self.oom_score.apply(config).map_err(|why| (name.to_owned(), why))?;
        }
        if of(&["requirepass"]).is_some() {
            self.acl.require_password(&config.security.requirepass.get().0);
        }
        self.put_into_effect();
        Ok(())
    }
}
