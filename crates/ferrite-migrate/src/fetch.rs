//! Reads keys from a server, each with its expiry, at one moment.
//!
//! A batch of keys is read in one transaction, so that value and expiry of a key belong together:
//!
//! ```text
//! MULTI  PEXPIRETIME k1  PEXPIRETIME k2 …  DUMP k1  DUMP k2 …  EXEC        (Redis 7.0 on)
//! MULTI  TIME  PTTL k1  PTTL k2 …          DUMP k1  DUMP k2 …  EXEC        (before)
//! ```
//!
//! In a cluster a transaction has keys of one slot only, and a node may answer that another has them.
//!
//! With a fence, `ROLE` is the first command of the transaction: it tells the offset in the source's
//! replication stream at which the keys were read.
//!
//! Before Redis 7.0 an expiry is told only as time left. The clock is asked right before, and no
//! `DUMP` comes in between, so that the moment is right to about a millisecond.
//!
//! A value above the limit is not held: its bytes are streamed off the socket through a decoder.

use std::collections::VecDeque;

use ferrite_client::{ClientError, Connection, Receiver, ReplyError, Sender};
use ferrite_commands::slot;
use ferrite_rdb::{Format, Sink, ValueDecoder, dump};
use ferrite_resp::{
    AggregateKind, ProtocolError, ReplyRef, Value, encode as resp, peek, peek_bulk_header,
};

use crate::model::ElementsSink;

/// What can go wrong while keys are read.
#[derive(Debug)]
pub enum FetchError {
    /// The connection, or the server's refusal.
    Client(ClientError),
    /// A value that cannot be understood.
    Value(ferrite_rdb::Error),
}

impl From<ClientError> for FetchError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

/// Room in the receive buffer beyond the value being read: the replies that follow it.
const SLACK: usize = 256 << 10;

/// One key as it was read.
#[derive(Debug)]
pub enum Fetched {
    /// It is not there (any more).
    Missing,
    /// It is there; its `DUMP` payload is at the front of [`Fetcher::payload`].
    Small {
        /// Absolute expiry, Unix time in milliseconds.
        expires_at_ms: Option<u64>,
    },
    /// It is there, and too large to be held: go on with [`Fetcher::stream`].
    Large {
        /// Absolute expiry, Unix time in milliseconds.
        expires_at_ms: Option<u64>,
        /// Its type byte.
        type_byte: u8,
    },
}

/// Reads keys over one connection.
#[derive(Debug)]
pub struct Fetcher {
    sender: Sender,
    receiver: Receiver,
    expiretime: bool,
    value_limit: usize,
    db: Option<u32>,
    /// Whether every request asks for the offset, and the one the last request was told.
    fence: Option<u64>,
    out: Vec<u8>,
    /// Of the keys of the current transaction that are still to come.
    expiries: VecDeque<Option<u64>>,
    /// Whether keys of different slots must not be in one transaction.
    by_slot: bool,
    /// Whether the last request asks for keys that are on their way to this node.
    asking: bool,
    /// Keys in each transaction whose reply has not begun.
    transactions: VecDeque<usize>,
    /// Why the keys of the current transaction are not to be had from this node, and how many of
    /// them are left.
    elsewhere: Option<(ReplyError, usize)>,
    /// What [`payload`](Self::payload) borrows: its range in the receive buffer.
    current: (usize, usize),
    /// Bytes of a large payload not yet read.
    left: usize,
}

impl Fetcher {
    /// A fetcher on a connection; `expiretime` if the server has `PEXPIRETIME`.
    #[must_use]
    pub fn new(connection: Connection, expiretime: bool, value_limit: usize) -> Self {
        let (sender, mut receiver) = connection.into_split();
        receiver.set_max_buffer(value_limit * 2 + SLACK);
        Self {
            sender,
            receiver,
            expiretime,
            value_limit,
            db: None,
            fence: None,
            out: Vec::new(),
            expiries: VecDeque::new(),
            by_slot: false,
            asking: false,
            transactions: VecDeque::new(),
            elsewhere: None,
            current: (0, 0),
            left: 0,
        }
    }

