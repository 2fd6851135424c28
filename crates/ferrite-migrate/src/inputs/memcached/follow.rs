//! What changed since the last look, without a memory of every key.
//!
//! ```text
//! crawler ──key, expiry, unique number, size──► sum of its bucket (65,536 buckets)
//! a bucket whose sum is another one ──► its keys are read again, and looked for on the target
//! ```
//!
//! Every write gives a key another unique number, `touch` another expiry, and a key that is gone
//! leaves a sum without it: so all of that is noticed at the next look, by 512 KiB however many keys
//! there are. Keys that share a bucket with one that changed are read again as well, which does no
//! harm.

use std::sync::Arc;

use ferrite_client::Connector;
use ferrite_client::memcached::{DumpedKey, Memcached};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::MemcachedFlags;
use super::flags::SUFFIX;
use super::read::MemcachedSource;
use super::server::{Server, lost};
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::inputs::{Look, Rounds};
use crate::sources::{BoxFuture, Source};

/// How many buckets there are.
const BUCKETS: usize = 1 << 16;
/// When a server began is told in whole seconds, by two numbers that do not change together.
const START_TOLERANCE_S: u64 = 3;

/// The bucket of a key.
#[must_use]
fn bucket(key: &[u8]) -> usize {
    // The upper 16 of 64 bits.
    usize::try_from(xxh3_64(key) >> 48).unwrap_or(0)
}

/// Buckets that are to be read again.
#[derive(Clone, Debug)]
pub struct Dirty(Arc<Vec<bool>>);

impl Dirty {
    /// Whether a key is in one of them.
    #[must_use]
    pub fn has(&self, key: &[u8]) -> bool {
        self.0.get(bucket(key)).copied().unwrap_or(true)
    }
}

/// One server, and since when it runs.
#[derive(Debug)]
struct Followed {
    connector: Connector,
    /// Its process, and when that began by its own clock.
    began: Option<(u64, u64)>,
    /// Asks which keys there are.
    asking: Option<Memcached>,
}

/// The servers that are followed.
#[derive(Debug)]
pub struct MemcachedRounds {
    job: Arc<Job>,
    flags: MemcachedFlags,
    followed: Vec<Followed>,
    /// The servers as the last look found them.
    servers: Arc<Vec<Server>>,
    /// Sums of the last look; none before the first.
    sums: Option<Vec<u64>>,
    dirty: Vec<bool>,
}

impl MemcachedRounds {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(job: Arc<Job>, connectors: &[Connector], flags: MemcachedFlags) -> Self {
        let followed = connectors.iter().map(|connector| Followed {
            connector: connector.clone(),
            began: None,
            asking: None,
        });
        let (followed, servers) = (followed.collect(), Arc::default());
        Self { job, flags, followed, servers, sums: None, dirty: vec![false; BUCKETS] }
    }

    async fn take_a_look(&mut self) -> Result<Look, MigrateError> {
        let mut servers = Vec::with_capacity(self.followed.len());
        for followed in &mut self.followed {
            servers.push(followed.ask(&self.job).await?);
        }
        let (mut sums, mut keys) = (vec![0_u64; BUCKETS], 0);
        for server in &servers {
            let mut dump = server.dump().await?;
            while !self.job.stop.is_stopped() {
                let next = dump.next().await;
                let next = next.map_err(|error| lost(&server.connector, "listing keys", &error))?;
                let Some(named) = next else { break };
                keys += 1;
                if let Some(sum) = sums.get_mut(bucket(&named.key)) {
                    *sum = sum.wrapping_add(fingerprint(&named));
                }
            }
        }
        self.servers = Arc::new(servers);
        if self.job.stop.is_stopped() {
            return Ok(Look { keys, changed: false });
        }
        if let Some(before) = self.sums.replace(sums) {
            let now = self.sums.iter().flatten();
            let changed = before.iter().zip(now).map(|(before, now)| before != now);
            self.dirty.iter_mut().zip(changed).for_each(|(dirty, changed)| *dirty |= changed);
        }
        Ok(Look { keys, changed: self.dirty.contains(&true) })
    }

    async fn look_for(&mut self, keys: &[&[u8]]) -> Result<Vec<bool>, MigrateError> {
        // A name that holds the flags of another key is there as long as that key is.
        let owner = |key: &'_ [u8]| -> Vec<u8> {
            let base = key.strip_suffix(SUFFIX).filter(|_| self.flags == MemcachedFlags::Suffix);
            base.unwrap_or(key).to_vec()
        };
        let is_dirty = |key: &[u8]| self.dirty.get(bucket(key)).copied().unwrap_or(true);
        let mut there: Vec<bool> =
            keys.iter().map(|key| !is_dirty(key) && !is_dirty(&owner(key))).collect();
        let owners: Vec<Vec<u8>> = keys.iter().map(|key| owner(key)).collect();
        for followed in &mut self.followed {
            for names in [keys.to_vec(), owners.iter().map(Vec::as_slice).collect()] {
                let open: Vec<usize> =
                    (0..keys.len()).filter(|at| there.get(*at) == Some(&false)).collect();
                let asked: Vec<&[u8]> =
                    open.iter().filter_map(|at| names.get(*at).copied()).collect();
                let found = followed.exist(&asked).await?;
                for (at, is_there) in open.into_iter().zip(found) {
                    if let Some(slot) = there.get_mut(at) {
                        *slot |= is_there;
                    }
                }
            }
        }
        Ok(there)
    }
}

