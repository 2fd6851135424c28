//! Calls a command for each of many keys, on one server or on whichever nodes have them.

use std::sync::Arc;

use ferrite_client::topology::Cluster;
use ferrite_client::{ClientError, Connection, Endpoint, Pipeline, Value};
use ferrite_commands::slot;

use super::Patience;
use super::patience::{next_place, owner, unowned};
use crate::fetch::is_elsewhere;
use crate::preflight::Server;

/// Connections for questions about keys.
#[derive(Debug)]
pub struct Asker {
    /// Without a cluster it is the one connection.
    cluster: Option<Arc<Cluster>>,
    connections: Vec<(Option<Endpoint>, Connection)>,
    /// The name of the connections, if it is another than usual.
    client_name: Option<String>,
    /// Whether a connection has been to another database than the first.
    selects: bool,
    /// Whether a connection was lost since this was last asked.
    has_lost: bool,
}

impl Asker {
    /// Connects to a server; to the nodes of a cluster only when they are needed.
    ///
    /// # Errors
    /// A server that cannot be reached.
    pub async fn connect(server: &Server) -> Result<Self, ClientError> {
        let Some(cluster) = &server.cluster else {
            let connections = vec![(None, server.connector.connect().await?)];
            let (client_name, selects, has_lost) = (None, false, false);
            return Ok(Self { cluster: None, connections, client_name, selects, has_lost });
        };
        Ok(Self::of_cluster(Arc::clone(cluster)))
    }

    /// Asks the nodes of a cluster, connecting when it must.
    #[must_use]
    pub fn of_cluster(cluster: Arc<Cluster>) -> Self {
        let (client_name, selects, has_lost) = (None, false, false);
        let connections = Vec::new();
        Self { cluster: Some(cluster), connections, client_name, selects, has_lost }
    }

    /// The same, whose connections have this name.
    #[must_use]
    pub fn client_name(mut self, name: String) -> Self {
        self.client_name = Some(name);
        self
    }

    /// Whether a connection was lost since this was last asked: what was on its way there may
    /// still be done.
    pub fn take_lost(&mut self) -> bool {
        std::mem::take(&mut self.has_lost)
    }

    /// Calls `name key` for each of the keys; the replies in the same order.
    ///
    /// # Errors
    /// The loss of a connection, or a refusal.
    pub async fn each(
        &mut self,
        db: u32,
        name: &[u8],
        keys: &[&[u8]],
    ) -> Result<Vec<Value>, ClientError> {
        let mut replies: Vec<Option<Value>> = vec![None; keys.len()];
        self.selects |= db != 0;
        let map = self.cluster.as_ref().map(|cluster| cluster.map());
        let mut nodes: Vec<(Option<Endpoint>, Vec<usize>)> = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            let node = map.as_ref().and_then(|map| owner(map, slot(key)));
            match nodes.iter_mut().find(|(known, _)| *known == node) {
                Some((_, indexes)) => indexes.push(index),
                None => nodes.push((node, vec![index])),
            }
        }
        for (node, indexes) in nodes {
            let there: Vec<&[u8]> =
                indexes.iter().filter_map(|index| keys.get(*index).copied()).collect();
            let told = match self.pipeline(node.clone(), db, name, &there).await {
                Ok(told) => told,
                // Those keys are asked for one by one, which tells why.
                Err(error) if node.is_some() && error.is_transient() => {
                    self.has_lost = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            for (index, reply) in indexes.iter().zip(told) {
                replies.get_mut(*index).into_iter().for_each(|place| *place = reply.clone());
            }
        }
        let mut all = Vec::with_capacity(keys.len());
        for (key, reply) in keys.iter().zip(replies) {
            all.push(match reply {
                Some(reply) => reply,
                None => self.look_for(db, name, key).await?,
            });
        }
        Ok(all)
    }

    /// Asks one node for many keys; `None` for those that are elsewhere.
    async fn pipeline(
        &mut self,
        node: Option<Endpoint>,
        db: u32,
        name: &[u8],
        keys: &[&[u8]],
    ) -> Result<Vec<Option<Value>>, ClientError> {
        let is_node = node.is_some();
        if self.cluster.is_some() && !is_node {
            return Ok(vec![None; keys.len()]);
        }
        let mut pipeline = Pipeline::new();
        let selects = usize::from(!is_node || self.selects);
        if selects > 0 {
            pipeline.push(&[&b"SELECT"[..], db.to_string().as_bytes()]);
        }
        for key in keys {
            pipeline.push(&[name, key]);
        }
        let told = self.call(node, &pipeline, selects + keys.len()).await?;
        let mut replies = Vec::with_capacity(keys.len());
        for reply in told.into_iter().skip(selects) {
            replies.push(match reply {
                Ok(reply) => Some(reply),
                Err(ClientError::Reply { error, .. }) if is_node && is_elsewhere(&error) => None,
                Err(error) => return Err(error),
            });
        }
        Ok(replies)
    }

    async fn call(
        &mut self,
        node: Option<Endpoint>,
        pipeline: &Pipeline,
        replies: usize,
    ) -> Result<Vec<Result<Value, ClientError>>, ClientError> {
        let place = match self.connections.iter().position(|(known, _)| *known == node) {
            Some(place) => place,
            None => {
                let (Some(cluster), Some(at)) = (&self.cluster, &node) else {
                    return Ok(Vec::new());
                };
                let mut connector = cluster.connector(at);
                if let Some(name) = &self.client_name {
                    connector = connector.client_name(name.clone());
                }
                let connection = connector.connect().await?;
                self.connections.push((node.clone(), connection));
                self.connections.len() - 1
            }
        };
        let (_, mut connection) = self.connections.swap_remove(place);
        // A connection that failed is not put back.
        let told = connection.pipeline(pipeline).await?;
        let address = connection.address().to_owned();
        self.connections.push((node, connection));
        debug_assert_eq!(told.len(), replies, "one for each command");
        let failed = |error| ClientError::Reply {
            address: address.clone(),
            command: String::from("a command about a key"),
            error,
        };
        Ok(told.into_iter().map(|reply| reply.map_err(failed)).collect())
    }

    /// Follows a key from node to node.
    async fn look_for(&mut self, db: u32, name: &[u8], key: &[u8]) -> Result<Value, ClientError> {
        let Some(cluster) = self.cluster.clone() else { return Ok(Value::Null) };
        let slot = slot(key);
        let mut patience = Patience::with(&cluster.map(), Some(slot));
        let mut failed = None;
        loop {
            let error = match next_place(&cluster, slot, failed.as_ref()).await {
                Ok(Some((node, asking))) => {
                    let mut pipeline = Pipeline::new();
                    if self.selects {
                        pipeline.push(&[&b"SELECT"[..], db.to_string().as_bytes()]);
                    }
                    if asking {
                        pipeline.push(&["ASKING"]);
                    }
                    pipeline.push(&[name, key]);
                    let count = 1 + usize::from(asking) + usize::from(self.selects);
                    match self.call(Some(node), &pipeline, count).await {
                        Ok(told) => match told.into_iter().last() {
                            Some(Ok(reply)) => return Ok(reply),
                            Some(Err(error)) => error,
                            None => unowned(slot),
                        },
                        Err(error) => {
                            self.has_lost |= error.is_transient();
                            error
                        }
                    }
                }
                Ok(None) => unowned(slot),
                Err(error) => error,
            };
            failed = Some(patience.wait(error).await?);
        }
    }
}
