//! The target as the applier sees it: a connection that is the only one of its kind, and what the
//! target says about how far it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_client::server::ServerInfo;
use ferrite_client::{
    Address, Backoff, ClientError, Connection, Connector, Pipeline, Receiver, ReplyError, Sender,
    Value,
};

use super::transaction::Transaction;
use crate::config::Config;
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::live::checkpoint::{self, Checkpoint};
use crate::preflight::{Checked, rivals};
use crate::scan::Scanner;

/// Error codes of a server that takes no writes for now.
const NO_WRITES: [&str; 10] = [
    "OOM",
    "READONLY",
    "MISCONF",
    "LOADING",
    "BUSY",
    "NOREPLICAS",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "UNBLOCKED",
];

/// Whether a server takes no writes now, but may again without a change of ours.
#[must_use]
pub fn takes_no_writes(error: &ReplyError) -> bool {
    // EXEC tells it of a transaction that was queued before: "EXECABORT Transaction discarded
    // because of: OOM command not allowed …".
    let reason = error.message.split_once("because of: ").map(|(_, reason)| reason);
    let code =
        reason.map_or(error.code.as_str(), |reason| reason.split(' ').next().unwrap_or_default());
    NO_WRITES.contains(&code)
}

/// What brings a server that takes no writes to take them again; the job waits for that.
#[must_use]
pub fn until_it_writes(error: &ReplyError) -> &'static str {
    match error.code.as_str() {
        "OOM" => "the target has reached its maxmemory: CONFIG SET maxmemory … there",
        "READONLY" => "the target is a replica: REPLICAOF NO ONE there",
        "MISCONF" => "the target cannot save to its disk: free space there",
        _ => "tried again until it does",
    }
}

/// A connection that applies commands.
#[derive(Debug)]
pub struct Link {
    /// Writes.
    pub sender: Sender,
    /// Reads.
    pub receiver: Receiver,
}

/// The target.
pub struct Target {
    job: Arc<Job>,
    connector: Connector,
    source: Connector,
    /// Asks the source which keys it has; connected when it is first needed.
    asking: Option<Connection>,
    /// The run of the source that is asked, if no other one may be.
    source_run: Option<String>,
    /// The same under the job's own name: connections that do not end with the applier's.
    lists: Connector,
    key: Vec<u8>,
    /// The database of the checkpoint.
    home: u32,
    only_db: Option<(u32, u32)>,
    failed: u32,
    failing_since: Option<Instant>,
    last: String,
}

impl Target {
    /// The target of a job.
    #[must_use]
    pub fn new(job: &Arc<Job>, checked: &Checked) -> Self {
        let config = &job.config;
        Self {
            job: Arc::clone(job),
            connector: checked.target.connector.clone().client_name(job.applier_name()),
            lists: checked.target.connector.clone(),
            source: checked.source.connector.clone(),
            asking: None,
            source_run: None,
            key: checkpoint::key(&job.id),
            home: home(config),
            only_db: config.source_db().map(|db| (config.target_db().unwrap_or(db), db)),
            failed: 0,
            failing_since: None,
            last: String::new(),
        }
    }

    /// The same target, which believes only this run of the source about keys it does not have:
    /// another one may have come up without them.
    #[must_use]
    pub fn asking_run(mut self, run_id: String) -> Self {
        self.source_run = Some(run_id);
        self
    }

