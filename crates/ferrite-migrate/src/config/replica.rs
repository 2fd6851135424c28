//! What the strategy `replica` can do, as far as that is known before anything connects.
//!
//! A replica takes everything its source has, in every database, and nothing else: whatever would
//! choose keys is refused.

use ferrite_client::{Address, Endpoint};

use super::{ConfigBuilder, ConfigError, Mode, Strategy};
use crate::engine::Limits;

/// Refuses what a replica cannot do.
///
/// # Errors
/// Names the setting, and what to do instead.
pub fn check(config: &ConfigBuilder) -> Result<(), ConfigError> {
    let is_replica = config.strategy == Strategy::Replica;
    if config.replica_source.is_some() && !is_replica {
        return refused("replica-source is for --strategy replica");
    }
    if !is_replica {
        return Ok(());
    }
    if config.mode != Mode::Live {
        return refused(
            "the strategy `replica` is for --mode live: a replica follows its source until the \
             cutover; choose --strategy psync for one copy",
        );
    }
    if config.only_differing {
        return refused("the strategy `replica` copies everything: what differs is not looked for");
    }
    if config.limits != Limits::default() {
        return refused("the strategy `replica` cannot be held back: the target copies by itself");
    }
    if !config.include.is_empty() || !config.exclude.is_empty() {
        return refused(
            "the strategy `replica` cannot choose keys: a replica takes them all; choose --strategy \
             psync with --filter and --exclude",
        );
    }
    Ok(())
}

fn refused<T>(why: &str) -> Result<T, ConfigError> {
    Err(ConfigError(why.to_owned()))
}

/// The address at which the target is to reach the source, where one was given.
///
/// # Errors
/// Names the end that names a database, or why the target cannot reach the source by the address
/// that we use.
pub fn source(
    replica_source: Option<&str>,
    source: &Address,
    target: &Address,
) -> Result<Option<Address>, ConfigError> {
    for (end, address) in [("source", source), ("target", target)] {
        if let Some(database) = address.named_database() {
            return refused(&format!(
                "the {end} names database {database}, but a replica takes all databases: leave \
                 the number out, or choose --strategy psync"
            ));
        }
    }
    if let Some(text) = replica_source {
        return given("replica-source", text).map(Some);
    }
    let Some(host) = source.host() else {
        return refused(&format!(
            "the target cannot reach the source through the Unix socket {source}: tell where it \
             can, --replica-source HOST:PORT"
        ));
    };
    // A target we reach through a socket is on this machine, as is a loopback address.
    if is_loopback(host) && target.host().is_some_and(|host| !is_loopback(host)) {
        return refused(&format!(
            "{source} is the source for this machine only: from the target, {host} is the target \
             itself; tell where it reaches the source, --replica-source HOST:PORT"
        ));
    }
    Ok(None)
}

/// Reads `host:port`, the value of an option.
///
/// # Errors
/// Anything else.
pub fn given(option: &str, text: &str) -> Result<Address, ConfigError> {
    let unusable = || {
        let why = "is not an address a server can be told: give HOST:PORT";
        ConfigError(format!("{option} `{text}` {why}"))
    };
    if text.contains("://") || text.contains('@') {
        return Err(unusable());
    }
    let address: Address = text.parse().map_err(|_| unusable())?;
    match address.endpoint() {
        Endpoint::Tcp { .. } if address.named_database().is_none() => Ok(address),
        Endpoint::Tcp { .. } | Endpoint::Unix(_) | Endpoint::Sentinel { .. } => Err(unusable()),
    }
}

/// Whether a host is the machine that says it.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::super::{Config, ConfigBuilder, Mode, OnConflict, Strategy};

    fn config(source: &str, target: &str) -> ConfigBuilder {
        let config = Config::builder().source(source).target(target).state_dir("state");
        config.mode(Mode::Live).strategy(Strategy::Replica)
    }

    fn why(config: ConfigBuilder) -> String {
        config.build().err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn whatever_chooses_keys_is_refused() {
        let plain = || config("redis://a", "redis://b");
        assert_eq!(why(plain()), "");
        let cases = [
            (plain().mode(Mode::Snapshot), "is for --mode live"),
            (plain().include_pattern("a*"), "cannot choose keys"),
            (plain().exclude_pattern("a*"), "cannot choose keys"),
            (plain().key_type(super::super::KeyType::Hash), "by type"),
            (plain().on_conflict(OnConflict::Skip), "--on-conflict fail or replace"),
            (plain().strategy(Strategy::Psync).replica_source("c:1"), "for --strategy replica"),
            (config("redis://a/0", "redis://b"), "source names database 0"),
            (config("redis://a/2", "redis://b/2"), "takes all databases"),
        ];
        for (config, expected) in cases {
            let why = why(config);
            assert!(why.contains(expected), "{why:?} lacks {expected:?}");
        }
    }

    #[test]
    fn an_address_the_target_cannot_use_is_refused() {
        for (source, target, expected) in [
            ("redis://127.0.0.1:1", "redis://127.0.0.1:2", ""),
            ("redis://localhost:1", "unix:///run/b.sock", ""),
            ("redis://127.0.0.1:1", "redis://b:2", "--replica-source HOST:PORT"),
            ("redis://[::1]:1", "redis://b:2", "--replica-source HOST:PORT"),
            ("unix:///run/a.sock", "redis://127.0.0.1:2", "--replica-source HOST:PORT"),
        ] {
            let why = why(config(source, target));
            assert!(why.contains(expected) && why.is_empty() == expected.is_empty(), "{why:?}");
            assert_eq!(self::why(config(source, target).replica_source("10.0.0.1:7")), "");
        }
        for bad in ["redis://a:1", "user@a:1", "a:1/3", "unix:///x", "a:port", ""] {
            let why = why(config("redis://a", "redis://b").replica_source(bad));
            assert!(why.contains("give HOST:PORT"), "{bad:?}: {why:?}");
        }
        let kept = config("redis://a", "redis://b").replica_source("[::1]:7").build();
        let place =
            kept.ok().and_then(|config| config.replica_source).map(|to| to.endpoint().to_string());
        assert_eq!(place.as_deref(), Some("[::1]:7"));
    }
}
