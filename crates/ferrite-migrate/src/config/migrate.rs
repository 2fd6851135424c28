//! What the strategy `migrate` can do, as far as that is known before anything connects.

use ferrite_client::Address;

use super::replica::{given, is_loopback};
use super::{Config, ConfigBuilder, ConfigError, Mode, Strategy};

/// Refuses what cannot be done when the source sends its keys itself.
///
/// # Errors
/// Names the setting, and what to do instead.
pub fn check(config: &ConfigBuilder) -> Result<(), ConfigError> {
    let refused = |why: &str| Err(ConfigError(why.to_owned()));
    let is_migrate = config.strategy == Strategy::Migrate;
    if config.migrate_target.is_some() && !is_migrate {
        return refused("migrate-target is for --strategy migrate");
    }
    if !is_migrate {
        return Ok(());
    }
    if config.mode != Mode::Snapshot {
        return refused(
            "the strategy `migrate` is for --mode snapshot: to follow a source that refuses PSYNC, \
             keys have to be read; choose --strategy scan or auto",
        );
    }
    if config.only_differing {
        return refused("the strategy `migrate` sends everything: what differs is found with scan");
    }
    if config.dry_run {
        return refused(
            "the strategy `migrate` cannot be rehearsed, nothing passes through us: use --dry-run \
             with another strategy",
        );
    }
    Ok(())
}

/// Reads where the source reaches the target, where that was given.
///
/// # Errors
/// Text that is not `host:port`.
pub fn target(text: Option<&str>) -> Result<Option<Address>, ConfigError> {
    text.map(|text| given("migrate-target", text)).transpose()
}

/// Why the source cannot reach the target by the address that we use.
#[must_use]
pub fn unreachable_from_source(config: &Config) -> Option<String> {
    let target = &config.target.address;
    if config.migrate_target.is_some() {
        return None;
    }
    let Some(host) = target.host() else {
        return Some(format!(
            "the source cannot reach the target through the Unix socket {target}"
        ));
    };
    // A source we reach through a socket is on this machine, as is a loopback address.
    let is_elsewhere = config.source.address().and_then(Address::host);
    let is_elsewhere = is_elsewhere.is_some_and(|host| !is_loopback(host));
    (is_loopback(host) && is_elsewhere).then(|| {
        format!("{target} is the target for this machine only: from the source, {host} is itself")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(source: &str, target: &str) -> ConfigBuilder {
        Config::builder().source(source).target(target).strategy(Strategy::Migrate)
    }

    #[test]
    fn an_address_the_source_cannot_use_is_told() {
        for (source, target, expected) in [
            ("redis://127.0.0.1:1", "redis://127.0.0.1:2", ""),
            ("unix:///run/a.sock", "redis://localhost:2", ""),
            ("redis://a:1", "redis://127.0.0.1:2", "from the source, 127.0.0.1 is itself"),
            ("redis://a:1", "unix:///run/b.sock", "the Unix socket"),
        ] {
            let built = config(source, target).build().expect("a usable configuration");
            let why = unreachable_from_source(&built).unwrap_or_default();
            assert!(why.contains(expected) && why.is_empty() == expected.is_empty(), "{why:?}");
            let built = config(source, target).migrate_target("10.0.0.1:7").build();
            let built = built.expect("a usable configuration");
            assert_eq!(unreachable_from_source(&built), None);
            assert_eq!(built.migrates_to(), Some(("10.0.0.1", 7)));
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let plain = || config("redis://a:1", "redis://b:2");
        for (config, expected) in [
            (plain().mode(Mode::Live).state_dir("state"), "is for --mode snapshot"),
            (plain().dry_run(true), "cannot be rehearsed"),
            (plain().only_differing(true), "sends everything"),
            (plain().migrate_target("redis://c:1"), "give HOST:PORT"),
            (plain().strategy(Strategy::Scan).migrate_target("c:1"), "for --strategy migrate"),
        ] {
            let why = config.build().map(drop).map_err(|error| error.to_string());
            assert!(why.as_ref().is_err_and(|why| why.contains(expected)), "{why:?}");
        }
    }
}
