//! Keeps a server from being written to, for a time, and then for good.
//!
//! ```text
//! raise   CLIENT PAUSE … WRITE            ends by itself when its time is up
//! lower   CLIENT UNPAUSE
//! close   min-replicas-to-write 1000000   stays
//! ```

use std::time::{Duration, Instant};

use ferrite_client::{ClientError, Connection};

use super::cutover::{GivenUp, REPLICAS_FENCE, REPLICAS_SETTING, lapsed};
use super::settle::master_offset;
use crate::engine::Job;

/// Keeps the source from being written to.
pub struct Fence {
    connection: Connection,
    /// The history that was followed.
    replid: String,
    /// When writes go through again by themselves.
    up_until: Instant,
    /// Whether the source's offset must be known.
    is_followed: bool,
    /// How many good replicas the source needed before it was closed, if it was.
    closed_from: Option<String>,
}

impl Fence {
    /// Not raised yet.
    pub fn new(connection: Connection, replid: String) -> Self {
        let up_until = Instant::now();
        Self { connection, replid, up_until, is_followed: true, closed_from: None }
    }

    /// The same for a source whose stream nobody reads: it need not tell its offset.
    pub fn of_rounds(connection: Connection, replid: String) -> Self {
        Self { is_followed: false, ..Self::new(connection, replid) }
    }

    /// Holds writes back for this long at most, counted anew with every call; the source's offset
    /// from here on.
    pub async fn raise(&mut self, at_most: Duration) -> Result<u64, ClientError> {
        let ms = at_most.as_millis().to_string();
        let began = Instant::now();
        self.connection.call(&["CLIENT", "PAUSE", &ms, "WRITE"]).await?;
        self.up_until = began + at_most;
        let info = self.same_history().await?;
        match self.is_followed {
            true => master_offset(&mut self.connection).await,
            false => self.told_offset(&info),
        }
    }

    /// Holds writes back for this much longer; fails when they may have gone through meanwhile.
    pub async fn renew(&mut self, at_most: Duration) -> Result<(), GivenUp> {
        let up_until = self.up_until;
        let lost = |error: ClientError| GivenUp::failed(format!("holding writes back: {error}"));
        self.raise(at_most).await.map_err(lost)?;
        if Instant::now() < up_until { Ok(()) } else { Err(lapsed()) }
    }

    /// The offset a master tells in `INFO replication`; 0 where it tells none.
    fn told_offset(&self, info: &str) -> Result<u64, ClientError> {
        let told = |name: &str| info.lines().find_map(|line| line.strip_prefix(name));
        if told("role:").is_some_and(|role| role.trim_end() != "master") {
            return Err(ClientError::Unexpected {
                address: self.connection.address().to_owned(),
                doing: String::from("asking for its role (INFO replication)"),
                what: String::from("it is not the master, which alone takes writes"),
            });
        }
        let offset = told("master_repl_offset:").and_then(|offset| offset.trim_end().parse().ok());
        Ok(offset.unwrap_or(0))
    }

    /// A source that was restarted counts its offsets anew: they say nothing about the target.
    async fn same_history(&mut self) -> Result<String, ClientError> {
        let info = self.connection.call(&["INFO", "replication"]).await?;
        let info = String::from_utf8_lossy(info.as_bytes().unwrap_or_default()).into_owned();
        let replid = info.lines().find_map(|line| line.strip_prefix("master_replid:"));
        if replid.is_none_or(|replid| replid.trim_end() == self.replid) {
            return Ok(info);
        }
        Err(ClientError::Unexpected {
            address: self.connection.address().to_owned(),
            doing: String::from("asking for its history (INFO replication)"),
            what: String::from("another history than was followed: it was restarted or promoted"),
        })
    }

    /// Fails when writes may have gone through since the offset was asked for.
    pub fn check(&self) -> Result<(), GivenUp> {
        if Instant::now() < self.up_until {
            return Ok(());
        }
        Err(lapsed())
    }

    /// Lets writes through again. Should that fail, the source does it when the time is up.
    pub async fn lower(&mut self) {
        let _ = self.connection.call(&["CLIENT", "UNPAUSE"]).await;
    }

    /// Leaves the source as it is to be after a cutover: taking writes, which will be ours alone, or
    /// refusing them; by which setting, and what that was before.
    ///
    /// # Errors
    /// Writes may have gone through before that. Those since do again.
    pub async fn leave(
        &mut self,
        job: &Job,
        follows: bool,
    ) -> Result<Option<(String, String)>, GivenUp> {
        let left = match self.check() {
            Err(lapsed) => Err(lapsed),
            Ok(()) if follows => self.end_clients(job).await.map(|()| None),
            Ok(()) => self.close(job).await,
        };
        self.lower().await;
        left
    }

