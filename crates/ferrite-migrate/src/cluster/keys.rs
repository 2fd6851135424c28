//! Reads keys with their expiries, from one server or from whichever nodes have them.

use std::collections::VecDeque;
use std::sync::Arc;

use ferrite_client::topology::Cluster;
use ferrite_client::{ClientError, Connector, Endpoint};
use ferrite_commands::slot;
use ferrite_rdb::Sink;

use super::Patience;
use super::patience::{next_place, owner, unowned};
use crate::fetch::{FetchError, Fetched, Fetcher, LargeStream, is_elsewhere};
use crate::preflight::Server;

/// Reads keys of one end.
#[derive(Debug)]
pub enum KeyReader {
    /// Of one server.
    One(Box<Fetcher>),
    /// Of the nodes of a cluster.
    Many(Box<Nodes>),
}

/// Connections to the nodes of a cluster, and which of them has been asked for which key.
#[derive(Debug)]
pub struct Nodes {
    cluster: Arc<Cluster>,
    expiretime: bool,
    value_limit: usize,
    lanes: Vec<Lane>,
    db: u32,
    /// The keys of the request, each with the lane that was asked for it.
    order: VecDeque<(Option<usize>, Vec<u8>)>,
    /// For keys that were not where they were looked for.
    spare: Option<(Endpoint, Fetcher)>,
    /// Who gave the last key: a lane, or else the spare.
    current: Option<usize>,
}

#[derive(Debug)]
struct Lane {
    node: Endpoint,
    /// Without one the node could not be reached, or was lost.
    fetcher: Option<Fetcher>,
}

impl KeyReader {
    /// Connects to a server; to the nodes of a cluster only when they are needed.
    ///
    /// # Errors
    /// A server that cannot be reached.
    pub async fn connect(server: &Server, value_limit: usize) -> Result<Self, ClientError> {
        let expiretime = server.has_expiretime();
        let Some(cluster) = &server.cluster else {
            let connection = server.connector.connect().await?;
            return Ok(Self::One(Box::new(Fetcher::new(connection, expiretime, value_limit))));
        };
        Ok(Self::of_cluster(Arc::clone(cluster), expiretime, value_limit))
    }

    /// A reader of the nodes of a cluster, that connects when it must; `expiretime` if they have
    /// `PEXPIRETIME`.
    #[must_use]
    pub fn of_cluster(cluster: Arc<Cluster>, expiretime: bool, value_limit: usize) -> Self {
        Self::Many(Box::new(Nodes {
            cluster,
            expiretime,
            value_limit,
            lanes: Vec::new(),
            db: 0,
            order: VecDeque::new(),
            spare: None,
            current: None,
        }))
    }

    /// The same reader, asking for the offset keys are read at; a cluster has none in common.
    #[must_use]
    pub fn with_fence(self) -> Self {
        match self {
            Self::One(fetcher) => Self::One(Box::new(fetcher.with_fence())),
            many @ Self::Many(_) => many,
        }
    }

    /// The offset of the last request; see [`Fetcher::offset`].
    #[must_use]
    pub fn offset(&self) -> u64 {
        match self {
            Self::One(fetcher) => fetcher.offset(),
            Self::Many(_) => 0,
        }
    }

    /// Asks for keys; [`next`](Self::next) then gives them in this order.
    ///
    /// # Errors
    /// The loss of the connection, or a refusal.
    pub async fn request(&mut self, db: u32, keys: &[&[u8]]) -> Result<(), ClientError> {
        match self {
            Self::One(fetcher) => fetcher.request(db, keys.iter().copied()).await,
            Self::Many(nodes) => nodes.request(db, keys).await,
        }
    }

    /// The next key.
    ///
    /// # Errors
    /// The loss of the connection, or a refusal.
    pub async fn next(&mut self) -> Result<Fetched, ClientError> {
        match self {
            Self::One(fetcher) => fetcher.next().await,
            Self::Many(nodes) => nodes.next().await,
        }
    }

    /// The payload of the key that came last as [`Fetched::Small`].
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match self {
            Self::One(fetcher) => fetcher.payload(),
            Self::Many(nodes) => nodes.last().map_or(&[], Fetcher::payload),
        }
    }

    /// As [`Fetcher::stream`].
    ///
    /// # Errors
    /// A value that cannot be understood, or the loss of the connection.
    pub async fn stream(
        &mut self,
        stream: &mut LargeStream,
        sink: &mut impl Sink,
    ) -> Result<bool, FetchError> {
        match self {
            Self::One(fetcher) => fetcher.stream(stream, sink).await,
            Self::Many(nodes) => nodes.stream(stream, sink).await,
        }
    }
}

