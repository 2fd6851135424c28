//! Fences around several servers at once: all are up, or none.

use std::time::Duration;

use ferrite_client::{ClientError, Connector};
use tokio::task::JoinSet;

use super::nodes::Primary;
use crate::engine::Job;
use crate::error::MigrateError;
use crate::live::cutover::{GivenUp, REPLICAS_FENCE, REPLICAS_SETTING};
use crate::live::fence::Fence;
use crate::preflight::Server;
use crate::sources::redis_scan::source_error;

/// A fence around each of several servers.
pub struct Fences(Vec<(Connector, Fence)>);

impl Fences {
    /// Connects; nothing is held back yet.
    ///
    /// # Errors
    /// A server that cannot be reached.
    pub async fn connect(servers: &[Primary]) -> Result<Self, MigrateError> {
        let mut fences = Vec::new();
        for Primary { connector, replid, .. } in servers {
            let connected = connector.connect().await;
            let connection = connected
                .map_err(|error| source_error(connector, "holding writes back", &error))?;
            fences.push((connector.clone(), Fence::new(connection, replid.clone())));
        }
        Ok(Self(fences))
    }

    /// Holds writes back everywhere, for this long at most; the offset of each server from here
    /// on. One that has not answered `within` this time fails.
    ///
    /// # Errors
    /// A server that does not do it. Others may hold writes back then: [`lower`](Self::lower).
    pub async fn raise(
        &mut self,
        at_most: Duration,
        within: Duration,
    ) -> Result<Vec<u64>, GivenUp> {
        let mut raising = JoinSet::new();
        for (place, (connector, mut fence)) in self.0.drain(..).enumerate() {
            raising.spawn(async move {
                let raised = tokio::time::timeout(within, fence.raise(at_most)).await;
                (place, connector, fence, raised)
            });
        }
        let (mut back, mut offsets, mut failed) = (Vec::new(), Vec::new(), None);
        while let Some(raised) = raising.join_next().await {
            let (place, connector, fence, raised) = raised.map_err(GivenUp::failed)?;
            match raised {
                Ok(Ok(offset)) => offsets.push((place, offset)),
                Ok(Err(error)) => failed = Some(told(&connector, &error)),
                Err(_) => {
                    failed = Some(GivenUp::failed(format!(
                        "{} did not hold writes back within {} ms",
                        connector.address(),
                        within.as_millis()
                    )));
                }
            }
            back.push((place, connector, fence));
        }
        back.sort_by_key(|(place, ..)| *place);
        offsets.sort_unstable();
        self.0 = back.into_iter().map(|(_, connector, fence)| (connector, fence)).collect();
        match failed {
            Some(failed) => Err(failed),
            None => Ok(offsets.into_iter().map(|(_, offset)| offset).collect()),
        }
    }

    /// Fails when writes may have gone through anywhere since they were held back.
    ///
    /// # Errors
    /// They may have.
    pub fn check(&self) -> Result<(), GivenUp> {
        self.0.iter().try_for_each(|(_, fence)| fence.check())
    }

    /// Lets writes through again. A server that cannot be told does it when its time is up.
    pub async fn lower(&mut self) {
        for (connector, fence) in &mut self.0 {
            // A connection that is out of step is of no use.
            if let Ok(mut connection) = connector.connect().await {
                let _ = connection.call(&["CLIENT", "UNPAUSE"]).await;
            } else {
                fence.lower().await;
            }
        }
    }

    /// Has all servers refuse writes from now on, and the replicas that may take over from them;
    /// by which setting, and what that was, if all do.
    ///
    /// # Errors
    /// Writes may have gone through before that. Those since do again.
    pub async fn close(
        &mut self,
        job: &Job,
        server: &Server,
    ) -> Result<Option<(String, String)>, GivenUp> {
        let closed = self.close_primaries(job).await?;
        close_replicas(job, server).await;
        self.lower().await;
        let all: Option<Vec<_>> = closed.into_iter().collect();
        Ok(all.and_then(|all| all.into_iter().next()))
    }

    async fn close_primaries(
        &mut self,
        job: &Job,
    ) -> Result<Vec<Option<(String, String)>>, GivenUp> {
        let (mut closed, mut lapsed) = (Vec::new(), None);
        for (_, fence) in &mut self.0 {
            match fence.close(job).await {
                Ok(setting) => closed.push(setting),
                Err(given_up) => {
                    lapsed = Some(given_up);
                    break;
                }
            }
        }
        match lapsed {
            None => Ok(closed),
            Some(lapsed) => Err(self.reopen(lapsed).await),
        }
    }

    /// Has the servers take writes again that were closed, because of this; and what is left to do.
    async fn reopen(&mut self, mut why: GivenUp) -> GivenUp {
        for (_, fence) in &mut self.0 {
            why = fence.reopen(why).await;
        }
        why
    }

    /// Leaves the servers taking writes, which will be ours alone: those that wait end with their
    /// connections.
    ///
    /// # Errors
    /// Writes may have gone through before that.
    pub async fn leave_open(&mut self, job: &Job) -> Result<(), GivenUp> {
        self.check()?;
        for (_, fence) in &mut self.0 {
            fence.end_clients(job).await?;
        }
        self.lower().await;
        Ok(())
    }
}

/// A replica that takes over would take writes again.
async fn close_replicas(job: &Job, server: &Server) {
    let Some(cluster) = &server.cluster else { return };
    let map = cluster.map();
    let replicas: Vec<_> = map.shards().iter().flat_map(|shard| shard.replicas.clone()).collect();
    for replica in replicas {
        let closing = async {
            let mut connection = cluster.connector(&replica).connect().await?;
            connection.call(&["CONFIG", "SET", REPLICAS_SETTING, REPLICAS_FENCE]).await
        };
        if let Err(error) = closing.await {
            job.warn(format!(
                "should the replica {replica} take over, it will take writes: it does not take \
                 the setting {REPLICAS_SETTING} ({error})"
            ));
        }
    }
}

fn told(connector: &Connector, error: &ClientError) -> GivenUp {
    source_error(connector, "holding writes back", error).into()
}

#[cfg(test)]
mod tests {
    use ferrite_testkit::{Peer, Server as Kind};

    use super::super::nodes;
    use super::*;
    use crate::config::{Config, Origin};

    #[tokio::test]
    async fn none_stays_closed_when_one_has_let_writes_through() {
        let kinds = [Kind::Redis70, Kind::Valkey91];
        let peers = kinds.map(|kind| Peer::start(kind).unwrap());
        let config = Config::builder().source(peers[0].url()).target(peers[1].url());
        let (events, _) = tokio::sync::mpsc::unbounded_channel();
        let job = Job::new(config.build().unwrap(), events);
        let Origin::Server(source) = &job.config.source else { panic!("a server") };
        let mut primaries = Vec::new();
        for endpoint in [source, &job.config.target] {
            let server = Server::connect(&job, endpoint).await.unwrap();
            primaries.extend(nodes::primaries(&server).await.unwrap());
        }
        let mut fences = Fences::connect(&primaries).await.unwrap();
        for ((_, fence), ms) in fences.0.iter_mut().zip([60_000, 1]) {
            fence.raise(Duration::from_millis(ms)).await.unwrap();
        }
        peers[1].client().ok(&["SET", "key", "1"]);

        let given_up = fences.close_primaries(&job).await.unwrap_err();

        assert!(given_up.why.contains("writes went through again"), "{}", given_up.why);
        fences.lower().await;
        for peer in &peers {
            peer.client().ok(&["SET", "key", "2"]);
        }
    }
}
