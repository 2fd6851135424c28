//! Who the servers of an end are: each primary with the history it tells and the run it is.

use ferrite_client::server::ServerInfo;
use ferrite_client::{ClientError, Connector};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::cluster::describe;
use crate::preflight::Server;

/// Ranges of slots that are named.
const RANGES_MAX: usize = 5;

/// A server that has acknowledged writes of ours: another run of it, or another server in its
/// place, may not have them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name in the cluster; empty outside of one.
    pub id: String,
    /// The run.
    pub run_id: String,
}

/// A server that takes writes.
#[derive(Clone, Debug)]
pub struct Primary {
    /// How to connect to it.
    pub connector: Connector,
    /// Where it is.
    pub address: String,
    /// Its slots, in words; none outside of a cluster.
    pub slots: Option<String>,
    /// Its name in the cluster, and its run.
    pub node: Node,
    /// Names its history.
    pub replid: String,
}

/// The servers of an end that take writes, as they are now.
///
/// # Errors
/// A server that cannot be asked, or that is a replica: a failover may be under way.
pub async fn primaries(server: &Server) -> Result<Vec<Primary>, ClientError> {
    let mut asking = JoinSet::new();
    match &server.cluster {
        None => {
            let connector = server.connector.clone();
            asking.spawn(async move { (0, ask(connector, String::new(), None).await) });
        }
        Some(cluster) => {
            let map = cluster.refresh(&cluster.map()).await?;
            for (place, shard) in map.shards().iter().enumerate() {
                let connector = cluster.connector(&shard.primary);
                let (id, slots) = (shard.id.clone(), describe(&shard.slots, RANGES_MAX));
                asking.spawn(async move { (place, ask(connector, id, Some(slots)).await) });
            }
        }
    }
    let mut told = Vec::new();
    while let Some(Ok((place, primary))) = asking.join_next().await {
        told.push((place, primary?));
    }
    told.sort_by_key(|(place, _)| *place);
    Ok(told.into_iter().map(|(_, primary)| primary).collect())
}

async fn ask(
    connector: Connector,
    id: String,
    slots: Option<String>,
) -> Result<Primary, ClientError> {
    let mut connection = connector.connect().await?;
    let address = connection.address().to_owned();
    let info = ServerInfo::probe(&mut connection).await?;
    if info.info.get("role").is_some_and(|role| role != "master") {
        let said_by = String::from("another node takes it for one: a failover may be under way");
        return Err(ClientError::NotPrimary { address, said_by });
    }
    let run_id = info.info.get("run_id").unwrap_or_default().to_owned();
    let replid = info.replication_id.unwrap_or_default();
    Ok(Primary { connector, address, slots, node: Node { id, run_id }, replid })
}

/// The first of the servers that is not there any more as it was.
#[must_use]
pub fn replaced<'a>(before: &'a [Node], now: &[Primary]) -> Option<&'a Node> {
    before.iter().find(|node| !now.iter().any(|primary| primary.node == **node))
}