    /// The same fetcher, asking with every request for the offset it is read at.
    #[must_use]
    pub fn with_fence(mut self) -> Self {
        self.fence = Some(0);
        self
    }

    /// The offset in the server's replication stream at which the keys of the last request were
    /// read; 0 without [`with_fence`](Self::with_fence).
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.fence.unwrap_or(0)
    }

    /// The same fetcher, of a node of a cluster.
    #[must_use]
    pub fn by_slot(mut self) -> Self {
        self.by_slot = true;
        self.db = Some(0);
        self
    }

    /// Asks for keys; then [`next`](Self::next) is called once for each, in the same order.
    ///
    /// # Errors
    /// The loss of the connection, or a refusal.
    pub async fn request<'k>(
        &mut self,
        db: u32,
        keys: impl Iterator<Item = &'k [u8]> + Clone,
    ) -> Result<(), ClientError> {
        self.release();
        self.out.clear();
        self.transactions.clear();
        self.elsewhere = None;
        let select = self.db != Some(db);
        if select {
            resp::command(&mut self.out, &[&b"SELECT"[..], db.to_string().as_bytes()]);
        }
        let mut rest = keys;
        while let Some(keys) = self.transaction(&mut rest) {
            self.encode(keys);
        }
        self.sender.send(&self.out).await?;
        if select {
            self.status("SELECT").await?;
            self.db = Some(db);
        }
        // The nodes of a cluster are all asked before one of them is listened to.
        if self.by_slot { Ok(()) } else { self.begin().await }
    }

    /// Asks a node of a cluster for one key; `asking` if its slot is on the way there.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn request_one(
        &mut self,
        db: u32,
        key: &[u8],
        asking: bool,
    ) -> Result<(), ClientError> {
        self.asking = asking;
        self.request(db, std::iter::once(key)).await
    }

    /// The keys that go into the next transaction: all, or those up to the next one of another slot.
    fn transaction<'k, I: Iterator<Item = &'k [u8]> + Clone>(
        &self,
        rest: &mut I,
    ) -> Option<std::iter::Take<I>> {
        let keys = rest.clone();
        let first = rest.next()?;
        let only = self.by_slot.then(|| slot(first));
        let mut count = 1;
        let mut ahead = rest.clone();
        while ahead.next().is_some_and(|key| only.is_none_or(|only| slot(key) == only)) {
            count += 1;
            rest.next();
        }
        Some(keys.take(count))
    }

    /// Adds one transaction to what is sent.
    fn encode<'k>(&mut self, keys: impl Iterator<Item = &'k [u8]> + Clone) {
        if self.asking {
            resp::command(&mut self.out, &[b"ASKING"]);
        }
        resp::command(&mut self.out, &[b"MULTI"]);
        if self.fence.is_some() {
            resp::command(&mut self.out, &[b"ROLE"]);
        }
        if !self.expiretime {
            resp::command(&mut self.out, &[b"TIME"]);
        }
        let expiry: &[u8] = if self.expiretime { b"PEXPIRETIME" } else { b"PTTL" };
        let mut count = 0;
        for key in keys.clone() {
            resp::command(&mut self.out, &[expiry, key]);
            count += 1;
        }
        for key in keys {
            resp::command(&mut self.out, &[&b"DUMP"[..], key]);
        }
        resp::command(&mut self.out, &[b"EXEC"]);
        self.transactions.push_back(count);
    }

    /// The beginning of a transaction's replies: the header of `EXEC`'s reply, the server's clock
    /// where it was asked for, all expiries.
    async fn begin(&mut self) -> Result<(), ClientError> {
        let Some(keys) = self.transactions.pop_front() else { return Ok(()) };
        let queued = keys * 2 + usize::from(self.fence.is_some()) + usize::from(!self.expiretime);
        if self.asking {
            self.status("ASKING").await?;
        }
        self.status("MULTI").await?;
        let mut refused = None;
        for _ in 0..queued {
            match self.status("DUMP").await {
                Err(ClientError::Reply { error, .. }) if self.by_slot && is_elsewhere(&error) => {
                    // The status is still to be consumed, and so are those behind it.
                    self.receiver.value().await?;
                    refused = refused.or(Some(error));
                }
                other => other?,
            }
        }
        loop {
            match self.peek()? {
                Some((ReplyRef::Aggregate(AggregateKind::Array, _), used)) => {
                    self.receiver.consume(used);
                    break;
                }
                Some((ReplyRef::Error(text), used)) => {
                    let error = refused.unwrap_or_else(|| ReplyError::parse(text));
                    if !self.by_slot || !is_elsewhere(&error) {
                        return Err(self.refused("EXEC", text));
                    }
                    self.receiver.consume(used);
                    self.elsewhere = Some((error, keys));
                    return Ok(());
                }
                Some((_, _)) => return Err(self.unexpected()),
                None => fill_more(&mut self.receiver).await?,
            }
        }
        if self.fence.is_some() {
            self.fence = Some(self.role().await?);
        }
        let now_ms = if self.expiretime { 0 } else { self.clock().await? };
        self.expiries.clear();
        for _ in 0..keys {
            // Time left counts from now, an absolute time from zero; negative means none.
            let time = u64::try_from(self.integer().await?).ok();
            self.expiries.push_back(time.map(|time| now_ms.saturating_add(time)));
        }
        Ok(())
    }

    /// The offset in the reply to `ROLE`.
    async fn role(&mut self) -> Result<u64, ClientError> {
        let role = self.receiver.value().await?;
        offset_in(&role).ok_or_else(|| ClientError::Unexpected {
            address: self.receiver.address().to_owned(),
            doing: "reading keys".to_owned(),
            what: "ROLE tells no replication offset".to_owned(),
        })
    }

    /// The reply to `TIME`, as Unix time in milliseconds.
    async fn clock(&mut self) -> Result<u64, ClientError> {
        let time = self.receiver.value().await?;
        let parts = time.as_array().unwrap_or_default();
        let part = |index: usize| parts.get(index)?.as_str()?.parse::<u64>().ok();
        let (seconds, micros) = (part(0).unwrap_or(0), part(1).unwrap_or(0));
        Ok(seconds.saturating_mul(1000).saturating_add(micros / 1000))
    }

    /// The next key of the request.
    ///
    /// # Errors
    /// The loss of the connection, or a refusal.
    pub async fn next(&mut self) -> Result<Fetched, ClientError> {
        self.release();
        if self.by_slot && self.elsewhere.is_none() && self.expiries.is_empty() {
            self.begin().await?;
        }
        if let Some((error, left)) = &mut self.elsewhere {
            *left -= 1;
            let (error, is_last) = (error.clone(), *left == 0);
            if is_last {
                self.elsewhere = None;
            }
            let address = self.receiver.address().to_owned();
            return Err(ClientError::Reply { address, command: String::from("DUMP"), error });
        }
        let expires_at_ms = self.expiries.pop_front().flatten();
        let Some(length) = self.bulk_header().await? else { return Ok(Fetched::Missing) };
        if length <= self.value_limit {
            while self.receiver.buffered().len() < length + 2 {
                fill_more(&mut self.receiver).await?;
            }
            self.current = (0, length);
            return Ok(Fetched::Small { expires_at_ms });
        }
        let type_byte = loop {
            if let Some(&byte) = self.receiver.buffered().first() {
                break byte;
            }
            fill_more(&mut self.receiver).await?;
        };
        self.left = length;
        Ok(Fetched::Large { expires_at_ms, type_byte })
    }

    /// The payload of the key that came last as [`Fetched::Small`].
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        let (start, end) = self.current;
        self.receiver.buffered().get(start..end).unwrap_or_default()
    }

    /// Lets the last payload go.
    fn release(&mut self) {
        if self.current.1 > 0 {
            self.receiver.consume(self.current.1 + 2);
            self.current = (0, 0);
        }
    }

    /// Bytes of the key that came last as [`Fetched::Large`] which were not read yet.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left
    }

    /// The next bytes of a large payload as they are, footer and all; empty at its end. Instead of
    /// [`stream`](Self::stream).
    ///
    /// # Errors
    /// The loss of the connection.
    pub async fn raw(&mut self) -> Result<Vec<u8>, ClientError> {
        if self.left == 0 {
            return Ok(Vec::new());
        }
        while self.receiver.buffered().is_empty() {
            fill_more(&mut self.receiver).await?;
        }
        let buffered = self.receiver.buffered();
        let part = buffered.get(..self.left).unwrap_or(buffered).to_vec();
        self.receiver.consume(part.len());
        self.left -= part.len();
        if self.left == 0 {
            while self.receiver.buffered().len() < 2 {
                fill_more(&mut self.receiver).await?;
            }
            self.receiver.consume(2);
        }
        Ok(part)
    }

    /// Decodes the next piece of a large value into `sink`; whether the value is complete. What
    /// is still open when the value is complete (its footer) is checked by then.
    ///
    /// # Errors
    /// A value that cannot be understood, or the loss of the connection.
    pub async fn stream(
        &mut self,
        stream: &mut LargeStream,
        sink: &mut impl Sink,
    ) -> Result<bool, FetchError> {
        if !stream.begun {
            self.take(stream, 1);
            stream.begun = true;
        }
        loop {
            let body = self.left.saturating_sub(dump::FOOTER_LEN);
            let buffered = self.receiver.buffered();
            let whole = buffered.get(..body).unwrap_or(buffered);
            let all = stream.window >= whole.len();
            let input = whole.get(..stream.window).unwrap_or(whole);
            let part = stream.decoder.decode(input, sink).map_err(FetchError::Value)?;
            self.take(stream, part.consumed);
            let next = if part.consumed > 0 { ElementsSink::WINDOW } else { stream.window * 2 };
            stream.window = next;
            if part.done {
                return self.finish(stream).await.map(|()| true);
            }
            if part.consumed > 0 {
                return Ok(false);
            }
            if !all {
                continue;
            }
            let have = self.receiver.buffered().len();
            if have >= body {
                let kind = ferrite_rdb::ErrorKind::Truncated("a value");
                return Err(FetchError::Value(ferrite_rdb::Error::new(kind, 0)));
            }
            // An element larger than the buffer was sized for: let it grow by doubling.
            self.receiver.set_max_buffer((have * 2).max(self.value_limit * 2 + SLACK));
            self.receiver.reserve((have * 2).max(1 << 16).min(body + dump::FOOTER_LEN + 2));
            fill_more(&mut self.receiver).await?;
        }
    }

    fn take(&mut self, stream: &mut LargeStream, count: usize) {
        stream.crc.update(self.receiver.buffered().get(..count).unwrap_or_default());
        self.receiver.consume(count);
        self.left = self.left.saturating_sub(count);
    }

    /// Checks the footer behind the value.
    async fn finish(&mut self, stream: &mut LargeStream) -> Result<(), FetchError> {
        while self.receiver.buffered().len() < dump::FOOTER_LEN + 2 {
            fill_more(&mut self.receiver).await?;
        }
        self.take(stream, 2);
        let computed = stream.crc.value();
        let stored = match self.receiver.buffered().first_chunk::<8>() {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => 0,
        };
        self.receiver.consume(8 + 2);
        self.left = 0;
        if stored != computed {
            let kind = ferrite_rdb::ErrorKind::Checksum { stored, computed };
            return Err(FetchError::Value(ferrite_rdb::Error::new(kind, 0)));
        }
        Ok(())
    }

    async fn integer(&mut self) -> Result<i64, ClientError> {
        loop {
            match self.peek()? {
                Some((ReplyRef::Integer(value), used)) => {
                    self.receiver.consume(used);
                    return Ok(value);
                }
                Some((ReplyRef::Error(text), _)) => return Err(self.refused("PEXPIRETIME", text)),
                Some(_) => return Err(self.unexpected()),
                None => fill_more(&mut self.receiver).await?,
            }
        }
    }

    async fn bulk_header(&mut self) -> Result<Option<usize>, ClientError> {
        loop {
            if self.receiver.buffered().first() == Some(&b'-') {
                let value = self.receiver.value().await?;
                return Err(self.refused("DUMP", value.as_error().unwrap_or_default()));
            }
            let header = peek_bulk_header(self.receiver.buffered());
            match header.map_err(|cause| self.protocol(cause))? {
                Some((length, used)) => {
                    self.receiver.consume(used);
                    return Ok(length);
                }
                None => fill_more(&mut self.receiver).await?,
            }
        }
    }

    /// Reads a reply that must not be an error.
    async fn status(&mut self, command: &str) -> Result<(), ClientError> {
        loop {
            match self.peek()? {
                Some((ReplyRef::Error(text), _)) => return Err(self.refused(command, text)),
                Some((_, used)) => {
                    self.receiver.consume(used);
                    return Ok(());
                }
                None => fill_more(&mut self.receiver).await?,
            }
        }
    }

    fn peek(&self) -> Result<Option<(ReplyRef<'_>, usize)>, ClientError> {
        peek(self.receiver.buffered()).map_err(|cause| self.protocol(cause))
    }

    fn refused(&self, command: &str, text: &[u8]) -> ClientError {
        ClientError::Reply {
            address: self.receiver.address().to_owned(),
            command: command.to_owned(),
            error: ReplyError::parse(text),
        }
    }

    fn unexpected(&self) -> ClientError {
        let byte = self.receiver.buffered().first().copied().unwrap_or(0);
        self.protocol(ProtocolError::UnknownType(byte))
    }

    fn protocol(&self, cause: ProtocolError) -> ClientError {
        let address = self.receiver.address().to_owned();
        ClientError::Protocol { address, doing: "reading keys".to_owned(), cause }
    }
}

