//! One server: what it is, whether it lists its keys, how far its clock is from ours.

use std::sync::Arc;

use ferrite_client::memcached::{DumpedKey, KeyDump, Memcached, Stats, ValueHeader};
use ferrite_client::{AuthFailure, ClientError, Connector};

use crate::engine::now_ms;
use crate::error::{ErrorKind, MigrateError};
use crate::report::PreflightReport;

/// Clocks that differ by so many seconds are taken for the same: Memcached's own moves once a
/// second, and it takes note of its start in whole seconds.
const CLOCK_TOLERANCE_S: u64 = 2;

/// How a server's clock goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Seconds that it is ahead of ours.
    pub ahead_s: i64,
}

/// One server that was asked what it is.
#[derive(Clone, Debug)]
pub struct Server {
    /// Makes connections.
    pub connector: Connector,
    /// How its clock goes.
    pub clock: Clock,
    /// Keys that it had evicted by then.
    pub evictions: u64,
}

impl Clock {
    /// What a server that says it is `time_s` tells about its clock.
    #[must_use]
    pub fn of(time_s: Option<u64>) -> Self {
        let now_s = now_ms() / 1000;
        let ahead_s = time_s.map_or(0, |time_s| time_s.cast_signed() - now_s.cast_signed());
        let is_same = ahead_s.unsigned_abs() <= CLOCK_TOLERANCE_S;
        Self { ahead_s: if is_same { 0 } else { ahead_s } }
    }

    /// When a key expires by our clock, Unix time in milliseconds.
    ///
    /// The list tells the moment, the value how long it is until then. They agree unless the key
    /// was written or touched in between: then the later one counts. An old server tells no time
    /// with the value.
    #[must_use]
    pub fn expiry_ms(self, named: &DumpedKey, header: &ValueHeader, now_ms: u64) -> Option<u64> {
        let by_ours = |at_s: u64| at_s.saturating_add_signed(-self.ahead_s);
        let at_s = match header.expires_in_s {
            None => named.expires_at_s.map(by_ours),
            Some(None) => None,
            Some(Some(left_s)) => {
                let told_s = (now_ms / 1000).saturating_add(left_s);
                let listed_s = named.expires_at_s.map(by_ours);
                Some(
                    listed_s
                        .filter(|at| at.abs_diff(told_s) <= CLOCK_TOLERANCE_S)
                        .unwrap_or(told_s),
                )
            }
        };
        at_s.map(|at_s| at_s.saturating_mul(1000))
    }

    /// Whether a key has expired by now that was listed.
    #[must_use]
    pub fn has_expired(self, named: &DumpedKey, now_ms: u64) -> bool {
        let by_ours = |at_s: u64| at_s.saturating_add_signed(-self.ahead_s);
        named.expires_at_s.is_some_and(|at_s| by_ours(at_s) <= now_ms / 1000)
    }
}

impl Server {
    /// A connection that reads values.
    ///
    /// # Errors
    /// A server that cannot be reached.
    pub async fn connect(&self, doing: &str) -> Result<Memcached, MigrateError> {
        let connected = Memcached::connect(&self.connector).await;
        connected.map_err(|error| lost(&self.connector, doing, &error))
    }

    /// The list of its keys.
    ///
    /// # Errors
    /// A server that cannot be reached, or does not list its keys.
    pub async fn dump(&self) -> Result<KeyDump, MigrateError> {
        let doing = "listing keys";
        let dump = self.connect(doing).await?.dump().await;
        dump.map_err(|error| lost(&self.connector, doing, &error))
    }

    /// A server that answers, and its statistics.
    ///
    /// # Errors
    /// What happened to the connection.
    pub async fn ask(connector: &Connector) -> Result<(Self, Memcached, Stats), ClientError> {
        let mut memcached = Memcached::connect(connector).await?;
        let stats = memcached.stats("").await?;
        let clock = Clock::of(stats.number("time"));
        let evictions = stats.number("evictions").unwrap_or(0);
        let server = Self { connector: connector.clone(), clock, evictions };
        Ok((server, memcached, stats))
    }
}

