//! What a Memcached is and what is on it, by what its crawler tells: nothing is read.

use std::time::{Duration, Instant};

use ferrite_client::Connector;
use ferrite_rdb::ValueKind;

use super::server::{self, Server, lost};
use crate::analyze::{KeyFacts, Rung, Size, Tally};
use crate::config::Mode;
use crate::engine::now_ms;
use crate::error::MigrateError;
use crate::inputs::Described;
use crate::report::PreflightReport;

/// Keys that are looked at, at most, of all servers together.
const SAMPLE_MAX: u64 = 100_000;
/// Keys of each server that are looked at in any case, if it has as many.
const OF_EACH_MIN: u64 = 100;
/// How long keys of one server are looked at.
const LASTS: Duration = Duration::from_secs(1);

/// Looks at all servers.
///
/// # Errors
/// A server that breaks while it is being asked. One that cannot be reached is a line of the report.
pub async fn describe(
    connectors: &[Connector],
    report: &mut PreflightReport,
    top: usize,
) -> Result<Described, MigrateError> {
    let (servers, keys_total) = server::check(connectors, report).await?;
    let mut tally = Tally::new(top, now_ms());
    let (mut used_memory, mut evictions, mut versions) = (0, 0, Vec::new());
    for server in servers.iter().filter(|_| !report.is_blocked()) {
        let asked = Server::ask(&server.connector).await;
        let (_, memcached, stats) =
            asked.map_err(|error| lost(&server.connector, "asking it", &error))?;
        used_memory += stats.number("bytes").unwrap_or(0);
        evictions += server.evictions;
        versions.push(format!("Memcached {}", memcached.version()));
        drop(memcached);
        let share = u128::from(SAMPLE_MAX) * u128::from(stats.items());
        let share = u64::try_from(share / u128::from(keys_total.max(1))).unwrap_or(SAMPLE_MAX);
        sample(server, share.max(OF_EACH_MIN), &mut tally).await?;
    }
    if evictions > 0 {
        report.warn(
            "source evictions",
            format!("it gave up {evictions} keys since it was started, to make room for others"),
            "what it has given up cannot be copied; give the target more memory than the source has",
        );
    }
    versions.dedup();
    let (server, analysis) = (versions.join(", "), tally.finish());
    let server = match servers.len() {
        0 | 1 => server,
        count => format!("{server}, {count} servers"),
    };
    Ok(Described { server, keys_total, used_memory: Some(used_memory), analysis, ladder: ladder() })
}

async fn sample(server: &Server, most: u64, tally: &mut Tally) -> Result<(), MigrateError> {
    let (began, enough) = (Instant::now(), tally.keys() + most);
    let mut dump = server.dump().await?;
    while tally.keys() < enough && began.elapsed() < LASTS {
        let next = dump.next().await;
        let next = next.map_err(|error| lost(&server.connector, "listing keys", &error))?;
        let Some(named) = next else { break };
        let by_ours = |at_s: u64| at_s.saturating_add_signed(-server.clock.ahead_s);
        let bytes = named.size.saturating_sub(named.key.len() as u64);
        tally.add(&KeyFacts {
            db: 0,
            key: &named.key,
            kind: ValueKind::String,
            encoding: "raw",
            expires_at_ms: named.expires_at_s.map(|at_s| by_ours(at_s).saturating_mul(1000)),
            size: Size { bytes, elements: 1, largest: 0 },
        });
    }
    Ok(())
}

/// The ways there are: always the same.
fn ladder() -> Vec<Rung> {
    let rung = |mode: Mode, chosen, reason: &str| Rung {
        mode: mode.name(),
        strategy: "memcached",
        possible: true,
        chosen,
        reason: reason.to_owned(),
    };
    vec![
        rung(Mode::Snapshot, true, "every key once, each with its expiry"),
        rung(Mode::Live, false, "rounds over all keys until it is stopped: eventual, never exact"),
    ]
}