impl Nodes {
    async fn request(&mut self, db: u32, keys: &[&[u8]]) -> Result<(), ClientError> {
        self.db = db;
        self.order.clear();
        let map = self.cluster.map();
        let mut asked: Vec<Vec<&[u8]>> = Vec::new();
        for key in keys {
            let place = owner(&map, slot(key)).map(|node| self.lane(node));
            self.order.push_back((place, key.to_vec()));
            if let Some(place) = place {
                if asked.len() <= place {
                    asked.resize(place + 1, Vec::new());
                }
                asked.get_mut(place).into_iter().for_each(|keys| keys.push(key));
            }
        }
        for (place, keys) in asked.into_iter().enumerate().filter(|(_, keys)| !keys.is_empty()) {
            let (cluster, expiretime, limit) = (&self.cluster, self.expiretime, self.value_limit);
            let Some(lane) = self.lanes.get_mut(place) else { continue };
            if lane.fetcher.is_none() {
                let connector = cluster.connector(&lane.node);
                lane.fetcher = fetcher(&connector, expiretime, limit).await.ok();
            }
            if let Some(fetcher) = &mut lane.fetcher
                && fetcher.request(db, keys.into_iter()).await.is_err()
            {
                // Its keys are looked for one by one, which tells why.
                lane.fetcher = None;
            }
        }
        Ok(())
    }

    fn lane(&mut self, node: Endpoint) -> usize {
        self.lanes.iter().position(|lane| lane.node == node).unwrap_or_else(|| {
            self.lanes.push(Lane { node, fetcher: None });
            self.lanes.len() - 1
        })
    }

    async fn next(&mut self) -> Result<Fetched, ClientError> {
        let Some((place, key)) = self.order.pop_front() else { return Ok(Fetched::Missing) };
        let lane = place.and_then(|place| self.lanes.get_mut(place));
        let Some(lane) = lane else { return self.look_for(&key, None).await };
        let Some(fetcher) = &mut lane.fetcher else { return self.look_for(&key, None).await };
        match fetcher.next().await {
            Ok(fetched) => {
                self.current = place;
                Ok(fetched)
            }
            Err(error) if error.reply().is_some_and(is_elsewhere) => {
                self.look_for(&key, Some(error)).await
            }
            Err(error) if error.is_transient() => {
                lane.fetcher = None;
                self.look_for(&key, Some(error)).await
            }
            Err(error) => Err(error),
        }
    }

    /// Follows a key from node to node.
    async fn look_for(
        &mut self,
        key: &[u8],
        mut failed: Option<ClientError>,
    ) -> Result<Fetched, ClientError> {
        let slot = slot(key);
        let mut patience = Patience::with(&self.cluster.map(), Some(slot));
        self.current = None;
        loop {
            let place = next_place(&self.cluster, slot, failed.as_ref()).await;
            let error = match place {
                Ok(Some((node, asking))) => match self.try_node(node, key, asking).await {
                    Ok(fetched) => return Ok(fetched),
                    Err(error) => error,
                },
                Ok(None) => unowned(slot),
                Err(error) => error,
            };
            if error.reply().is_none() {
                self.spare = None;
            }
            failed = Some(patience.wait(error).await?);
        }
    }

    async fn try_node(
        &mut self,
        node: Endpoint,
        key: &[u8],
        asking: bool,
    ) -> Result<Fetched, ClientError> {
        if self.spare.as_ref().is_none_or(|(at, _)| *at != node) {
            let connector = self.cluster.connector(&node);
            let fetcher = fetcher(&connector, self.expiretime, self.value_limit).await?;
            self.spare = Some((node, fetcher));
        }
        let Some((_, fetcher)) = &mut self.spare else { return Ok(Fetched::Missing) };
        fetcher.request_one(self.db, key, asking).await?;
        fetcher.next().await
    }

    fn last(&self) -> Option<&Fetcher> {
        match self.current {
            Some(place) => self.lanes.get(place)?.fetcher.as_ref(),
            None => self.spare.as_ref().map(|(_, fetcher)| fetcher),
        }
    }

    async fn stream(
        &mut self,
        stream: &mut LargeStream,
        sink: &mut impl Sink,
    ) -> Result<bool, FetchError> {
        let fetcher = match self.current {
            Some(place) => self.lanes.get_mut(place).and_then(|lane| lane.fetcher.as_mut()),
            None => self.spare.as_mut().map(|(_, fetcher)| fetcher),
        };
        let Some(fetcher) = fetcher else { return Ok(true) };
        let streamed = fetcher.stream(stream, sink).await;
        if matches!(streamed, Err(FetchError::Client(_))) {
            match self.current {
                Some(place) => self.lanes.get_mut(place).into_iter().for_each(|lane| {
                    lane.fetcher = None;
                }),
                None => self.spare = None,
            }
        }
        streamed
    }
}

async fn fetcher(
    connector: &Connector,
    expiretime: bool,
    limit: usize,
) -> Result<Fetcher, ClientError> {
    Ok(Fetcher::new(connector.connect().await?, expiretime, limit).by_slot())
}