/// Asks all servers what they are; how many keys they have together.
///
/// # Errors
/// A server that breaks while it is being asked. One that cannot be reached is a line of the report.
pub async fn check(
    connectors: &[Connector],
    report: &mut PreflightReport,
) -> Result<(Arc<Vec<Server>>, u64), MigrateError> {
    let mut servers = Vec::with_capacity(connectors.len());
    let mut keys = 0;
    for connector in connectors {
        match Server::ask(connector).await {
            Ok((server, mut memcached, stats)) => {
                let settings = memcached.stats("settings").await;
                let settings = settings.map_err(|error| lost(connector, "asking it", &error))?;
                describe(&server, &memcached, &stats, &settings, report);
                keys += stats.items();
                servers.push(server);
            }
            Err(error) => report.block("source reachable", error.to_string(), fix(&error)),
        }
    }
    Ok((Arc::new(servers), keys))
}

fn describe(
    server: &Server,
    memcached: &Memcached,
    stats: &Stats,
    settings: &Stats,
    report: &mut PreflightReport,
) {
    let address = server.connector.address();
    let (version, keys) = (memcached.version(), stats.items());
    report.ok("source reachable", format!("{address} is Memcached {version}, {keys} keys"));
    if settings.word("lru_crawler") == Some("no") {
        report.block(
            "source lists keys",
            format!("the crawler of {address}, which lists the keys, is off"),
            "send it `lru_crawler enable`, or start it without `-o no_lru_crawler`",
        );
    }
    if !memcached.abilities().meta {
        report.warn(
            "source expiries",
            format!(
                "{address} is older than 1.6 and does not tell with a value when it expires: keys \
                 that are written while we read get the expiry they had before"
            ),
            "copy while nobody writes, or upgrade it first",
        );
    }
    if server.clock.ahead_s != 0 {
        report.warn(
            "source clock",
            format!(
                "the clock of {address} is {} s {} ours: keys keep the time they have left",
                server.clock.ahead_s.unsigned_abs(),
                if server.clock.ahead_s > 0 { "ahead of" } else { "behind" },
            ),
            "set the clocks by NTP",
        );
    }
}

/// What to do when a server cannot be reached or does not let us in.
fn fix(error: &ClientError) -> &'static str {
    match error {
        ClientError::Auth { failure: AuthFailure::PasswordNeeded, .. } => {
            "give user and password in the address: memcached://user:password@host:port"
        }
        ClientError::Auth { .. } => "give the user and password that its file for -Y holds",
        ClientError::Tls { .. } => {
            "see that the scheme (memcached:// or memcacheds://) and the certificates fit the server"
        }
        _ => "see that it is up and the address is right: `printf 'version\\r\\n' | nc host port`",
    }
}

/// A client error at a server, as the end of the run.
pub fn lost(connector: &Connector, doing: &str, error: &ClientError) -> MigrateError {
    let doing = format!("{doing} on the source {}", connector.address());
    let failure = MigrateError::new(ErrorKind::Source, doing, error).passing(error.is_transient());
    failure.with_hint(match error {
        ClientError::Reply { command, .. } if command.contains("metadump") => {
            "its keys can be listed by Memcached 1.4.31 or later, with its crawler enabled, while \
             no other program runs `lru_crawler`"
        }
        _ => "see that the source is up, then run the same command with --on-conflict replace",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listed_moment_counts_unless_the_key_was_touched() {
        let named = |expires_at_s| DumpedKey { key: vec![1], expires_at_s, cas: 1, size: 1 };
        let told = |expires_in_s| ValueHeader { size: 1, flags: 0, cas: 1, expires_in_s };
        let clock = Clock::default();
        let at = |listed, left| clock.expiry_ms(&named(listed), &told(left), 1_000_900);
        assert_eq!(at(Some(1500), Some(Some(499))), Some(1_500_000), "as listed, to the second");
        assert_eq!(at(Some(1500), Some(Some(60))), Some(1_060_000), "touched: what is left counts");
        assert_eq!(at(None, Some(Some(60))), Some(1_060_000), "given an expiry");
        assert_eq!(at(Some(1500), Some(None)), None, "made to stay");
        assert_eq!(at(Some(1500), None), Some(1_500_000), "an old server tells nothing");
        let clock = Clock { ahead_s: 3600 };
        let ahead = clock.expiry_ms(&named(Some(5100)), &told(Some(Some(500))), 1_000_900);
        assert_eq!(ahead, Some(1_500_000), "by our clock");
        assert!(clock.has_expired(&named(Some(4600)), 1_000_900));
        assert!(!clock.has_expired(&named(Some(4601)), 1_000_900));
        assert_eq!(Clock::of(Some(now_ms() / 1000 + 1)).ahead_s, 0);
    }
}