/// When one key of the selected database expires, Unix time in ms; `None` for never, or if it is
/// not there.
///
/// # Errors
/// The loss of the connection, or a refusal.
pub async fn expiry_of(
    connection: &mut Connection,
    key: &[u8],
    expiretime: bool,
) -> Result<Option<u64>, ClientError> {
    if expiretime {
        let time = connection.call(&[&b"PEXPIRETIME"[..], key]).await?;
        return Ok(time.as_int().and_then(|time| u64::try_from(time).ok()));
    }
    let left = connection.call(&[&b"PTTL"[..], key]).await?;
    let left = left.as_int().and_then(|left| u64::try_from(left).ok());
    let time = connection.call(&["TIME"]).await?;
    let parts = time.as_array().unwrap_or_default();
    let part = |index: usize| parts.get(index)?.as_str()?.parse::<u64>().ok();
    let now_ms = part(0).unwrap_or(0) * 1000 + part(1).unwrap_or(0) / 1000;
    Ok(left.map(|left| now_ms + left))
}

/// Whether another node, or the same one a little later, gives what this one does not.
#[must_use]
pub fn is_elsewhere(error: &ReplyError) -> bool {
    matches!(error.code.as_str(), "MOVED" | "ASK" | "READONLY") || error.is_transient()
}

