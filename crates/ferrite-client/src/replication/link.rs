//! The link: handshake, RDB as a byte stream, then the commands as a byte stream.

use super::ack::Acknowledger;
use super::handshake::{introduce, psync};
use super::transfer::{Transfer, TransferError};
use super::{AttachOptions, Start};
use crate::{ClientError, Connector, Receiver, ReplyError, Sender};

/// What waiting for more of the RDB brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RdbFill {
    /// So many more bytes in [`ReplicationLink::rdb_bytes`].
    More(usize),
    /// The RDB is complete: what is in [`ReplicationLink::rdb_bytes`] now is all the rest.
    End,
}

/// A server that takes us for its replica.
///
/// First the RDB (`rdb_…`), then the commands (`stream_…`), through one buffer. From the
/// beginning of the RDB the server hears of us every second, unless it sends the RDB alone.
/// Must be used within a tokio runtime. Dropping it ends the connection.
#[derive(Debug)]
pub struct ReplicationLink {
    receiver: Receiver,
    transfer: Transfer,
    /// The write half until acknowledging starts.
    sender: Option<Sender>,
    acknowledger: Option<Acknowledger>,
    /// Whether nothing is to be written any more. A server that sends the RDB alone closes the
    /// connection behind it; if bytes of ours were unread then, its kernel would reset the
    /// connection and ours would throw away what it had received.
    silent: bool,
    /// Where we are in the server's history.
    offset: u64,
}

impl ReplicationLink {
    /// Attaches to the server. The connector's database is not selected: a link carries all.
    ///
    /// # Errors
    /// What [`Connector::connect`] gives; `Reply` with the command `PSYNC` when the server
    /// refuses, for good ([`ClientError::is_refusal`]) or for now (`LOADING`, `NOMASTERLINK`,
    /// [`ClientError::is_transient`]).
    pub async fn attach(
        connector: &Connector,
        options: &AttachOptions,
    ) -> Result<(Self, Start), ClientError> {
        let address = connector.address().clone().with_database(0);
        let connector = connector.clone().with_address(address).resp3(false);
        let mut connection = connector.connect().await?;
        let refused = introduce(&mut connection, options).await?;
        let (mut sender, mut receiver) = connection.into_split();
        receiver.set_timeout(Some(options.silence));
        sender.set_timeout(Some(options.silence));
        let mut start = psync(&mut sender, &mut receiver, options.resume.as_ref()).await?;
        start.refused = refused;
        let silent = options.rdb_only && !start.refused.contains(&"rdb-only");
        let transfer = if start.full { Transfer::new() } else { Transfer::none() };
        let (sender, offset) = (Some(sender), start.offset);
        let mut link = Self { receiver, transfer, sender, silent, acknowledger: None, offset };
        link.acknowledge_once_begun();
        Ok((link, start))
    }

    /// The address of the server, for messages.
    pub fn address(&self) -> &str {
        self.receiver.address()
    }

    /// Waits for bytes of the RDB beyond those in [`ReplicationLink::rdb_bytes`]. Nothing is
    /// lost when the future is dropped.
    ///
    /// # Errors
    /// `Closed` or `Broken` when the connection ends before the RDB does, `Timeout` after too
    /// long a silence, `TooLarge` when the bytes are not consumed, `Reply` or `Protocol` when
    /// something else than an RDB comes.
    pub async fn rdb_fill(&mut self) -> Result<RdbFill, ClientError> {
        loop {
            let before = self.transfer.available();
            let looked = self.transfer.look(self.receiver.buffered());
            let removed = looked.map_err(|error| self.transfer_error(error))?;
            self.receiver.consume(removed);
            self.acknowledge_once_begun();
            let more = self.transfer.available().saturating_sub(before);
            if more > 0 {
                return Ok(RdbFill::More(more));
            }
            if self.transfer.is_whole() {
                // Of an empty RDB, the marker is still there.
                self.rdb_consume(0);
                return Ok(RdbFill::End);
            }
            let filled = self.receiver.fill().await;
            if filled.map_err(|error| error.while_doing(self.progress()))? == 0 {
                return Err(self.receiver.closed().while_doing(self.progress()));
            }
        }
    }

