//! Receives the stream into the spool, and nothing else: whatever the target does, the source is
//! read, so that its output buffer stays empty. Reconnects by partial synchronization.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_client::replication::{Position, ReplicationLink};
use ferrite_client::{Backoff, ClientError, Connector};

use super::links::resume;
use super::progress::{Progress, Side};
use super::spool::{SpoolError, Writer};
use crate::engine::{Job, now_ms};
use crate::error::{ErrorKind, MigrateError};

/// How long the source may be away before the job stops (and can be resumed).
const AWAY_MAX: Duration = Duration::from_secs(3600);
/// Why nothing comes from the source before there is a link.
pub const CONNECTING: &str = "the link to the source is being made";
/// How long to wait before a full disk is tried again.
const DISK_RETRY: Duration = Duration::from_millis(500);

/// Why receiving ended.
#[derive(Debug)]
pub enum Ended {
    /// The job was stopped.
    Stopped,
    /// The source cannot continue where we are: everything has to be copied again.
    Lost(String),
}

/// Receives from one source.
#[derive(Debug)]
pub struct Receiver {
    /// The migration.
    pub job: Arc<Job>,
    /// The source.
    pub connector: Connector,
    /// Where the stream goes.
    pub writer: Writer,
    /// Where everybody looks.
    pub progress: Arc<Progress>,
    /// Added to our clock, gives the source's, in ms.
    pub clock_skew_ms: i64,
}

/// Why one link ended.
enum LinkEnd {
    Stopped,
    Broken(ClientError),
    Spool(SpoolError),
}

impl Receiver {
    /// Receives until the job is stopped or the source has moved on without us. Without a link,
    /// makes one that begins where the spool ends.
    ///
    /// # Errors
    /// A source that refuses us or stays away, a spool that cannot be written.
    pub async fn run(mut self, mut link: Option<ReplicationLink>) -> Result<Ended, MigrateError> {
        let mut broken = None;
        loop {
            let mut following = match link.take() {
                Some(link) => link,
                None => match self.reconnect(broken.as_ref()).await? {
                    Ok(link) => link,
                    Err(ended) => return Ok(ended),
                },
            };
            match self.follow(&mut following).await {
                LinkEnd::Stopped => {
                    self.writer.sync().map_err(|error| self.spool_error(&error))?;
                    return Ok(Ended::Stopped);
                }
                LinkEnd::Spool(error) => return Err(self.spool_error(&error)),
                LinkEnd::Broken(error) => {
                    tracing::debug!(%error, "the stream link broke");
                    broken = Some(error);
                }
            }
        }
    }

    async fn follow(&mut self, link: &mut ReplicationLink) -> LinkEnd {
        loop {
            let bytes = link.stream_bytes();
            if !bytes.is_empty() {
                let count = bytes.len();
                match self.keep(bytes).await {
                    Ok(true) => {}
                    Ok(false) => return LinkEnd::Stopped,
                    Err(error) => return LinkEnd::Spool(error),
                }
                link.stream_consume(count);
                link.acknowledge(self.writer.end());
                self.progress.set_received(self.writer.end());
            }
            tokio::select! {
                () = self.job.stop.stopped() => return LinkEnd::Stopped,
                () = self.progress.acknowledge.notified() => link.acknowledge_now(),
                filled = link.stream_fill() => match filled {
                    Ok(0) => return LinkEnd::Broken(closed(link)),
                    Ok(_) => {}
                    Err(error) => return LinkEnd::Broken(error),
                },
            }
        }
    }

    /// Keeps bytes, waiting while there is no room for them; whether they are kept.
    async fn keep(&mut self, bytes: &[u8]) -> Result<bool, SpoolError> {
        let received_ms = now_ms().saturating_add_signed(self.clock_skew_ms);
        let start = self.writer.end();
        loop {
            tokio::select! {
                () = self.job.stop.stopped() => return Ok(false),
                () = self.writer.room() => {}
            }
            let kept = usize::try_from(self.writer.end() - start).unwrap_or(usize::MAX);
            match self.writer.append(received_ms, bytes.get(kept..).unwrap_or_default()) {
                Ok(()) => {
                    self.progress.set_trouble(Side::Source, None);
                    return Ok(true);
                }
                Err(SpoolError::Quota { .. }) => {}
                Err(error @ SpoolError::DiskFull { .. }) => {
                    let why = format!("{error}; free space there, nothing is lost meanwhile");
                    self.progress.set_trouble(Side::Source, Some(why));
                    tokio::select! {
                        () = self.job.stop.stopped() => return Ok(false),
                        () = tokio::time::sleep(DISK_RETRY) => {}
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn reconnect(
        &self,
        broken: Option<&ClientError>,
    ) -> Result<Result<ReplicationLink, Ended>, MigrateError> {
        let backoff = Backoff { attempts: u32::MAX, total: AWAY_MAX, ..Backoff::default() };
        let began = Instant::now();
        let mut failed = 0;
        let why = broken.map_or_else(|| String::from(CONNECTING), ToString::to_string);
        self.progress.set_trouble(Side::Source, Some(why));
        loop {
            let position = Position { replid: self.progress.replid(), offset: self.writer.end() };
            let error = match resume(&self.connector, &position).await {
                Ok(Some((link, replid))) => {
                    self.progress.set_replid(&replid);
                    self.progress.set_trouble(Side::Source, None);
                    return Ok(Ok(link));
                }
                Ok(None) => return Ok(Err(lost(&position))),
                Err(error) if error.is_refusal() => return Err(self.failed(&error)),
                Err(error) => error,
            };
            failed += 1;
            let first = broken.map_or_else(String::new, |broken| format!("{broken}; "));
            self.progress.set_trouble(Side::Source, Some(format!("{first}reconnecting: {error}")));
            let Some(wait) = backoff.wait(failed, began.elapsed()) else {
                return Err(self.failed(&error));
            };
            tokio::select! {
                () = self.job.stop.stopped() => return Ok(Err(Ended::Stopped)),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn failed(&self, error: &ClientError) -> MigrateError {
        let doing = format!("following the source {}", self.connector.address());
        MigrateError::new(ErrorKind::Source, doing, error).with_hint(format!(
            "see that the source is up, then: ferrite-migrate migrate --resume {}",
            self.job.id
        ))
    }

    fn spool_error(&self, error: &SpoolError) -> MigrateError {
        MigrateError::new(ErrorKind::Internal, "keeping the source's commands", error)
            .with_hint(format!("then: ferrite-migrate migrate --resume {}", self.job.id))
    }
}

fn lost(position: &Position) -> Ended {
    Ended::Lost(format!(
        "the source no longer has its commands from offset {} on: its backlog was too small for \
         the time we were away, or it was restarted",
        position.offset
    ))
}

fn closed(link: &ReplicationLink) -> ClientError {
    ClientError::Closed {
        address: link.address().to_owned(),
        doing: String::from("following its commands"),
        hint: String::new(),
    }
}