impl Rounds for MemcachedRounds {
    fn look(&mut self) -> BoxFuture<'_, Result<Look, MigrateError>> {
        Box::pin(self.take_a_look())
    }

    fn changed(&self) -> Box<dyn Source> {
        let only = Some(Dirty(Arc::new(self.dirty.clone())));
        Box::new(MemcachedSource { servers: Arc::clone(&self.servers), flags: self.flags, only })
    }

    fn exist<'a>(
        &'a mut self,
        keys: &'a [&'a [u8]],
    ) -> BoxFuture<'a, Result<Vec<bool>, MigrateError>> {
        Box::pin(self.look_for(keys))
    }

    fn done(&mut self) {
        self.dirty.fill(false);
    }
}

impl Followed {
    /// Asks a server how it is: it must be the one it was, with what it had.
    async fn ask(&mut self, job: &Job) -> Result<Server, MigrateError> {
        let asked = Server::ask(&self.connector).await;
        let (server, _, stats) =
            asked.map_err(|error| lost(&self.connector, "asking it", &error))?;
        let number = |name| stats.number(name).unwrap_or(0);
        let now = (number("pid"), number("time").saturating_sub(number("uptime")));
        let is_same =
            |before: (u64, u64)| before.0 == now.0 && before.1.abs_diff(now.1) <= START_TOLERANCE_S;
        if self.began.is_some_and(|before| !is_same(before)) {
            let doing = format!("following the source {}", self.connector.address());
            let cause = "it was restarted, so its keys are gone; the target keeps what it has";
            return Err(MigrateError::new(ErrorKind::Source, doing, cause)
                .with_hint("to begin anew, run the same command with --on-conflict replace"));
        }
        if self.began.is_none() && !has_unique_numbers(&mut self.asking, &self.connector).await? {
            job.warn(format!(
                "{} keeps no unique numbers (-C): a key that is written to with another value of \
                 the same size and expiry is not noticed",
                self.connector.address()
            ));
        }
        self.began = Some(now);
        Ok(server)
    }

    async fn exist(&mut self, keys: &[&[u8]]) -> Result<Vec<bool>, MigrateError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let asked = async {
            let mut memcached = match self.asking.take() {
                Some(memcached) => memcached,
                None => Memcached::connect(&self.connector).await?,
            };
            let there = memcached.exist(keys).await?;
            self.asking = Some(memcached);
            Ok(there)
        };
        asked.await.map_err(|error| lost(&self.connector, "asking which keys there are", &error))
    }
}

/// Whether a server gives each write a number.
async fn has_unique_numbers(
    asking: &mut Option<Memcached>,
    connector: &Connector,
) -> Result<bool, MigrateError> {
    let asked = async {
        let mut memcached = Memcached::connect(connector).await?;
        let settings = memcached.stats("settings").await?;
        *asking = Some(memcached);
        Ok(settings.word("cas_enabled") != Some("no"))
    };
    asked.await.map_err(|error| lost(connector, "asking it", &error))
}

/// What is another number when a key was written to or touched.
fn fingerprint(named: &DumpedKey) -> u64 {
    let mut facts = [0; 32];
    let numbers =
        [xxh3_64(&named.key), named.expires_at_s.unwrap_or(u64::MAX), named.cas, named.size];
    for (slot, number) in facts.chunks_exact_mut(8).zip(numbers) {
        slot.copy_from_slice(&number.to_le_bytes());
    }
    xxh3_64_with_seed(&facts, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_is_another_fingerprint() {
        let key = |key: &str, expires_at_s, cas, size| {
            let key = key.as_bytes().to_vec();
            fingerprint(&DumpedKey { key, expires_at_s, cas, size })
        };
        let all = [
            key("a", None, 1, 70),
            key("b", None, 1, 70),
            key("a", Some(1), 1, 70),
            key("a", None, 2, 70),
            key("a", None, 1, 71),
        ];
        let unique: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(unique.len(), all.len());
        assert_eq!(key("a", None, 1, 70), all[0]);
        assert!(bucket(b"a") < BUCKETS && bucket(b"a") != bucket(b"b"));
    }
}