    /// Connects to the source, to ask which keys it has.
    async fn connect_source(&self) -> Result<Connection, ClientError> {
        let mut connection = self.source.connect().await?;
        let Some(run_id) = &self.source_run else { return Ok(connection) };
        let info = ServerInfo::probe(&mut connection).await?;
        if info.info.get("run_id").unwrap_or_default() == run_id {
            return Ok(connection);
        }
        let doing = String::from("asking which keys it has");
        Err(ClientError::Closed {
            address: self.source.address().to_string(),
            doing,
            hint: String::from("; it was restarted meanwhile"),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &Address {
        self.connector.address()
    }

    /// Connects, ends what is left of earlier connections, and asks how far the target is.
    ///
    /// A transaction on an earlier connection may still wait in the target's socket: it must not
    /// be executed behind our back.
    ///
    /// # Errors
    /// A target that cannot be asked.
    pub async fn connect(&mut self) -> Result<(Link, Option<Checkpoint>), ClientError> {
        let connected = self.ask().await;
        if let Err(error) = &connected {
            self.last = error.to_string();
        }
        connected
    }

    async fn ask(&self) -> Result<(Link, Option<Checkpoint>), ClientError> {
        let mut connection = self.connector.connect().await?;
        self.end_others(&mut connection).await?;
        connection.call(&["SELECT", &self.home.to_string()]).await?;
        let value = connection.call(&[b"GET", self.key.as_slice()]).await?;
        let checkpoint = value.as_bytes().and_then(Checkpoint::parse);
        let (sender, receiver) = connection.into_split();
        Ok((Link { sender, receiver }, checkpoint))
    }

    /// Ends all other connections of the job that write, where we may.
    async fn end_others(&self, connection: &mut Connection) -> Result<(), ClientError> {
        match self.end_writers(connection).await {
            Err(error) if error.reply().is_none() && !error.is_refusal() => Err(error),
            _ => Ok(()),
        }
    }

    async fn end_writers(&self, connection: &mut Connection) -> Result<(), ClientError> {
        let own = connection.call(&["CLIENT", "ID"]).await?.as_int();
        let own = own.and_then(|id| u64::try_from(id).ok());
        let clients = connection.call(&["CLIENT", "LIST"]).await?;
        let clients = String::from_utf8_lossy(clients.as_bytes().unwrap_or_default()).into_owned();
        let names = [self.job.applier_name(), self.job.copier_name()];
        for (id, name) in clients.lines().filter_map(rivals::client) {
            if names.iter().any(|one| one == name) && Some(id) != own {
                connection.call(&["CLIENT", "KILL", "ID", &id.to_string()]).await?;
            }
        }
        Ok(())
    }

    /// How far the target is, by what it says; `None` if it does not say so.
    ///
    /// # Errors
    /// A target that cannot be asked.
    pub async fn checkpoint(&self) -> Result<Option<Checkpoint>, ClientError> {
        self.ask().await.map(|(_, checkpoint)| checkpoint)
    }

    /// Writes the checkpoint a copy ends with.
    ///
    /// # Errors
    /// A target that cannot be written.
    pub async fn store(&self, checkpoint: &Checkpoint) -> Result<(), ClientError> {
        let mut link = self.ask().await?.0;
        let mut transaction = Transaction::default();
        self.finish(&mut transaction, checkpoint);
        match transaction.execute(&mut link.sender, &mut link.receiver).await? {
            super::Outcome::Executed(_) => Ok(()),
            super::Outcome::Refused(_, error) => Err(ClientError::Reply {
                address: self.address().to_string(),
                command: String::from("SET"),
                error,
            }),
        }
    }

    /// Takes away what the target says about how far it is, and ends what is left of an earlier
    /// copy: a batch may still wait in the target's socket, and must not be written behind ours.
    ///
    /// # Errors
    /// A target that cannot be written.
    pub async fn forget(&self) -> Result<(), ClientError> {
        let mut connection = self.lists.connect().await?;
        self.end_others(&mut connection).await?;
        connection.call(&["SELECT", &self.home.to_string()]).await?;
        connection.call(&[b"DEL", self.key.as_slice()]).await?;
        Ok(())
    }

    /// Ends a transaction with the position it brings the target to.
    pub fn finish(&self, transaction: &mut Transaction, checkpoint: &Checkpoint) {
        transaction.finish(&self.key, self.home, checkpoint);
    }

    /// Something worked: the target is not failing any more.
    pub fn worked(&mut self) {
        self.failed = 0;
        self.failing_since = None;
    }

    /// Waits before the next attempt; why there will be none, when it has been too long.
    pub async fn pause(&mut self, away_max: Duration) -> Option<MigrateError> {
        let backoff = Backoff { attempts: u32::MAX, total: away_max, ..Backoff::default() };
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        self.failed = self.failed.saturating_add(1);
        let Some(wait) = backoff.wait(self.failed, since.elapsed()) else {
            let doing = format!("applying commands on the target {}", self.address());
            let hint = format!("then: ferrite-migrate migrate --resume {}", self.job.id);
            let cause = format!("it did not come back for an hour: {}", self.last);
            return Some(MigrateError::new(ErrorKind::Target, doing, cause).with_hint(hint));
        };
        tokio::select! {
            () = self.job.stop.stopped() => {}
            () = tokio::time::sleep(wait) => {}
        }
        None
    }

    /// The target's databases with keys, each with the one of the source it belongs to; only the
    /// one that belongs to `source_db`, if that is given.
    ///
    /// # Errors
    /// A target that cannot be asked.
    pub async fn dbs(&self, source_db: Option<u32>) -> Result<Vec<(u32, u32)>, ClientError> {
        let pairs = match self.only_db {
            Some(pair) => vec![pair],
            None => {
                let mut connection = self.lists.connect().await?;
                let info = ServerInfo::probe(&mut connection).await?;
                info.keyspace.keys().map(|db| (*db, *db)).collect()
            }
        };
        let is_meant = |(_, db): &(u32, u32)| source_db.is_none_or(|only| only == *db);
        Ok(pairs.into_iter().filter(is_meant).collect())
    }

    /// Deletes all keys that take part.
    ///
    /// # Errors
    /// A target that cannot be written.
    pub async fn clear(&mut self) -> Result<(), ClientError> {
        self.delete(false).await.map(drop)
    }

    /// Deletes all keys that take part and that the source does not have, or, in a dry run, only
    /// counts them.
    ///
    /// # Errors
    /// An end that cannot be used.
    pub async fn clear_missing(&mut self) -> Result<u64, ClientError> {
        self.delete(true).await
    }

    async fn delete(&mut self, only_missing: bool) -> Result<u64, ClientError> {
        let mut deleted = 0;
        let mut connection = self.connector.connect().await?;
        for (target_db, db) in self.dbs(None).await? {
            connection.call(&["SELECT", &target_db.to_string()]).await?;
            let mut scanner = self.scanner(target_db).await?;
            let mut cursor = b"0".to_vec();
            loop {
                let (next, names) = scanner.step(db, &cursor).await?;
                let filter = &self.job.config.filter;
                let is_ours =
                    |key: &&[u8]| filter.accepts(key) && !key.starts_with(checkpoint::PREFIX);
                let mut doomed: Vec<&[u8]> = names.iter().filter(is_ours).collect();
                if only_missing {
                    doomed = self.missing_at_source(db, doomed).await?;
                }
                let mut pipeline = Pipeline::new();
                deleted += doomed.len() as u64;
                if self.job.config.dry_run {
                    doomed.clear();
                }
                for key in doomed {
                    pipeline.push(&[&b"DEL"[..], key]);
                }
                if !pipeline.is_empty() {
                    connection.pipeline(&pipeline).await?.into_iter().try_for_each(|reply| {
                        reply.map(|_| ()).map_err(|error| ClientError::Reply {
                            address: self.address().to_string(),
                            command: String::from("DEL"),
                            error,
                        })
                    })?;
                }
                if next == b"0" {
                    break;
                }
                cursor = next;
            }
        }
        Ok(deleted)
    }

    /// Those of the keys that the source does not have.
    ///
    /// # Errors
    /// A source that cannot be asked.
    pub async fn missing_at_source<'k>(
        &mut self,
        db: u32,
        keys: Vec<&'k [u8]>,
    ) -> Result<Vec<&'k [u8]>, ClientError> {
        let mut pipeline = Pipeline::new();
        pipeline.push(&["SELECT", &db.to_string()]);
        for key in &keys {
            pipeline.push(&[&b"EXISTS"[..], key]);
        }
        let mut asking = match self.asking.take() {
            Some(asking) => asking,
            None => self.connect_source().await?,
        };
        let replies = asking.pipeline(&pipeline).await?;
        self.asking = Some(asking);
        let answers = keys.into_iter().zip(replies.into_iter().skip(1));
        let missing = answers.filter(|(_, reply)| matches!(reply, Ok(Value::Integer(0))));
        Ok(missing.map(|(key, _)| key).collect())
    }

    /// Lists names of a database.
    ///
    /// # Errors
    /// A target that cannot be asked.
    pub async fn scanner(&self, db: u32) -> Result<Scanner, ClientError> {
        let mut scanner = Scanner::connect(&self.lists, &self.job.config).await?;
        scanner.select(db).await?;
        Ok(scanner)
    }
}

/// The database of the checkpoint: the only one we may write to, or the first.
#[must_use]
pub fn home(config: &Config) -> u32 {
    config.target_db().or(config.source_db()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_takes_no_writes_says_so_at_once_or_when_a_transaction_ends() {
        let takes_none = |text: &str| takes_no_writes(&ReplyError::parse(text.as_bytes()));
        assert!(takes_none("OOM command not allowed when used memory > 'maxmemory'."));
        assert!(takes_none("READONLY You can't write against a read only replica."));
        assert!(takes_none("EXECABORT Transaction discarded because of: OOM command not allowed"));
        assert!(!takes_none("EXECABORT Transaction discarded because of previous errors."));
        assert!(!takes_none("EXECABORT Transaction discarded because of: NOPERM this user"));
        assert!(!takes_none("ERR unknown command 'X'"));
    }
}
