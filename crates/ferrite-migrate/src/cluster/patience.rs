//! How long a cluster may take to find its way again.

use std::time::{Duration, Instant};

use ferrite_client::topology::{Cluster, Redirect, SlotMap};
use ferrite_client::{Backoff, ClientError, Endpoint};

use crate::fetch::is_elsewhere;

/// How long a shard without its primary is waited for when a replica may take over: the usual
/// `cluster-node-timeout` of 15 s, twice, and the election.
const WITH_REPLICA: Duration = Duration::from_secs(45);
/// The same when there is none: time for a restart, or for a slot to arrive.
const WITHOUT_REPLICA: Duration = Duration::from_secs(5);
/// Waits between two attempts.
const FIRST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// Attempts in all, whatever the time.
const ATTEMPTS_MAX: u32 = 500;

/// Attempts at one thing, until the patience with it is used up.
#[derive(Debug)]
pub struct Patience {
    began: Instant,
    failed: u32,
    backoff: Backoff,
}

impl Patience {
    /// With what concerns one slot, or all of the cluster.
    #[must_use]
    pub fn with(map: &SlotMap, slot: Option<u16>) -> Self {
        let shard = slot.and_then(|slot| map.shards().get(map.owner(slot)?));
        let has_replica = match shard {
            Some(shard) => !shard.replicas.is_empty(),
            None => map.shards().iter().any(|shard| !shard.replicas.is_empty()),
        };
        let total = if has_replica { WITH_REPLICA } else { WITHOUT_REPLICA };
        let (first, longest, attempts) = (FIRST_WAIT, LONGEST_WAIT, ATTEMPTS_MAX);
        let backoff = Backoff { first, longest, attempts, total };
        Self { began: Instant::now(), failed: 0, backoff }
    }

    /// Waits before the next attempt; gives the failure back, which may tell where to go.
    ///
    /// # Errors
    /// The failure, when it does not pass, or when there was enough of it.
    pub async fn wait(&mut self, error: ClientError) -> Result<ClientError, ClientError> {
        let passes = error.is_transient() || error.reply().is_some_and(is_elsewhere);
        self.failed += 1;
        match self.backoff.wait(self.failed, self.began.elapsed()) {
            Some(wait) if passes => {
                tracing::debug!(%error, failed = self.failed, "waiting for the cluster");
                tokio::time::sleep(wait).await;
                Ok(error)
            }
            _ => Err(error),
        }
    }
}

/// Where a key is to be looked for after an error reply: the node, and whether it is to be told
/// that we were sent (`ASKING`).
///
/// # Errors
/// No node of the cluster answers.
pub async fn next_place(
    cluster: &Cluster,
    slot: u16,
    error: Option<&ClientError>,
) -> Result<Option<(Endpoint, bool)>, ClientError> {
    let known = cluster.map();
    let reply = error.and_then(ClientError::reply);
    let address = match error {
        Some(ClientError::Reply { address, .. }) => address.as_str(),
        _ => "",
    };
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    match reply.and_then(|reply| Redirect::parse(reply, host)) {
        Some(Redirect::Ask(_, node)) => return Ok(Some((node, true))),
        Some(Redirect::Moved(_, node)) => {
            // Whoever sent us knows better than the node that is asked for the map by chance.
            let _ = cluster.refresh(&known).await;
            return Ok(Some((node, false)));
        }
        None => {}
    }
    let map = match error {
        Some(_) => cluster.refresh(&known).await?,
        None => known,
    };
    Ok(owner(&map, slot).map(|node| (node, false)))
}

/// Where the owner of a slot is.
#[must_use]
pub fn owner(map: &SlotMap, slot: u16) -> Option<Endpoint> {
    map.shards().get(map.owner(slot)?).map(|shard| shard.primary.clone())
}

/// The error about a slot that nobody owns.
#[must_use]
pub fn unowned(slot: u16) -> ClientError {
    let text = format!("CLUSTERDOWN slot {slot} has no owner");
    ClientError::Reply {
        address: String::from("the cluster"),
        command: String::from("a key"),
        error: ferrite_client::ReplyError::parse(text.as_bytes()),
    }
}