    /// The bytes received of the RDB and not consumed; nothing that might not belong to it.
    #[inline]
    pub fn rdb_bytes(&self) -> &[u8] {
        self.receiver.buffered().get(..self.transfer.available()).unwrap_or_default()
    }

    /// Forgets the first `count` of [`ReplicationLink::rdb_bytes`].
    #[inline]
    pub fn rdb_consume(&mut self, count: usize) {
        let removed = self.transfer.consume(count);
        self.receiver.consume(removed);
    }

    /// Allows so many unconsumed bytes (64 MiB to begin with) and takes the memory at the next
    /// fill; valid until the buffer runs empty.
    pub fn reserve(&mut self, bytes: usize) {
        self.receiver.reserve(bytes);
    }

    /// Bounds the bytes held unconsumed.
    pub fn set_max_buffer(&mut self, bytes: usize) {
        self.receiver.set_max_buffer(bytes);
    }

    /// Size of the RDB in bytes: known at its beginning if the server saved it to disk, else at
    /// its end.
    pub fn rdb_total(&self) -> Option<u64> {
        self.transfer.total()
    }

    /// Bytes of the RDB received so far.
    pub fn rdb_received(&self) -> u64 {
        self.transfer.received()
    }

    /// Whether the server has begun to send the RDB; before that, it saves.
    pub fn rdb_has_begun(&self) -> bool {
        self.transfer.has_begun()
    }

    /// Waits for more of the command stream; says how many bytes came, 0 when the server has
    /// closed the connection. The RDB must be consumed to its end before.
    ///
    /// # Errors
    /// `Unexpected` while the RDB is not consumed, else as [`Receiver::fill`].
    pub async fn stream_fill(&mut self) -> Result<usize, ClientError> {
        if !self.is_streaming() {
            let (address, doing) = (self.address().to_owned(), FOLLOWING.to_owned());
            let what = "the RDB has not been read to its end".to_owned();
            return Err(ClientError::Unexpected { address, doing, what });
        }
        self.receiver.fill().await.map_err(|error| error.while_doing(FOLLOWING))
    }

    /// The bytes of the command stream received and not consumed; empty until the RDB is
    /// consumed.
    #[inline]
    pub fn stream_bytes(&self) -> &[u8] {
        if self.is_streaming() { self.receiver.buffered() } else { &[] }
    }

    /// Forgets the first `count` bytes of the command stream and moves the offset on by them.
    #[inline]
    pub fn stream_consume(&mut self, count: usize) {
        let count = count.min(self.stream_bytes().len());
        self.receiver.consume(count);
        self.offset += count as u64;
    }

    /// Where we are in the server's history: the start plus what was consumed of the stream.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Tells the server, from the next second on, that everything up to `offset` is safe with
    /// us; until the first call it hears the offset of the start.
    pub fn acknowledge(&self, offset: u64) {
        if let Some(acknowledger) = &self.acknowledger {
            acknowledger.set(offset);
        }
    }

    /// Answers `REPLCONF GETACK *`: acknowledges without waiting for the next second.
    pub fn acknowledge_now(&self) {
        if let Some(acknowledger) = &self.acknowledger {
            acknowledger.now();
        }
    }

    fn is_streaming(&self) -> bool {
        self.transfer.is_whole() && self.transfer.available() == 0
    }

    fn acknowledge_once_begun(&mut self) {
        if self.transfer.has_begun()
            && !self.silent
            && let Some(sender) = self.sender.take()
        {
            self.acknowledger = Some(Acknowledger::start(sender, self.offset));
        }
    }

    fn progress(&self) -> String {
        let received = self.rdb_received();
        match self.rdb_total() {
            _ if !self.rdb_has_begun() => "waiting for its RDB".to_owned(),
            Some(total) => format!("receiving its RDB ({received} of {total} bytes)"),
            None => format!("receiving its RDB ({received} bytes so far)"),
        }
    }

    fn transfer_error(&self, error: TransferError) -> ClientError {
        match error {
            TransferError::Protocol(cause) => {
                self.receiver.protocol_error(cause).while_doing(self.progress())
            }
            TransferError::Refused(text) => ClientError::Reply {
                address: self.address().to_owned(),
                command: "PSYNC".to_owned(),
                error: ReplyError::parse(&text),
            },
        }
    }
}

const FOLLOWING: &str = "following its commands";