    /// Ends the connections of all other clients, and with them the writes that wait.
    ///
    /// # Errors
    /// Writes may have gone through before that.
    pub async fn end_clients(&mut self, job: &Job) -> Result<(), GivenUp> {
        if let Err(error) = self.connection.call(&["CLIENT", "KILL", "TYPE", "normal"]).await {
            job.warn(format!(
                "the clients of {} cannot be ended (CLIENT KILL: {error}): writes that waited for \
                 the switch were made there, and nowhere else",
                self.connection.address()
            ));
        }
        self.check()
    }

    /// Has the source refuse writes from now on, those that wait for the end of the pause included;
    /// by which setting, and what that was, unless it does not take that.
    ///
    /// # Errors
    /// Writes may have gone through before that. Those since do again.
    pub async fn close(&mut self, job: &Job) -> Result<Option<(String, String)>, GivenUp> {
        let before = self.replicas_to_write().await;
        let setting = ["CONFIG", "SET", REPLICAS_SETTING, REPLICAS_FENCE];
        let closed = self.connection.call(&setting).await;
        self.closed_from = Some(before.clone());
        if let Err(lapsed) = self.check() {
            return Err(self.reopen(lapsed).await);
        }
        if let Err(error) = closed {
            job.warn(format!(
                "{} cannot be kept from taking writes (CONFIG SET: {error}): stop whatever still \
                 writes to it",
                self.connection.address()
            ));
            return Ok(None);
        }
        let with = |value: &str| format!("{REPLICAS_SETTING} {value}");
        Ok(Some((with(REPLICAS_FENCE), with(&before))))
    }

    /// Has a source take writes again that was closed, because of this; and what is left to do.
    pub async fn reopen(&mut self, why: GivenUp) -> GivenUp {
        let Some(before) = self.closed_from.take() else { return why };
        let setting = ["CONFIG", "SET", REPLICAS_SETTING, &before];
        let Err(error) = self.connection.call(&setting).await else { return why };
        GivenUp {
            why: format!(
                "{}; {} may refuse writes now, and did not take CONFIG SET {REPLICAS_SETTING} \
                 {before} ({error})",
                why.why,
                self.connection.address()
            ),
            ..why
        }
    }

    /// How many good replicas the source needs for taking writes; what a cutover has set that was
    /// not finished does not count.
    pub async fn replicas_to_write(&mut self) -> String {
        let known = self.connection.call(&["CONFIG", "GET", REPLICAS_SETTING]).await.ok();
        let value = known.as_ref().and_then(|known| known.as_array()?.get(1)?.as_str());
        value.filter(|value| *value != REPLICAS_FENCE).unwrap_or("0").to_owned()
    }
}

#[cfg(test)]
mod tests {
    use ferrite_client::server::ServerInfo;
    use ferrite_testkit::{Peer, Server as Kind};

    use super::*;
    use crate::config::{Config, Origin};
    use crate::preflight::Server;

    #[tokio::test]
    async fn a_source_that_has_let_writes_through_is_left_as_it_was() {
        let peer = Peer::start(Kind::Redis70).unwrap();
        let config = Config::builder().source(peer.url()).target("redis://127.0.0.1:1").build();
        let (events, _) = tokio::sync::mpsc::unbounded_channel();
        let job = Job::new(config.unwrap(), events);
        let Origin::Server(endpoint) = &job.config.source else { panic!("a server") };
        let server = Server::connect(&job, endpoint).await.unwrap();
        let mut writer = peer.client();
        for follows in [false, true] {
            let mut connection = server.connector.connect().await.unwrap();
            let info = ServerInfo::probe(&mut connection).await.unwrap();
            let mut fence = Fence::new(connection, info.replication_id.unwrap());
            fence.raise(Duration::from_millis(1)).await.unwrap();
            writer.ok(&["SET", "key", "while it could not be left"]);

            let given_up = fence.leave(&job, follows).await.unwrap_err();

            assert!(given_up.why.contains("writes went through again"), "{}", given_up.why);
            writer.ok(&["SET", "key", "on a connection that is still there"]);
            assert_eq!(fence.replicas_to_write().await, "0");
        }
    }
}