/// The offset in a reply to `ROLE`: `master <offset> …` or `slave <host> <port> <state> <offset>`.
#[must_use]
pub fn offset_in(role: &Value) -> Option<u64> {
    let words = role.as_array()?;
    let is_master = words.first().and_then(Value::as_str) == Some("master");
    let offset = words.get(if is_master { 1 } else { 4 }).and_then(Value::as_int)?;
    u64::try_from(offset).ok()
}

/// The state of one large value on its way through a decoder.
#[derive(Debug)]
pub struct LargeStream {
    decoder: ValueDecoder,
    crc: ferrite_rdb::Crc64,
    begun: bool,
    /// How many of the bytes that are there the decoder is shown.
    window: usize,
}

impl LargeStream {
    /// The beginning of a value.
    ///
    /// # Errors
    /// A type that cannot be read.
    pub fn new(format: Format, type_byte: u8) -> Result<Self, ferrite_rdb::Error> {
        let decoder = ValueDecoder::new(format, type_byte)?;
        Ok(Self {
            decoder,
            crc: ferrite_rdb::Crc64::default(),
            begun: false,
            window: ElementsSink::WINDOW,
        })
    }
}

/// Waits for more bytes; a closed connection is an error.
///
/// # Errors
/// The loss of the connection.
pub async fn fill_more(receiver: &mut Receiver) -> Result<(), ClientError> {
    if receiver.fill().await? > 0 {
        return Ok(());
    }
    Err(ClientError::Closed {
        address: receiver.address().to_owned(),
        doing: "waiting for a reply".to_owned(),
        hint: String::new(),
    })
}
