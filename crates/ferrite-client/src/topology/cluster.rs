//! A cluster that is found from any of its nodes, and looked at again when it changes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::{NodeView, SlotMap};
use crate::{ClientError, Connection, Connector, Endpoint};

/// What is known of a cluster; shared by all who use it.
#[derive(Debug)]
pub struct Cluster {
    /// The node the address names; its user, password and TLS are those of all nodes.
    seed: Connector,
    map: RwLock<Arc<SlotMap>>,
    /// Which node is asked first next time: one that is cut off must not be asked for ever.
    turn: AtomicUsize,
    /// Whether it is a server that owns all slots, and no cluster.
    is_one: bool,
}

impl Cluster {
    /// Asks a node which others there are.
    ///
    /// # Errors
    /// What happens to the connection; an answer that is none.
    pub async fn discover(
        seed: &Connector,
        connection: &mut Connection,
    ) -> Result<Self, ClientError> {
        let map = ask(connection).await?;
        let (map, turn) = (RwLock::new(Arc::new(map)), AtomicUsize::new(0));
        Ok(Self { seed: seed.clone(), map, turn, is_one: false })
    }

    /// A server that is no cluster, for whoever sends keys to the owners of their slots: it owns
    /// them all, and is not asked about it.
    #[must_use]
    pub fn of_one(server: &Connector) -> Self {
        let map = SlotMap::of_one(server.address().endpoint().clone());
        let (map, turn) = (RwLock::new(Arc::new(map)), AtomicUsize::new(0));
        Self { seed: server.clone(), map, turn, is_one: true }
    }

    /// What was known last.
    pub fn map(&self) -> Arc<SlotMap> {
        Arc::clone(&self.map.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes connections to one of its nodes.
    pub fn connector(&self, node: &Endpoint) -> Connector {
        if self.is_one {
            return self.seed.clone();
        }
        let address = self.seed.address().clone().with_endpoint(node.clone());
        self.seed.clone().with_address(address)
    }

    /// Asks the nodes again, until one answers. Where somebody else did it since `known` was
    /// looked at, that is enough.
    ///
    /// # Errors
    /// The last node's failure, when none answers.
    pub async fn refresh(&self, known: &Arc<SlotMap>) -> Result<Arc<SlotMap>, ClientError> {
        let current = self.map();
        if self.is_one || !Arc::ptr_eq(&current, known) {
            return Ok(current);
        }
        let mut nodes = vec![self.seed.address().endpoint()];
        for shard in current.shards() {
            nodes.push(&shard.primary);
            nodes.extend(&shard.replicas);
        }
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % nodes.len();
        nodes.rotate_left(first);
        let mut failed = None;
        for node in nodes {
            let asked = async { ask(&mut self.connector(node).connect().await?).await };
            match asked.await {
                Ok(map) => {
                    let map = Arc::new(map);
                    let mut known = self.map.write().unwrap_or_else(PoisonError::into_inner);
                    *known = Arc::clone(&map);
                    return Ok(map);
                }
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| unexpected(&self.seed.place(), "no node")))
    }
}

impl NodeView {
    /// Asks a node what it says of itself.
    ///
    /// # Errors
    /// What happens to the connection; an answer that is none.
    pub async fn ask(connection: &mut Connection) -> Result<Self, ClientError> {
        let reply = connection.call(&["CLUSTER", "NODES"]).await?;
        let text = String::from_utf8_lossy(reply.as_bytes().unwrap_or_default()).into_owned();
        Self::parse(&text)
            .ok_or_else(|| unexpected(connection.address(), "no line about the node itself"))
    }
}

async fn ask(connection: &mut Connection) -> Result<SlotMap, ClientError> {
    let reply = connection.call(&["CLUSTER", "SLOTS"]).await?;
    let address = connection.address();
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    SlotMap::parse(&reply, host).ok_or_else(|| unexpected(address, "no list of slots"))
}

fn unexpected(address: &str, what: &str) -> ClientError {
    ClientError::Unexpected {
        address: address.to_owned(),
        doing: String::from("asking for the nodes of the cluster"),
        what: what.to_owned(),
    }
}
